package sqldb

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/webhook"
)

// AddUpload stores an upload with its measurement and the reports that judge makes of
// it, in one transaction, while its deliveries and everything that resembles the photo
// are locked: of two uploads that resemble each other the second one sees the first.
// Where the photo was uploaded for that delivery before, judge is not called, and what
// is on record is answered with created false. The report carries its measurement.
//
// Errors: [audit.CodeDelivery] names the delivery that is not on record,
// [audit.CodeConflict] where the upload's or a report's id is taken, [audit.CodeDeleted]
// where the photo was deleted and must be put again first,
// [audit.CodeUnavailable], and what judge returns.
func (db *DB) AddUpload(ctx context.Context, u audit.Upload, m audit.Measurement, judge func(audit.Known) ([]audit.Report, error)) (kept audit.Upload, r audit.Report, created bool, err error) {
	if err := checkText(u); err != nil {
		return kept, r, false, err
	}
	recognition, err := db.recognise(ctx, u, m) // takes a while, and needs no locks
	if err != nil {
		return kept, r, false, err
	}
	err = db.write(ctx, func(s session) error {
		kept, r, created = u, audit.Report{}, false
		delivery, stopKey, err := s.lockAround(ctx, u, m)
		if err != nil {
			return err
		}
		if deleted, err := s.deletions(ctx, []string{u.PhotoID}); err != nil || len(deleted) > 0 {
			return cmp.Or(err, error(audit.Errorf(audit.CodeDeleted, "the photo was deleted, past its retention")))
		}
		linked, err := s.linkedUploads(ctx, []string{u.TrackingID})
		if err != nil {
			return err
		}
		for _, l := range linked {
			if l.photoID == u.PhotoID {
				kept, r, err = s.answered(ctx, l.uploadID)
				return err
			}
		}
		known := audit.Known{Delivery: delivery, Recognition: recognition}
		if known.Others, err = s.judgedUploads(ctx, uploadIDs(latest(linked))); err != nil {
			return err
		}
		row := rowOf(u, stopKey)
		if known.Sightings, err = s.sight(ctx, row, pictureOf(m), false); err != nil {
			return err
		}
		reports, err := judge(known)
		if err != nil {
			return err
		}
		if len(reports) == 0 {
			return audit.Errorf(audit.CodeInternal, "the upload was not judged")
		}
		r, created = reports[0], true
		r.Measurement = &m
		if err := s.saveUpload(ctx, u, row, m, known, reports); err != nil {
			return err
		}
		if err := s.announce(ctx, webhook.PhotoEvents(u, reports[0])...); err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.PhotoUploaded, Subject: custody.Subject{Kind: custody.Photo, ID: u.PhotoID},
			Detail: custody.Details(map[string]string{"upload_id": u.UploadID, "tracking_id": u.TrackingID, "verdict": string(r.Verdict)})})
	})
	if err != nil {
		return audit.Upload{}, audit.Report{}, false, err
	}
	return kept, r, created, nil
}

// lockAround locks what an upload must be alone with, in an order that is the same for
// all (similar photos, then deliveries by id), and finds its delivery.
func (s session) lockAround(ctx context.Context, u audit.Upload, m audit.Measurement) (d audit.Delivery, stopKey string, err error) {
	keys := []int64{textLock("photo", u.PhotoID)}
	if u.DriverID != "" {
		keys = append(keys, textLock("driver", u.DriverID))
	}
	p := pictureOf(m)
	if err := s.dialect.lock(ctx, s, append(keys, p.bands()...), p.turnedBands()...); err != nil {
		return d, "", err
	}
	ids := append([]string{u.TrackingID}, u.Also...)
	rows, err := s.keptDeliveries(ctx, ids)
	if err != nil {
		return d, "", err
	}
	for _, id := range ids {
		if _, ok := rows[id]; !ok {
			return d, "", audit.Errorf(audit.CodeDelivery, "no delivery %s is on record", id)
		}
	}
	row := rows[u.TrackingID]
	located := make([]audit.Delivery, 1)
	if err = overlay(&located[0], row.json, struct{}{}); err == nil {
		err = s.locate(ctx, located)
	}
	return located[0], row.stopKey, err
}

