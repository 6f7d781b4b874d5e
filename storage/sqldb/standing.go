package sqldb

import (
	"context"
	"database/sql"
	"io/fs"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/standing"
)

const standingMigration = "00008_standing.sql"

// addStandings makes the tables for standings and says what the deliveries on record
// count for.
func (db *DB) addStandings(ctx context.Context, tx *sql.Tx, folder fs.FS) error {
	if err := runStatements(ctx, tx, folder, standingMigration); err != nil {
		return err
	}
	s := db.on(tx)
	for after := ""; ; {
		all, err := collect(ctx, s, scanJSON[audit.Delivery], `SELECT json FROM deliveries WHERE tracking_id > $1 ORDER BY tracking_id LIMIT $2`, after, chunkRows)
		if err != nil || len(all) == 0 {
			return err
		}
		after = all[len(all)-1].TrackingID
		for _, d := range all {
			if m := standing.MarkOf(d); m != 0 {
				if _, err := s.exec(ctx, `UPDATE deliveries SET mark = $1 WHERE tracking_id = $2`, int64(m), d.TrackingID); err != nil {
					return err
				}
			}
		}
	}
}

// reportsBack is how far back packages go whose claims the warnings look at, in days
// before the window by days.
const reportsBack = 60

// pastDays is how many days of kept standings a driver's facts have.
const pastDays = 60

const (
	queryLastPackages = `SELECT tracking_id, sort_at, mark FROM deliveries WHERE driver_id = $1 AND sort_at <= $2 AND mark > 0
		ORDER BY sort_at DESC, tracking_id DESC LIMIT $3`
	queryPackagesSince = `SELECT tracking_id, sort_at, mark FROM deliveries WHERE driver_id = $1 AND sort_at <= $2 AND mark > 0 AND sort_at >= $3
		ORDER BY sort_at DESC, tracking_id DESC`
	queryOpen = `SELECT COUNT(*) FROM deliveries WHERE driver_id = $1 AND sort_at >= $2 AND sort_at <= $3 AND mark = 0`

	// A claim that was overturned or withdrawn is none against the driver.
	claimStands       = `c.decision NOT IN ('overturned', 'withdrawn')`
	queryDriverClaims = `SELECT d.tracking_id, d.sort_at, c.claim_id, c.json FROM deliveries d JOIN claims c ON c.tracking_id = d.tracking_id
		WHERE d.driver_id = $1 AND d.mark > 0 AND d.sort_at >= $2 AND d.sort_at <= $3 AND ` + claimStands
	queryDriverConcessions = `SELECT d.tracking_id, d.sort_at, c.concession_id, c.json FROM deliveries d JOIN concessions c ON c.tracking_id = d.tracking_id
		WHERE d.driver_id = $1 AND d.mark > 0 AND d.sort_at >= $2 AND d.sort_at <= $3 AND c.counts = 1`

	queryDriverBlocks   = `SELECT json FROM blocks WHERE driver_id = $1 AND scheduled_start <= $2 ORDER BY scheduled_start DESC, block_id DESC LIMIT $3`
	queryDriverFeedback = `SELECT json FROM feedback WHERE driver_id = $1 AND at >= $2 AND at <= $3 ORDER BY at, feedback_id`
	queryDriverPast     = `SELECT json FROM standings WHERE driver_id = $1 AND day <= $2 ORDER BY day DESC LIMIT $3`
)

// DriverFacts is what a driver's figures are made of as of then, on one snapshot. A
// driver who is not on record has none.
func (db *DB) DriverFacts(ctx context.Context, t *standing.Targets, driverID string, at time.Time) (f standing.Facts, err error) {
	err = db.read(ctx, func(s session) error {
		var oldest time.Time
		if f, oldest, err = s.driverPackages(ctx, t, driverID, at); err != nil {
			return err
		}
		since, until := t.Since(at), micros(at)
		open, err := one(ctx, s, "count", scanNumber, queryOpen, driverID, micros(since), until)
		if err != nil {
			return err
		}
		f.Open = int(open)
		if f.Blocks, err = collect(ctx, s, scanJSON[standing.Block], queryDriverBlocks, driverID, micros(t.BlocksUntil(at)), t.Blocks.Last); err != nil {
			return err
		}
		if f.Feedback, err = collect(ctx, s, scanJSON[standing.Feedback], queryDriverFeedback, driverID, micros(oldest), until); err != nil {
			return err
		}
		f.Past, err = collect(ctx, s, scanJSON[standing.Snapshot], queryDriverPast, driverID, string(standing.DayOf(at)), pastDays)
		return err
	})
	return f, err
}

// DriverPackages are a driver's facts with the packages and what is claimed on them alone:
// what a claim says of its driver.
func (db *DB) DriverPackages(ctx context.Context, t *standing.Targets, driverID string, at time.Time) (f standing.Facts, err error) {
	err = db.read(ctx, func(s session) error {
		f, _, err = s.driverPackages(ctx, t, driverID, at)
		return err
	})
	return f, err
}

