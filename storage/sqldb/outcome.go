package sqldb

import (
	"context"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

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
