package sqldb

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"porchlight/audit"
)

// How far a similar photo is looked for: anywhere up to nearAnywhere bits, and up to
// nearAtStop bits among what the same driver sent from the same stop in the last
// stopWindow (the checklist's reuse check).
const (
	nearAnywhere = 31
	nearAtStop   = 60
	stopWindow   = 90 * 24 * time.Hour
)

// An upload is judged against sightingCap sightings at most, of which dailyCap may come
// from one stop on one day: thirty photos of one visit must not hide the one that was
// taken elsewhere.
const (
	sightingCap = 50
	dailyCap    = 3
)

// sight finds earlier uploads of the same or a similar picture, nearest first, then
// oldest first. before restricts it to those that were received before the upload;
// without it all that is on record counts as earlier.
func (s session) sight(ctx context.Context, u uploadRow, p picture, before bool) ([]audit.Sighting, error) {
	found := map[string]audit.Sighting{}
	add := func(e sighted) {
		if e.uploadID == u.uploadID || before && cmp.Or(cmp.Compare(e.receivedAt, u.receivedAt), cmp.Compare(e.uploadID, u.uploadID)) >= 0 {
			return
		}
		found[e.uploadID] = e.sighting()
	}
	if len(p.likenesses()) > 0 && u.driverID != "" && u.stopKey != "" {
		atStop, err := collect(ctx, s, scanSighted, queryAtStop, u.driverID, u.stopKey, u.at-stopWindow.Microseconds(), searchQuality)
		if err != nil {
			return nil, err
		}
		for _, e := range atStop {
			if e.compare(p) <= nearAtStop {
				add(e)
			}
		}
	}
	photos := map[string]sighted{u.photoID: {quality: max(p.whole.quality, p.trimmed.quality)}}
	similar, err := s.similarPhotos(ctx, u.photoID, p)
	if err != nil {
		return nil, err
	}
	ids := []string{u.photoID}
	for _, e := range similar {
		photos[e.photoID] = e
		ids = append(ids, e.photoID)
	}
	marks, args := s.list(ids)
	anywhere, err := collect(ctx, s, scanUploadRow, `SELECT `+uploadColumns+` FROM uploads e WHERE e.photo_id IN (`+marks+`)
		ORDER BY e.received_at, e.upload_id LIMIT 5000`, args...)
	if err != nil {
		return nil, err
	}
	for _, row := range anywhere {
		e := photos[row.photoID]
		e.uploadRow = row
		add(e)
	}
	return chooseSightings(found), nil
}

// sighted is an upload with its photo's likeness to the one in question.
type sighted struct {
	uploadRow
	picture  // as it is on record
	distance int
	quality  int // the lower of both
}

// like takes the distance to the nearest of some fingerprints, and the lower quality, where
// that is nearer than what it has.
func (e *sighted) like(quality int, prints []audit.Fingerprint, distance func(f, kept audit.Fingerprint) int) {
	for _, kept := range e.likenesses() {
		for _, f := range prints {
			if d := distance(f, kept.print); d < e.distance {
				e.distance, e.quality = d, min(quality, kept.quality)
			}
		}
	}
}

// compare takes the distance to p as both are, without turning, and returns it.
func (e *sighted) compare(p picture) int {
	e.distance = 256
	for _, l := range p.likenesses() {
		e.like(l.quality, []audit.Fingerprint{l.print}, audit.Fingerprint.Distance)
	}
	return e.distance
}

func (e sighted) sighting() audit.Sighting {
	return audit.Sighting{UploadID: e.uploadID, PhotoID: e.photoID, TrackingID: e.trackingID, DriverID: e.driverID,
		StopKey: e.stopKey, At: time.UnixMicro(e.at).UTC(), Distance: e.distance, Quality: e.quality}
}

const (
	uploadColumns = `e.upload_id, e.photo_id, e.tracking_id, e.driver_id, e.stop_key, e.at, e.received_at`
	queryAtStop   = `SELECT ` + uploadColumns + `, ` + pictureColumns + ` FROM uploads e JOIN photos p ON p.photo_id = e.photo_id
		WHERE e.driver_id = $1 AND e.stop_key = $2 AND e.at >= $3 AND (p.quality >= $4 OR p.trimmed_quality >= $4)`
)

func scanUploadRow(scan func(...any) error) (r uploadRow, err error) {
	err = scan(&r.uploadID, &r.photoID, &r.trackingID, &r.driverID, &r.stopKey, &r.at, &r.receivedAt)
	return r, err
}

func scanSighted(scan func(...any) error) (e sighted, err error) {
	var whole, trimmed likeness
	err = scan(&e.uploadID, &e.photoID, &e.trackingID, &e.driverID, &e.stopKey, &e.at, &e.receivedAt,
		&whole.digits, &whole.quality, &trimmed.digits, &trimmed.quality)
	e.picture = picture{whole: parseLikeness(whole.digits, whole.quality), trimmed: parseLikeness(trimmed.digits, trimmed.quality)}
	return e, err
}

// chooseSightings orders sightings, nearest first, then oldest first, and takes the
// first of each stop and day up to the caps.
func chooseSightings(found map[string]audit.Sighting) []audit.Sighting {
	all := make([]audit.Sighting, 0, len(found))
	for _, s := range found {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b audit.Sighting) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), a.At.Compare(b.At), cmp.Compare(a.UploadID, b.UploadID))
	})
	visits := map[string]int{}
	var chosen []audit.Sighting
	for _, s := range all {
		visit := s.StopKey + "@" + strconv.FormatInt(s.At.Unix()/86400, 10)
		if visits[visit]++; visits[visit] <= dailyCap && len(chosen) < sightingCap {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

func (s session) saveSightings(ctx context.Context, uploadID string, seen []audit.Sighting) error {
	var rows [][]any
	for _, e := range seen {
		rows = append(rows, []any{uploadID, e.UploadID, e.Distance, e.Quality})
	}
	return s.insert(ctx, `INSERT INTO sightings (upload_id, earlier_id, distance, quality) VALUES`, `ON CONFLICT DO NOTHING`, rows)
}

// keptSightings loads what uploads were judged against, by upload id. Where and when is
// read from the earlier uploads as they are on record now.
func (s session) keptSightings(ctx context.Context, uploadIDs []string) (map[string][]audit.Sighting, error) {
	all := map[string][]audit.Sighting{}
	_, err := collectAll(ctx, s, func(scan func(...any) error) (none struct{}, err error) {
		var id string
		var e sighted
		err = scan(&e.uploadID, &e.photoID, &e.trackingID, &e.driverID, &e.stopKey, &e.at, &e.receivedAt, &e.distance, &e.quality, &id)
		all[id] = append(all[id], e.sighting())
		return none, err
	}, s.among(`SELECT `+uploadColumns+`, k.distance, k.quality, k.upload_id FROM sightings k JOIN uploads e ON e.upload_id = k.earlier_id
		WHERE k.upload_id IN `, uploadIDs, ` ORDER BY k.distance, e.at, e.upload_id`))
	return all, err
}
