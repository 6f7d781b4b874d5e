-- +goose Up
-- Bands name photos with a part of their fingerprint each, by which those that are alike in one
-- band by chance are told apart without a look at the photos. Run by the program, which then
-- fills it in for the photos on record.
-- On SQLite a second program may have waited until this is done to do it too: it fails at the
-- first statement, and finds it done.
ALTER TABLE fingerprint_bands ADD COLUMN sketch BIGINT NOT NULL DEFAULT 0;
DROP TABLE fingerprint_bands;
CREATE TABLE fingerprint_bands (
  band      BIGINT NOT NULL,
  photo_key BIGINT NOT NULL,
  sketch    BIGINT NOT NULL,
  PRIMARY KEY (band, photo_key, sketch)
);
DROP INDEX photos_by_key;
CREATE INDEX photos_by_key ON photos (photo_key);
