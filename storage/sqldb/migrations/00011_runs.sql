-- +goose Up
-- Re-audits are cut into chunks, on which any number of workers work. What a run finds is
-- kept in run_reports, a few hundred reports a row, and counts from when it is published.
ALTER TABLE runs ADD COLUMN state TEXT NOT NULL DEFAULT 'published';
ALTER TABLE runs ADD COLUMN options TEXT NOT NULL DEFAULT ''; -- equal for runs that do the same
ALTER TABLE runs ADD COLUMN published_at BIGINT NOT NULL DEFAULT 0; -- 0: its reports are in the table reports, or do not count
UPDATE runs SET state = 'cancelled' WHERE json NOT LIKE '%"finished_at"%';
CREATE INDEX runs_published ON runs (published_at, run_id) WHERE published_at > 0;
CREATE INDEX runs_by_state ON runs (state, started_at, run_id);

CREATE TABLE run_chunks (
  run_id      TEXT NOT NULL REFERENCES runs,
  number      BIGINT NOT NULL,
  first_id    TEXT NOT NULL, -- upload ids, both inclusive
  last_id     TEXT NOT NULL,
  worker      TEXT NOT NULL, -- who has it, or had it last
  lease_until BIGINT NOT NULL,
  done_at     BIGINT NOT NULL, -- 0: not
  PRIMARY KEY (run_id, number)
);
CREATE INDEX run_chunks_open ON run_chunks (run_id, number) WHERE done_at = 0;

-- Reports in order of upload id, packed (pack.go). A run's rows do not overlap.
CREATE TABLE run_reports (
  run_id   TEXT NOT NULL REFERENCES runs,
  last_id  TEXT NOT NULL,
  first_id TEXT NOT NULL,
  reports  BYTEA NOT NULL,
  PRIMARY KEY (run_id, last_id)
);

-- Uploads that a run could not judge, each with the reason.
CREATE TABLE run_failures (
  run_id    TEXT NOT NULL REFERENCES runs,
  upload_id TEXT NOT NULL,
  json      TEXT NOT NULL,
  PRIMARY KEY (run_id, upload_id)
);
