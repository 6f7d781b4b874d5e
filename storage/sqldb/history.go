package sqldb

import (
	"context"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// history is what is on record around a delivery.
func (s session) history(ctx context.Context, d audit.Delivery) (h dispute.History, err error) {
	h.NearScans, err = collectAll(ctx, s, func(scan func(...any) error) (n dispute.NearScan, err error) {
		var at int64
		err = scan(&n.TrackingID, &at)
		n.At = time.UnixMicro(at).UTC()
		return n, err
	}, nearScans(d))
	if err != nil {
		return h, err
	}
	counts, err := collectAll(ctx, s, func(scan func(...any) error) (n [2]int, err error) {
		return n, scan(&n[0], &n[1])
	}, stopHistory(d))
	for _, n := range counts {
		h.StopPackages, h.StopClaims = n[0], n[1]
	}
	return h, err
}

func nearScans(d audit.Delivery) []statement {
	if d.DriverID == "" || d.ScannedAt == nil {
		return nil
	}
	from, to := micros(d.ScannedAt.Add(-dispute.NearScanWithin)), micros(d.ScannedAt.Add(dispute.NearScanWithin))
	return []statement{{queryNearScans, []any{d.DriverID, from, to, d.Key()}}}
}

func stopHistory(d audit.Delivery) []statement {
	key := d.Key()
	if key == "" {
		return nil
	}
	return []statement{{queryStopHistory, []any{key, d.TrackingID, dispute.StopHistory}}}
}

const (
	queryNearScans = `SELECT tracking_id, scanned_at FROM deliveries WHERE driver_id = $1 AND scanned_at >= $2 AND scanned_at <= $3 AND stop_key <> $4
		ORDER BY scanned_at, tracking_id LIMIT 20`
	queryStopHistory = `SELECT COUNT(*), COUNT(*) FILTER (WHERE EXISTS (SELECT 1 FROM claims c WHERE c.tracking_id = d.tracking_id))
		FROM (SELECT tracking_id FROM deliveries WHERE stop_key = $1 AND tracking_id <> $2 ORDER BY sort_at DESC LIMIT $3) d`
)
