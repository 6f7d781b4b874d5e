-- +goose Up
-- Who was judged against an upload, for the clusters of pictures that were used again.
CREATE INDEX sightings_by_earlier ON sightings (earlier_id, upload_id);
