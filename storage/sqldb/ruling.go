package sqldb

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"porchlight/audit"
	"porchlight/audit/custody"
)

const reviewMigration = "00012_reviews.sql"

// AddRuling keeps a ruling with what it was made on, and takes the upload out of the
// queue, or puts it back. Errors: [audit.CodeNotFound] without the upload,
// [audit.CodeConflict] where there is no ruling to undo.
func (db *DB) AddRuling(ctx context.Context, r audit.Ruling) (audit.Ruling, error) {
	if err := checkText(r); err != nil {
		return r, err
	}
	err := db.write(ctx, func(s session) error {
		if _, err := one(ctx, s, "upload", scanText, `SELECT upload_id FROM uploads WHERE upload_id = $1`+s.dialect.forUpdate(), r.UploadID); err != nil {
			return err
		}
		judged, err := s.judgedUploads(ctx, []string{r.UploadID})
		if err == nil && len(judged) == 0 {
			err = audit.Errorf(audit.CodeInternal, "an upload has no report")
		}
		if err == nil {
			err = s.rule(ctx, judged)
		}
		if err != nil {
			return err
		}
		u, seen := judged[0].Upload, judged[0].Report
		if r.Kind == audit.RuledUndo && judged[0].Ruling == nil {
			return audit.Errorf(audit.CodeConflict, "There is no decision on this photo to undo")
		}
		r.PhotoID, r.TrackingID, r.DriverID = u.PhotoID, u.TrackingID, u.DriverID
		r.ReportID, r.Checklist, r.Verdict = seen.ReportID, seen.Checklist, seen.Verdict
		text, err := encode(r)
		if err != nil {
			return err
		}
		if _, err := s.exec(ctx, `INSERT INTO rulings (ruling_id, upload_id, at, json) VALUES ($1, $2, $3, $4)`, r.RulingID, r.UploadID, micros(r.RuledAt), text); err != nil {
			return err
		}
		if err := s.saveRulingState(ctx, r, text); err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.PhotoReviewed, Subject: custody.Subject{Kind: custody.Photo, ID: r.PhotoID},
			Detail: custody.Details(map[string]string{"upload_id": r.UploadID, "ruling_id": r.RulingID, "decision": string(r.Kind), "reason": string(r.Reason)})})
	})
	return r, err
}

func (s session) saveRulingState(ctx context.Context, r audit.Ruling, text string) error {
	waiting := 0
	if r.Kind == audit.RuledUndo {
		if r.Verdict != audit.Review {
			_, err := s.exec(ctx, `DELETE FROM ruling_states WHERE upload_id = $1`, r.UploadID)
			return err
		}
		waiting, text = 1, ""
	}
	_, err := s.exec(ctx, `INSERT INTO ruling_states (upload_id, waiting, json) VALUES ($1, $2, $3)
		ON CONFLICT (upload_id) DO UPDATE SET waiting = excluded.waiting, json = excluded.json`, r.UploadID, waiting, text)
	return err
}

// queueForReview puts uploads, by id, whose new verdict leaves them to a person into the
// queue, and takes those out that no longer need one. A person's ruling stays whatever a
// report says.
func (s session) queueForReview(ctx context.Context, verdicts map[string]audit.Verdict) error {
	var rows [][]any
	var clear []string
	for _, id := range slices.Sorted(maps.Keys(verdicts)) {
		if verdicts[id] == audit.Review {
			rows = append(rows, []any{id, 1, ""})
		} else {
			clear = append(clear, id)
		}
	}
	for chunk := range slices.Chunk(clear, chunkRows) {
		marks, args := s.list(chunk)
		if _, err := s.exec(ctx, deleteWaiting+`(`+marks+`)`, args...); err != nil {
			return err
		}
	}
	return s.insert(ctx, `INSERT INTO ruling_states (upload_id, waiting, json) VALUES`, `ON CONFLICT DO NOTHING`, rows)
}

func (s session) rulings(uploadIDs []string) []statement {
	return s.among(queryRuled, slices.Sorted(slices.Values(uploadIDs)), "")
}

// rule adds to uploads the rulings that count, and when their photos were deleted.
func (s session) rule(ctx context.Context, judged []audit.JudgedUpload) error {
	by := map[string][]*audit.JudgedUpload{}
	var ids []string
	for i := range judged {
		id := judged[i].Upload.UploadID
		by[id] = append(by[id], &judged[i])
		ids = append(ids, id)
	}
	rulings, err := collectAll(ctx, s, scanJSON[audit.Ruling], s.rulings(ids))
	if err != nil {
		return err
	}
	for _, r := range rulings {
		for _, j := range by[r.UploadID] {
			j.Ruling = &r
		}
	}
	photos := make([]string, len(judged))
	for i, j := range judged {
		photos[i] = j.Upload.PhotoID
	}
	deleted, err := s.deletions(ctx, photos)
	for i := range judged {
		if at, ok := deleted[judged[i].Upload.PhotoID]; ok {
			judged[i].DeletedAt = &at
		}
	}
	return err
}

