package sqldb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/standing"
)

const (
	standingsChunk   = 256 // drivers in one query
	standingsReaders = 4   // chunks read at once
)

// RecomputeStandings assesses all drivers as of then and keeps it for the day, in place
// of what was kept for that day. done, where it is not nil, is told how many drivers are
// done; one at a time. The packages are counted where they are: a driver takes one row
// of an answer, whatever the window. It answers how many drivers there are.
func (db *DB) RecomputeStandings(ctx context.Context, t *standing.Targets, day standing.Date, at time.Time, done func(n int)) (int, error) {
	drivers, err := db.drivers(ctx)
	if err != nil {
		return 0, err
	}
	missing, err := db.allMissing(ctx, at)
	if err != nil {
		return 0, err
	}
	kept := make(chan []standing.Snapshot)
	group, ctx := errgroup.WithContext(ctx)
	reading, readCtx := errgroup.WithContext(ctx)
	reading.SetLimit(standingsReaders)
	group.Go(func() error {
		defer close(kept)
		for chunk := range slices.Chunk(drivers, standingsChunk) {
			reading.Go(func() error {
				snapshots, err := db.assess(readCtx, t, chunk, missing, day, at)
				if err != nil {
					return err
				}
				select {
				case kept <- snapshots:
					return nil
				case <-readCtx.Done():
					return readCtx.Err()
				}
			})
		}
		return reading.Wait()
	})
	n := 0
	group.Go(func() error {
		for snapshots := range kept {
			if err := db.keepStandings(ctx, snapshots); err != nil {
				return err
			}
			if n += len(snapshots); done != nil {
				done(n)
			}
		}
		return nil
	})
	err = group.Wait()
	return n, err
}

// queryDrivers jumps from one driver to the next in an index, however many rows each has.
const queryDrivers = `WITH RECURSIVE d(id) AS (SELECT MIN(driver_id) FROM %[1]s WHERE driver_id > ''%[2]s
	UNION ALL SELECT (SELECT MIN(driver_id) FROM %[1]s WHERE driver_id > d.id%[2]s) FROM d WHERE d.id IS NOT NULL) SELECT id FROM d WHERE id IS NOT NULL`

// drivers are all who have a package with an outcome or a block, in order.
func (db *DB) drivers(ctx context.Context) ([]string, error) {
	s := db.on(db.reader)
	all, err := collect(ctx, s, scanText, fmt.Sprintf(queryDrivers, "deliveries", " AND mark > 0"))
	if err != nil {
		return nil, err
	}
	more, err := collect(ctx, s, scanText, fmt.Sprintf(queryDrivers, "blocks", ""))
	all = append(all, more...)
	slices.Sort(all)
	return slices.Compact(all), err
}

// allMissing is what was claimed and conceded on delivered packages, by driver. Claims
// are few beside packages.
func (db *DB) allMissing(ctx context.Context, at time.Time) (map[string][]standing.Missing, error) {
	type row struct {
		driver  string
		missing standing.Missing
	}
	all := map[string][]standing.Missing{}
	add := func(of func(scan func(...any) error) (standing.Missing, error), query string) error {
		_, err := collect(ctx, db.on(db.reader), func(scan func(...any) error) (none struct{}, err error) {
			var r row
			r.missing, err = of(func(to ...any) error { return scan(append([]any{&r.driver}, to...)...) })
			if err == nil {
				all[r.driver] = append(all[r.driver], r.missing)
			}
			return none, err
		}, fmt.Sprintf(query, int64(standing.Delivered)), micros(at))
		return err
	}
	err := add(scanReported[dispute.Claim], `SELECT d.driver_id, d.tracking_id, d.sort_at, c.claim_id, c.json FROM claims c JOIN deliveries d ON d.tracking_id = c.tracking_id
		WHERE (d.mark & %d) > 0 AND d.sort_at <= $1 AND `+claimStands)
	if err == nil {
		err = add(scanReported[standing.Concession], `SELECT d.driver_id, d.tracking_id, d.sort_at, c.concession_id, c.json FROM concessions c
			JOIN deliveries d ON d.tracking_id = c.tracking_id WHERE (d.mark & %d) > 0 AND d.sort_at <= $1 AND c.counts = 1`)
	}
	return all, err
}

