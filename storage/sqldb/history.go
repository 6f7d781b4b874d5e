package sqldb

import (
	"context"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// history is what is on record around a delivery.
func (s session) history(ctx context.Context, d audit.Delivery) (h dispute.History, err error) {
	if d.DriverID != "" && d.ScannedAt != nil {
		from, to := micros(d.ScannedAt.Add(-dispute.NearScanWithin)), micros(d.ScannedAt.Add(dispute.NearScanWithin))
		h.NearScans, err = collect(ctx, s, func(scan func(...any) error) (n dispute.NearScan, err error) {
			var at int64
			err = scan(&n.TrackingID, &at)
			n.At = time.UnixMicro(at).UTC()
			return n, err
		}, queryNearScans, d.DriverID, from, to, d.Key())
		if err != nil {
			return h, err
		}
	}
	if key := d.Key(); key != "" {
		counts, err := collect(ctx, s, func(scan func(...any) error) (n [2]int, err error) {
			return n, scan(&n[0], &n[1])
		}, queryStopHistory, key, d.TrackingID, dispute.StopHistory)
		if err != nil || len(counts) == 0 {
			return h, err
		}
		h.StopPackages, h.StopClaims = counts[0][0], counts[0][1]
	}
	return h, nil
}

const (
	queryNearScans = `SELECT tracking_id, scanned_at FROM deliveries WHERE driver_id = $1 AND scanned_at >= $2 AND scanned_at <= $3 AND stop_key <> $4
		ORDER BY scanned_at, tracking_id LIMIT 20`
	queryStopHistory = `SELECT COUNT(*), COUNT(*) FILTER (WHERE EXISTS (SELECT 1 FROM claims c WHERE c.tracking_id = d.tracking_id))
		FROM (SELECT tracking_id FROM deliveries WHERE stop_key = $1 AND tracking_id <> $2 ORDER BY sort_at DESC LIMIT $3) d`
)
