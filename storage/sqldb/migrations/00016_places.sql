-- +goose Up
-- Local features of photos, by which a place is recognised: read only for the stop's
-- earlier photos when one arrives, so they stand beside the measurements.
CREATE TABLE scenes (
  photo_id TEXT NOT NULL PRIMARY KEY,
  version  TEXT NOT NULL, -- of the code that found them
  features BYTEA NOT NULL
);

-- What comparing an upload with earlier accepted photos of its stop found.
CREATE TABLE recognitions (
  upload_id  TEXT NOT NULL PRIMARY KEY,
  compared   BIGINT NOT NULL, -- how many they were
  earlier_id TEXT NOT NULL,   -- the most alike upload, empty where none is
  at         BIGINT NOT NULL, -- when that was captured, else received
  points     BIGINT NOT NULL
);
