package sqldb

import (
	"bytes"
	"context"
	"database/sql"
	"io/fs"

	"porchlight/audit"
)

func flipped(f audit.Flip) string        { return f.UploadID }
func judgedUpload(r audit.Report) string { return r.UploadID }

const (
	queryFlips = `SELECT first_id, last_id, flips FROM run_flips WHERE run_id = $1 AND last_id > $2 ORDER BY last_id LIMIT $3`
	// queryWaitingSpan finds the uploads of a span that wait for a person.
	queryWaitingSpan = `SELECT upload_id FROM ruling_states WHERE waiting = 1 AND upload_id >= $1 AND upload_id <= $2`
)

// flipRows reads the flips of so many rows from the first one that ends after an upload id.
func (s session) flipRows(ctx context.Context, runID, after string, rows int) ([]packed, error) {
	return collect(ctx, s, scanPacked, queryFlips, runID, after, rows)
}

// Flips lists a re-audit's changed verdicts by upload id, at most limit from the one
// after the cursor; next is "" at the end.
func (db *DB) Flips(ctx context.Context, runID, after string, limit int) (flips []audit.Flip, next string, err error) {
	c, err := parseCursor(after, cursor{})
	if err == nil && limit <= 0 {
		err = audit.Errorf(audit.CodeInvalid, "a page has at least one row")
	}
	if err != nil {
		return nil, "", err
	}
	// A chunk's flips are rows of their own, full or not: more are read while they are few.
	for from, rows := c.ID, 1+limit/packedRows; ; rows *= 2 {
		found, err := db.on(db.reader).flipRows(ctx, runID, from, rows)
		if err != nil {
			return nil, "", err
		}
		for _, p := range found {
			for i, id := range p.ids {
				if id <= c.ID {
					continue
				}
				if len(flips) == limit {
					return flips, cursor{ID: flips[limit-1].UploadID}.String(), nil
				}
				var f audit.Flip
				if err := keptJSON.Unmarshal(p.texts[i], &f); err != nil {
					return nil, "", db.dialect.fail(err)
				}
				flips = append(flips, f)
			}
			from = p.last
		}
		if len(found) < rows {
			return flips, "", nil
		}
	}
}

// ClaimsOn lists the ids of the claims on deliveries, by tracking id.
func (db *DB) ClaimsOn(ctx context.Context, trackingIDs []string) (map[string][]string, error) {
	on := map[string][]string{}
	s := db.on(db.reader)
	_, err := collectAll(ctx, s, func(scan func(...any) error) (none struct{}, err error) {
		var trackingID, claimID string
		err = scan(&trackingID, &claimID)
		on[trackingID] = append(on[trackingID], claimID)
		return none, err
	}, s.among(queryClaimsOn, trackingIDs, ` ORDER BY due_at, claim_id`))
	return on, err
}

const queryClaimsOn = `SELECT tracking_id, claim_id FROM claims WHERE tracking_id IN `

// forReview is in the JSON of a flip to review.
var forReview = []byte(`"after":"` + audit.Review + `"`)

// requeue brings the queue of photos that wait for a person up to date with what a run,
// which counts from now on, changed.
func (s session) requeue(ctx context.Context, runID string) error {
	for after := ""; ; {
		const rows = 16 // of up to packedRows flips each
		found, err := s.flipRows(ctx, runID, after, rows)
		if err != nil || len(found) == 0 {
			return err
		}
		after = found[len(found)-1].last
		// Few of those that no longer need a person were in the queue.
		waiting, err := collect(ctx, s, scanText, queryWaitingSpan, found[0].first, after)
		if err != nil {
			return err
		}
		waits := make(map[string]bool, len(waiting))
		for _, id := range waiting {
			waits[id] = true
		}
		verdicts := map[string]audit.Verdict{}
		for _, p := range found {
			for i, id := range p.ids {
				// Reading all the others, a million where every verdict changes, would keep the run's last
				// chunk for seconds. Within a text the quotes would be escaped.
				if !waits[id] && !bytes.Contains(p.texts[i], forReview) {
					continue
				}
				var f struct{ After audit.Verdict }
				if err := keptJSON.Unmarshal(p.texts[i], &f); err != nil {
					return s.dialect.fail(err)
				}
				verdicts[id] = f.After
			}
		}
		if err := s.queueForReview(ctx, verdicts); err != nil {
			return err
		}
		if len(found) < rows {
			return nil
		}
	}
}

const flipsMigration = "00017_flips.sql"

// packFlips makes the table of packed flips and moves those into it that were a row each.
func (db *DB) packFlips(ctx context.Context, tx *sql.Tx, folder fs.FS) error {
	if err := runStatements(ctx, tx, folder, flipsMigration); err != nil {
		return err
	}
	s := db.on(tx)
	runs, err := collect(ctx, s, scanText, `SELECT DISTINCT run_id FROM flips`)
	if err != nil {
		return err
	}
	for _, runID := range runs {
		for after := ""; ; {
			flips, err := collect(ctx, s, scanJSON[audit.Flip], `SELECT json FROM flips WHERE run_id = $1 AND upload_id > $2 ORDER BY upload_id LIMIT $3`, runID, after, chunkRows)
			if err != nil {
				return err
			}
			rows, err := packAll(runID, flips, flipped)
			if err == nil {
				err = s.insert(ctx, insertFlips, "", rows)
			}
			if err != nil {
				return err
			}
			if len(flips) < chunkRows {
				break
			}
			after = flips[len(flips)-1].UploadID
		}
	}
	_, err = s.exec(ctx, `DROP TABLE flips`)
	return err
}

const insertFlips = `INSERT INTO run_flips (run_id, last_id, first_id, flips) VALUES`
