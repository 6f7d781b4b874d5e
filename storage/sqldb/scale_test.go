package sqldb

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"porchlight/audit/dispute"
)

// BenchmarkClaimAmongMany looks up claims with all their evidence and recommendation
// among PORCHLIGHT_BENCH_CLAIMS deliveries, each with a photo and a claim, on SQLite
// and, where there is one, on Postgres. It reports the middle and the slowest percent.
func BenchmarkClaimAmongMany(b *testing.B) {
	n := benchSize("PORCHLIGHT_BENCH_CLAIMS", 20_000)
	for _, on := range databases {
		b.Run(fmt.Sprint(on.name, "/", n), func(b *testing.B) {
			db := mustOpen(b, on.url(b))
			b.Cleanup(func() { db.Close() })
			began := time.Now()
			seedClaims(b, db, n)
			b.Logf("%d deliveries, photos and claims generated in %v", n, time.Since(began).Round(time.Second))
			service := dispute.NewService(dispute.Config{Records: db, Now: time.Now})
			var took []time.Duration
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				file, err := service.Case(b.Context(), claimOf(i*7919%n))
				took = append(took, time.Since(start))
				if err != nil || len(file.Evidence.Photos) != 1 {
					b.Fatalf("%d photos, %v", len(file.Evidence.Photos), err)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

func claimOf(i int) string { return fmt.Sprintf("C%09d", i) }

// seedClaims fills a database with n deliveries, a photo and a claim each, n a multiple
// of a thousand. The first thousand come in as they always do, without fingerprints,
// whose look-up has its own benchmark; the others are copied from them by the database
// itself, with ids, times and addresses of their own, and without custody entries.
func seedClaims(b *testing.B, db *DB, n int) {
	b.Helper()
	const block = 1000
	seed(b, db, block, false)
	claims := make([]dispute.Claim, block)
	for i := range claims {
		d := sampleDelivery(i)
		due := d.DeliveredAt.AddDate(0, 0, 20)
		claims[i] = dispute.Claim{ClaimID: claimOf(i), TrackingID: d.TrackingID, ReportedAt: d.DeliveredAt, DueAt: &due, Reason: "delivered_not_received", Channel: "stripe"}
	}
	if _, err := db.PutClaims(b.Context(), claims, *claims[0].ReportedAt); err != nil {
		b.Fatal(err)
	}
	if db.dialect == (sqlite{}) { // generated rows need not outlive a power cut
		for _, pragma := range []string{"synchronous = OFF", "cache_size = -1000000"} {
			if _, err := db.writer.ExecContext(b.Context(), "PRAGMA "+pragma); err != nil {
				b.Fatal(err)
			}
		}
	}
	const blocks = 50 // copied in one transaction
	for first := 1; first < n/block; first += blocks {
		if err := db.write(b.Context(), func(s session) error {
			for i := first; i < min(first+blocks, n/block); i++ {
				for _, statement := range copyBlock(i) {
					if _, err := s.exec(b.Context(), statement); err != nil {
						return err
					}
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := db.on(db.writer).exec(b.Context(), `ANALYZE`); err != nil {
		b.Fatal(err)
	}
}

// copyBlock makes the statements that copy the first thousand deliveries and all that
// hangs on them to the i-th thousand.
func copyBlock(i int) []string {
	const (
		tracking = `replace(%s, 'T000000', 'T{block}')`
		upload   = `replace(%s, '-bcce-000000000', '-bcce-000{block}')`
		photo    = `'x{block}' || substr(%s, 8)` // no digest begins like that
		stop     = `replace(%s, 'mainstreet', 'main{block}street')`
		later    = `%s + CAST({block} AS BIGINT) * 1000000000`
		ids      = `>= '01890a5d-ac96-774b-bcce-000000000' AND upload_id < '01890a5d-ac96-774b-bcce-000000001'`
		photos   = `IN (SELECT photo_id FROM uploads WHERE upload_id ` + ids + `)`
	)
	of := func(expression, column string) string { return fmt.Sprintf(expression, column) }
	inJSON := `replace(` + of(tracking, of(upload, "%s.json")) + `, u.photo_id, ` + of(photo, "u.photo_id") + `)`
	statements := []string{
		`INSERT INTO deliveries (tracking_id, driver_id, stop_key, sort_at, imported_at, json, address_key) SELECT ` + of(tracking, "tracking_id") + `, driver_id, ` +
			of(stop, "stop_key") + `, ` + of(later, "sort_at") + `, imported_at, ` + of(tracking, "json") + `, address_key FROM deliveries WHERE tracking_id >= 'T000000' AND tracking_id < 'T000001'`,
		`INSERT INTO photos (photo_id, photo_key, version, fingerprint, quality) SELECT ` + of(photo, "photo_id") + `, photo_key + {block}, version, fingerprint, quality
			FROM photos WHERE photo_id ` + photos,
		`INSERT INTO measurements (photo_id, version, json) SELECT ` + of(photo, "photo_id") + `, version, json FROM measurements WHERE photo_id ` + photos,
		`INSERT INTO uploads (upload_id, photo_id, tracking_id, driver_id, stop_key, at, received_at, json) SELECT ` + of(upload, "upload_id") + `, ` + of(photo, "photo_id") + `, ` +
			of(tracking, "tracking_id") + `, driver_id, ` + of(stop, "stop_key") + `, ` + of(later, "at") + `, ` + of(later, "received_at") + `, ` + of(inJSON, "u") +
			` FROM uploads u WHERE upload_id ` + ids,
		`INSERT INTO upload_deliveries (tracking_id, photo_id, upload_id) SELECT ` + of(tracking, "tracking_id") + `, ` + of(photo, "photo_id") + `, ` + of(upload, "upload_id") +
			` FROM upload_deliveries WHERE tracking_id >= 'T000000' AND tracking_id < 'T000001'`,
		`INSERT INTO reports (report_id, upload_id, judged_at, json) SELECT ` + of(upload, "r.report_id") + `, ` + of(upload, "r.upload_id") + `, ` + of(later, "r.judged_at") + `, ` +
			of(inJSON, "r") + ` FROM uploads u JOIN reports r ON r.upload_id = u.upload_id WHERE u.upload_id ` + strings.ReplaceAll(ids, ` upload_id`, ` u.upload_id`),
		`INSERT INTO claims (claim_id, tracking_id, due_at, imported_at, json) SELECT replace(claim_id, 'C000000', 'C{block}'), ` + of(tracking, "tracking_id") + `, ` +
			of(later, "due_at") + `, imported_at, ` + of(tracking, `replace(json, 'C000000', 'C{block}')`) + ` FROM claims WHERE claim_id >= 'C000000' AND claim_id < 'C000001'`,
	}
	for k := range statements {
		statements[k] = strings.ReplaceAll(statements[k], "{block}", fmt.Sprintf("%06d", i))
	}
	return statements
}
