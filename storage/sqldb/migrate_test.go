package sqldb

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/standing"
)

// TestMigrationsOfWhatIsOnRecord holds that deliveries from before geocoding are queued,
// those from before standings counted, photos from before reviews queued, and flips that
// were a row each listed, when their database is brought up to date.
func TestMigrationsOfWhatIsOnRecord(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		at := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)
		latitude, longitude := 47.5, -122.5
		if _, err := db.PutDeliveries(t.Context(), []audit.Delivery{
			{TrackingID: "T1", DriverID: "D1", Outcome: audit.Delivered, Stop: audit.Stop{Address: "1 Elm St", Locality: "Springfield"}},
			{TrackingID: "T2", Stop: audit.Stop{Address: "2 Elm St", Locality: "Springfield", Latitude: &latitude, Longitude: &longitude}},
		}, at); err != nil {
			t.Fatal(err)
		}
		waits, done := sampleUpload(1)
		waits.TrackingID = "T1"
		if _, _, _, err := db.AddUpload(t.Context(), waits, done, func(audit.Known) ([]audit.Report, error) {
			r := sampleReport(waits, "R1")
			r.Verdict = audit.Review
			return []audit.Report{r}, nil
		}); err != nil {
			t.Fatal(err)
		}
		kept, m := sampleUpload(2)
		kept.TrackingID = "T2"
		if _, _, _, err := db.AddUpload(t.Context(), kept, m, func(audit.Known) ([]audit.Report, error) {
			r := sampleReport(kept, "R2")
			r.Findings[0].Detail = `says "verdict":"review"`
			return []audit.Report{r}, nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			`DROP TABLE run_flips`, `CREATE TABLE flips (run_id TEXT NOT NULL REFERENCES runs, upload_id TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (run_id, upload_id))`,
			`INSERT INTO runs (run_id, started_at, progress, json) VALUES ('run 1', 1, '', '{"run_id":"run 1","finished_at":"2026-11-20T18:00:00Z"}'), ('run 2', 1, '', '{"run_id":"run 2"}')`,
			`INSERT INTO flips (run_id, upload_id, json) VALUES ('run 2', 'u', '{"upload_id":"u"}')`,
			`INSERT INTO flips (run_id, upload_id, json) SELECT 'run 1', CAST(n AS TEXT), '{"upload_id":"' || n || '","before":"accept","after":"retake"}' FROM
				(WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 2500) SELECT n FROM up) s`,
			`DROP TABLE scenes`, `DROP TABLE recognitions`,
			`DROP INDEX photos_by_key`, `ALTER TABLE photos DROP COLUMN trimmed`, `ALTER TABLE photos DROP COLUMN trimmed_quality`, `CREATE INDEX photos_by_key ON photos (photo_key)`,
			`DROP TABLE fingerprint_bands`, `CREATE TABLE fingerprint_bands (band BIGINT NOT NULL, photo_key BIGINT NOT NULL, PRIMARY KEY (band, photo_key))`,
			`DROP INDEX deliveries_by_recipient`, `ALTER TABLE deliveries DROP COLUMN recipient_key`, `DROP TABLE holds`, `DROP TABLE deleted_photos`, `DROP INDEX uploads_by_time`, `DROP INDEX sightings_by_earlier`, `DROP TABLE rulings`, `DROP INDEX claims_by_import`, `DROP INDEX checklists_by_time`, `DROP TABLE ruling_states`,
			`DROP TABLE run_chunks`, `DROP TABLE run_reports`, `DROP TABLE run_failures`, `DROP INDEX runs_published`, `DROP INDEX runs_by_state`,
			`ALTER TABLE runs DROP COLUMN state`, `ALTER TABLE runs DROP COLUMN options`, `ALTER TABLE runs DROP COLUMN published_at`,
			`ALTER TABLE packets DROP COLUMN stamp`, `DROP TABLE outcomes`, `DROP INDEX claims_by_decision`, `DROP INDEX claims_by_decided`, `ALTER TABLE claims DROP COLUMN decision`,
			`ALTER TABLE claims DROP COLUMN recommended`, `ALTER TABLE claims DROP COLUMN decided_at`, `DROP INDEX deliveries_by_stop`, `DROP INDEX deliveries_by_scan`,
			`ALTER TABLE deliveries DROP COLUMN scanned_at`, `DROP TABLE track_points`, `DROP TABLE attachments`,
			`DROP INDEX claims_by_delivery`, `DROP INDEX deliveries_by_time`, `DROP INDEX tokens_by_driver`,
			`DROP INDEX deliveries_counted`, `ALTER TABLE deliveries DROP COLUMN mark`,
			`DROP TABLE blocks`, `DROP TABLE feedback`, `DROP TABLE concessions`, `DROP TABLE photo_weeks`, `DROP TABLE standings`,
			`DROP TABLE geocodes`, `DROP TABLE geocoding`, `DROP INDEX deliveries_by_address`, `ALTER TABLE deliveries DROP COLUMN address_key`,
			`DELETE FROM goose_db_version WHERE version_id >= 6`,
		} {
			if _, err := db.on(db.writer).exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if err = db.migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all, _, err := db.PhotosWaiting(t.Context(), "", 10); err != nil || len(all) != 1 || all[0].Upload.UploadID != waits.UploadID {
			t.Errorf("%d photos wait for a person, %v; want the one that was left to a person", len(all), err)
		}
		if similar, err := db.on(db.reader).similarPhotos(t.Context(), "none", pictureOf(m)); err != nil || len(similar) != 1 || similar[0].photoID != kept.PhotoID {
			t.Errorf("%+v are like the photo that was kept, %v", similar, err)
		}
		var flips []audit.Flip
		for after, more := "", true; more; more = after != "" {
			var some []audit.Flip
			if some, after, err = db.Flips(t.Context(), "run 1", after, 700); err != nil {
				t.Fatal(err)
			}
			flips = append(flips, some...)
		}
		if !slices.IsSortedFunc(flips, func(a, b audit.Flip) int { return strings.Compare(a.UploadID, b.UploadID) }) || len(flips) != 2500 || flips[7].After != audit.Retake {
			t.Errorf("%d flips, want 2500 in order", len(flips))
		}
		if n, err := db.AddressesWaiting(t.Context()); n != 1 || err != nil {
			t.Errorf("%d addresses wait, %v; want 1", n, err)
		}
		soon := time.Now().Add(time.Hour)
		sought, err := db.NextAddress(t.Context(), soon, soon.Add(time.Minute))
		if err != nil || sought == nil || sought.Street != "1 Elm St" {
			t.Fatalf("it is the turn of %+v, %v; want 1 Elm St", sought, err)
		}
		located := audit.Located{Sought: *sought, At: soon, Next: soon, Place: &audit.Geocode{PrecisionM: 15}}
		if _, err := db.RecordLocated(t.Context(), located, func(audit.Case) (audit.Report, bool) { return audit.Report{}, false }); err != nil {
			t.Fatal(err)
		}
		if d, err := db.Delivery(t.Context(), "T1"); err != nil || d.Geocoded == nil {
			t.Errorf("T1 is geocoded as %+v, %v", d.Geocoded, err)
		}
		facts, err := db.DriverFacts(t.Context(), standing.Targets2026(), "D1", at)
		if want := []standing.Package{{TrackingID: "T1", At: at, Mark: standing.Counted | standing.Attempted | standing.Delivered}}; err != nil || !reflect.DeepEqual(facts.Packages, want) {
			t.Errorf("D1's packages are %+v, %v", facts.Packages, err)
		}
	})
}
