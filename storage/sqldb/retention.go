package sqldb

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"porchlight/audit"
	"porchlight/audit/custody"
)

// retentionLock makes holds and deletions take turns, so that nothing goes once a hold is
// on record.
const retentionLock = importLock + 2

const (
	queryExpired = `SELECT u.received_at, u.upload_id, u.json FROM uploads u
	WHERE (u.received_at, u.upload_id) > ($1, $2) AND u.received_at < $3
	AND NOT EXISTS (SELECT 1 FROM deleted_photos d WHERE d.photo_id = u.photo_id)
	AND NOT EXISTS (SELECT 1 FROM uploads l WHERE l.photo_id = u.photo_id AND (l.received_at, l.upload_id) > (u.received_at, u.upload_id))
	ORDER BY u.received_at, u.upload_id LIMIT $4`
	queryUploadsOf = `SELECT json FROM uploads WHERE photo_id IN `
	queryHeld      = `SELECT subject FROM holds WHERE released_at = 0 AND kind = $1 AND subject IN `
	// queryClaimed finds deliveries with an open claim, or one with a packet.
	queryClaimed = `SELECT c.tracking_id, EXISTS (SELECT 1 FROM packets p WHERE p.claim_id = c.claim_id) FROM claims c
		WHERE (c.decision = '' OR EXISTS (SELECT 1 FROM packets p WHERE p.claim_id = c.claim_id)) AND c.tracking_id IN `
	queryMarkedOf = `SELECT photo_id FROM deleted_photos WHERE gone = 0 AND photo_id IN `
)

// ExpiredPhotos lists photos that were last uploaded before then, the oldest first, with
// what keeps them, without those that are deleted.
func (db *DB) ExpiredPhotos(ctx context.Context, before time.Time, after string, limit int) ([]audit.Expired, string, error) {
	c, err := parseCursor(after, cursor{N: math.MinInt64})
	if err != nil {
		return nil, "", err
	}
	type row struct {
		cursor
		upload audit.Upload
	}
	uploads, next, err := page(ctx, db, limit, func(scan func(...any) error) (r row, err error) {
		var text []byte
		if err = scan(&r.N, &r.ID, &text); err == nil {
			r.upload, err = fromJSON[audit.Upload](text)
		}
		return r, err
	}, func(r row) (audit.Upload, string) { return r.upload, r.String() }, queryExpired, c.N, c.ID, micros(before))
	if err != nil {
		return nil, "", err
	}
	all := make([]audit.Expired, len(uploads))
	ids := make([]string, len(uploads))
	for i, u := range uploads {
		all[i], ids[i] = expired(u), u.PhotoID
	}
	kept, err := db.on(db.reader).keptBy(ctx, ids, before)
	for i := range all {
		all[i].KeptBy = kept[all[i].PhotoID]
	}
	return all, next, err
}

func expired(u audit.Upload) audit.Expired {
	return audit.Expired{PhotoID: u.PhotoID, ReceivedAt: u.ReceivedAt, Bytes: u.Bytes, TrackingID: u.TrackingID}
}

// keptBy says what keeps photos of those, although they were received before then.
func (s session) keptBy(ctx context.Context, photoIDs []string, before time.Time) (map[string]audit.KeptBy, error) {
	kept := map[string]audit.KeptBy{}
	by := map[audit.HoldKind]map[string][]string{audit.HoldPhoto: {}, audit.HoldDelivery: {}, audit.HoldDriver: {}} // photos by what may be held
	covers := func(kind audit.HoldKind, subject, photoID string) {
		if subject != "" {
			by[kind][subject] = append(by[kind][subject], photoID)
		}
	}
	uploads, err := collectAll(ctx, s, scanJSON[audit.Upload], s.among(queryUploadsOf, photoIDs, ""))
	if err != nil {
		return nil, err
	}
	for _, u := range uploads {
		if !u.ReceivedAt.Before(before) {
			kept[u.PhotoID] = audit.KeptByUpload
		}
		covers(audit.HoldPhoto, u.PhotoID, u.PhotoID)
		covers(audit.HoldDriver, u.DriverID, u.PhotoID)
		for _, id := range append([]string{u.TrackingID}, u.Also...) {
			covers(audit.HoldDelivery, id, u.PhotoID)
		}
	}
	type claimed struct {
		trackingID string
		frozen     bool
	}
	claims, err := collectAll(ctx, s, func(scan func(...any) error) (c claimed, err error) {
		err = scan(&c.trackingID, &c.frozen)
		return c, err
	}, s.among(queryClaimed, slices.Sorted(maps.Keys(by[audit.HoldDelivery])), ""))
	if err != nil {
		return nil, err
	}
	for _, c := range claims {
		for _, id := range by[audit.HoldDelivery][c.trackingID] {
			switch {
			case c.frozen:
				kept[id] = audit.KeptByPacket
			case kept[id] != audit.KeptByPacket:
				kept[id] = audit.KeptByClaim
			}
		}
	}
	// A hold last: it is what is asked about first.
	for _, kind := range audit.HoldKinds {
		for chunk := range slices.Chunk(slices.Sorted(maps.Keys(by[kind])), chunkRows) {
			marks, args := s.listFrom(2, chunk)
			held, err := collect(ctx, s, scanText, queryHeld+`(`+marks+`)`, append([]any{string(kind)}, args...)...)
			if err != nil {
				return nil, err
			}
			for _, subject := range held {
				for _, id := range by[kind][subject] {
					kept[id] = audit.KeptByHold
				}
			}
		}
	}
	return kept, nil
}

