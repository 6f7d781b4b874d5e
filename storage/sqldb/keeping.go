package sqldb

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// Backup writes the database as it is at this moment into a new SQLite file, while others
// go on writing. Errors: [audit.CodeInvalid] on Postgres, which has its own tools.
func (db *DB) Backup(ctx context.Context, path string) error {
	if db.dialect != (sqlite{}) {
		return audit.Errorf(audit.CodeInvalid, "Only the embedded database is backed up like this: use pg_dump for Postgres")
	}
	// A connection for reading, which may write this once: the one that writes is left to
	// those who wait for it.
	conn, err := db.reader.Conn(ctx)
	if err != nil {
		return db.dialect.fail(err)
	}
	defer conn.Close()
	for _, statement := range []string{`PRAGMA query_only = 0`, `VACUUM INTO '` + strings.ReplaceAll(path, `'`, `''`) + `'`} {
		if _, err = conn.ExecContext(ctx, statement); err != nil {
			break
		}
	}
	_, again := conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA query_only = 1`)
	return db.dialect.fail(errors.Join(err, again))
}

// keepingRows is how many rows are read at once by those who go over all of them.
const keepingRows = 1000

// PhotoIDs lists the ids of all photos on record whose bytes are kept, in their order.
func (db *DB) PhotoIDs(ctx context.Context) iter.Seq2[string, error] {
	return eachRow(ctx, db, scanText, func(id string) string { return id }, queryPhotoIDs)
}

// AllAttachments lists all attachments on record, in order of their ids.
func (db *DB) AllAttachments(ctx context.Context) iter.Seq2[dispute.Attachment, error] {
	return eachRow(ctx, db, scanJSON[dispute.Attachment], func(a dispute.Attachment) string { return a.AttachmentID }, queryAttachmentIDs)
}

const (
	queryPhotoIDs = `SELECT photo_id FROM photos p WHERE photo_id > $1
		AND NOT EXISTS (SELECT 1 FROM deleted_photos d WHERE d.photo_id = p.photo_id) ORDER BY photo_id LIMIT $2`
	queryAttachmentIDs = `SELECT json FROM attachments WHERE attachment_id > $1 ORDER BY attachment_id LIMIT $2`
)

// eachRow reads a table page by page, in order of an id.
func eachRow[T any](ctx context.Context, db *DB, scan func(func(...any) error) (T, error), id func(T) string, query string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for after := ""; ; {
			rows, err := collect(ctx, db.on(db.reader), scan, query, after, keepingRows)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
				after = id(r)
			}
			if len(rows) < keepingRows {
				return
			}
		}
	}
}

// HavePhotos tells which of the photos, by id, are on record.
func (db *DB) HavePhotos(ctx context.Context, ids []string) (map[string]bool, error) {
	have := map[string]bool{}
	s := db.on(db.reader)
	found, err := collectAll(ctx, s, scanText, s.among(`SELECT photo_id FROM photos WHERE photo_id IN `, ids, ""))
	for _, id := range found {
		have[id] = true
	}
	return have, err
}

// RepairFingerprints makes the index of fingerprints anew where it does not agree with
// the measurements that count, and counts the rows that were missing. Rows too many are
// harmless: each distance is computed from the photo's own fingerprint.
func (db *DB) RepairFingerprints(ctx context.Context) (repaired int64, err error) {
	type kept struct {
		keptPicture
		text string
	}
	for after := ""; ; {
		var n int
		err := db.write(ctx, func(s session) error {
			photos, err := collect(ctx, s, func(scan func(...any) error) (k kept, err error) {
				k.keptPicture, err = scanPicture(func(columns ...any) error { return scan(append(columns, &k.text)...) })
				return k, err
			}, queryFingerprints, after, keepingRows)
			if n = len(photos); err != nil || n == 0 {
				return err
			}
			var entries [][]any
			for _, k := range photos {
				after = k.photoID
				m, err := fromJSON[audit.Measurement]([]byte(k.text))
				if err != nil {
					return s.dialect.fail(err)
				}
				p := pictureOf(m)
				if !p.same(k.picture) {
					if _, err := s.exec(ctx, `UPDATE photos SET fingerprint = $1, quality = $2, trimmed = $3, trimmed_quality = $4 WHERE photo_id = $5`,
						p.whole.digits, p.whole.quality, p.trimmed.digits, p.trimmed.quality, k.photoID); err != nil {
						return err
					}
					repaired++
				}
				entries = append(entries, entryRows(k.photoID, p.entries())...)
			}
			for part := range slices.Chunk(entries, s.dialect.insertRows()) {
				q := s.dialect.insert(s, insertEntries, `ON CONFLICT DO NOTHING`, part)
				added, err := s.exec(ctx, q.query, q.args...)
				if err != nil {
					return err
				}
				repaired += added
			}
			return nil
		})
		if err != nil || n < keepingRows {
			return repaired, err
		}
	}
}

const queryFingerprints = `SELECT p.photo_id, ` + pictureColumns + `, m.json FROM photos p JOIN measurements m ON m.photo_id = p.photo_id AND m.version = p.version
	WHERE p.photo_id > $1 ORDER BY p.photo_id LIMIT $2`

// Judged lists the uploads of a span that match the filter, with their measurements,
// latest reports and rulings, in order of upload id.
func (db *DB) Judged(ctx context.Context, f audit.Filter, span audit.Span) (all []audit.JudgedUpload, err error) {
	query, args := spanQuery(f, span)
	err = db.read(ctx, func(s session) error {
		if all, err = s.collectJudged(ctx, query, args...); err != nil {
			return err
		}
		return s.rule(ctx, all)
	})
	return all, err
}