// othersCap bounds the other uploads of a delivery that one is judged beside: no
// instruction asks for nearly as many, and a delivery that is sent hundreds must not
// cost the square of them.
const othersCap = 32

// latest are the uploads that came last, at most [othersCap].
func latest(links []link) []link {
	links = slices.SortedFunc(slices.Values(links), func(a, b link) int { return cmp.Compare(a.uploadID, b.uploadID) })
	return links[max(0, len(links)-othersCap):]
}

// uploadRow is what an upload is found by.
type uploadRow struct {
	uploadID, photoID, trackingID, driverID, stopKey string
	at, receivedAt                                   int64
}

func rowOf(u audit.Upload, stopKey string) uploadRow {
	row := uploadRow{uploadID: u.UploadID, photoID: u.PhotoID, trackingID: u.TrackingID, driverID: u.DriverID,
		stopKey: stopKey, at: micros(u.ReceivedAt), receivedAt: micros(u.ReceivedAt)}
	if u.CapturedAt != nil {
		row.at = micros(*u.CapturedAt)
	}
	return row
}

// link says that an upload shows a delivery.
type link struct{ trackingID, photoID, uploadID string }

func uploadIDs(links []link) []string {
	ids := make([]string, len(links))
	for i, l := range links {
		ids[i] = l.uploadID
	}
	return ids
}

const queryLinks = `SELECT tracking_id, photo_id, upload_id FROM upload_deliveries WHERE tracking_id IN `

// linkedUploads lists the uploads that show one of the deliveries.
func (s session) linkedUploads(ctx context.Context, trackingIDs []string) ([]link, error) {
	return collectAll(ctx, s, func(scan func(...any) error) (l link, err error) {
		err = scan(&l.trackingID, &l.photoID, &l.uploadID)
		return l, err
	}, s.links(trackingIDs))
}

func (s session) links(trackingIDs []string) []statement { return s.among(queryLinks, trackingIDs, "") }

// answered is what an earlier upload was answered with, or would be today.
func (s session) answered(ctx context.Context, uploadID string) (audit.Upload, audit.Report, error) {
	judged, err := s.judgedUploads(ctx, []string{uploadID})
	if err == nil && len(judged) == 0 {
		err = audit.Errorf(audit.CodeInternal, "an upload has no report")
	}
	if err != nil {
		return audit.Upload{}, audit.Report{}, err
	}
	r := judged[0].Report
	m := judged[0].Measurement
	if r.MeasurementVersion != "" && r.MeasurementVersion != m.Version {
		// It was measured again since by other code; the report speaks of the older one.
		older, err := collect(ctx, s, scanJSON[audit.Measurement],
			`SELECT json FROM measurements WHERE photo_id = $1 AND version = $2`, judged[0].Upload.PhotoID, r.MeasurementVersion)
		if err != nil {
			return audit.Upload{}, audit.Report{}, err
		}
		if len(older) > 0 {
			m = older[0]
		}
	}
	r.Measurement = &m
	return judged[0].Upload, r, nil
}

