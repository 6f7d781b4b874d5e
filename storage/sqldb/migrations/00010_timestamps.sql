-- +goose Up
-- A time-stamp authority's answer (RFC 3161), base64, '' where there is none.
ALTER TABLE packets ADD COLUMN stamp TEXT NOT NULL DEFAULT '';
