package sqldb

import (
	"context"
	"encoding/json"
	"math"
	"slices"
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

// planRows is how many upload ids are read at once when a run is cut into chunks.
const planRows = 20_000

// Plan cuts the uploads that match a filter into chunks of at most size, and counts them.
func (db *DB) Plan(ctx context.Context, f audit.Filter, size int) (chunks []audit.Span, total int, err error) {
	s := db.on(db.reader)
	for after := ""; ; {
		query, args := matchingQuery(f, after, max(1, planRows/size)*size)
		ids, err := collect(ctx, s, scanText, query, args...)
		if err != nil {
			return nil, 0, err
		}
		if len(ids) == 0 {
			return chunks, total, nil
		}
		total, after = total+len(ids), ids[len(ids)-1]
		for chunk := range slices.Chunk(ids, size) {
			chunks = append(chunks, audit.Span{First: chunk[0], Last: chunk[len(chunk)-1]})
		}
	}
}

// StartRun keeps a new re-audit with its chunks. Errors: [audit.CodeConflict] where its
// id is taken.
func (db *DB) StartRun(ctx context.Context, r audit.Run, chunks []audit.Span) error {
	text, err := encodeRun(r)
	if err != nil {
		return err
	}
	rows := make([][]any, len(chunks))
	for i, c := range chunks {
		rows[i] = []any{r.RunID, i, c.First, c.Last, "", int64(0), int64(0)}
	}
	return db.write(ctx, func(s session) error {
		_, err := s.exec(ctx, `INSERT INTO runs (run_id, started_at, progress, options, json, state, published_at) VALUES ($1, $2, '', $3, $4, $5, $6)`,
			r.RunID, micros(r.StartedAt), runKey(r), text, string(r.State), publishedAt(r))
		if err != nil {
			return err
		}
		if err := s.insert(ctx, `INSERT INTO run_chunks (run_id, number, first_id, last_id, worker, lease_until, done_at) VALUES`, "", rows); err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.ReauditStarted, Subject: custody.Subject{Kind: custody.Reaudit, ID: r.RunID},
			Detail: custody.Details(map[string]string{"checklist": r.Checklist, "photos": strconv.Itoa(r.Total)})})
	})
}

// publishedAt is when a run's reports begin to count, 0 where they do not.
func publishedAt(r audit.Run) int64 {
	if r.PublishedAt == nil {
		return 0
	}
	return micros(*r.PublishedAt)
}

// runKey is equal for runs that do the same.
func runKey(r audit.Run) string {
	b, _ := json.Marshal(r.Options()) // it holds texts, times and switches alone
	return textDigest(string(b))
}

func encodeRun(r audit.Run) (string, error) {
	if err := checkText(r); err != nil {
		return "", err
	}
	return encode(r)
}

// OpenRun finds the latest run that does the same as r and is not at its end; ok is false
// where there is none.
func (db *DB) OpenRun(ctx context.Context, r audit.Run) (open audit.Run, ok bool, err error) {
	for _, state := range []audit.RunState{audit.RunRunning, audit.RunPaused} {
		all, err := collect(ctx, db.on(db.reader), scanRun, queryOpenRuns+` AND options = $2 ORDER BY started_at DESC, run_id DESC LIMIT 1`, string(state), runKey(r))
		if err != nil || len(all) > 0 {
			if len(all) > 0 {
				open = all[0].Run
			}
			return open, len(all) > 0, err
		}
	}
	return open, false, nil
}

// OpenRuns lists the runs that are running, the oldest first.
func (db *DB) OpenRuns(ctx context.Context) (runs []audit.Run, err error) {
	all, err := collect(ctx, db.on(db.reader), scanRun, queryOpenRuns+` ORDER BY started_at, run_id`, string(audit.RunRunning))
	for _, r := range all {
		runs = append(runs, r.Run)
	}
	return runs, err
}

const queryOpenRuns = `SELECT started_at, run_id, json FROM runs WHERE state = $1`

