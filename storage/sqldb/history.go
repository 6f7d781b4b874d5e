package sqldb

import (
	"context"
	"strconv"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
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
	queryTrack = `SELECT driver_id, at, latitude, longitude, accuracy_m FROM track_points WHERE driver_id = $1 AND at >= $2 AND at <= $3 ORDER BY at LIMIT 2000`
)

// track is the driver's way around a delivery.
func (s session) track(ctx context.Context, d audit.Delivery) ([]dispute.TrackPoint, error) {
	at := d.DeliveredAt
	if at == nil {
		at = d.ScannedAt
	}
	if d.DriverID == "" || at == nil {
		return nil, nil
	}
	return collect(ctx, s, scanFix, queryTrack, d.DriverID, micros(at.Add(-dispute.TrackWithin)), micros(at.Add(dispute.TrackWithin)))
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

// attachments lists what was added to a delivery, oldest first.
func (s session) attachments(ctx context.Context, trackingID string) ([]dispute.Attachment, error) {
	return collect(ctx, s, scanJSON[dispute.Attachment], queryAttachments, trackingID)
}

const queryAttachments = `SELECT json FROM attachments WHERE tracking_id = $1 ORDER BY at, attachment_id`

// AddAttachment keeps an attachment for good. Errors: [audit.CodeConflict] where the
// delivery has [dispute.MaxAttachments] already, [audit.CodeDelivery] without the delivery.
func (db *DB) AddAttachment(ctx context.Context, a dispute.Attachment) error {
	if err := checkText(a); err != nil {
		return err
	}
	text, err := encode(a)
	if err != nil {
		return err
	}
	return db.write(ctx, func(s session) error {
		if _, err := one(ctx, s, "delivery", scanText, `SELECT tracking_id FROM deliveries WHERE tracking_id = $1`+s.dialect.forUpdate(), a.TrackingID); err != nil {
			if audit.ErrorCode(err) == audit.CodeNotFound {
				err = audit.Errorf(audit.CodeDelivery, "There is no delivery %s", a.TrackingID, err)
			}
			return err
		}
		have, err := s.attachments(ctx, a.TrackingID)
		if err != nil {
			return err
		}
		if len(have) >= dispute.MaxAttachments {
			return audit.Errorf(audit.CodeConflict, "The delivery has %d attachments already, which is the most", len(have))
		}
		if _, err := s.exec(ctx, `INSERT INTO attachments (attachment_id, tracking_id, at, json) VALUES ($1, $2, $3, $4)`,
			a.AttachmentID, a.TrackingID, micros(a.At), text); err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.AttachmentAdded, Subject: custody.Subject{Kind: custody.Attachment, ID: a.AttachmentID},
			Detail: custody.Details(map[string]string{"tracking_id": a.TrackingID, "sha256": a.SHA256})})
	})
}

// Attachment finds an attachment. Errors: [audit.CodeNotFound].
func (db *DB) Attachment(ctx context.Context, attachmentID string) (dispute.Attachment, error) {
	return one(ctx, db.on(db.reader), "attachment", scanJSON[dispute.Attachment], `SELECT json FROM attachments WHERE attachment_id = $1`, attachmentID)
}

// AddOutcome keeps how a claim was decided, with the recommendation of its latest packet,
// or else the one given. Errors: [audit.CodeNotFound] without the claim.
func (db *DB) AddOutcome(ctx context.Context, o dispute.Outcome) (dispute.Outcome, error) {
	err := db.write(ctx, func(s session) error {
		if _, err := one(ctx, s, "claim", scanText, `SELECT claim_id FROM claims WHERE claim_id = $1`+s.dialect.forUpdate(), o.ClaimID); err != nil {
			return err
		}
		frozen, err := one(ctx, s, "packet", scanText, `SELECT json FROM packets WHERE claim_id = $1 ORDER BY issued_at DESC, packet_id DESC LIMIT 1`, o.ClaimID)
		switch audit.ErrorCode(err) {
		case "":
			p, err := dispute.DecodePacket([]byte(frozen))
			if err != nil {
				return err
			}
			o.PacketID, o.Recommendation = p.PacketID, p.Recommendation.Recommendation
		case audit.CodeNotFound:
		default:
			return err
		}
		if err := checkText(o); err != nil {
			return err
		}
		text, err := encode(o)
		if err != nil {
			return err
		}
		if _, err := s.exec(ctx, `INSERT INTO outcomes (claim_id, recorded_at, recommendation, decision, json) VALUES ($1, $2, $3, $4, $5)`,
			o.ClaimID, micros(o.RecordedAt), string(o.Recommendation), string(o.Decision), text); err != nil {
			return err
		}
		if _, err := s.exec(ctx, `UPDATE claims SET decision = $1, recommended = $2, decided_at = $3 WHERE claim_id = $4`,
			string(o.Decision), string(o.Recommendation), micros(o.DecidedAt), o.ClaimID); err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.ClaimDecided, Subject: custody.Subject{Kind: custody.Claim, ID: o.ClaimID},
			Detail: custody.Details(map[string]string{"decision": string(o.Decision), "recommendation": string(o.Recommendation)})})
	})
	return o, err
}

// Outcome is a claim's latest; nil while it is open.
func (db *DB) Outcome(ctx context.Context, claimID string) (*dispute.Outcome, error) {
	o, err := one(ctx, db.on(db.reader), "outcome", scanJSON[dispute.Outcome], queryOutcome, claimID)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		return nil, nil
	}
	return &o, err
}

const (
	queryOutcome = `SELECT json FROM outcomes WHERE claim_id = $1 ORDER BY recorded_at DESC LIMIT 1`
	queryTallies = `SELECT recommended, decision, COUNT(*) FROM claims WHERE decided_at >= $1 AND decided_at < $2 GROUP BY recommended, decision`
)

// Tallies counts the claims that were decided in a period, by recommendation.
func (db *DB) Tallies(ctx context.Context, since, until time.Time) ([]dispute.Tally, error) {
	first, last := int64(1), micros(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)) // 0 is open
	if !since.IsZero() {
		first = max(micros(since), 1)
	}
	if !until.IsZero() {
		last = micros(until)
	}
	counts := map[dispute.Answer]map[dispute.Decision]int{}
	_, err := collect(ctx, db.on(db.reader), func(scan func(...any) error) (none struct{}, err error) {
		var answer dispute.Answer
		var decision dispute.Decision
		var n int
		err = scan(&answer, &decision, &n)
		if counts[answer] == nil {
			counts[answer] = map[dispute.Decision]int{}
		}
		counts[answer][decision] = n
		return none, err
	}, queryTallies, first, last)
	return dispute.Tallies(func(a dispute.Answer, d dispute.Decision) int { return counts[a][d] }), err
}
