package sqldb

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/standing"
)

// Delivery finds a delivery. Errors: [audit.CodeNotFound], [audit.CodeUnavailable].
func (db *DB) Delivery(ctx context.Context, trackingID string) (audit.Delivery, error) {
	return db.on(db.reader).delivery(ctx, trackingID)
}

// delivery finds a delivery, with its geocoded position.
func (s session) delivery(ctx context.Context, trackingID string) (audit.Delivery, error) {
	d, err := one(ctx, s, "delivery", scanJSON[audit.Delivery], queryDelivery, trackingID)
	if err != nil {
		return d, err
	}
	located := []audit.Delivery{d}
	err = s.locate(ctx, located)
	return located[0], err
}

const queryDelivery = `SELECT json FROM deliveries WHERE tracking_id = $1`

// Deliveries lists the deliveries of a filter by the start of their windows (where there
// is none, by when they were delivered, scanned or imported), the latest first, at most
// limit from the one after the cursor; next is "" at the end. Errors:
// [audit.CodeInvalid] for a cursor of another make.
func (db *DB) Deliveries(ctx context.Context, f audit.DeliveryFilter, after string, limit int) (ds []audit.Delivery, next string, err error) {
	c, err := parseCursor(after, cursor{N: math.MaxInt64})
	if err != nil {
		return nil, "", err
	}
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.Since.IsZero() {
		since = micros(f.Since)
	}
	if !f.Until.IsZero() {
		until = micros(f.Until)
	}
	query, args := queryDeliveries, []any{c.N, c.ID, since, until}
	if f.DriverID != "" {
		query, args = queryDriverPage, append(args, f.DriverID)
	}
	type row struct {
		delivery audit.Delivery
		cursor
	}
	ds, next, err = page(ctx, db, limit, func(scan func(...any) error) (r row, err error) {
		var text []byte
		if err = scan(&r.N, &r.ID, &text); err == nil {
			r.delivery, err = fromJSON[audit.Delivery](text)
		}
		return r, err
	}, func(r row) (audit.Delivery, string) { return r.delivery, r.String() }, query, args...)
	if err != nil {
		return nil, "", err
	}
	return ds, next, db.on(db.reader).locate(ctx, ds)
}

const (
	queryDeliveries = `SELECT sort_at, tracking_id, json FROM deliveries WHERE (sort_at, tracking_id) < ($1, $2) AND sort_at >= $3 AND sort_at < $4
		ORDER BY sort_at DESC, tracking_id DESC LIMIT $5`
	queryDriverPage = `SELECT sort_at, tracking_id, json FROM deliveries WHERE (sort_at, tracking_id) < ($1, $2) AND sort_at >= $3 AND sort_at < $4
		AND driver_id = $5 ORDER BY sort_at DESC, tracking_id DESC LIMIT $6`
)

// importLock makes imports take turns on Postgres: two that bring the same new row
// would each miss the other's fields.
const importLock = 1 << 20

// PutDeliveries imports deliveries in one transaction and tells what became of each:
// fields that are present replace, absent ones (zero values) keep what is on record.
// The same import again changes nothing. Errors: [audit.CodeInvalid] names the row
// that cannot be stored; then nothing is.
func (db *DB) PutDeliveries(ctx context.Context, ds []audit.Delivery, at time.Time) ([]audit.Change, error) {
	ids := make([]string, len(ds))
	for i, d := range ds {
		if err := checkText(d); err != nil {
			return nil, audit.Errorf(audit.CodeInvalid, "delivery %d: %s", i+1, audit.ErrorMessage(err), err)
		}
		ids[i] = d.TrackingID
	}
	var changes []audit.Change
	err := db.write(ctx, func(s session) error {
		if err := s.dialect.lock(ctx, s, []int64{importLock}); err != nil {
			return err
		}
		kept, err := s.keptDeliveries(ctx, ids)
		if err != nil {
			return err
		}
		changes = make([]audit.Change, len(ds))
		changed, moved := map[string]bool{}, map[string]bool{}
		for i, d := range ds {
			old, known := kept[d.TrackingID]
			if !known {
				old.importedAt = micros(at)
			}
			merged, stop, err := old.merge(d)
			if err != nil {
				return err
			}
			switch {
			case !known:
				changes[i] = audit.Created
			case merged.json == old.json:
				changes[i] = audit.Unchanged
				continue
			default:
				changes[i] = audit.Updated
				moved[d.TrackingID] = moved[d.TrackingID] || stop
			}
			changed[d.TrackingID] = true
			kept[d.TrackingID] = merged
		}
		if err := s.saveDeliveries(ctx, kept, changed, moved); err != nil {
			return err
		}
		var sought []audit.PostalAddress
		for _, id := range ids { // in the import's order: of two spellings the first is asked about
			if r := kept[id]; r.unplaced && changed[id] {
				sought = append(sought, r.address)
			}
		}
		if err := s.seek(ctx, sought, at); err != nil {
			return err
		}
		return s.logRows(ctx, custody.DeliveryChanged, custody.Delivery, ids, changes, func(id string) string { return kept[id].json })
	})
	return changes, err
}

