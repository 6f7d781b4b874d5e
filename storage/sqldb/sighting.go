package sqldb

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
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

// similarCap bounds how many similar photos, the nearest, are looked up.
const similarCap = 500

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
	if p.searchable() && u.driverID != "" && u.stopKey != "" {
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
	photos := map[string]sighted{u.photoID: {quality: p.quality}}
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
	digits   string
	distance int
	quality  int // the lower of both
}

// compare takes the distance to p and the lower quality, and returns the distance.
func (e *sighted) compare(p picture) int {
	other, ok := audit.ParseFingerprint(e.digits)
	e.distance = 256
	if ok {
		e.distance = other.Distance(p.print)
	}
	e.quality = min(e.quality, p.quality)
	return e.distance
}

func (e sighted) sighting() audit.Sighting {
	return audit.Sighting{UploadID: e.uploadID, PhotoID: e.photoID, TrackingID: e.trackingID, DriverID: e.driverID,
		StopKey: e.stopKey, At: time.UnixMicro(e.at).UTC(), Distance: e.distance, Quality: e.quality}
}

const (
	uploadColumns = `e.upload_id, e.photo_id, e.tracking_id, e.driver_id, e.stop_key, e.at, e.received_at`
	queryAtStop   = `SELECT ` + uploadColumns + `, p.fingerprint, p.quality FROM uploads e JOIN photos p ON p.photo_id = e.photo_id
		WHERE e.driver_id = $1 AND e.stop_key = $2 AND e.at >= $3 AND p.quality >= $4`
	querySimilar = `SELECT photo_id, fingerprint, quality FROM photos WHERE photo_key IN
		(SELECT photo_key FROM fingerprint_bands WHERE band IN (` + bandMarks + `)) AND photo_id <> $17 AND quality >= $18`
)

func scanUploadRow(scan func(...any) error) (r uploadRow, err error) {
	err = scan(&r.uploadID, &r.photoID, &r.trackingID, &r.driverID, &r.stopKey, &r.at, &r.receivedAt)
	return r, err
}

func scanSighted(scan func(...any) error) (e sighted, err error) {
	err = scan(&e.uploadID, &e.photoID, &e.trackingID, &e.driverID, &e.stopKey, &e.at, &e.receivedAt, &e.digits, &e.quality)
	return e, err
}

// turnedWays is in how many ways a picture may be turned and mirrored beside upright.
const turnedWays = 7

// queryTurned finds photos that agree in two bands at least with one of the seven ways in
// which a picture may be turned or mirrored. One band would do for the upright picture;
// here it would bring in seven times as many photos that are alike by chance, to be
// looked up one by one, while counting bands stays within their index.
var queryTurned = func() string {
	var ways []string
	for way := range turnedWays {
		marks := make([]string, bandCount)
		for i := range marks {
			marks[i] = "$" + strconv.Itoa(1+way*bandCount+i)
		}
		ways = append(ways, `SELECT photo_key FROM fingerprint_bands WHERE band IN (`+strings.Join(marks, ",")+`) GROUP BY photo_key HAVING COUNT(*) >= 2`)
	}
	return `SELECT photo_id, fingerprint, quality FROM photos WHERE photo_key IN (` + strings.Join(ways, ` UNION ALL `) +
		`) AND photo_id <> $` + strconv.Itoa(1+turnedWays*bandCount) + ` AND quality >= $` + strconv.Itoa(2+turnedWays*bandCount)
}()

// similarPhotos finds photos within [nearAnywhere] bits, also where one is turned or
// mirrored against the other. Upright all are found up to 15 bits, most up to 31.
func (s session) similarPhotos(ctx context.Context, photoID string, p picture) ([]sighted, error) {
	if !p.searchable() {
		return nil, nil
	}
	found := map[string]sighted{}
	look := func(query string, args []any, ways ...audit.Fingerprint) error {
		rows, err := collect(ctx, s, func(scan func(...any) error) (e sighted, err error) {
			err = scan(&e.photoID, &e.digits, &e.quality)
			return e, err
		}, query, append(args, photoID, searchQuality)...)
		for _, e := range rows {
			for _, way := range ways {
				if old, again := found[e.photoID]; e.compare(picture{print: way, quality: p.quality}) <= nearAnywhere && (!again || e.distance < old.distance) {
					found[e.photoID] = e
				}
			}
		}
		return err
	}
	_, bands := bandList(p.print)
	if err := look(querySimilar, bands, p.print); err != nil {
		return nil, err
	}
	if len(p.turned) == turnedWays {
		bands = nil
		for _, f := range p.turned {
			_, more := bandList(f)
			bands = append(bands, more...)
		}
		if err := look(queryTurned, bands, p.turned...); err != nil {
			return nil, err
		}
	}
	near := slices.Collect(maps.Values(found))
	slices.SortFunc(near, func(a, b sighted) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.photoID, b.photoID))
	})
	return near[:min(len(near), similarCap)], nil
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