// PhotosWaiting lists the uploads that wait for a person, oldest first, at most limit from the
// one after the cursor; next is "" at the end.
func (db *DB) PhotosWaiting(ctx context.Context, after string, limit int) (all []audit.JudgedUpload, next string, err error) {
	c, err := parseCursor(after, cursor{})
	if err != nil {
		return nil, "", err
	}
	ids, next, err := page(ctx, db, limit, scanText, func(id string) (string, string) { return id, cursor{ID: id}.String() }, queryPhotosWaiting, c.ID)
	if err == nil {
		all, err = db.on(db.reader).judgedUploads(ctx, ids)
	}
	return slices.DeleteFunc(all, func(j audit.JudgedUpload) bool { return j.Report.Verdict != audit.Review }), next, err
}

// CountPhotosWaiting counts the uploads that wait for a person, up to most.
func (db *DB) CountPhotosWaiting(ctx context.Context, most int) (int, error) {
	return one(ctx, db.on(db.reader), "count", func(scan func(...any) error) (n int, err error) {
		return n, scan(&n)
	}, queryCountPhotosWaiting, most)
}

// Rulings lists rulings, the latest first, at most limit from the one after the cursor;
// next is "" at the end.
func (db *DB) Rulings(ctx context.Context, f audit.RulingFilter, after string, limit int) (all []audit.Ruling, next string, err error) {
	c, err := parseCursor(after, cursor{N: math.MaxInt64})
	if err != nil {
		return nil, "", err
	}
	query, args := queryRulings, []any{c.N, c.ID}
	if f.UploadID != "" {
		query, args = queryUploadRulings, append(args, f.UploadID)
	}
	return page(ctx, db, limit, scanJSON[audit.Ruling], func(r audit.Ruling) (audit.Ruling, string) {
		return r, cursor{N: micros(r.RuledAt), ID: r.RulingID}.String()
	}, query, args...)
}

const (
	deleteWaiting           = `DELETE FROM ruling_states WHERE waiting = 1 AND upload_id IN `
	queryRuled              = `SELECT json FROM ruling_states WHERE waiting = 0 AND upload_id IN `
	queryPhotosWaiting      = `SELECT upload_id FROM ruling_states WHERE waiting = 1 AND upload_id > $1 ORDER BY upload_id LIMIT $2`
	queryCountPhotosWaiting = `SELECT COUNT(*) FROM (SELECT upload_id FROM ruling_states WHERE waiting = 1 LIMIT $1) w`
	queryRulings            = `SELECT json FROM rulings WHERE (at, ruling_id) < ($1, $2) ORDER BY at DESC, ruling_id DESC LIMIT $3`
	queryUploadRulings      = `SELECT json FROM rulings WHERE (at, ruling_id) < ($1, $2) AND upload_id = $3 ORDER BY at DESC, ruling_id DESC LIMIT $4`
)

// RecentUploads lists uploads of late, the latest first, at most limit from the one before
// the given id ("" for the last one): ids are in the order of receipt.
func (db *DB) RecentUploads(ctx context.Context, before string, limit int) (all []audit.JudgedUpload, err error) {
	err = db.read(ctx, func(s session) error {
		ids, err := s.recent(ctx, before, limit)
		if err != nil {
			return err
		}
		if all, err = s.judgedUploads(ctx, ids); err != nil {
			return err
		}
		slices.SortFunc(all, func(a, b audit.JudgedUpload) int { return cmp.Compare(b.Upload.UploadID, a.Upload.UploadID) })
		return s.rule(ctx, all)
	})
	return all, err
}

// RecentCases is the same with all that judging them again needs.
func (db *DB) RecentCases(ctx context.Context, before string, limit int) (all []audit.Case, err error) {
	err = db.read(ctx, func(s session) error {
		ids, err := s.recent(ctx, before, limit)
		if err == nil {
			all, err = s.cases(ctx, ids)
		}
		return err
	})
	slices.SortFunc(all, func(a, b audit.Case) int { return cmp.Compare(b.Upload.UploadID, a.Upload.UploadID) })
	return all, err
}

func (s session) recent(ctx context.Context, before string, limit int) ([]string, error) {
	if before == "" {
		before = "\U0010ffff"
	}
	return collect(ctx, s, scanText, queryRecent, before, limit)
}

const queryRecent = `SELECT upload_id FROM uploads WHERE upload_id < $1 ORDER BY upload_id DESC LIMIT $2`
