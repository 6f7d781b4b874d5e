package sqldb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"porchlight/audit/dispute"
)

// BenchmarkClaimAmongMany looks up claims with all their evidence and recommendation
// among PORCHLIGHT_BENCH_CLAIMS deliveries, each with a photo and a claim, on SQLite
// and, where there is one, on Postgres. It reports the middle and the slowest percent, and
// what a delivery with its photo, report and claim takes in the database.
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
			b.ReportMetric(databaseBytes(b, db)/float64(n), "bytes/delivery")
		})
	}
}

// databaseBytes is what the database takes.
func databaseBytes(b *testing.B, db *DB) float64 {
	b.Helper()
	query := `SELECT pg_database_size(current_database())`
	if db.dialect == (sqlite{}) {
		query = `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
	}
	size, err := one(b.Context(), db.on(db.reader), "size", scanNumber, query)
	if err != nil {
		b.Fatal(err)
	}
	return float64(size)
}

func claimOf(i int) string { return fmt.Sprintf("C%09d", i) }

// seedClaims fills a database with n deliveries, a photo and a claim each, n a multiple
// of a thousand. The first thousand come in as they always do, without fingerprints,
// whose look-up has its own benchmark; the others are copied from them by the database
// itself, with ids, times and addresses of their own, and without custody entries and the
// queue of photos that wait for a person.
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
	loose(b, db, true)
	run := func(statements ...string) {
		b.Helper()
		if err := db.write(b.Context(), func(s session) error {
			for _, statement := range statements {
				if _, err := s.exec(b.Context(), statement); err != nil {
					return fmt.Errorf("%w in %s", err, statement)
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	for _, table := range copied {
		run(`CREATE TABLE first_` + table.name + ` AS SELECT * FROM ` + table.name)
	}
	const blocks = 50 // copied in one transaction
	for first := 1; first < n/block; first += blocks {
		var copies []string
		for number := first; number < min(first+blocks, n/block); number++ {
			copies = append(copies, copyBlock(number)...)
		}
		run(copies...)
	}
	for _, table := range copied {
		run(`DROP TABLE first_` + table.name)
	}
	loose(b, db, false)
	tidy(b, db)
}

// tidy does what a database that is in use does by itself, so that it does not do it beside
// the benchmark.
func tidy(b *testing.B, db *DB) {
	b.Helper()
	statements := []string{`ANALYZE`}
	if db.dialect == (postgres{}) {
		statements = []string{`VACUUM (ANALYZE)`, `CHECKPOINT`}
	}
	for _, statement := range statements {
		if _, err := db.on(db.writer).exec(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
}

// loose has SQLite write fast, since generated rows need not outlive a power cut, or again as
// it always does.
func loose(b *testing.B, db *DB, on bool) {
	b.Helper()
	if db.dialect != (sqlite{}) {
		return
	}
	pragmas := []string{"synchronous = FULL", "cache_size = -65536", "shrink_memory", "wal_checkpoint(TRUNCATE)"}
	if on {
		pragmas = []string{"synchronous = OFF", "cache_size = -1000000"}
	}
	for _, pragma := range pragmas {
		if _, err := db.writer.ExecContext(b.Context(), "PRAGMA "+pragma); err != nil {
			b.Fatal(err)
		}
	}
}

// What copies have that differs from the first thousand, as SQL: VALUE is the first one's,
// NUMBER that of the copied thousand, BLOCK that in six digits.
const (
	ofTracking = `replace(VALUE, 'T000000', 'TBLOCK')`
	ofUpload   = `replace(VALUE, '-bcce-000000000', '-bcce-000BLOCK')`
	ofPhoto    = `substr(VALUE, 1, 6) || 'xBLOCK' || substr(VALUE, 14)` // no digest holds an x; they are in no order, as digests are
	ofStop     = `replace(VALUE, 'mainstreet', 'mainBLOCKstreet')`
	ofClaim    = `replace(VALUE, 'C000000', 'CBLOCK')`
	ofTime     = `VALUE + CAST(NUMBER AS BIGINT) * 1000000000`
	ofKey      = `VALUE + NUMBER`
)

// copied are the tables, and the columns of a copy that are made anew.
var copied = []struct {
	name    string
	columns string
	anew    map[string][]string // a column's expressions, the innermost first
}{
	{"deliveries", "tracking_id, driver_id, stop_key, sort_at, imported_at, json, address_key",
		map[string][]string{"tracking_id": {ofTracking}, "stop_key": {ofStop}, "sort_at": {ofTime}, "json": {ofTracking}}},
	{"photos", "photo_id, photo_key, version, fingerprint, quality",
		map[string][]string{"photo_id": {ofPhoto}, "photo_key": {ofKey}}},
	{"measurements", "photo_id, version, json", map[string][]string{"photo_id": {ofPhoto}}},
	{"uploads", "upload_id, photo_id, tracking_id, driver_id, stop_key, at, received_at, json",
		map[string][]string{"upload_id": {ofUpload}, "photo_id": {ofPhoto}, "tracking_id": {ofTracking}, "stop_key": {ofStop}, "at": {ofTime}, "received_at": {ofTime},
			"json": {ofUpload, ofTracking, `replace(VALUE, photo_id, ` + strings.ReplaceAll(ofPhoto, "VALUE", "photo_id") + `)`}}},
	{"upload_deliveries", "tracking_id, photo_id, upload_id",
		map[string][]string{"tracking_id": {ofTracking}, "photo_id": {ofPhoto}, "upload_id": {ofUpload}}},
	{"reports", "report_id, upload_id, judged_at, json",
		map[string][]string{"report_id": {ofUpload}, "upload_id": {ofUpload}, "judged_at": {ofTime}, "json": {ofUpload, ofTracking}}},
	{"claims", "claim_id, tracking_id, due_at, imported_at, json",
		map[string][]string{"claim_id": {ofClaim}, "tracking_id": {ofTracking}, "due_at": {ofTime}, "json": {ofClaim, ofTracking}}},
}

// copyBlock makes the statements that copy the first thousand deliveries, and all that hangs
// on them, to another thousand. Rows come one thousand after the other, as they do in life:
// what came in together lies together.
func copyBlock(number int) (statements []string) {
	n, block := strconv.Itoa(number), fmt.Sprintf("%06d", number)
	for _, table := range copied {
		var values []string
		for column := range strings.SplitSeq(table.columns, ", ") {
			value := column
			for _, expression := range table.anew[column] {
				value = strings.NewReplacer("VALUE", value, "NUMBER", n, "BLOCK", block).Replace(expression)
			}
			values = append(values, value)
		}
		statements = append(statements, fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s FROM first_%s`, table.name, table.columns, strings.Join(values, ", "), table.name))
	}
	return statements
}
