-- +goose Up
-- What a delivery without a position is looked up by in geocodes, empty for all others.
-- Run by the program, which then fills it in for the deliveries on record.
ALTER TABLE deliveries ADD COLUMN address_key TEXT NOT NULL DEFAULT '';
CREATE INDEX deliveries_by_address ON deliveries (address_key, tracking_id);

-- Addresses of stops without a position, and what a geocoding service made of them.
CREATE TABLE geocodes (
  address_key TEXT NOT NULL PRIMARY KEY,
  address     TEXT NOT NULL,   -- JSON, what is asked about
  state       TEXT NOT NULL,   -- waiting, found, absent
  attempts    BIGINT NOT NULL, -- that failed
  next_at     BIGINT NOT NULL, -- waiting: due then; absent: good until then
  asked_at    BIGINT NOT NULL, -- 0: not yet answered
  json        TEXT NOT NULL    -- the position, empty unless found
);
CREATE INDEX geocodes_waiting ON geocodes (state, next_at, address_key);

-- One row: whoever asks the service takes the turn, so that all servers together ask
-- about one address at a time.
CREATE TABLE geocoding (
  next_at  BIGINT NOT NULL, -- when the turn is free
  failures BIGINT NOT NULL  -- since the service last answered
);
INSERT INTO geocoding (next_at, failures) VALUES (0, 0);
