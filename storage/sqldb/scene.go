package sqldb

import (
	"context"

	"time"

	"porchlight/audit"
	"porchlight/audit/vision/scene"
)

// How far back a stop's photos are looked for: among its last stopDeliveries deliveries,
// the last stopUploads uploads, of which the last [audit.MaxCompared] accepted ones count.
const (
	stopDeliveries = 100
	stopUploads    = 32
)

// recognise compares a photo that was just read with earlier accepted ones of its stop,
// from earlier visits. It is nil where no features were looked for.
func (db *DB) recognise(ctx context.Context, u audit.Upload, m audit.Measurement) (r *audit.Recognition, err error) {
	if m.Vision == nil || m.Vision.Scene == nil {
		return nil, nil
	}
	features, err := scene.Parse(m.Vision.Scene)
	if err != nil {
		return nil, audit.Errorf(audit.CodeInvalid, "the photo's features cannot be read", err)
	}
	err = db.read(ctx, func(s session) error {
		r, err = s.compare(ctx, u, features)
		return err
	})
	return r, err
}

func (s session) compare(ctx context.Context, u audit.Upload, features []scene.Feature) (*audit.Recognition, error) {
	before := rowOf(u, "").at - audit.VisitApart.Microseconds()
	candidates, err := collect(ctx, s, scanUploadRow, queryStopScenes, u.TrackingID, stopDeliveries, before, u.PhotoID, scene.Version, stopUploads)
	if err != nil {
		return nil, err
	}
	earlier, err := s.accepted(ctx, candidates)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range earlier {
		ids = append(ids, e.photoID)
	}
	kept := map[string][]byte{}
	_, err = collectAll(ctx, s, func(scan func(...any) error) (none struct{}, err error) {
		var id string
		var b []byte
		err = scan(&id, &b)
		kept[id] = b
		return none, err
	}, s.among(`SELECT photo_id, features FROM scenes WHERE photo_id IN `, ids, ""))
	if err != nil {
		return nil, err
	}
	r := &audit.Recognition{Compared: len(earlier)}
	for _, e := range earlier {
		theirs, err := scene.Parse(kept[e.photoID])
		if err != nil {
			return nil, audit.Errorf(audit.CodeCorrupted, "the features of photo %s cannot be read", e.photoID, err)
		}
		if n := scene.Agreeing(features, theirs); n > r.Points {
			r.UploadID, r.At, r.Points = e.uploadID, time.UnixMicro(e.at).UTC(), n
		}
	}
	return r, nil
}

// queryStopScenes finds a stop's earlier uploads of other photos that have features, the latest first.
const queryStopScenes = `SELECT ` + uploadColumns + ` FROM
	(SELECT tracking_id FROM deliveries WHERE stop_key = (SELECT stop_key FROM deliveries WHERE tracking_id = $1) ORDER BY sort_at DESC, tracking_id DESC LIMIT $2) d
	JOIN upload_deliveries l ON l.tracking_id = d.tracking_id
	JOIN uploads e ON e.upload_id = l.upload_id
	JOIN scenes f ON f.photo_id = e.photo_id
	WHERE e.at < $3 AND e.photo_id <> $4 AND f.version = $5 ORDER BY e.at DESC, e.upload_id DESC LIMIT $6`

// accepted are the first of the uploads, a photo each, that are accepted by what counts of
// them today.
func (s session) accepted(ctx context.Context, rows []uploadRow) (chosen []uploadRow, err error) {
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.uploadID)
	}
	judged, err := s.judgedUploads(ctx, ids)
	if err == nil {
		err = s.rule(ctx, judged)
	}
	if err != nil {
		return nil, err
	}
	settled := map[string]audit.Verdict{}
	for _, j := range judged {
		settled[j.Upload.UploadID] = j.Settled()
	}
	seen := map[string]bool{}
	for _, r := range rows {
		if settled[r.uploadID] == audit.Accept && !seen[r.photoID] && len(chosen) < audit.MaxCompared {
			seen[r.photoID] = true
			chosen = append(chosen, r)
		}
	}
	return chosen, nil
}

// saveScenes keeps the features of photos that were read, by photo id.
func (s session) saveScenes(ctx context.Context, photoIDs []string, ms map[string]audit.Measurement) error {
	var rows [][]any
	for _, id := range photoIDs {
		if v := ms[id].Vision; v != nil && v.Scene != nil {
			rows = append(rows, []any{id, scene.Version, v.Scene})
		}
	}
	return s.insert(ctx, `INSERT INTO scenes (photo_id, version, features) VALUES`,
		`ON CONFLICT (photo_id) DO UPDATE SET version = excluded.version, features = excluded.features`, rows)
}

func (s session) saveRecognition(ctx context.Context, uploadID string, r *audit.Recognition) error {
	if r == nil {
		return nil
	}
	_, err := s.exec(ctx, `INSERT INTO recognitions (upload_id, compared, earlier_id, at, points) VALUES ($1, $2, $3, $4, $5)`,
		uploadID, r.Compared, r.UploadID, micros(r.At), r.Points)
	return err
}

// keptRecognitions loads what comparing uploads found when they came, by upload id.
func (s session) keptRecognitions(ctx context.Context, uploadIDs []string) (map[string]*audit.Recognition, error) {
	all := map[string]*audit.Recognition{}
	_, err := collectAll(ctx, s, func(scan func(...any) error) (none struct{}, err error) {
		var id string
		var at int64
		var r audit.Recognition
		if err = scan(&id, &r.Compared, &r.UploadID, &at, &r.Points); err != nil {
			return none, err
		}
		if r.UploadID != "" {
			r.At = time.UnixMicro(at).UTC()
		}
		all[id] = &r
		return none, nil
	}, s.among(queryRecognitions, uploadIDs, ""))
	return all, err
}

const queryRecognitions = `SELECT upload_id, compared, earlier_id, at, points FROM recognitions WHERE upload_id IN `