// TakeChunk gives a worker the first chunk of a running run that nobody has, until a time;
// nil where there is none.
func (db *DB) TakeChunk(ctx context.Context, runID, worker string, now, until time.Time) (t *audit.Task, err error) {
	err = db.write(ctx, func(s session) error {
		t = nil
		state, err := one(ctx, s, "re-audit", scanText, `SELECT state FROM runs WHERE run_id = $1`, runID)
		if err != nil || state != string(audit.RunRunning) {
			return err
		}
		found, err := collect(ctx, s, func(scan func(...any) error) (t audit.Task, err error) {
			err = scan(&t.Number, &t.First, &t.Last)
			return t, err
		}, queryOpenChunk+s.dialect.skipLocked(), runID, micros(now))
		if err != nil || len(found) == 0 {
			return err
		}
		t = &found[0]
		t.RunID, t.Worker = runID, worker
		_, err = s.exec(ctx, `UPDATE run_chunks SET worker = $1, lease_until = $2 WHERE run_id = $3 AND number = $4`, worker, micros(until), runID, t.Number)
		return err
	})
	return t, err
}

const queryOpenChunk = `SELECT number, first_id, last_id FROM run_chunks WHERE run_id = $1 AND done_at = 0 AND lease_until <= $2 ORDER BY number LIMIT 1`

// KeepChunk keeps a chunk for its worker until a later time. Errors: [audit.CodeConflict]
// where it is done, somebody else's, or its run is no longer running.
func (db *DB) KeepChunk(ctx context.Context, t audit.Task, until time.Time) error {
	return db.write(ctx, func(s session) error {
		n, err := s.exec(ctx, `UPDATE run_chunks SET lease_until = $1 WHERE run_id = $2 AND number = $3 AND worker = $4 AND done_at = 0
			AND EXISTS (SELECT 1 FROM runs r WHERE r.run_id = run_chunks.run_id AND r.state <> 'cancelled')`, micros(until), t.RunID, t.Number, t.Worker)
		if err == nil && n == 0 {
			err = audit.Errorf(audit.CodeConflict, "the chunk is no longer this worker's")
		}
		return err
	})
}

// FinishChunk stores what a run made of a chunk and counts it, in one transaction. A
// chunk that is done already changes nothing. The last chunk ends the run. Errors:
// [audit.CodeNotFound] for a run or chunk that is not there, [audit.CodeConflict] where
// the run was cancelled.
func (db *DB) FinishChunk(ctx context.Context, t audit.Task, c audit.Chunk, at time.Time) (r audit.Run, err error) {
	var failures [][]any
	for _, f := range c.Failures {
		failure, err := encode(f)
		if err != nil {
			return r, err
		}
		failures = append(failures, []any{t.RunID, f.UploadID, failure})
	}
	flips, err := packAll(t.RunID, c.Flips, flipped)
	if err != nil {
		return r, err
	}
	reports, err := packAll(t.RunID, c.Reports, judgedUpload)
	if err != nil {
		return r, err
	}
	err = db.write(ctx, func(s session) error {
		n, err := s.exec(ctx, `UPDATE run_chunks SET done_at = $1 WHERE run_id = $2 AND number = $3 AND done_at = 0`, micros(at), t.RunID, t.Number)
		if err != nil {
			return err
		}
		if n == 0 {
			r, err = s.lockedRun(ctx, t.RunID)
			return err
		}
		if err := s.saveMeasurements(ctx, c.Remeasured); err != nil {
			return err
		}
		if err := s.insert(ctx, `INSERT INTO run_reports (run_id, last_id, first_id, reports) VALUES`, "", reports); err != nil {
			return err
		}
		if err := s.insert(ctx, insertFlips, "", flips); err != nil {
			return err
		}
		if err := s.insert(ctx, `INSERT INTO run_failures (run_id, upload_id, json) VALUES`, "", failures); err != nil {
			return err
		}
		// The run is everybody's: it is locked only now, for no longer than counting takes.
		if r, err = s.lockedRun(ctx, t.RunID); err != nil {
			return err
		}
		if r.State == audit.RunCancelled {
			return audit.Errorf(audit.CodeConflict, "the re-audit was cancelled")
		}
		r.Count(c, at)
		if err := s.saveRun(ctx, r); err != nil {
			return err
		}
		if r.PublishedAt != nil {
			if err := s.requeue(ctx, r.RunID); err != nil {
				return err
			}
		}
		detail := custody.Details(map[string]string{"reports": strconv.Itoa(len(c.Reports)), "flips": strconv.Itoa(len(c.Flips))})
		entries := []custody.Entry{{Action: custody.ReauditAdvanced, Subject: custody.Subject{Kind: custody.Reaudit, ID: r.RunID}, Detail: detail}}
		if r.FinishedAt != nil {
			entries[0].Action = custody.ReauditFinished
		}
		if r.PublishedAt != nil {
			entries = append(entries, custody.Entry{Action: custody.ReauditPublished, Subject: custody.Subject{Kind: custody.Reaudit, ID: r.RunID}})
		}
		return s.log(ctx, entries...)
	})
	return r, err
}

