-- +goose Up
-- The fingerprint of the picture within uniform borders and caption bars, where a photo has
-- them. Its bands stand beside the photo's own.
ALTER TABLE photos ADD COLUMN trimmed TEXT NOT NULL DEFAULT '';
ALTER TABLE photos ADD COLUMN trimmed_quality BIGINT NOT NULL DEFAULT 0;
-- Photos that may be alike are looked up by the hundred: what they are compared by is in the
-- index itself.
DROP INDEX photos_by_key;
CREATE INDEX photos_by_key ON photos (photo_key, photo_id, fingerprint, quality, trimmed, trimmed_quality);
