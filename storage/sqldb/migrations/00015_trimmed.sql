-- +goose Up
-- The fingerprint of the picture within uniform borders and caption bars, where a photo has
-- them. Its bands stand beside the photo's own.
ALTER TABLE photos ADD COLUMN trimmed TEXT NOT NULL DEFAULT '';
ALTER TABLE photos ADD COLUMN trimmed_quality BIGINT NOT NULL DEFAULT 0;