// driverPackages also answers how far back the facts go.
func (s session) driverPackages(ctx context.Context, t *standing.Targets, driverID string, at time.Time) (f standing.Facts, oldest time.Time, err error) {
	f.DriverID = driverID
	since, until := t.Since(at), micros(at)
	f.Packages, err = collect(ctx, s, scanPackage, queryLastPackages, driverID, until, t.Window.Packages)
	if err != nil {
		return f, oldest, err
	}
	oldest = since
	if n := len(f.Packages); n > 0 {
		oldest = f.Packages[n-1].At
		if n == t.Window.Packages && !oldest.Before(since) {
			// The window by days holds at least as many, and these among them.
			if f.Packages, err = collect(ctx, s, scanPackage, queryPackagesSince, driverID, until, micros(since)); err != nil {
				return f, oldest, err
			}
		}
	}
	if back := since.AddDate(0, 0, -reportsBack); back.Before(oldest) {
		oldest = back
	}
	f.Missing, err = s.driverMissing(ctx, driverID, oldest, at)
	return f, oldest, err
}

func scanPackage(scan func(...any) error) (p standing.Package, err error) {
	var at int64
	err = scan(&p.TrackingID, &at, &p.Mark)
	p.At = time.UnixMicro(at).UTC()
	return p, err
}

// driverMissing is what was claimed and conceded on a driver's packages of a time.
func (s session) driverMissing(ctx context.Context, driverID string, from, to time.Time) ([]standing.Missing, error) {
	all, err := collect(ctx, s, scanClaimed, queryDriverClaims, driverID, micros(from), micros(to))
	if err != nil {
		return nil, err
	}
	conceded, err := collect(ctx, s, scanConceded, queryDriverConcessions, driverID, micros(from), micros(to))
	return append(all, conceded...), err
}

// missingRow scans the package's part of a claim on it, and the claim's JSON.
func missingRow[T any](scan func(...any) error) (m standing.Missing, v T, err error) {
	var at int64
	var text []byte
	if err = scan(&m.TrackingID, &at, &m.ID, &text); err != nil {
		return m, v, err
	}
	m.PackageAt = time.UnixMicro(at).UTC()
	m.ReportedAt = m.PackageAt
	v, err = fromJSON[T](text)
	return m, v, err
}

func scanClaimed(scan func(...any) error) (standing.Missing, error) {
	m, c, err := missingRow[dispute.Claim](scan)
	if c.ReportedAt != nil {
		m.ReportedAt = *c.ReportedAt
	}
	if c.Reason != "" {
		m.Types = []string{c.Reason}
	}
	return m, err
}

func scanConceded(scan func(...any) error) (standing.Missing, error) {
	m, c, err := missingRow[standing.Concession](scan)
	m.ReportedAt, m.Types, m.Concession = c.ConcessionDate.Start(), c.Types(), true
	return m, err
}

// standingRow is a kept standing with its place in the list.
type standingRow struct {
	snapshot standing.Snapshot
	id       string
}

const (
	queryStandings      = `SELECT driver_id, json FROM standings WHERE day = $1 AND driver_id > $2 ORDER BY driver_id LIMIT $3`
	queryStandingsLevel = `SELECT driver_id, json FROM standings WHERE day = $1 AND driver_id > $2 AND standing = $3 ORDER BY driver_id LIMIT $4`
	queryStandingDay    = `SELECT day, computed_at FROM standings ORDER BY day DESC, driver_id DESC LIMIT 1`
)

// Standings lists the standings that were kept for a day by driver, of one level or of
// all for "", at most limit from the one after the cursor; next is "" at the end. Errors:
// [audit.CodeInvalid] for a cursor of another make.
func (db *DB) Standings(ctx context.Context, day standing.Date, level standing.Standing, after string, limit int) ([]standing.Snapshot, string, error) {
	c, err := parseCursor(after, cursor{})
	if err != nil {
		return nil, "", err
	}
	query, args := queryStandings, []any{string(day), c.ID}
	if level != "" {
		query, args = queryStandingsLevel, append(args, string(level))
	}
	return page(ctx, db, limit, func(scan func(...any) error) (r standingRow, err error) {
		var text []byte
		if err = scan(&r.id, &text); err == nil {
			r.snapshot, err = fromJSON[standing.Snapshot](text)
		}
		return r, err
	}, func(r standingRow) (standing.Snapshot, string) { return r.snapshot, cursor{ID: r.id}.String() }, query, args...)
}

// LatestStandings is the last day that standings were kept for and when they were
// computed; the zero values where there are none.
func (db *DB) LatestStandings(ctx context.Context) (day standing.Date, computedAt time.Time, err error) {
	type row struct {
		day string
		at  int64
	}
	all, err := collect(ctx, db.on(db.reader), func(scan func(...any) error) (r row, err error) {
		err = scan(&r.day, &r.at)
		return r, err
	}, queryStandingDay)
	if err != nil || len(all) == 0 {
		return "", time.Time{}, err
	}
	return standing.Date(all[0].day), time.UnixMicro(all[0].at).UTC(), nil
}
