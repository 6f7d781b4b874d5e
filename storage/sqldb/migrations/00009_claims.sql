-- +goose Up
-- How claims ended; the latest outcome counts.
CREATE TABLE outcomes (
  claim_id       TEXT NOT NULL REFERENCES claims,
  recorded_at    BIGINT NOT NULL,
  recommendation TEXT NOT NULL,
  decision       TEXT NOT NULL,
  json           TEXT NOT NULL,
  PRIMARY KEY (claim_id, recorded_at)
);
-- The latest outcome of each claim, '' while it is open, with the recommendation of then.
ALTER TABLE claims ADD COLUMN decision TEXT NOT NULL DEFAULT '';
ALTER TABLE claims ADD COLUMN recommended TEXT NOT NULL DEFAULT '';
ALTER TABLE claims ADD COLUMN decided_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX claims_by_decision ON claims (decision, due_at, claim_id);
CREATE INDEX claims_by_decided ON claims (decided_at, recommended, decision);

-- When a package was scanned, microseconds, 0 where that is not on record.
ALTER TABLE deliveries ADD COLUMN scanned_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX deliveries_by_stop ON deliveries (stop_key, sort_at, tracking_id);
CREATE INDEX deliveries_by_scan ON deliveries (driver_id, scanned_at);

-- Where drivers were, one point an instant.
CREATE TABLE track_points (
  driver_id  TEXT NOT NULL,
  at         BIGINT NOT NULL, -- Unix microseconds
  latitude   DOUBLE PRECISION NOT NULL,
  longitude  DOUBLE PRECISION NOT NULL,
  accuracy_m DOUBLE PRECISION NOT NULL, -- 0: not on record
  PRIMARY KEY (driver_id, at)
);

-- What people added to a delivery: screenshots, e-mails, stills, documents.
CREATE TABLE attachments (
  attachment_id TEXT NOT NULL PRIMARY KEY,
  tracking_id   TEXT NOT NULL,
  at            BIGINT NOT NULL,
  json          TEXT NOT NULL
);
CREATE INDEX attachments_by_delivery ON attachments (tracking_id, at, attachment_id);
