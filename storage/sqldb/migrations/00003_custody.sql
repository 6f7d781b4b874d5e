-- +goose Up
-- The custody log: audit/custody says how a row's hash is made. Append-only triggers
-- are added beside this text, see migrate.go.

CREATE TABLE custody (
  seq          BIGINT NOT NULL PRIMARY KEY,
  at           BIGINT NOT NULL,
  actor        TEXT NOT NULL,
  role         TEXT NOT NULL,
  action       TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id   TEXT NOT NULL,
  detail       TEXT NOT NULL,
  previous     TEXT NOT NULL,
  hash         TEXT NOT NULL
);
CREATE INDEX custody_by_subject ON custody (subject_kind, subject_id, seq);
