package sqldb

import (
	"context"
	"math"
	"strconv"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

// Claim finds a claim. Errors: [audit.CodeNotFound].
func (db *DB) Claim(ctx context.Context, claimID string) (dispute.Claim, error) {
	return one(ctx, db.on(db.reader), "claim", scanJSON[dispute.Claim], queryClaim, claimID)
}

const queryClaim = `SELECT json FROM claims WHERE claim_id = $1`

// PutClaims imports claims as [DB.PutDeliveries] does deliveries. A claim on a delivery
// that is not on record is kept too: that is an answer in itself.
func (db *DB) PutClaims(ctx context.Context, cs []dispute.Claim, at time.Time) ([]audit.Change, error) {
	ids := make([]string, len(cs))
	for i, c := range cs {
		if err := checkText(c); err != nil {
			return nil, audit.Errorf(audit.CodeInvalid, "claim %d: %s", i+1, audit.ErrorMessage(err), err)
		}
		ids[i] = c.ClaimID
	}
	var changes []audit.Change
	err := db.write(ctx, func(s session) error {
		if err := s.dialect.lock(ctx, s, []int64{importLock}); err != nil {
			return err
		}
		kept, err := s.keptText(ctx, "claims", "claim_id", ids)
		if err != nil {
			return err
		}
		changes = make([]audit.Change, len(cs))
		changed := map[string]dispute.Claim{}
		for i, c := range cs {
			old, known := kept[c.ClaimID]
			var whole dispute.Claim
			if err := overlay(&whole, old, c); err != nil {
				return err
			}
			whole.ReportedAt, whole.DueAt = utc(whole.ReportedAt), utc(whole.DueAt)
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
			kept[c.ClaimID], changed[c.ClaimID] = text, whole
		}
		var rows [][]any
		for id, c := range changed {
			due := int64(math.MaxInt64)
			if c.DueAt != nil {
				due = micros(*c.DueAt)
			}
			rows = append(rows, []any{id, c.TrackingID, due, micros(at), kept[id]})
		}
		err = s.insert(ctx, `INSERT INTO claims (claim_id, tracking_id, due_at, imported_at, json) VALUES`,
			`ON CONFLICT (claim_id) DO UPDATE SET tracking_id = excluded.tracking_id, due_at = excluded.due_at, json = excluded.json`, rows)
		if err != nil {
			return err
		}
		if err := s.announce(ctx, claimEvents(changes, ids, changed, at)...); err != nil {
			return err
		}
		return s.logRows(ctx, custody.ClaimChanged, custody.Claim, ids, changes, func(id string) string { return kept[id] })
	})
	return changes, err
}

// Claims lists the claims of a filter, those due first first, at most limit from the one
// after the cursor; next is "" at the end. Errors: [audit.CodeInvalid] for a cursor of
// another make.
func (db *DB) Claims(ctx context.Context, f dispute.ClaimFilter, after string, limit int) (claims []dispute.Claim, next string, err error) {
	c, err := parseCursor(after, cursor{N: math.MinInt64})
	if err != nil {
		return nil, "", err
	}
	last := int64(math.MaxInt64) // with those that are due some day
	if !f.DueBefore.IsZero() {
		last = micros(f.DueBefore) - 1
	}
	query, args := claimsQuery(f, c.N, c.ID, last)
	type row struct {
		claim dispute.Claim
		cursor
	}
	return page(ctx, db, limit, func(scan func(...any) error) (r row, err error) {
		var text []byte
		if err = scan(&r.N, &r.ID, &text); err == nil {
			r.claim, err = fromJSON[dispute.Claim](text)
		}
		return r, err
	}, func(r row) (dispute.Claim, string) { return r.claim, r.String() }, query, args...)
}

// claimsQuery is the query of a page, but for its limit.
func claimsQuery(f dispute.ClaimFilter, due int64, id string, last int64) (query string, args []any) {
	args = []any{due, id, last}
	mark := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	query = `SELECT due_at, claim_id, json FROM claims WHERE (due_at, claim_id) > ($1, $2) AND due_at <= $3`
	if !f.DueFrom.IsZero() {
		query += ` AND due_at >= ` + mark(micros(f.DueFrom))
	}
	if f.Open {
		query += ` AND decision = ''`
	}
	if f.TrackingID != "" {
		query += ` AND tracking_id = ` + mark(f.TrackingID)
	}
	if f.DriverID != "" {
		query += ` AND claim_id IN (SELECT c.claim_id FROM deliveries d JOIN claims c ON c.tracking_id = d.tracking_id WHERE d.driver_id = ` + mark(f.DriverID) + `)`
	}
	if f.Search != "" {
		word := mark(f.Search)
		query += ` AND claim_id IN (SELECT claim_id FROM claims WHERE claim_id = ` + word + ` UNION SELECT claim_id FROM claims WHERE tracking_id = ` + word
		if key := audit.FoldText(f.Search); key != "" { // the first part of a stop's key is its address
			query += ` UNION SELECT c.claim_id FROM deliveries d JOIN claims c ON c.tracking_id = d.tracking_id
				WHERE d.stop_key >= ` + mark(key) + ` AND d.stop_key < ` + mark(key+"\U0010ffff") + `
				UNION SELECT c.claim_id FROM deliveries d JOIN claims c ON c.tracking_id = d.tracking_id
				WHERE d.recipient_key >= ` + mark(key) + ` AND d.recipient_key < ` + mark(key+"\U0010ffff") + ` AND d.recipient_key <> ''`
		}
		query += `)`
	}
	return query + ` ORDER BY due_at, claim_id LIMIT $` + strconv.Itoa(len(args)+1), args
}
