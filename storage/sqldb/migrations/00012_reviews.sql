-- +goose Up
-- What people made of photos that were left to them; the latest ruling on an upload
-- counts. Append-only triggers are added beside this text, see migrate.go.
CREATE TABLE rulings (
  ruling_id TEXT NOT NULL PRIMARY KEY,
  upload_id TEXT NOT NULL REFERENCES uploads,
  at        BIGINT NOT NULL,
  json      TEXT NOT NULL
);
CREATE INDEX rulings_by_upload ON rulings (upload_id, at, ruling_id);
CREATE INDEX rulings_by_time ON rulings (at, ruling_id);

-- Uploads that wait for a person (waiting is 1, json empty), and the ruling that counts on
-- each that does no longer. An upload that needs nobody is not here.
CREATE TABLE ruling_states (
  upload_id TEXT NOT NULL PRIMARY KEY,
  waiting   BIGINT NOT NULL,
  json      TEXT NOT NULL
);
CREATE INDEX ruling_states_waiting ON ruling_states (upload_id) WHERE waiting = 1;

-- Claims that came in of late, for the buildings that many come from.
CREATE INDEX claims_by_import ON claims (imported_at, claim_id);

CREATE INDEX checklists_by_time ON checklists (kept_at, version);

-- Those on record: a report's JSON is written by the program, without spaces, and a quote
-- within a text is escaped.
INSERT INTO ruling_states (upload_id, waiting, json)
SELECT u.upload_id, 1, '' FROM uploads u JOIN reports r ON r.report_id = (SELECT l.report_id FROM reports l WHERE l.upload_id = u.upload_id
  ORDER BY l.judged_at DESC, l.report_id DESC LIMIT 1) WHERE r.json LIKE '%"verdict":"review"%';
