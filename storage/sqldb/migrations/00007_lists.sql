-- +goose Up
-- What lists are filtered by.
CREATE INDEX claims_by_delivery ON claims (tracking_id, due_at, claim_id);
CREATE INDEX deliveries_by_time ON deliveries (sort_at, tracking_id);
CREATE INDEX tokens_by_driver ON tokens (driver_id, created_at, token_id);
