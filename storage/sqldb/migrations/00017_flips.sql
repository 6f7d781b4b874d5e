-- +goose Up
-- Flips in order of upload id, packed as reports are (pack.go): a row each took a re-audit
-- longer than judging. Run by the program, which then moves those on record.
CREATE TABLE run_flips (
  run_id   TEXT NOT NULL REFERENCES runs,
  last_id  TEXT NOT NULL,
  first_id TEXT NOT NULL,
  flips    BYTEA NOT NULL,
  PRIMARY KEY (run_id, last_id)
);
