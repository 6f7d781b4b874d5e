-- +goose Up
-- Photos past their retention. What was measured and judged stays; only the bytes go.
-- gone is 0 between the moment when it is decided and that when they are gone.
CREATE TABLE deleted_photos (
  photo_id   TEXT NOT NULL PRIMARY KEY,
  deleted_at BIGINT NOT NULL,
  gone       BIGINT NOT NULL
);
CREATE INDEX deleted_photos_marked ON deleted_photos (photo_id) WHERE gone = 0;
CREATE INDEX uploads_by_time ON uploads (received_at, upload_id);

-- What is not deleted however old it is.
CREATE TABLE holds (
  hold_id     TEXT NOT NULL PRIMARY KEY,
  kind        TEXT NOT NULL, -- photo, delivery, driver
  subject     TEXT NOT NULL,
  placed_at   BIGINT NOT NULL,
  released_at BIGINT NOT NULL, -- 0: it holds
  json        TEXT NOT NULL
);
CREATE INDEX holds_by_subject ON holds (kind, subject) WHERE released_at = 0;
CREATE INDEX holds_by_time ON holds (placed_at, hold_id);

-- Whom a delivery is for, folded as addresses are: agents look for it.
ALTER TABLE deliveries ADD COLUMN recipient_key TEXT NOT NULL DEFAULT '';
CREATE INDEX deliveries_by_recipient ON deliveries (recipient_key, tracking_id) WHERE recipient_key <> '';
