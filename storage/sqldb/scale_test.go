package sqldb

import (
	"fmt"
	"slices"
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

// seedClaims fills a database with deliveries, a photo and a claim each. The photos carry
// no fingerprint, whose look-up has its own benchmark.
func seedClaims(b *testing.B, db *DB, n int) {
	b.Helper()
	seed(b, db, n, false)
	const chunk = 2000
	for start := 0; start < n; start += chunk {
		claims := make([]dispute.Claim, min(chunk, n-start))
		for i := range claims {
			d := sampleDelivery(start + i)
			due := d.DeliveredAt.AddDate(0, 0, 20)
			claims[i] = dispute.Claim{ClaimID: claimOf(start + i), TrackingID: d.TrackingID, ReportedAt: d.DeliveredAt, DueAt: &due,
				Reason: "delivered_not_received", Channel: "stripe"}
		}
		if _, err := db.PutClaims(b.Context(), claims, *claims[0].ReportedAt); err != nil {
			b.Fatal(err)
		}
	}
}
