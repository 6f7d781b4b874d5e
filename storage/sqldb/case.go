package sqldb

import (
	"context"
	"fmt"
	"slices"

	"porchlight/audit"
)

// Cases lists the uploads of a span that match the filter, in order of upload id, each
// with what its judgement needs. Its sightings are those that it was judged against when
// it came: never one that came later, so that an original is not taken for a copy of its
// copy.
func (db *DB) Cases(ctx context.Context, f audit.Filter, span audit.Span) (cases []audit.Case, err error) {
	query, args := spanQuery(f, span)
	err = db.read(ctx, func(s session) error {
		judged, err := s.collectJudged(ctx, query, args...)
		if err == nil {
			cases, err = s.around(ctx, judged)
		}
		return err
	})
	return cases, err
}

// CasesOf are the uploads of those ids that are on record, each with what its judgement
// needs, oldest first.
func (db *DB) CasesOf(ctx context.Context, uploadIDs []string) (cases []audit.Case, err error) {
	err = db.read(ctx, func(s session) error {
		cases, err = s.cases(ctx, uploadIDs)
		return err
	})
	return cases, err
}

const (
	querySpan     = queryJudged + `WHERE u.upload_id >= $1 AND u.upload_id <= $2`
	queryMatching = `SELECT u.upload_id FROM uploads u WHERE u.upload_id > $1`
	byUpload      = ` ORDER BY u.upload_id`
)

// spanQuery is the query of the uploads of a span that match the filter, and its arguments.
func spanQuery(f audit.Filter, span audit.Span) (query string, args []any) {
	query, args = narrow(querySpan, []any{span.First, span.Last}, f)
	return query + byUpload, args
}

// matchingQuery is the query of at most limit ids of uploads that match the filter, from the
// one after the cursor, and its arguments.
func matchingQuery(f audit.Filter, after string, limit int) (query string, args []any) {
	query, args = narrow(queryMatching, []any{after}, f)
	return fmt.Sprintf("%s%s LIMIT $%d", query, byUpload, len(args)+1), append(args, limit)
}

// narrow adds what the filter asks for to a query of uploads by their ids. Adding nothing to
// the time keeps its index out of it, which a planner may take to be the better one, and then
// reads whole for each span; a condition that excludes nothing would have it expect few rows.
func narrow(query string, args []any, f audit.Filter) (string, []any) {
	and := func(condition string, arg any) {
		args = append(args, arg)
		query += fmt.Sprintf(" AND %s $%d", condition, len(args))
	}
	if !f.Since.IsZero() {
		and("u.received_at + 0 >=", micros(f.Since))
	}
	if !f.Until.IsZero() {
		and("u.received_at + 0 <", micros(f.Until))
	}
	if f.DriverID != "" {
		and("u.driver_id =", f.DriverID)
	}
	return query, args
}

// cases loads uploads with all around them, in a handful of queries, oldest first.
func (s session) cases(ctx context.Context, uploadIDs []string) ([]audit.Case, error) {
	judged, err := s.judgedUploads(ctx, uploadIDs)
	if err != nil {
		return nil, err
	}
	return s.around(ctx, judged)
}

// around puts uploads together with all that their judgement needs.
func (s session) around(ctx context.Context, judged []audit.JudgedUpload) ([]audit.Case, error) {
	uploadIDs := make([]string, len(judged))
	byID := make(map[string]audit.JudgedUpload, len(judged))
	deliveries := map[string]audit.Delivery{}
	var trackingIDs []string
	for i, j := range judged {
		uploadIDs[i], byID[j.Upload.UploadID] = j.Upload.UploadID, j
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
	recognitions, err := s.keptRecognitions(ctx, uploadIDs)
	if err != nil {
		return nil, err
	}
	cases := make([]audit.Case, 0, len(judged))
	for _, j := range judged {
		id := j.Upload.UploadID
		c := audit.Case{JudgedUpload: j, Known: audit.Known{Delivery: deliveries[j.Upload.TrackingID], Sightings: sightings[id], Recognition: recognitions[id]}}
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
	found, err := collectAll(ctx, s, scanJSON[audit.Delivery], s.among(`SELECT json FROM deliveries WHERE tracking_id IN `, ids, ""))
	if err == nil {
		err = s.locate(ctx, found)
	}
	if err != nil {
		return err
	}
	for _, d := range found {
		into[d.TrackingID] = d
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
