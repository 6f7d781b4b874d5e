package sqldb

import (
	"context"
	"math"
	"strconv"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
)

// SaveChecklist keeps a checklist's text under its version. Errors:
// [audit.CodeConflict] where that version is kept with other contents.
func (db *DB) SaveChecklist(ctx context.Context, version, text string, at time.Time) error {
	digest := textDigest(text)
	return db.write(ctx, func(s session) error {
		n, err := s.exec(ctx, `INSERT INTO checklists (version, sha256, kept_at, text) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			version, digest, micros(at), text)
		if err != nil {
			return err
		}
		kept, err := one(ctx, s, "checklist", scanText, `SELECT sha256 FROM checklists WHERE version = $1`, version)
		if err == nil && kept != digest {
			err = audit.Errorf(audit.CodeConflict, "checklist %s is kept with other contents: give the new one another version", version)
		}
		if err != nil || n == 0 {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.ChecklistKept, Subject: custody.Subject{Kind: custody.Checklist, ID: version},
			Detail: custody.Details(map[string]string{"sha256": digest})})
	})
}

// Checklist is the text of a checklist. Errors: [audit.CodeNotFound].
func (db *DB) Checklist(ctx context.Context, version string) (string, error) {
	return one(ctx, db.on(db.reader), "checklist", scanText, `SELECT text FROM checklists WHERE version = $1`, version)
}

// StartRun keeps a new re-audit. Errors: [audit.CodeConflict] where its id is taken.
func (db *DB) StartRun(ctx context.Context, r audit.Run) error {
	text, err := encodeRun(r)
	if err != nil {
		return err
	}
	return db.write(ctx, func(s session) error {
		_, err := s.exec(ctx, `INSERT INTO runs (run_id, started_at, progress, json) VALUES ($1, $2, $3, $4)`,
			r.RunID, micros(r.StartedAt), r.Cursor, text)
		if err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.ReauditStarted, Subject: custody.Subject{Kind: custody.Reaudit, ID: r.RunID},
			Detail: custody.Details(map[string]string{"checklist": r.Checklist})})
	})
}

func encodeRun(r audit.Run) (string, error) {
	if err := checkText(r); err != nil {
		return "", err
	}
	return encode(r)
}

// AppendChunk stores what a run made of a chunk and the run's progress, in one
// transaction. Errors: [audit.CodeNotFound] for a run that was not started,
// [audit.CodeConflict] where the chunk was appended before.
func (db *DB) AppendChunk(ctx context.Context, r audit.Run, c audit.Chunk) error {
	text, err := encodeRun(r)
	if err != nil {
		return err
	}
	var flips [][]any
	for _, f := range c.Flips {
		flip, err := encode(f)
		if err != nil {
			return err
		}
		flips = append(flips, []any{r.RunID, f.UploadID, flip})
	}
	return db.write(ctx, func(s session) error {
		n, err := s.exec(ctx, `UPDATE runs SET progress = $1, json = $2 WHERE run_id = $3`, r.Cursor, text, r.RunID)
		if err == nil && n == 0 {
			err = audit.Errorf(audit.CodeNotFound, "no such re-audit")
		}
		if err != nil {
			return err
		}
		if err := s.saveMeasurements(ctx, c.Remeasured); err != nil {
			return err
		}
		if err := s.saveReports(ctx, c.Reports); err != nil {
			return err
		}
		if err := s.insert(ctx, `INSERT INTO flips (run_id, upload_id, json) VALUES`, "", flips); err != nil {
			return err
		}
		e := custody.Entry{Action: custody.ReauditAdvanced, Subject: custody.Subject{Kind: custody.Reaudit, ID: r.RunID},
			Detail: custody.Details(map[string]string{"reports": strconv.Itoa(len(c.Reports)), "flips": strconv.Itoa(len(c.Flips))})}
		if r.FinishedAt != nil {
			e.Action = custody.ReauditFinished
		}
		return s.log(ctx, e)
	})
}

// runRow is a run with where it stands in the list.
type runRow struct {
	audit.Run
	cursor cursor
}

func scanRun(scan func(...any) error) (r runRow, err error) {
	var text []byte
	var progress string
	if err = scan(&r.cursor.N, &r.cursor.ID, &progress, &text); err == nil {
		r.Run, err = fromJSON[audit.Run](text)
		r.Cursor = progress
	}
	return r, err
}

// Run finds a re-audit. Errors: [audit.CodeNotFound].
func (db *DB) Run(ctx context.Context, runID string) (audit.Run, error) {
	r, err := one(ctx, db.on(db.reader), "re-audit", scanRun, `SELECT started_at, run_id, progress, json FROM runs WHERE run_id = $1`, runID)
	return r.Run, err
}

// Runs lists re-audits, newest first, at most limit from the one after the cursor;
// next is "" at the end.
func (db *DB) Runs(ctx context.Context, after string, limit int) (runs []audit.Run, next string, err error) {
	c, err := parseCursor(after, cursor{N: math.MaxInt64})
	if err != nil {
		return nil, "", err
	}
	return page(ctx, db, limit, scanRun, func(r runRow) (audit.Run, string) { return r.Run, r.cursor.String() }, queryRuns, c.N, c.ID)
}

const queryRuns = `SELECT started_at, run_id, progress, json FROM runs WHERE (started_at, run_id) < ($1, $2)
	ORDER BY started_at DESC, run_id DESC LIMIT $3`

// Flips lists a re-audit's changed verdicts by upload id, at most limit from the one
// after the cursor; next is "" at the end.
func (db *DB) Flips(ctx context.Context, runID, after string, limit int) (flips []audit.Flip, next string, err error) {
	c, err := parseCursor(after, cursor{})
	if err != nil {
		return nil, "", err
	}
	return page(ctx, db, limit, scanJSON[audit.Flip], func(f audit.Flip) (audit.Flip, string) {
		return f, cursor{ID: f.UploadID}.String()
	}, queryFlips, runID, c.ID)
}

const queryFlips = `SELECT json FROM flips WHERE run_id = $1 AND upload_id > $2 ORDER BY upload_id LIMIT $3`
