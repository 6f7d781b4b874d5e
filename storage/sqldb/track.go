package sqldb

import (
	"context"
	"strconv"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

const queryTrack = `SELECT driver_id, at, latitude, longitude, accuracy_m FROM track_points WHERE driver_id = $1 AND at >= $2 AND at <= $3 ORDER BY at LIMIT 2000`

// track is the driver's way around a delivery.
func (s session) track(ctx context.Context, d audit.Delivery) ([]dispute.TrackPoint, error) {
	return collectAll(ctx, s, scanFix, trackOf(d))
}

func trackOf(d audit.Delivery) []statement {
	at := d.DeliveredAt
	if at == nil {
		at = d.ScannedAt
	}
	if d.DriverID == "" || at == nil {
		return nil
	}
	return []statement{{queryTrack, []any{d.DriverID, micros(at.Add(-dispute.TrackWithin)), micros(at.Add(dispute.TrackWithin))}}}
}

func scanFix(scan func(...any) error) (f dispute.TrackPoint, err error) {
	var at int64
	err = scan(&f.DriverID, &at, &f.Latitude, &f.Longitude, &f.AccuracyM)
	f.At = time.UnixMicro(at).UTC()
	return f, err
}

// PutTrack keeps points of drivers' tracks. A point of an instant that is known already is
// left as it is. Errors: [audit.CodeInvalid], [audit.CodeUnavailable].
func (db *DB) PutTrack(ctx context.Context, fixes []dispute.TrackPoint) ([]audit.Change, error) {
	type instant struct {
		driver string
		at     int64
	}
	changes := make([]audit.Change, len(fixes))
	err := db.write(ctx, func(s session) error {
		seen := map[instant]bool{}
		drivers := map[string]int{}
		var order []string
		for i, f := range fixes {
			if err := checkText(f); err != nil {
				return audit.Errorf(audit.CodeInvalid, "point %d: %s", i+1, audit.ErrorMessage(err), err)
			}
			changes[i] = audit.Unchanged
			key := instant{f.DriverID, micros(f.At)}
			if seen[key] {
				continue
			}
			seen[key] = true
			n, err := s.exec(ctx, `INSERT INTO track_points (driver_id, at, latitude, longitude, accuracy_m) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
				f.DriverID, micros(f.At), f.Latitude, f.Longitude, f.AccuracyM)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			changes[i] = audit.Created
			if drivers[f.DriverID]++; drivers[f.DriverID] == 1 {
				order = append(order, f.DriverID)
			}
		}
		var entries []custody.Entry
		for _, id := range order {
			entries = append(entries, custody.Entry{Action: custody.TrackAdded, Subject: custody.Subject{Kind: custody.Track, ID: id},
				Detail: custody.Details(map[string]string{"points": strconv.Itoa(drivers[id])})})
		}
		return s.log(ctx, entries...)
	})
	return changes, err
}
