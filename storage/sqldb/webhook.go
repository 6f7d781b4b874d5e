package sqldb

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
	"porchlight/audit/webhook"
)

const queryEndpoints = `SELECT endpoint_id, url, events, secret, created_at, disabled_at FROM webhook_endpoints`

func scanEndpoint(scan func(...any) error) (e webhook.Endpoint, err error) {
	var events []byte
	var created, disabled int64
	if err = scan(&e.EndpointID, &e.URL, &events, &e.Secret, &created, &disabled); err == nil {
		err = json.Unmarshal(events, &e.Events)
	}
	e.CreatedAt, e.DisabledAt = time.UnixMicro(created).UTC(), fromMicros(disabled)
	return e, err
}

// AddEndpoint keeps a webhook endpoint. Errors: [audit.CodeConflict] where its id is
// taken, or there are [webhook.MaxEndpoints] already.
func (db *DB) AddEndpoint(ctx context.Context, e webhook.Endpoint) error {
	events, err := encode(e.Events)
	if err != nil {
		return err
	}
	return db.write(ctx, func(s session) error {
		if err := s.dialect.lock(ctx, s, []int64{textLock("webhooks", "endpoints")}); err != nil {
			return err
		}
		ids, err := collect(ctx, s, scanText, `SELECT endpoint_id FROM webhook_endpoints`)
		if err != nil {
			return err
		}
		if len(ids) >= webhook.MaxEndpoints {
			return audit.Errorf(audit.CodeConflict, "there are %d webhook endpoints, the most there may be: remove one first", len(ids))
		}
		_, err = s.exec(ctx, `INSERT INTO webhook_endpoints (endpoint_id, url, events, secret, created_at, disabled_at) VALUES ($1, $2, $3, $4, $5, 0)`,
			e.EndpointID, e.URL, events, e.Secret, micros(e.CreatedAt))
		if err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.WebhookAdded, Subject: custody.Subject{Kind: custody.Webhook, ID: e.EndpointID},
			Detail: custody.Details(map[string]string{"url": e.URL})})
	})
}

// Endpoints lists all webhook endpoints, oldest first, with their secrets.
func (db *DB) Endpoints(ctx context.Context) ([]webhook.Endpoint, error) {
	return collect(ctx, db.on(db.reader), scanEndpoint, queryEndpoints+` ORDER BY created_at, endpoint_id`)
}

// RemoveEndpoint forgets an endpoint with all its messages. Errors: [audit.CodeNotFound].
func (db *DB) RemoveEndpoint(ctx context.Context, endpointID string) error {
	return db.write(ctx, func(s session) error {
		n, err := s.exec(ctx, `DELETE FROM webhook_endpoints WHERE endpoint_id = $1`, endpointID)
		if err == nil && n == 0 {
			err = errNoEndpoint()
		}
		if err == nil {
			_, err = s.exec(ctx, `DELETE FROM webhook_messages WHERE endpoint_id = $1`, endpointID)
		}
		if err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.WebhookRemoved, Subject: custody.Subject{Kind: custody.Webhook, ID: endpointID}})
	})
}

func errNoEndpoint() error { return audit.Errorf(audit.CodeNotFound, "no such webhook endpoint") }

// SendEvent puts an event into the outbox for one endpoint, whether it subscribes to
// the type or not. Errors: [audit.CodeNotFound], [audit.CodeConflict] for an endpoint
// that is disabled.
func (db *DB) SendEvent(ctx context.Context, endpointID string, e webhook.Event) error {
	return db.write(ctx, func(s session) error {
		to, err := one(ctx, s, "webhook endpoint", scanEndpoint, queryEndpoints+` WHERE endpoint_id = $1`, endpointID)
		if err == nil && to.DisabledAt != nil {
			err = audit.Errorf(audit.CodeConflict, "the endpoint answered 410 Gone and is disabled: remove it and add it again")
		}
		if err != nil {
			return err
		}
		return s.enqueue(ctx, []webhook.Event{e}, func(webhook.Type) []string { return []string{endpointID} })
	})
}

// announce puts events into the outbox, in the transaction of what caused them. Where
// no endpoint subscribes to their types, nothing is written.
func (s session) announce(ctx context.Context, events ...webhook.Event) error {
	if len(events) == 0 {
		return nil
	}
	endpoints, err := collect(ctx, s, scanEndpoint, queryEndpoints+` WHERE disabled_at = 0`)
	if err != nil {
		return err
	}
	subscribers := map[webhook.Type][]string{}
	for _, e := range endpoints {
		for _, t := range e.Events {
			subscribers[t] = append(subscribers[t], e.EndpointID)
		}
	}
	return s.enqueue(ctx, events, func(t webhook.Type) []string { return subscribers[t] })
}

func (s session) enqueue(ctx context.Context, events []webhook.Event, to func(webhook.Type) []string) error {
	var rows [][]any
	for _, e := range events {
		ids := to(e.Type)
		if len(ids) == 0 {
			continue
		}
		body, err := e.Body()
		if err != nil {
			return err
		}
		for _, id := range ids {
			rows = append(rows, []any{id, e.MessageID(), string(e.Type), string(webhook.Pending), micros(e.At), 0, 0, micros(e.At), 0, "", string(body)})
		}
	}
	return s.insert(ctx, `INSERT INTO webhook_messages (endpoint_id, message_id, type, state, created_at, attempts, attempted_at, next_at,
		last_status, last_error, body) VALUES`, `ON CONFLICT DO NOTHING`, rows)
}

const queryMessages = `SELECT endpoint_id, message_id, type, state, created_at, attempts, attempted_at, next_at, last_status, last_error, body
	FROM webhook_messages WHERE endpoint_id = $1 AND `

func scanMessage(scan func(...any) error) (m webhook.Message, err error) {
	var created, attempted, next int64
	err = scan(&m.EndpointID, &m.MessageID, &m.Type, &m.State, &created, &m.Attempts, &attempted, &next, &m.LastStatus, &m.LastError, &m.Body)
	m.CreatedAt, m.LastAttemptAt = time.UnixMicro(created).UTC(), fromMicros(attempted)
	if m.State == webhook.Pending {
		m.NextAttemptAt = fromMicros(next)
	}
	return m, err
}

// Messages lists an endpoint's messages, newest first, at most limit from the one after
// the cursor; next is "" at the end. Errors: [audit.CodeNotFound] without the endpoint,
// [audit.CodeInvalid] for a cursor of another make.
func (db *DB) Messages(ctx context.Context, endpointID, after string, limit int) (all []webhook.Message, next string, err error) {
	c, err := parseCursor(after, cursor{N: math.MaxInt64})
	if err != nil {
		return nil, "", err
	}
	if _, err := one(ctx, db.on(db.reader), "webhook endpoint", scanEndpoint, queryEndpoints+` WHERE endpoint_id = $1`, endpointID); err != nil {
		return nil, "", err
	}
	return page(ctx, db, limit, scanMessage, func(m webhook.Message) (webhook.Message, string) {
		return m, cursor{N: micros(m.CreatedAt), ID: m.MessageID}.String()
	}, queryListed, endpointID, c.N, c.ID)
}

const queryListed = queryMessages + `(created_at, message_id) < ($2, $3) ORDER BY created_at DESC, message_id DESC LIMIT $4`

// claimEvents are the events of the claims that an import created.
func claimEvents(changes []audit.Change, ids []string, claims map[string]dispute.Claim, at time.Time) []webhook.Event {
	var events []webhook.Event
	for i, change := range changes {
		if change == audit.Created {
			events = append(events, webhook.ClaimEvent(claims[ids[i]], at))
		}
	}
	return events
}
