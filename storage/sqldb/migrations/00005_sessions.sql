-- +goose Up
-- Sessions of people who signed in. hash is the SHA-256 of what their browser holds.
CREATE TABLE sessions (
  hash       TEXT NOT NULL PRIMARY KEY,
  data       TEXT NOT NULL, -- base64
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Tokens are listed page by page, oldest first.
CREATE INDEX tokens_by_age ON tokens (created_at, token_id);
