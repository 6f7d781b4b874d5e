package sqldb

import (
	"context"
	"math"
	"slices"

	"porchlight/audit"
)

// Cases lists at most limit uploads that match the filter, in order of upload id, from
// the one after the cursor, each with what its judgement needs. Its sightings are those
// that it was judged against when it came: never one that came later, so that an
// original is not taken for a copy of its copy.
func (db *DB) Cases(ctx context.Context, f audit.Filter, after string, limit int) (cases []audit.Case, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = db.read(ctx, func(s session) error {
		ids, err := s.matching(ctx, f, after, limit)
		if err == nil {
			cases, err = s.cases(ctx, ids)
		}
		return err
	})
	return cases, err
}

// matching lists the ids of the uploads of one chunk.
func (s session) matching(ctx context.Context, f audit.Filter, after string, limit int) ([]string, error) {
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.Since.IsZero() {
		since = micros(f.Since)
	}
	if !f.Until.IsZero() {
		until = micros(f.Until)
	}
	query, args := queryMatching, []any{after, since, until, limit}
	if f.DriverID != "" {
		query, args = queryMatchingDriver, append(args, f.DriverID)
	}
	return collect(ctx, s, scanText, query, args...)
}

const (
	queryMatching       = `SELECT upload_id FROM uploads WHERE upload_id > $1 AND received_at >= $2 AND received_at < $3 ORDER BY upload_id LIMIT $4`
	queryMatchingDriver = `SELECT upload_id FROM uploads WHERE upload_id > $1 AND received_at >= $2 AND received_at < $3 AND driver_id = $5 ORDER BY upload_id LIMIT $4`
)

// cases loads uploads with all around them, in a handful of queries.
func (s session) cases(ctx context.Context, uploadIDs []string) ([]audit.Case, error) {
	judged, err := s.judgedUploads(ctx, uploadIDs)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]audit.JudgedUpload, len(judged))
	deliveries := map[string]audit.Delivery{}
	var trackingIDs []string
	for _, j := range judged {
		byID[j.Upload.UploadID] = j
		if _, ok := deliveries[j.Upload.TrackingID]; !ok {
			deliveries[j.Upload.TrackingID] = audit.Delivery{}
			trackingIDs = append(trackingIDs, j.Upload.TrackingID)
		}
	}
	if err := s.fillDeliveries(ctx, trackingIDs, deliveries); err != nil {
		return nil, err
	}
	sets, err := s.setsOf(ctx, trackingIDs, byID)
	if err != nil {
		return nil, err
	}
	sightings, err := s.keptSightings(ctx, uploadIDs)
	if err != nil {
		return nil, err
	}
	cases := make([]audit.Case, 0, len(judged))
	for _, id := range uploadIDs {
		j, ok := byID[id]
		if !ok {
			continue
		}
		c := audit.Case{JudgedUpload: j, Known: audit.Known{Delivery: deliveries[j.Upload.TrackingID], Sightings: sightings[id]}}
		for _, other := range sets[j.Upload.TrackingID] {
			if other.Upload.UploadID != id {
				c.Others = append(c.Others, other)
			}
		}
		cases = append(cases, c)
	}
	return cases, nil
}

func (s session) fillDeliveries(ctx context.Context, ids []string, into map[string]audit.Delivery) error {
	for chunk := range slices.Chunk(ids, chunkRows) {
		marks, args := s.list(chunk)
		found, err := collect(ctx, s, scanJSON[audit.Delivery], `SELECT json FROM deliveries WHERE tracking_id IN (`+marks+`)`, args...)
		if err == nil {
			err = s.locate(ctx, found)
		}
		if err != nil {
			return err
		}
		for _, d := range found {
			into[d.TrackingID] = d
		}
	}
	return nil
}

// setsOf lists the uploads that show each delivery, the latest [othersCap] and oldest of
// them first, and loads only those that are not loaded yet.
func (s session) setsOf(ctx context.Context, trackingIDs []string, loaded map[string]audit.JudgedUpload) (map[string][]audit.JudgedUpload, error) {
	all, err := s.linkedUploads(ctx, trackingIDs)
	if err != nil {
		return nil, err
	}
	shown := map[string][]link{}
	for _, l := range all {
		shown[l.trackingID] = append(shown[l.trackingID], l)
	}
	var links []link
	for _, id := range trackingIDs {
		links = append(links, latest(shown[id])...)
	}
	var missing []string
	asked := map[string]bool{}
	for _, l := range links {
		if _, ok := loaded[l.uploadID]; !ok && !asked[l.uploadID] {
			asked[l.uploadID] = true
			missing = append(missing, l.uploadID)
		}
	}
	more, err := s.judgedUploads(ctx, missing)
	if err != nil {
		return nil, err
	}
	others := make(map[string]audit.JudgedUpload, len(more))
	for _, j := range more {
		others[j.Upload.UploadID] = j
	}
	sets := map[string][]audit.JudgedUpload{}
	for _, l := range links {
		j, ok := loaded[l.uploadID]
		if !ok {
			j = others[l.uploadID]
		}
		sets[l.trackingID] = append(sets[l.trackingID], j)
	}
	for _, set := range sets {
		slices.SortFunc(set, oldest)
	}
	return sets, nil
}