// lockPhotos keeps uploads of these photos, and holds, waiting.
func (s session) lockPhotos(ctx context.Context, photoIDs []string) error {
	keys := []int64{retentionLock}
	for _, id := range photoIDs {
		keys = append(keys, textLock("photo", id))
	}
	return s.dialect.lock(ctx, s, keys)
}

// MarkDeleted says on record, and in the custody log, that photos are deleted, but for
// those that something keeps by now, which it answers.
func (db *DB) MarkDeleted(ctx context.Context, photoIDs []string, before, at time.Time) (kept map[string]audit.KeptBy, err error) {
	err = db.write(ctx, func(s session) error {
		if err := s.lockPhotos(ctx, photoIDs); err != nil {
			return err
		}
		if kept, err = s.keptBy(ctx, photoIDs, before); err != nil {
			return err
		}
		var rows [][]any
		for _, id := range photoIDs {
			if kept[id] == "" {
				rows = append(rows, []any{id, micros(at), 0})
			}
		}
		marked, err := s.insertNew(ctx, `INSERT INTO deleted_photos (photo_id, deleted_at, gone) VALUES`, `photo_id`, rows)
		if err != nil {
			return err
		}
		slices.Sort(marked)
		var entries []custody.Entry
		for _, id := range marked {
			entries = append(entries, custody.Entry{Action: custody.PhotoDeleted, Subject: custody.Subject{Kind: custody.Photo, ID: id},
				Detail: custody.Details(map[string]string{"uploaded_before": before.UTC().Format(time.RFC3339)})})
		}
		return s.log(ctx, entries...)
	})
	return kept, err
}

// deletionsAtOnce bounds the objects that are removed side by side.
const deletionsAtOnce = 8

// DeleteMarked has the bytes of marked photos removed, see [audit.RetentionRecords].
func (db *DB) DeleteMarked(ctx context.Context, photoIDs []string, before time.Time, remove func(context.Context, string) error) (became map[string]audit.KeptBy, err error) {
	if len(photoIDs) == 0 {
		return nil, nil
	}
	var failed error
	err = db.write(ctx, func(s session) error {
		became, failed = map[string]audit.KeptBy{}, nil
		if err := s.lockPhotos(ctx, photoIDs); err != nil {
			return err
		}
		marks, args := s.list(photoIDs)
		marked, err := collect(ctx, s, scanText, queryMarkedOf+`(`+marks+`)`, args...)
		if err != nil {
			return err
		}
		keeps, err := s.keptBy(ctx, photoIDs, before)
		if err != nil {
			return err
		}
		kept := map[string]audit.KeptBy{}
		for _, id := range marked {
			if keeps[id] != "" {
				kept[id] = keeps[id]
			}
		}
		deleted, err := s.deletions(ctx, photoIDs)
		if err != nil {
			return err
		}
		for _, id := range photoIDs {
			if _, still := deleted[id]; !still { // somebody took its mark back
				became[id] = cmp.Or(keeps[id], audit.KeptByUpload)
			}
		}
		var mu sync.Mutex
		var gone []string
		var removing errgroup.Group
		removing.SetLimit(deletionsAtOnce)
		for _, id := range slices.DeleteFunc(marked, func(id string) bool { return kept[id] != "" }) {
			removing.Go(func() error {
				err := remove(ctx, id)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					gone = append(gone, id)
				case audit.ErrorCode(err) == audit.CodeImmutable:
					kept[id] = audit.KeptByStore
				default:
					failed = errors.Join(failed, err)
				}
				return nil
			})
		}
		if err := removing.Wait(); err != nil {
			return err
		}
		for _, id := range gone {
			became[id] = ""
		}
		maps.Copy(became, kept)
		for chunk := range slices.Chunk(gone, chunkRows) {
			marks, args := s.list(chunk)
			if _, err := s.exec(ctx, `UPDATE deleted_photos SET gone = 1 WHERE photo_id IN (`+marks+`)`, args...); err != nil {
				return err
			}
		}
		return s.unmark(ctx, kept)
	})
	return became, errors.Join(err, failed)
}