func (s session) saveUpload(ctx context.Context, u audit.Upload, row uploadRow, m audit.Measurement, known audit.Known, reports []audit.Report) error {
	if err := s.saveMeasurements(ctx, map[string]audit.Measurement{u.PhotoID: m}); err != nil {
		return err
	}
	text, err := encode(u)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, `INSERT INTO uploads (upload_id, photo_id, tracking_id, driver_id, stop_key, at, received_at, json)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, row.uploadID, row.photoID, row.trackingID, row.driverID, row.stopKey, row.at, row.receivedAt, text)
	if err != nil {
		return err
	}
	links := [][]any{{u.TrackingID, u.PhotoID, u.UploadID}}
	for _, id := range u.Also {
		links = append(links, []any{id, u.PhotoID, u.UploadID})
	}
	// The same photo may have been sent for one of the others on its own before.
	if err := s.insert(ctx, `INSERT INTO upload_deliveries (tracking_id, photo_id, upload_id) VALUES`, `ON CONFLICT DO NOTHING`, links); err != nil {
		return err
	}
	if err := s.saveSightings(ctx, u.UploadID, known.Sightings); err != nil {
		return err
	}
	if err := s.saveRecognition(ctx, u.UploadID, known.Recognition); err != nil {
		return err
	}
	return s.saveReports(ctx, reports)
}

// PhotoUploads lists every upload of a photo's bytes, oldest first. Errors:
// [audit.CodeNotFound] where there is none.
func (db *DB) PhotoUploads(ctx context.Context, photoID string) ([]audit.JudgedUpload, error) {
	all, err := db.on(db.reader).collectJudged(ctx, queryPhotoUploads, photoID)
	if err == nil && len(all) == 0 {
		err = audit.Errorf(audit.CodeNotFound, "no such photo")
	}
	if err == nil {
		err = db.on(db.reader).rule(ctx, all)
	}
	return all, err
}

const (
	// queryJudged finds uploads with the measurement that counts and the latest report. Few
	// photos are measured more than once: only for those is it looked up which of them counts.
	queryJudged = `SELECT u.json, m.json,
		(SELECT r.json FROM reports r WHERE r.upload_id = u.upload_id ORDER BY r.judged_at DESC, r.report_id DESC LIMIT 1)
		FROM uploads u
		JOIN measurements m ON m.photo_id = u.photo_id AND ((SELECT COUNT(*) FROM measurements o WHERE o.photo_id = u.photo_id) = 1
			OR m.version = (SELECT p.version FROM photos p WHERE p.photo_id = u.photo_id)) `
	oldestFirst       = ` ORDER BY u.received_at, u.upload_id`
	queryPhotoUploads = queryJudged + `WHERE u.photo_id = $1` + oldestFirst
)

// judged is what loads uploads by id, which are put in order so that the statement can be
// foreseen.
func (s session) judged(ids []string) []statement {
	return s.among(queryJudged+`WHERE u.upload_id IN `, slices.Sorted(slices.Values(ids)), oldestFirst)
}

// judgedUploads loads uploads by id, oldest first.
func (s session) judgedUploads(ctx context.Context, ids []string) ([]audit.JudgedUpload, error) {
	all := make([]audit.JudgedUpload, 0, len(ids))
	for _, q := range s.judged(ids) {
		judged, err := s.collectJudged(ctx, q.query, q.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, judged...)
	}
	if len(ids) > chunkRows {
		slices.SortFunc(all, oldest)
	}
	return all, nil
}

// collectJudged reads what [queryJudged] finds. Reading JSON takes longer than finding
// it, so that many rows are read on all processors.
func (s session) collectJudged(ctx context.Context, query string, args ...any) ([]audit.JudgedUpload, error) {
	rows, err := collect(ctx, s, func(scan func(...any) error) (r [3]string, err error) {
		err = scan(&r[0], &r[1], &r[2])
		return r, err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	judged, errs := make([]audit.JudgedUpload, len(rows)), make([]error, len(rows))
	part := max(64, (len(rows)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for first := 0; first < len(rows); first += part {
		wg.Go(func() {
			for i := first; i < min(first+part, len(rows)); i++ {
				j := &judged[i]
				errs[i] = errors.Join(keptJSON.UnmarshalFromString(rows[i][0], &j.Upload), keptJSON.UnmarshalFromString(rows[i][1], &j.Measurement), keptJSON.UnmarshalFromString(rows[i][2], &j.Report))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, s.dialect.fail(err)
	}
	return judged, s.overlay(ctx, judged)
}

// oldest orders uploads as the queries do.
func oldest(a, b audit.JudgedUpload) int {
	return cmp.Or(cmp.Compare(micros(a.Upload.ReceivedAt), micros(b.Upload.ReceivedAt)), cmp.Compare(a.Upload.UploadID, b.Upload.UploadID))
}
