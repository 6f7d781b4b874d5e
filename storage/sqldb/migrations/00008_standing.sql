-- +goose Up
-- What a delivery counts for in its driver's figures (audit/standing, Mark), 0 while it
-- has no outcome. Run by the program, which then fills it in for the deliveries on record.
ALTER TABLE deliveries ADD COLUMN mark BIGINT NOT NULL DEFAULT 0;
CREATE INDEX deliveries_counted ON deliveries (driver_id, sort_at, tracking_id, mark) WHERE mark > 0;

-- Drivers' scheduled blocks.
CREATE TABLE blocks (
  block_id        TEXT NOT NULL PRIMARY KEY,
  driver_id       TEXT NOT NULL,
  scheduled_start BIGINT NOT NULL,
  imported_at     BIGINT NOT NULL,
  json            TEXT NOT NULL
);
CREATE INDEX blocks_by_driver ON blocks (driver_id, scheduled_start, block_id);

-- Customers' ratings and complaints.
CREATE TABLE feedback (
  feedback_id TEXT NOT NULL PRIMARY KEY,
  driver_id   TEXT NOT NULL,
  at          BIGINT NOT NULL,
  rating      BIGINT NOT NULL, -- 0: none
  imported_at BIGINT NOT NULL,
  json        TEXT NOT NULL
);
CREATE INDEX feedback_by_driver ON feedback (driver_id, at, feedback_id);

-- Carriers' claims that a package was not received.
CREATE TABLE concessions (
  concession_id TEXT NOT NULL PRIMARY KEY,
  tracking_id   TEXT NOT NULL,
  counts        BIGINT NOT NULL, -- 0: the carrier says that it does not
  imported_at   BIGINT NOT NULL,
  json          TEXT NOT NULL
);
CREATE INDEX concessions_by_delivery ON concessions (tracking_id, concession_id);

-- Carriers' weekly photo reports, one row a driver.
CREATE TABLE photo_weeks (
  row_id      TEXT NOT NULL PRIMARY KEY,
  week        TEXT NOT NULL,
  driver_id   TEXT NOT NULL,
  imported_at BIGINT NOT NULL,
  json        TEXT NOT NULL
);
CREATE INDEX photo_weeks_by_week ON photo_weeks (week, driver_id);

-- Drivers' standings, one a day.
CREATE TABLE standings (
  driver_id   TEXT NOT NULL,
  day         TEXT NOT NULL, -- YYYY-MM-DD in UTC
  standing    TEXT NOT NULL,
  computed_at BIGINT NOT NULL,
  json        TEXT NOT NULL,
  PRIMARY KEY (driver_id, day)
);
CREATE INDEX standings_by_day ON standings (day, driver_id);
CREATE INDEX standings_by_level ON standings (day, standing, driver_id);
