package sqldb

import (
	"fmt"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/standing"
)

// BenchmarkStandings assesses PORCHLIGHT_BENCH_DRIVERS drivers of 500 packages each at
// once, and keeps their standings.
func BenchmarkStandings(b *testing.B) {
	n := benchSize("PORCHLIGHT_BENCH_DRIVERS", 200)
	for _, on := range databases {
		b.Run(fmt.Sprint(on.name, "/", n), func(b *testing.B) {
			db := mustOpen(b, on.url(b))
			b.Cleanup(func() { db.Close() })
			began := time.Now()
			at := seedDrivers(b, db, n)
			b.Logf("%d drivers generated in %v", n, time.Since(began).Round(time.Second))
			targets := standing.Targets2026()
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				if got, err := db.RecomputeStandings(b.Context(), targets, standing.DayOf(at), at, nil); err != nil || got != n {
					b.Fatalf("%d drivers, %v", got, err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "drivers/s")
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s")
			start := time.Now()
			const asked = 100
			for i := range asked {
				facts, err := db.DriverFacts(b.Context(), targets, benchDriver(i*7919%n), at)
				if err != nil || len(facts.Packages) != 500 {
					b.Fatalf("%d packages, %v", len(facts.Packages), err)
				}
				targets.Judge(facts, at)
			}
			b.ReportMetric(float64(time.Since(start).Microseconds())/1000/asked, "ms/driver-alone")
		})
	}
}

func benchDriver(i int) string { return fmt.Sprintf("D%06d", i) }

// seedDrivers makes n drivers with 500 packages, 20 blocks and 10 ratings each, and a
// claim on every 1,000th package. The first driver comes in as always; the database
// copies the others from it.
func seedDrivers(b *testing.B, db *DB, n int) time.Time {
	b.Helper()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var ds []audit.Delivery
	for i := range 500 {
		began := at.Add(-time.Duration(i) * 2 * time.Hour)
		end, done := began.Add(4*time.Hour), began.Add(time.Duration(i%250)*time.Minute)
		d := sampleDelivery(i)
		d.TrackingID, d.DriverID, d.WindowStart, d.WindowEnd, d.DeliveredAt = fmt.Sprintf("P000000-%05d", 499-i), benchDriver(0), &began, &end, &done
		if i%100 == 50 {
			d.Outcome = audit.Attempted
		}
		ds = append(ds, d)
	}
	if _, err := db.PutDeliveries(b.Context(), ds, at); err != nil {
		b.Fatal(err)
	}
	var cs []dispute.Claim
	var shifts []standing.Block
	var ratings []standing.Feedback
	for i := range n {
		if i%2 == 0 {
			cs = append(cs, dispute.Claim{ClaimID: fmt.Sprint("C", i), TrackingID: fmt.Sprintf("P%06d-%05d", i, i%500), ReportedAt: &at})
		}
		for k := range 20 {
			start := at.Add(-time.Duration(k+1) * 20 * time.Hour)
			shifts = append(shifts, standing.Block{BlockID: fmt.Sprint("B", i, "-", k), DriverID: benchDriver(i), ScheduledStart: &start, CheckedInAt: &start})
		}
		for k := range 10 {
			ratings = append(ratings, standing.Feedback{FeedbackID: fmt.Sprint("F", i, "-", k), DriverID: benchDriver(i), At: at.Add(-time.Duration(k) * time.Hour), Rating: 5 - k%2})
		}
	}
	if _, err := db.PutClaims(b.Context(), cs, at); err != nil {
		b.Fatal(err)
	}
	if err := db.write(b.Context(), func(s session) error {
		var rows, rated [][]any
		for _, r := range shifts {
			text, _ := encode(r)
			rows = append(rows, []any{r.BlockID, r.DriverID, micros(*r.ScheduledStart), micros(at), text})
		}
		for _, r := range ratings {
			text, _ := encode(r)
			rated = append(rated, []any{r.FeedbackID, r.DriverID, micros(r.At), r.Rating, micros(at), text})
		}
		if err := s.insert(b.Context(), `INSERT INTO blocks (block_id, driver_id, scheduled_start, imported_at, json) VALUES`, "", rows); err != nil {
			return err
		}
		return s.insert(b.Context(), `INSERT INTO feedback (feedback_id, driver_id, at, rating, imported_at, json) VALUES`, "", rated)
	}); err != nil {
		b.Fatal(err)
	}
	// Indexes that the figures do not use would cost most of the time.
	for _, index := range []string{"deliveries_by_time", "deliveries_by_address"} {
		if _, err := db.on(db.writer).exec(b.Context(), `DROP INDEX `+index); err != nil {
			b.Fatal(err)
		}
	}
	const copied = 200 // in one transaction
	for first := 1; first < n; first += copied {
		if err := db.write(b.Context(), func(s session) error {
			for i := first; i < min(first+copied, n); i++ {
				// The JSON is not read here: an empty one keeps the file small.
				_, err := s.exec(b.Context(), fmt.Sprintf(`INSERT INTO deliveries (tracking_id, driver_id, stop_key, sort_at, imported_at, json, address_key, mark)
					SELECT replace(tracking_id, 'P000000', 'P%06d'), '%s', '', sort_at, imported_at, '{}', '', mark FROM deliveries WHERE driver_id = '%s' AND mark > 0 ORDER BY sort_at`, i, benchDriver(i), benchDriver(0)))
				if err != nil {
					return err
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
	return at
}
