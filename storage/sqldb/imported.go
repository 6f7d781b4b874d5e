package sqldb

import (
	"context"
	"slices"
	"strings"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/standing"
)

// imported is a table that is filled by an import alone.
type imported[T any] struct {
	table   string
	columns []string // the id, then those that rows are found by
	action  custody.Action
	subject custody.Kind
	id      func(T) string
	// whole is the row as it is kept, with the columns behind the id; kept is the JSON on
	// record, empty for none.
	whole func(kept string, row T) (T, []any, error)
}

// PutBlocks imports blocks as [DB.PutDeliveries] does deliveries: absent fields keep what
// is on record.
func (db *DB) PutBlocks(ctx context.Context, rows []standing.Block, at time.Time) ([]audit.Change, error) {
	return put(ctx, db, blocks, rows, at)
}

var blocks = imported[standing.Block]{
	table: "blocks", columns: []string{"block_id", "driver_id", "scheduled_start"}, action: custody.BlockChanged, subject: custody.Block,
	id: func(b standing.Block) string { return b.BlockID },
	whole: func(kept string, row standing.Block) (b standing.Block, columns []any, err error) {
		if err = overlay(&b, kept, row); err == nil {
			err = b.Whole()
		}
		if err != nil {
			return b, nil, err
		}
		b.ScheduledStart, b.ScheduledEnd, b.CheckedInAt, b.CancelledAt = utc(b.ScheduledStart), utc(b.ScheduledEnd), utc(b.CheckedInAt), utc(b.CancelledAt)
		return b, []any{b.DriverID, micros(*b.ScheduledStart)}, nil
	},
}

// PutFeedback imports customers' feedback. A row replaces the one of its id.
func (db *DB) PutFeedback(ctx context.Context, rows []standing.Feedback, at time.Time) ([]audit.Change, error) {
	return put(ctx, db, feedback, rows, at)
}

var feedback = imported[standing.Feedback]{
	table: "feedback", columns: []string{"feedback_id", "driver_id", "at", "rating"}, action: custody.FeedbackChanged, subject: custody.Feedback,
	id: func(f standing.Feedback) string { return f.FeedbackID },
	whole: func(_ string, f standing.Feedback) (standing.Feedback, []any, error) {
		f.At = f.At.UTC()
		return f, []any{f.DriverID, micros(f.Moment()), f.Rating}, nil
	},
}

// PutConcessions imports a carrier's concessions. A row replaces the one of its id.
func (db *DB) PutConcessions(ctx context.Context, rows []standing.Concession, at time.Time) ([]audit.Change, error) {
	return put(ctx, db, concessions, rows, at)
}

var concessions = imported[standing.Concession]{
	table: "concessions", columns: []string{"concession_id", "tracking_id", "counts"}, action: custody.ConcessionChanged, subject: custody.Concession,
	id: standing.Concession.ID,
	whole: func(_ string, c standing.Concession) (standing.Concession, []any, error) {
		counts := 0
		if c.Counts() {
			counts = 1
		}
		return c, []any{c.TrackingID, counts}, nil
	},
}

// PutPhotoWeeks imports rows of a carrier's weekly photo report. A row replaces the one
// of its week and driver.
func (db *DB) PutPhotoWeeks(ctx context.Context, rows []standing.PhotoWeek, at time.Time) ([]audit.Change, error) {
	return put(ctx, db, photoWeeks, rows, at)
}

var photoWeeks = imported[standing.PhotoWeek]{
	table: "photo_weeks", columns: []string{"row_id", "week", "driver_id"}, action: custody.PhotoReportChanged, subject: custody.PhotoReport,
	id: standing.PhotoWeek.ID,
	whole: func(_ string, p standing.PhotoWeek) (standing.PhotoWeek, []any, error) {
		return p, []any{p.Week, p.DriverID}, p.Whole()
	},
}

// PhotoWeeks lists the rows of the carrier's photo report of a week, by driver.
func (db *DB) PhotoWeeks(ctx context.Context, week string) ([]standing.PhotoWeek, error) {
	return collect(ctx, db.on(db.reader), scanJSON[standing.PhotoWeek], queryPhotoWeeks, week)
}

const queryPhotoWeeks = `SELECT json FROM photo_weeks WHERE week = $1 ORDER BY driver_id`

// put imports rows in one transaction and tells what became of each. The same import
// again changes nothing. Errors: [audit.CodeInvalid] for a row that cannot be kept; then
// none is.
func put[T any](ctx context.Context, db *DB, k imported[T], rows []T, at time.Time) ([]audit.Change, error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		if err := checkText(r); err != nil {
			return nil, err
		}
		ids[i] = k.id(r)
	}
	var changes []audit.Change
	err := db.write(ctx, func(s session) error {
		if err := s.dialect.lock(ctx, s, []int64{importLock}); err != nil {
			return err
		}
		kept, err := s.keptText(ctx, k.table, k.columns[0], ids)
		if err != nil {
			return err
		}
		changes = make([]audit.Change, len(rows))
		changed := map[string][]any{}
		for i, r := range rows {
			old, known := kept[ids[i]]
			whole, columns, err := k.whole(old, r)
			if err != nil {
				return err
			}
			text, err := encode(whole)
			if err != nil {
				return err
			}
			switch {
			case !known:
				changes[i] = audit.Created
			case text == old:
				changes[i] = audit.Unchanged
				continue
			default:
				changes[i] = audit.Updated
			}
			kept[ids[i]] = text
			changed[ids[i]] = slices.Concat([]any{ids[i]}, columns, []any{micros(at), text})
		}
		var all [][]any
		for _, r := range changed {
			all = append(all, r)
		}
		var sets []string
		for _, c := range append(slices.Clone(k.columns[1:]), "json") {
			sets = append(sets, c+" = excluded."+c)
		}
		err = s.insert(ctx, `INSERT INTO `+k.table+` (`+strings.Join(k.columns, ", ")+`, imported_at, json) VALUES`,
			`ON CONFLICT (`+k.columns[0]+`) DO UPDATE SET `+strings.Join(sets, ", "), all)
		if err != nil {
			return err
		}
		return s.logRows(ctx, k.action, k.subject, ids, changes, func(id string) string { return kept[id] })
	})
	return changes, err
}

// keptText loads the JSON of what a table holds under the ids.
func (s session) keptText(ctx context.Context, table, column string, ids []string) (map[string]string, error) {
	kept := map[string]string{}
	_, err := collectAll(ctx, s, func(scan func(...any) error) (none struct{}, err error) {
		var id, text string
		err = scan(&id, &text)
		kept[id] = text
		return none, err
	}, s.among(`SELECT `+column+`, json FROM `+table+` WHERE `+column+` IN `, ids, ""))
	return kept, err
}