// deliveryRow is a delivery as its table holds it.
type deliveryRow struct {
	trackingID, driverID, stopKey string
	recipientKey                  string // whom it is for, folded; empty where that is not known
	sortAt, importedAt, scannedAt int64  // scannedAt is 0 where it is not on record
	mark                          standing.Mark
	json                          string

	address  audit.PostalAddress // of a stop without a position, where unplaced says so
	unplaced bool
}

// addressKey is what the geocoded position is looked up by, empty where none is wanted.
func (r deliveryRow) addressKey() string {
	if !r.unplaced {
		return ""
	}
	return r.address.Key()
}

// keptDeliveries loads and locks what is on record under the ids.
func (s session) keptDeliveries(ctx context.Context, ids []string) (map[string]deliveryRow, error) {
	kept := map[string]deliveryRow{}
	rows, err := collectAll(ctx, s, func(scan func(...any) error) (r deliveryRow, err error) {
		err = scan(&r.trackingID, &r.driverID, &r.stopKey, &r.sortAt, &r.importedAt, &r.json)
		return r, err
	}, s.among(`SELECT tracking_id, driver_id, stop_key, sort_at, imported_at, json FROM deliveries WHERE tracking_id IN `,
		ids, ` ORDER BY tracking_id`+s.dialect.forUpdate()))
	for _, r := range rows {
		kept[r.trackingID] = r
	}
	return kept, err
}

// merge is the row with d's present fields, and whether the stop is another one.
func (r deliveryRow) merge(d audit.Delivery) (merged deliveryRow, moved bool, err error) {
	var whole audit.Delivery
	if err := overlay(&whole, r.json, d); err != nil {
		return r, false, err
	}
	for _, t := range []**time.Time{&whole.WindowStart, &whole.WindowEnd, &whole.ScannedAt, &whole.DeliveredAt} {
		*t = utc(*t)
	}
	whole.Geocoded = nil // it is kept elsewhere
	merged = deliveryRow{trackingID: whole.TrackingID, driverID: whole.DriverID, stopKey: whole.Key(), recipientKey: audit.FoldText(whole.Recipient), importedAt: r.importedAt}
	merged.address, merged.unplaced = whole.Unplaced()
	merged.mark = standing.MarkOf(whole)
	merged.sortAt = merged.importedAt
	if t := cmp.Or(whole.WindowStart, whole.DeliveredAt, whole.ScannedAt); t != nil {
		merged.sortAt = micros(*t)
	}
	if whole.ScannedAt != nil {
		merged.scannedAt = micros(*whole.ScannedAt)
	}
	merged.json, err = encode(whole)
	return merged, r.json != "" && merged.stopKey != r.stopKey, err
}

// overlay reads into whole what is kept as JSON, and over it the present fields of v:
// those that its JSON names.
func overlay(whole any, kept string, v any) error {
	if kept != "" {
		if err := json.Unmarshal([]byte(kept), whole); err != nil {
			return audit.Errorf(audit.CodeInternal, "a record cannot be read", err)
		}
	}
	text, err := encode(v)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), whole); err != nil {
		return audit.Errorf(audit.CodeInternal, "a record cannot be read", err)
	}
	return nil
}

// utc makes equal times equal text.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func (s session) saveDeliveries(ctx context.Context, kept map[string]deliveryRow, changed, moved map[string]bool) error {
	var rows [][]any
	for id := range changed {
		r := kept[id]
		rows = append(rows, []any{r.trackingID, r.driverID, r.stopKey, r.sortAt, r.importedAt, r.json, r.addressKey(), r.scannedAt, int64(r.mark), r.recipientKey})
	}
	err := s.insert(ctx, `INSERT INTO deliveries (tracking_id, driver_id, stop_key, sort_at, imported_at, json, address_key, scanned_at, mark, recipient_key) VALUES`,
		`ON CONFLICT (tracking_id) DO UPDATE SET driver_id = excluded.driver_id, stop_key = excluded.stop_key, sort_at = excluded.sort_at,
			json = excluded.json, address_key = excluded.address_key, scanned_at = excluded.scanned_at, mark = excluded.mark, recipient_key = excluded.recipient_key`, rows)
	if err != nil {
		return err
	}
	for id, yes := range moved {
		if !yes {
			continue
		}
		_, err := s.exec(ctx, `UPDATE uploads SET stop_key = $1 WHERE tracking_id = $2 AND upload_id IN
			(SELECT upload_id FROM upload_deliveries WHERE tracking_id = $2)`, kept[id].stopKey, id)
		if err != nil {
			return err
		}
	}
	return nil
}
