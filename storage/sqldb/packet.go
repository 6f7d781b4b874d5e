package sqldb

import (
	"cmp"
	"context"
	"encoding/base64"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
	"porchlight/audit/webhook"
)

// AddPacket keeps a packet for good. Errors: [audit.CodeNotFound] without its claim,
// [audit.CodeConflict] where the id is taken, [audit.CodeDeleted] where one of its originals
// was deleted meanwhile. From then on they are kept.
func (db *DB) AddPacket(ctx context.Context, p dispute.FrozenPacket) error {
	return db.write(ctx, func(s session) error {
		keys := make([]int64, len(p.Originals))
		for i, id := range p.Originals {
			keys[i] = textLock("photo", id)
		}
		if err := s.dialect.lock(ctx, s, keys); err != nil {
			return err
		}
		if deleted, err := s.deletions(ctx, p.Originals); err != nil || len(deleted) > 0 {
			return cmp.Or(err, error(audit.Errorf(audit.CodeDeleted, "a photo of the packet was deleted, past its retention")))
		}
		_, err := s.exec(ctx, `INSERT INTO packets (packet_id, claim_id, issued_at, json, stamp) VALUES ($1, $2, $3, $4, $5)`,
			p.PacketID, p.ClaimID, micros(p.IssuedAt), string(p.JSON), base64.StdEncoding.EncodeToString(p.Timestamp))
		if err != nil {
			return err
		}
		if err := s.announce(ctx, webhook.PacketEvent(p)); err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.PacketIssued, Subject: custody.Subject{Kind: custody.Packet, ID: p.PacketID},
			Detail: custody.Details(map[string]string{"claim_id": p.ClaimID, "sha256": textDigest(string(p.JSON))})})
	})
}

// Packet finds a packet. Errors: [audit.CodeNotFound].
func (db *DB) Packet(ctx context.Context, packetID string) (dispute.FrozenPacket, error) {
	return one(ctx, db.on(db.reader), "packet", func(scan func(...any) error) (p dispute.FrozenPacket, err error) {
		var at int64
		var stamp string
		if err = scan(&p.PacketID, &p.ClaimID, &at, &p.JSON, &stamp); err != nil {
			return p, err
		}
		p.IssuedAt = time.UnixMicro(at).UTC()
		p.Timestamp, err = base64.StdEncoding.DecodeString(stamp)
		if stamp == "" {
			p.Timestamp = nil
		}
		return p, err
	}, `SELECT packet_id, claim_id, issued_at, json, stamp FROM packets WHERE packet_id = $1`, packetID)
}

// Packets lists a claim's packets, oldest first, without their JSON. Errors:
// [audit.CodeNotFound] without the claim.
func (db *DB) Packets(ctx context.Context, claimID string) (all []dispute.FrozenPacket, err error) {
	err = db.read(ctx, func(s session) error {
		s.foresee(statement{queryClaim, []any{claimID}})
		all, err = collect(ctx, s, func(scan func(...any) error) (p dispute.FrozenPacket, err error) {
			var at int64
			err = scan(&p.PacketID, &at)
			p.ClaimID, p.IssuedAt = claimID, time.UnixMicro(at).UTC()
			return p, err
		}, queryPackets, claimID)
		if err == nil && len(all) == 0 {
			_, err = one(ctx, s, "claim", scanJSON[dispute.Claim], queryClaim, claimID)
		}
		return err
	})
	return all, err
}

const queryPackets = `SELECT packet_id, issued_at FROM packets WHERE claim_id = $1 ORDER BY issued_at, packet_id`

// AddEvents keeps events; one whose id is on record is left as it is.
func (db *DB) AddEvents(ctx context.Context, events []dispute.Event) error {
	var rows [][]any
	texts := map[string]string{} // the JSON that is kept, by id
	for _, e := range events {
		if err := checkText(e); err != nil {
			return audit.Errorf(audit.CodeInvalid, "event %q: %s", e.EventID, audit.ErrorMessage(err), err)
		}
		text, err := encode(e)
		if err != nil {
			return err
		}
		if _, again := texts[e.EventID]; !again {
			rows = append(rows, []any{e.EventID, e.TrackingID, micros(e.At), text})
			texts[e.EventID] = text
		}
	}
	return db.write(ctx, func(s session) error {
		added, err := s.insertNew(ctx, `INSERT INTO events (event_id, tracking_id, at, json) VALUES`, `event_id`, rows)
		if err != nil {
			return err
		}
		entries := make([]custody.Entry, len(added))
		for i, id := range added {
			entries[i] = custody.Entry{Action: custody.EventAdded, Subject: custody.Subject{Kind: custody.Event, ID: id},
				Detail: custody.Details(map[string]string{"sha256": textDigest(texts[id])})}
		}
		return s.log(ctx, entries...)
	})
}