// scanReported is a claim or a concession with no more than the figures need.
func scanReported[T dispute.Claim | standing.Concession](scan func(...any) error) (m standing.Missing, err error) {
	var v T
	switch any(v).(type) {
	case dispute.Claim:
		m, err = scanClaimed(scan)
	default:
		m, err = scanConceded(scan)
	}
	m.Types = nil
	return m, err
}

// countedDriver is a driver's packages of one window, counted.
type countedDriver struct {
	id     string
	counts standing.Counts
}

// countQuery counts each driver's packages: those of the inner query, whose driver is
// d.driver_id. The counts come as one text, since a subquery answers one value.
func countQuery(values, inner string) string {
	var counts []string
	for _, bit := range []standing.Mark{standing.Attempted, standing.Delivered, standing.Timed, standing.OnTime} {
		counts = append(counts, fmt.Sprintf(`CAST(COUNT(*) FILTER (WHERE (mark & %d) > 0) AS TEXT)`, int64(bit)))
	}
	return `WITH d(driver_id) AS (VALUES ` + values + `) SELECT driver_id, (SELECT CAST(COALESCE(MIN(sort_at), 0) AS TEXT) || ' ' || CAST(COUNT(*) AS TEXT) || ' ' || ` +
		strings.Join(counts, ` || ' ' || `) + ` FROM (SELECT p.sort_at, p.mark FROM deliveries p WHERE p.driver_id = d.driver_id AND p.mark > 0 AND ` + inner + `) w) FROM d`
}

const (
	innerLast  = `p.sort_at <= $%d ORDER BY p.sort_at DESC, p.tracking_id DESC LIMIT $%d`
	innerSince = `p.sort_at <= $%d AND p.sort_at >= $%d`
)

// count counts the packages of drivers.
func (s session) count(ctx context.Context, drivers []string, inner string, last ...any) ([]countedDriver, error) {
	if len(drivers) == 0 {
		return nil, nil
	}
	args := padded(drivers)
	query := countQuery(s.values(len(args), 1), fmt.Sprintf(inner, len(args)+1, len(args)+2))
	return collect(ctx, s, func(scan func(...any) error) (d countedDriver, err error) {
		var text string
		if err := scan(&d.id, &text); err != nil {
			return d, err
		}
		var oldest int64
		c := &d.counts
		if _, err := fmt.Sscan(text, &oldest, &c.Packages, &c.Attempted, &c.Delivered, &c.Timed, &c.OnTime); err != nil {
			return d, audit.Errorf(audit.CodeInternal, "packages cannot be counted", err)
		}
		c.Oldest = time.UnixMicro(oldest).UTC()
		return d, nil
	}, query, append(args, last...)...)
}

// counts are the packages of each driver's window.
func (s session) counts(ctx context.Context, t *standing.Targets, drivers []string, at time.Time) (map[string]standing.Counts, error) {
	all := map[string]standing.Counts{}
	last, err := s.count(ctx, drivers, innerLast, micros(at), t.Window.Packages)
	if err != nil {
		return nil, err
	}
	since := t.Since(at)
	var many []string // whose window by days may hold more
	for _, d := range last {
		if _, twice := all[d.id]; !twice && d.counts.Packages == t.Window.Packages && !d.counts.Oldest.Before(since) {
			many = append(many, d.id)
		}
		d.counts.Days = d.counts.Packages == 0
		all[d.id] = d.counts
	}
	days, err := s.count(ctx, many, innerSince, micros(at), micros(since))
	for _, d := range days {
		if d.counts.Packages > t.Window.Packages {
			d.counts.Days = true
			all[d.id] = d.counts
		}
	}
	return all, err
}

// assess is the standings of some drivers.
func (db *DB) assess(ctx context.Context, t *standing.Targets, drivers []string, missing map[string][]standing.Missing, day standing.Date, at time.Time) (all []standing.Snapshot, err error) {
	err = db.read(ctx, func(s session) error {
		counts, err := s.counts(ctx, t, drivers, at)
		if err != nil {
			return err
		}
		blocks, err := s.blocksOf(ctx, t, drivers, at)
		if err != nil {
			return err
		}
		oldest := t.Since(at)
		for _, c := range counts {
			if !c.Days && c.Oldest.Before(oldest) {
				oldest = c.Oldest
			}
		}
		ratings, err := s.ratingsOf(ctx, drivers, oldest, at)
		if err != nil {
			return err
		}
		for _, id := range drivers {
			c := counts[id]
			if bounded(c, missing[id]) {
				// Of the packages of that moment, those with the higher ids are within.
				c.First, err = one(ctx, s, "package", scanText, queryWindowFirst, id, micros(at), t.Window.Packages-1)
				if err != nil && audit.ErrorCode(err) != audit.CodeNotFound {
					return err
				}
			}
			y := t.TallyOf(c, missing[id], blocks[id], ratings[id], at)
			all = append(all, t.Snapshot(id, y, day, at))
		}
		return nil
	})
	return all, err
}

