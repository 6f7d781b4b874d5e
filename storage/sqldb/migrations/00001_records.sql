-- +goose Up
-- One text for SQLite and Postgres. Ids are TEXT, times BIGINT Unix microseconds,
-- JSON is TEXT. Columns beside json exist where something is looked up by them.

CREATE TABLE deliveries (
  tracking_id TEXT NOT NULL PRIMARY KEY,
  driver_id   TEXT NOT NULL,
  stop_key    TEXT NOT NULL,
  sort_at     BIGINT NOT NULL, -- window start, else delivered, scanned, imported
  imported_at BIGINT NOT NULL,
  json        TEXT NOT NULL
);
CREATE INDEX deliveries_by_driver ON deliveries (driver_id, sort_at, tracking_id);

-- What is known of a photo's picture. photo_key is a 63-bit hash of photo_id:
-- the bands below name a photo in 8 bytes instead of 64.
CREATE TABLE photos (
  photo_id    TEXT NOT NULL PRIMARY KEY,
  photo_key   BIGINT NOT NULL,
  version     TEXT NOT NULL, -- of the measurement that counts now
  fingerprint TEXT NOT NULL, -- empty where the photo did not decode
  quality     BIGINT NOT NULL
);
CREATE INDEX photos_by_key ON photos (photo_key);

CREATE TABLE measurements (
  photo_id TEXT NOT NULL,
  version  TEXT NOT NULL,
  json     TEXT NOT NULL,
  PRIMARY KEY (photo_id, version)
);

-- Sixteen rows a photo: band is the band's number times 65536 plus its 16 bits.
CREATE TABLE fingerprint_bands (
  band      BIGINT NOT NULL,
  photo_key BIGINT NOT NULL,
  PRIMARY KEY (band, photo_key)
);

CREATE TABLE uploads (
  upload_id   TEXT NOT NULL PRIMARY KEY,
  photo_id    TEXT NOT NULL,
  tracking_id TEXT NOT NULL REFERENCES deliveries,
  driver_id   TEXT NOT NULL,
  stop_key    TEXT NOT NULL, -- the delivery's, kept in step with it
  at          BIGINT NOT NULL, -- captured, else received
  received_at BIGINT NOT NULL,
  json        TEXT NOT NULL
);
CREATE INDEX uploads_by_photo ON uploads (photo_id, received_at, upload_id);
CREATE INDEX uploads_by_stop ON uploads (driver_id, stop_key, at);

-- Which deliveries an upload shows: its own and those in also.
CREATE TABLE upload_deliveries (
  tracking_id TEXT NOT NULL,
  photo_id    TEXT NOT NULL,
  upload_id   TEXT NOT NULL,
  PRIMARY KEY (tracking_id, photo_id)
);

-- The earlier uploads that an upload was judged against.
CREATE TABLE sightings (
  upload_id  TEXT NOT NULL,
  earlier_id TEXT NOT NULL,
  distance   BIGINT NOT NULL,
  quality    BIGINT NOT NULL,
  PRIMARY KEY (upload_id, earlier_id)
);

CREATE TABLE reports (
  report_id TEXT NOT NULL PRIMARY KEY,
  upload_id TEXT NOT NULL REFERENCES uploads,
  judged_at BIGINT NOT NULL,
  json      TEXT NOT NULL
);
CREATE INDEX reports_by_upload ON reports (upload_id, judged_at, report_id);

CREATE TABLE claims (
  claim_id    TEXT NOT NULL PRIMARY KEY,
  tracking_id TEXT NOT NULL,
  due_at      BIGINT NOT NULL, -- the far end of time where none is given
  imported_at BIGINT NOT NULL,
  json        TEXT NOT NULL
);
CREATE INDEX claims_by_due ON claims (due_at, claim_id);

CREATE TABLE packets (
  packet_id TEXT NOT NULL PRIMARY KEY,
  claim_id  TEXT NOT NULL REFERENCES claims,
  issued_at BIGINT NOT NULL,
  json      TEXT NOT NULL
);
CREATE INDEX packets_by_claim ON packets (claim_id, issued_at, packet_id);

CREATE TABLE events (
  event_id    TEXT NOT NULL PRIMARY KEY,
  tracking_id TEXT NOT NULL,
  at          BIGINT NOT NULL,
  json        TEXT NOT NULL
);
CREATE INDEX events_by_delivery ON events (tracking_id, at, event_id);

CREATE TABLE tokens (
  token_id   TEXT NOT NULL PRIMARY KEY,
  hash       TEXT NOT NULL UNIQUE,
  role       TEXT NOT NULL,
  driver_id  TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL, -- 0: never
  revoked_at BIGINT NOT NULL  -- 0: not
);

CREATE TABLE checklists (
  version TEXT NOT NULL PRIMARY KEY,
  sha256  TEXT NOT NULL,
  kept_at BIGINT NOT NULL,
  text    TEXT NOT NULL
);

CREATE TABLE runs (
  run_id     TEXT NOT NULL PRIMARY KEY,
  started_at BIGINT NOT NULL,
  progress   TEXT NOT NULL, -- upload id of the last one done
  json       TEXT NOT NULL
);
CREATE INDEX runs_by_start ON runs (started_at, run_id);

CREATE TABLE flips (
  run_id    TEXT NOT NULL REFERENCES runs,
  upload_id TEXT NOT NULL,
  json      TEXT NOT NULL,
  PRIMARY KEY (run_id, upload_id)
);