// SettleDeleted puts right what is on record of a deleted photo, while nobody uploads or
// deletes it: there tells whether its bytes are in the store. Where they are the photo is
// marked, so that the next purge takes them; where they are not they are gone. It answers
// whether the record said otherwise. What is not deleted is left alone.
func (db *DB) SettleDeleted(ctx context.Context, photoID string, there func() (bool, error)) (changed bool, err error) {
	err = db.write(ctx, func(s session) error {
		if err := s.lockPhotos(ctx, []string{photoID}); err != nil {
			return err
		}
		kept, err := there()
		if err != nil {
			return err
		}
		gone := 1
		if kept {
			gone = 0
		}
		n, err := s.exec(ctx, `UPDATE deleted_photos SET gone = $1 WHERE photo_id = $2 AND gone <> $1`, gone, photoID)
		changed = n > 0
		return err
	})
	return changed, err
}

// DeletedPhotos tells which of the photos, by id, are deleted or marked as that.
func (db *DB) DeletedPhotos(ctx context.Context, ids []string) (map[string]time.Time, error) {
	return db.on(db.reader).deletions(ctx, ids)
}

// AllMarked lists the ids of all photos that are marked as deleted and whose bytes may still
// be there, in their order.
func (db *DB) AllMarked(ctx context.Context) iter.Seq2[string, error] {
	return eachRow(ctx, db, scanText, func(id string) string { return id }, queryAllMarked)
}

const queryAllMarked = `SELECT photo_id FROM deleted_photos WHERE gone = 0 AND photo_id > $1 ORDER BY photo_id LIMIT $2`

// unmark takes back that photos are deleted, for the reason given of each.
func (s session) unmark(ctx context.Context, why map[string]audit.KeptBy) error {
	ids := slices.Sorted(maps.Keys(why))
	var entries []custody.Entry
	for chunk := range slices.Chunk(ids, chunkRows) {
		marks, args := s.list(chunk)
		if _, err := s.exec(ctx, `DELETE FROM deleted_photos WHERE photo_id IN (`+marks+`)`, args...); err != nil {
			return err
		}
		for _, id := range chunk {
			entries = append(entries, custody.Entry{Action: custody.PhotoRestored, Subject: custody.Subject{Kind: custody.Photo, ID: id},
				Detail: custody.Details(map[string]string{"kept_by": string(why[id])})})
		}
	}
	return s.log(ctx, entries...)
}

const queryMarked = `SELECT u.json FROM deleted_photos d JOIN uploads u ON u.upload_id = (SELECT l.upload_id FROM uploads l WHERE l.photo_id = d.photo_id
	ORDER BY l.received_at DESC, l.upload_id DESC LIMIT 1) WHERE d.gone = 0 ORDER BY d.photo_id LIMIT $1`

// MarkedPhotos lists photos that are marked and whose bytes may still be there.
func (db *DB) MarkedPhotos(ctx context.Context, limit int) ([]audit.Expired, error) {
	return collect(ctx, db.on(db.reader), func(scan func(...any) error) (e audit.Expired, err error) {
		u, err := scanJSON[audit.Upload](scan)
		return expired(u), err
	}, queryMarked, limit)
}

const queryDeleted = `SELECT photo_id, deleted_at FROM deleted_photos WHERE photo_id IN `

