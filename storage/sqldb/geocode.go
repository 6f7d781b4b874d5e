package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
)

const geocodingMigration = "00006_geocoding.sql"

// addGeocoding makes the tables for geocoding and queues what is on record already.
func (db *DB) addGeocoding(ctx context.Context, tx *sql.Tx, folder fs.FS) error {
	if err := runStatements(ctx, tx, folder, geocodingMigration); err != nil {
		return err
	}
	s := db.on(tx)
	for after := ""; ; {
		all, err := collect(ctx, s, scanJSON[audit.Delivery], `SELECT json FROM deliveries WHERE tracking_id > $1 ORDER BY tracking_id LIMIT $2`, after, chunkRows)
		if err != nil || len(all) == 0 {
			return err
		}
		after = all[len(all)-1].TrackingID
		var sought []audit.PostalAddress
		for _, d := range all {
			a, ok := d.Unplaced()
			if !ok {
				continue
			}
			sought = append(sought, a)
			if _, err := s.exec(ctx, `UPDATE deliveries SET address_key = $1 WHERE tracking_id = $2`, a.Key(), d.TrackingID); err != nil {
				return err
			}
		}
		if err := s.seek(ctx, sought, db.now()); err != nil {
			return err
		}
	}
}

// seek queues addresses, unless they were answered: for good where they were found, else
// for [audit.AbsentFor].
func (s session) seek(ctx context.Context, addresses []audit.PostalAddress, at time.Time) error {
	var rows [][]any
	queued := map[string]bool{}
	for _, a := range addresses {
		key := a.Key()
		if queued[key] {
			continue
		}
		queued[key] = true
		text, err := encode(a)
		if err != nil {
			return err
		}
		rows = append(rows, []any{key, text, "waiting", 0, micros(at), 0, ""})
	}
	slices.SortFunc(rows, func(a, b []any) int { return cmp.Compare(a[0].(string), b[0].(string)) })
	return s.insert(ctx, `INSERT INTO geocodes (address_key, address, state, attempts, next_at, asked_at, json) VALUES`,
		`ON CONFLICT (address_key) DO UPDATE SET state = 'waiting', next_at = excluded.next_at
			WHERE geocodes.state = 'absent' AND geocodes.next_at <= excluded.next_at`, rows)
}

// locate fills in the geocoded positions of deliveries without one of their own.
func (s session) locate(ctx context.Context, ds []audit.Delivery) error {
	var keys []string
	at := map[string][]int{}
	for i := range ds {
		ds[i].Geocoded = nil
		if a, ok := ds[i].Unplaced(); ok {
			key := a.Key()
			if at[key] == nil {
				keys = append(keys, key)
			}
			at[key] = append(at[key], i)
		}
	}
	_, err := collectAll(ctx, s, func(scan func(...any) error) (none struct{}, err error) {
		var key string
		var text []byte
		if err := scan(&key, &text); err != nil {
			return none, err
		}
		g, err := fromJSON[audit.Geocode](text)
		for _, i := range at[key] {
			ds[i].Geocoded = &g
		}
		return none, err
	}, s.among(queryGeocodes, keys, ""))
	return err
}

const (
	queryGeocodes   = `SELECT address_key, json FROM geocodes WHERE state = 'found' AND address_key IN `
	queryDueAddress = `SELECT address, attempts FROM geocodes WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at, address_key LIMIT 1`
	queryAtAddress  = `SELECT tracking_id FROM deliveries WHERE address_key = $1 AND address_key <> '' ORDER BY tracking_id`
)

// errNone rolls a transaction back that found nothing to do.
var errNone = errors.New("nothing to do")

