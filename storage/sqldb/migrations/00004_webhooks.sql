-- +goose Up
CREATE TABLE webhook_endpoints (
  endpoint_id TEXT NOT NULL PRIMARY KEY,
  url         TEXT NOT NULL,
  events      TEXT NOT NULL,  -- JSON list
  secret      TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  disabled_at BIGINT NOT NULL -- 0: not
);

-- The outbox: a row for each event and endpoint, written with what caused it. There is
-- no foreign key, so that removing an endpoint never makes an upload fail; rows whose
-- endpoint is gone are swept.
CREATE TABLE webhook_messages (
  endpoint_id  TEXT NOT NULL,
  message_id   TEXT NOT NULL,
  type         TEXT NOT NULL,
  state        TEXT NOT NULL,   -- pending, delivered, failed
  created_at   BIGINT NOT NULL,
  attempts     BIGINT NOT NULL, -- begun so far; tells a sender whose lease ran out from the one after it
  attempted_at BIGINT NOT NULL, -- 0: never
  next_at      BIGINT NOT NULL, -- of a pending one: when it is due, or when the lease of its sender runs out
  last_status  BIGINT NOT NULL, -- HTTP; 0: no answer
  last_error   TEXT NOT NULL,
  body         TEXT NOT NULL,
  PRIMARY KEY (endpoint_id, message_id)
);
CREATE INDEX webhook_messages_due ON webhook_messages (endpoint_id, next_at, message_id) WHERE state = 'pending';
CREATE INDEX webhook_messages_delivered ON webhook_messages (attempted_at) WHERE state = 'delivered';
CREATE INDEX webhook_messages_listed ON webhook_messages (endpoint_id, created_at, message_id);