// bounded tells whether a claim is on a package of the very moment that the window by
// packages begins.
func bounded(c standing.Counts, missing []standing.Missing) bool {
	return !c.Days && slices.ContainsFunc(missing, func(m standing.Missing) bool { return m.PackageAt.Equal(c.Oldest) })
}

const queryWindowFirst = `SELECT tracking_id FROM deliveries WHERE driver_id = $1 AND sort_at <= $2 AND mark > 0
	ORDER BY sort_at DESC, tracking_id DESC LIMIT 1 OFFSET $3`

// blocksOf are the last blocks of each driver, and some more where several began at once.
func (s session) blocksOf(ctx context.Context, t *standing.Targets, drivers []string, at time.Time) (map[string][]standing.Block, error) {
	args := padded(drivers)
	n := len(args)
	query := fmt.Sprintf(`WITH d(driver_id) AS (VALUES %s) SELECT b.json FROM d JOIN blocks b ON b.driver_id = d.driver_id AND b.scheduled_start <= $%d
		AND b.scheduled_start >= (SELECT MIN(w.scheduled_start) FROM (SELECT x.scheduled_start FROM blocks x WHERE x.driver_id = d.driver_id AND x.scheduled_start <= $%d
		ORDER BY x.scheduled_start DESC LIMIT $%d) w)`, s.values(n, 1), n+1, n+1, n+2)
	all, err := collect(ctx, s, scanJSON[standing.Block], query, append(args, micros(t.BlocksUntil(at)), t.Blocks.Last)...)
	byDriver := map[string][]standing.Block{}
	for _, b := range all {
		byDriver[b.DriverID] = append(byDriver[b.DriverID], b)
	}
	for id, bs := range byDriver { // the list repeats its last driver
		slices.SortFunc(bs, func(a, b standing.Block) int { return cmp.Compare(a.BlockID, b.BlockID) })
		byDriver[id] = slices.CompactFunc(bs, func(a, b standing.Block) bool { return a.BlockID == b.BlockID })
	}
	return byDriver, err
}

// ratingsOf are the ratings of each driver, within a time.
func (s session) ratingsOf(ctx context.Context, drivers []string, from, to time.Time) (map[string][]standing.Feedback, error) {
	marks, args := s.list(drivers)
	all, err := collect(ctx, s, func(scan func(...any) error) (f standing.Feedback, err error) {
		var at int64
		err = scan(&f.DriverID, &at, &f.Rating)
		f.At = time.UnixMicro(at).UTC()
		return f, err
	}, fmt.Sprintf(`SELECT driver_id, at, rating FROM feedback WHERE driver_id IN (%s) AND rating > 0 AND at >= $%d AND at <= $%d`, marks, len(args)+1, len(args)+2),
		append(args, micros(from), micros(to))...)
	byDriver := map[string][]standing.Feedback{}
	for _, f := range all {
		byDriver[f.DriverID] = append(byDriver[f.DriverID], f)
	}
	return byDriver, err
}

// keepStandings keeps standings in one transaction.
func (db *DB) keepStandings(ctx context.Context, snapshots []standing.Snapshot) error {
	rows := make([][]any, len(snapshots))
	for i, s := range snapshots {
		text, err := encode(s)
		if err != nil {
			return err
		}
		rows[i] = []any{s.DriverID, string(s.Day), string(s.Standing), micros(s.ComputedAt), text}
	}
	return db.write(ctx, func(s session) error {
		return s.insert(ctx, `INSERT INTO standings (driver_id, day, standing, computed_at, json) VALUES`,
			`ON CONFLICT (driver_id, day) DO UPDATE SET standing = excluded.standing, computed_at = excluded.computed_at, json = excluded.json`, rows)
	})
}