// NextAddress takes the turn to ask about the address that is due first. Nobody else is
// given one before until, or before [DB.RecordLocated] says. It is nil where none is due
// or somebody else has the turn.
func (db *DB) NextAddress(ctx context.Context, now, until time.Time) (*audit.Sought, error) {
	due, err := collect(ctx, db.on(db.reader), scanSought, queryDueAddress, micros(now))
	if err != nil || len(due) == 0 { // asking often takes no lock
		return nil, err
	}
	err = db.write(ctx, func(s session) error {
		n, err := s.exec(ctx, `UPDATE geocoding SET next_at = $1 WHERE next_at <= $2`, micros(until), micros(now))
		if err != nil {
			return err
		}
		if n == 0 {
			return errNone
		}
		due, err = collect(ctx, s, scanSought, queryDueAddress, micros(now))
		if err != nil {
			return err
		}
		if len(due) == 0 {
			return errNone
		}
		due[0].Turn = until.UTC().Truncate(time.Microsecond)
		due[0].Failures, err = one(ctx, s, "turn", func(scan func(...any) error) (n int, err error) {
			err = scan(&n)
			return n, err
		}, `SELECT failures FROM geocoding`)
		return err
	})
	if errors.Is(err, errNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &due[0], nil
}

func scanSought(scan func(...any) error) (a audit.Sought, err error) {
	var text []byte
	if err = scan(&text, &a.Attempts); err == nil {
		a.PostalAddress, err = fromJSON[audit.PostalAddress](text)
	}
	return a, err
}

// relocatedAtOnce bounds the uploads that are judged again when their stop is found. More
// than that, at one address, wait for the next re-audit.
const relocatedAtOnce = 1000

// RecordLocated keeps what came of asking about an address and gives the turn back. Where
// a place was found, judge is given every upload for that address, and the reports that
// it makes are appended in the same transaction; relocated counts them.
func (db *DB) RecordLocated(ctx context.Context, l audit.Located, judge func(audit.Case) (audit.Report, bool)) (relocated int, err error) {
	key := l.Key()
	err = db.write(ctx, func(s session) error {
		relocated = 0
		failures := `0`
		if l.Failed {
			failures = `failures + 1`
		}
		// A turn that ran out is somebody else's by now.
		if _, err := s.exec(ctx, `UPDATE geocoding SET next_at = $1, failures = `+failures+` WHERE next_at = $2`, micros(l.Next), micros(l.Turn)); err != nil {
			return err
		}
		switch {
		case l.Failed:
			_, err := s.exec(ctx, `UPDATE geocodes SET attempts = attempts + 1, next_at = $1 WHERE address_key = $2 AND state = 'waiting'`, micros(l.Again), key)
			return err
		case l.Place == nil:
			_, err := s.exec(ctx, `UPDATE geocodes SET state = 'absent', attempts = 0, next_at = $1, asked_at = $2 WHERE address_key = $3 AND state = 'waiting'`,
				micros(l.At.Add(audit.AbsentFor)), micros(l.At), key)
			return err
		}
		relocated, err = s.place(ctx, key, l, judge)
		return err
	})
	return relocated, err
}

// place keeps a position and has the uploads for its address judged again.
func (s session) place(ctx context.Context, key string, l audit.Located, judge func(audit.Case) (audit.Report, bool)) (int, error) {
	text, err := encode(l.Place)
	if err != nil {
		return 0, err
	}
	// With the deliveries locked no upload is judged meanwhile: those before are found
	// below, those after find the position.
	ids, err := collect(ctx, s, scanText, queryAtAddress+s.dialect.forUpdate(), key)
	if err != nil {
		return 0, err
	}
	n, err := s.exec(ctx, `UPDATE geocodes SET state = 'found', attempts = 0, next_at = $1, asked_at = $2, json = $3 WHERE address_key = $4 AND state = 'waiting'`,
		int64(math.MaxInt64), micros(l.At), text, key)
	if err != nil || n == 0 {
		return 0, err
	}
	reports, err := s.relocate(ctx, ids, judge)
	if err != nil {
		return 0, err
	}
	return len(reports), s.log(ctx, custody.Entry{Action: custody.AddressLocated, Subject: custody.Subject{Kind: custody.Address, ID: textDigest(key)},
		Detail: custody.Details(map[string]string{"kind": l.Place.Kind, "precision_m": fmt.Sprintf("%.0f", l.Place.PrecisionM),
			"source": l.Place.Source, "reports": strconv.Itoa(len(reports))})})
}

// relocate judges the uploads of deliveries again and appends the reports.
func (s session) relocate(ctx context.Context, trackingIDs []string, judge func(audit.Case) (audit.Report, bool)) ([]audit.Report, error) {
	links, err := s.linkedUploads(ctx, trackingIDs)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(links, func(a, b link) int { return cmp.Compare(a.uploadID, b.uploadID) })
	ids := slices.Compact(uploadIDs(links))
	cases, err := s.cases(ctx, ids[max(0, len(ids)-relocatedAtOnce):])
	if err != nil {
		return nil, err
	}
	var reports []audit.Report
	for _, c := range cases {
		if !slices.Contains(trackingIDs, c.Upload.TrackingID) {
			continue // it shows this stop's package, but proves another delivery
		}
		if r, ok := judge(c); ok {
			reports = append(reports, r)
		}
	}
	return reports, s.saveReports(ctx, reports)
}

// AddressesWaiting counts the addresses that wait to be asked about.
func (db *DB) AddressesWaiting(ctx context.Context) (int, error) {
	return one(ctx, db.on(db.reader), "queue", func(scan func(...any) error) (n int, err error) {
		err = scan(&n)
		return n, err
	}, `SELECT COUNT(*) FROM geocodes WHERE state = 'waiting'`)
}
