package sqldb

import (
	"context"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// ClaimsAround lists the other claims on a stop's and a driver's last packages.
func (db *DB) ClaimsAround(ctx context.Context, d audit.Delivery, exceptClaim string) (a dispute.Around, err error) {
	past := func(query, key string, packages int) []statement {
		if key == "" {
			return nil
		}
		return []statement{{query, []any{key, packages, exceptClaim, dispute.MaxAround}}}
	}
	atStop, ofDriver := past(queryStopClaims, d.Key(), dispute.StopHistory), past(queryDriversClaims, d.DriverID, dispute.DriverHistory)
	scanPast := func(scan func(...any) error) (p dispute.PastClaim, err error) {
		var at int64
		err = scan(&p.ClaimID, &p.TrackingID, &at, &p.Decision)
		p.At = time.UnixMicro(at).UTC()
		return p, err
	}
	err = db.read(ctx, func(s session) error {
		s.foresee(ofDriver...)
		var err error
		if a.Stop, err = collectAll(ctx, s, scanPast, atStop); err != nil {
			return err
		}
		a.Driver, err = collectAll(ctx, s, scanPast, ofDriver)
		return err
	})
	return a, err
}

const (
	queryStopClaims = `SELECT c.claim_id, c.tracking_id, d.sort_at, c.decision
		FROM (SELECT tracking_id, sort_at FROM deliveries WHERE stop_key = $1 ORDER BY sort_at DESC, tracking_id DESC LIMIT $2) d` + aroundClaims
	queryDriversClaims = `SELECT c.claim_id, c.tracking_id, d.sort_at, c.decision
		FROM (SELECT tracking_id, sort_at FROM deliveries WHERE driver_id = $1 ORDER BY sort_at DESC, tracking_id DESC LIMIT $2) d` + aroundClaims
	aroundClaims = ` JOIN claims c ON c.tracking_id = d.tracking_id WHERE c.claim_id <> $3 ORDER BY d.sort_at DESC, c.claim_id LIMIT $4`
)

// ClaimedStops lists the claims on record that came in within [since, until), the latest
// first, at most limit, with their deliveries.
func (db *DB) ClaimedStops(ctx context.Context, since, until time.Time, limit int) ([]dispute.ClaimedStop, error) {
	return collect(ctx, db.on(db.reader), func(scan func(...any) error) (c dispute.ClaimedStop, err error) {
		var text []byte
		if err = scan(&c.ClaimID, &c.Decision, &text); err == nil {
			c.Delivery, err = fromJSON[audit.Delivery](text)
		}
		return c, err
	}, queryClaimedStops, micros(since), micros(until), limit)
}

const queryClaimedStops = `SELECT c.claim_id, c.decision, d.json FROM claims c JOIN deliveries d ON d.tracking_id = c.tracking_id
	WHERE c.imported_at >= $1 AND c.imported_at < $2 ORDER BY c.imported_at DESC, c.claim_id DESC LIMIT $3`