// lockedRun reads a run that nobody else changes until the transaction ends. Locking its row
// would wait for all who have just written flips of it, and they for each other.
func (s session) lockedRun(ctx context.Context, runID string) (audit.Run, error) {
	if err := s.dialect.lock(ctx, s, []int64{textLock("run", runID)}); err != nil {
		return audit.Run{}, err
	}
	r, err := one(ctx, s, "re-audit", scanRun, queryRun, runID)
	return r.Run, err
}

func (s session) saveRun(ctx context.Context, r audit.Run) error {
	text, err := encodeRun(r)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, `UPDATE runs SET json = $1, state = $2, published_at = $3 WHERE run_id = $4`, text, string(r.State), publishedAt(r), r.RunID)
	return err
}

// ChangeRun brings a run into another state. Errors: [audit.CodeNotFound],
// [audit.CodeConflict] where that state cannot follow on its own.
func (db *DB) ChangeRun(ctx context.Context, runID string, to audit.RunState, at time.Time) (r audit.Run, err error) {
	err = db.write(ctx, func(s session) error {
		if r, err = s.lockedRun(ctx, runID); err != nil || r.State == to {
			return err
		}
		if err := r.Change(to, at); err != nil {
			return err
		}
		if err := s.saveRun(ctx, r); err != nil {
			return err
		}
		if to == audit.RunPublished {
			if err := s.requeue(ctx, r.RunID); err != nil {
				return err
			}
		}
		return s.log(ctx, custody.Entry{Action: changes[to], Subject: custody.Subject{Kind: custody.Reaudit, ID: r.RunID}})
	})
	return r, err
}

// changes are what the custody log calls the states that somebody brings a run into.
var changes = map[audit.RunState]custody.Action{audit.RunPaused: custody.ReauditPaused, audit.RunRunning: custody.ReauditResumed,
	audit.RunCancelled: custody.ReauditCancelled, audit.RunPublished: custody.ReauditPublished}

// runRow is a run with where it stands in the list.
type runRow struct {
	audit.Run
	cursor cursor
}

func scanRun(scan func(...any) error) (r runRow, err error) {
	var text []byte
	if err = scan(&r.cursor.N, &r.cursor.ID, &text); err == nil {
		r.Run, err = fromJSON[audit.Run](text)
	}
	return r, err
}

const queryRun = `SELECT started_at, run_id, json FROM runs WHERE run_id = $1`

// Run finds a re-audit. Errors: [audit.CodeNotFound].
func (db *DB) Run(ctx context.Context, runID string) (audit.Run, error) {
	r, err := one(ctx, db.on(db.reader), "re-audit", scanRun, queryRun, runID)
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

const queryRuns = `SELECT started_at, run_id, json FROM runs WHERE (started_at, run_id) < ($1, $2)
	ORDER BY started_at DESC, run_id DESC LIMIT $3`

// Failures lists the uploads that a re-audit could not judge by upload id, at most limit
// from the one after the cursor; next is "" at the end.
func (db *DB) Failures(ctx context.Context, runID, after string, limit int) (failures []audit.Failure, next string, err error) {
	c, err := parseCursor(after, cursor{})
	if err != nil {
		return nil, "", err
	}
	return page(ctx, db, limit, scanJSON[audit.Failure], func(f audit.Failure) (audit.Failure, string) { return f, cursor{ID: f.UploadID}.String() }, queryFailures, runID, c.ID)
}

const queryFailures = `SELECT json FROM run_failures WHERE run_id = $1 AND upload_id > $2 ORDER BY upload_id LIMIT $3`
