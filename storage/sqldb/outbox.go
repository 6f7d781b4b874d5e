package sqldb

import (
	"context"
	"time"

	"porchlight/audit/webhook"
)

// Waiting lists the endpoints that a message is due for. It takes no lock: asking often
// is cheap.
func (db *DB) Waiting(ctx context.Context, now time.Time) ([]webhook.Endpoint, error) {
	return collect(ctx, db.on(db.reader), scanEndpoint, queryWaiting, micros(now))
}

const queryWaiting = queryEndpoints + ` WHERE disabled_at = 0 AND EXISTS (SELECT 1 FROM webhook_messages m
	WHERE m.state = 'pending' AND m.endpoint_id = webhook_endpoints.endpoint_id AND m.next_at <= $1) ORDER BY endpoint_id`

// Lease takes at most limit messages that are due for an endpoint, those due first
// first. Nobody else is given them before until; who does not come back by then leaves
// them to the next. Their attempts count the one that begins.
func (db *DB) Lease(ctx context.Context, endpointID string, now, until time.Time, limit int) (leased []webhook.Message, err error) {
	err = db.write(ctx, func(s session) error {
		leased, err = collect(ctx, s, scanMessage, queryDue+s.dialect.skipLocked(), endpointID, micros(now), limit)
		if err != nil {
			return err
		}
		for i := range leased {
			m := &leased[i]
			m.Attempts++
			begun, end := now.UTC(), until.UTC()
			m.LastAttemptAt, m.NextAttemptAt = &begun, &end
			_, err := s.exec(ctx, `UPDATE webhook_messages SET attempts = $1, attempted_at = $2, next_at = $3 WHERE endpoint_id = $4 AND message_id = $5`,
				m.Attempts, micros(now), micros(until), m.EndpointID, m.MessageID)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return leased, err
}

const queryDue = queryMessages + `state = 'pending' AND next_at <= $2 ORDER BY next_at, message_id LIMIT $3`

// Record keeps the outcome of an attempt. A delivery counts whenever it is told; a
// failure does not where the message was leased again since.
func (db *DB) Record(ctx context.Context, a webhook.Attempt) error {
	return db.write(ctx, func(s session) error {
		if a.State == webhook.Delivered {
			_, err := s.exec(ctx, `UPDATE webhook_messages SET state = 'delivered', attempted_at = $1, last_status = $2, last_error = ''
				WHERE endpoint_id = $3 AND message_id = $4`, micros(a.At), a.Status, a.EndpointID, a.MessageID)
			return err
		}
		_, err := s.exec(ctx, `UPDATE webhook_messages SET state = $1, attempted_at = $2, next_at = $3, last_status = $4, last_error = $5
			WHERE endpoint_id = $6 AND message_id = $7 AND state = 'pending' AND attempts = $8`,
			string(a.State), micros(a.At), micros(a.NextAt), a.Status, a.Error, a.EndpointID, a.MessageID, a.Number)
		if err != nil || !a.Gone {
			return err
		}
		if _, err := s.exec(ctx, `UPDATE webhook_endpoints SET disabled_at = $1 WHERE endpoint_id = $2 AND disabled_at = 0`, micros(a.At), a.EndpointID); err != nil {
			return err
		}
		_, err = s.exec(ctx, `UPDATE webhook_messages SET state = 'failed', last_error = 'the endpoint is disabled' WHERE endpoint_id = $1 AND state = 'pending'`,
			a.EndpointID)
		return err
	})
}

// Sweep forgets messages that were delivered before that time, and those whose endpoint
// was removed under the hands of who wrote them. Failed ones stay.
func (db *DB) Sweep(ctx context.Context, before time.Time) error {
	return db.write(ctx, func(s session) error {
		if _, err := s.exec(ctx, `DELETE FROM webhook_messages WHERE state = 'delivered' AND attempted_at < $1`, micros(before)); err != nil {
			return err
		}
		_, err := s.exec(ctx, `DELETE FROM webhook_messages WHERE endpoint_id NOT IN (SELECT endpoint_id FROM webhook_endpoints)`)
		return err
	})
}

// Backlog tells how many messages wait to be sent, and since when.
func (db *DB) Backlog(ctx context.Context) (webhook.Backlog, error) {
	return one(ctx, db.on(db.reader), "backlog", func(scan func(...any) error) (b webhook.Backlog, err error) {
		var oldest int64
		err = scan(&b.Messages, &oldest)
		if b.Messages > 0 {
			b.Oldest = time.UnixMicro(oldest).UTC()
		}
		return b, err
	}, `SELECT COUNT(*), COALESCE(MIN(created_at), 0) FROM webhook_messages WHERE state = 'pending'`)
}