// deletions are the times at which photos of those were deleted.
func (s session) deletions(ctx context.Context, photoIDs []string) (map[string]time.Time, error) {
	type row struct {
		id string
		at int64
	}
	deleted := map[string]time.Time{}
	rows, err := collectAll(ctx, s, func(scan func(...any) error) (r row, err error) {
		err = scan(&r.id, &r.at)
		return r, err
	}, s.deleted(photoIDs))
	for _, r := range rows {
		deleted[r.id] = time.UnixMicro(r.at).UTC()
	}
	return deleted, err
}

func (s session) deleted(photoIDs []string) []statement {
	return s.among(queryDeleted, slices.Compact(slices.Sorted(slices.Values(photoIDs))), "")
}

// PhotoDeleted is when a photo's bytes were deleted; false where they were not.
func (db *DB) PhotoDeleted(ctx context.Context, photoID string) (at time.Time, deleted bool, err error) {
	all, err := db.on(db.reader).deletions(ctx, []string{photoID})
	at, deleted = all[photoID]
	return at, deleted, err
}

// RestorePhoto has a deleted photo's bytes put again, while nobody deletes them, and takes
// back that it is deleted. put may be called more than once.
func (db *DB) RestorePhoto(ctx context.Context, photoID string, put func() error) error {
	return db.write(ctx, func(s session) error {
		if err := s.lockPhotos(ctx, []string{photoID}); err != nil {
			return err
		}
		if err := put(); err != nil {
			return err
		}
		deleted, err := s.deletions(ctx, []string{photoID})
		if err != nil || len(deleted) == 0 {
			return err
		}
		return s.unmark(ctx, map[string]audit.KeptBy{photoID: audit.KeptByUpload})
	})
}

// PlaceHold keeps a legal hold. Errors: [audit.CodeConflict] where its id is taken.
func (db *DB) PlaceHold(ctx context.Context, h audit.Hold) error {
	if err := checkText(h); err != nil {
		return err
	}
	text, err := encode(h)
	if err != nil {
		return err
	}
	return db.write(ctx, func(s session) error {
		if err := s.dialect.lock(ctx, s, []int64{retentionLock}); err != nil {
			return err
		}
		if _, err := s.exec(ctx, `INSERT INTO holds (hold_id, kind, subject, placed_at, released_at, json) VALUES ($1, $2, $3, $4, 0, $5)`,
			h.HoldID, string(h.Kind), h.Subject, micros(h.PlacedAt), text); err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.HoldPlaced, Subject: custody.Subject{Kind: custody.Hold, ID: h.HoldID},
			Detail: custody.Details(map[string]string{"kind": string(h.Kind), "subject": h.Subject, "sha256": textDigest(text)})})
	})
}

// ReleaseHold ends a hold. One that is released already keeps its time. Errors:
// [audit.CodeNotFound].
func (db *DB) ReleaseHold(ctx context.Context, holdID string, at time.Time) (h audit.Hold, err error) {
	err = db.write(ctx, func(s session) error {
		if h, err = one(ctx, s, "hold", scanHold, `SELECT json, released_at FROM holds WHERE hold_id = $1`+s.dialect.forUpdate(), holdID); err != nil || h.ReleasedAt != nil {
			return err
		}
		h.ReleasedAt = fromMicros(micros(at))
		if _, err := s.exec(ctx, `UPDATE holds SET released_at = $1 WHERE hold_id = $2`, micros(at), holdID); err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.HoldReleased, Subject: custody.Subject{Kind: custody.Hold, ID: holdID}})
	})
	return h, err
}

const queryHolds = `SELECT json, released_at FROM holds WHERE (placed_at, hold_id) > ($1, $2) ORDER BY placed_at, hold_id LIMIT $3`

// Holds lists legal holds, released ones too, oldest first, from the one after the cursor.
// Errors: [audit.CodeInvalid] for a cursor that was not given out.
func (db *DB) Holds(ctx context.Context, after string, limit int) (all []audit.Hold, next string, err error) {
	c, err := parseCursor(after, cursor{N: math.MinInt64})
	if err != nil {
		return nil, "", err
	}
	return page(ctx, db, limit, scanHold, func(h audit.Hold) (audit.Hold, string) { return h, cursor{micros(h.PlacedAt), h.HoldID}.String() }, queryHolds, c.N, c.ID)
}

func scanHold(scan func(...any) error) (h audit.Hold, err error) {
	var text []byte
	var released int64
	if err = scan(&text, &released); err != nil {
		return h, err
	}
	h, err = fromJSON[audit.Hold](text)
	h.ReleasedAt = fromMicros(released)
	return h, err
}
