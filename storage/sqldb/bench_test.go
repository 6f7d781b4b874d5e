package sqldb

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"porchlight/audit"
)

func openBench(b *testing.B) *DB {
	b.Helper()
	db := mustOpen(b, cmp.Or(os.Getenv("PORCHLIGHT_BENCH_DATABASE"), filepath.Join(b.TempDir(), "records.db")))
	b.Cleanup(func() { db.Close() })
	b.ReportAllocs()
	return db
}

// BenchmarkAddUpload is one client that waits for each answer.
func BenchmarkAddUpload(b *testing.B) {
	db := openBench(b)
	deliveries := make([]audit.Delivery, 20_000)
	for i := range deliveries {
		deliveries[i] = sampleDelivery(i)
	}
	if _, err := db.PutDeliveries(b.Context(), deliveries, *deliveries[0].DeliveredAt); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop() && i < len(deliveries); i++ {
		u, m := sampleUpload(i)
		if _, _, _, err := db.AddUpload(b.Context(), u, m, judgeSample(u)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutDeliveries(b *testing.B) {
	db := openBench(b)
	batch := make([]audit.Delivery, 1000)
	for n := 0; b.Loop(); n++ {
		for i := range batch {
			batch[i] = sampleDelivery(n*len(batch) + i)
		}
		if _, err := db.PutDeliveries(b.Context(), batch, *batch[0].DeliveredAt); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "rows/s")
}

// seed fills a database with n deliveries and an upload each in chunks, not one
// transaction each. Photos without a fingerprint are stored much faster.
func seed(b *testing.B, db *DB, n int, fingerprints bool) {
	b.Helper()
	const chunk = 1000
	for start := 0; start < n; start += chunk {
		deliveries := make([]audit.Delivery, min(chunk, n-start))
		for i := range deliveries {
			deliveries[i] = sampleDelivery(start + i)
		}
		if _, err := db.PutDeliveries(b.Context(), deliveries, *deliveries[0].DeliveredAt); err != nil {
			b.Fatal(err)
		}
		err := db.write(b.Context(), func(s session) error {
			for i := range deliveries {
				u, m := sampleUpload(start + i)
				if !fingerprints {
					m.FingerprintQuality = 0
				}
				reports, _ := judgeSample(u)(audit.Known{})
				if err := s.saveUpload(b.Context(), u, rowOf(u, deliveries[i].Key()), m, audit.Known{}, reports); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// benchSize is how many rows a benchmark works on: what the variable says, else fallback.
func benchSize(variable string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil && n > 0 {
		return n
	}
	return fallback
}

// BenchmarkSimilar looks for photos like one that is on record among all, and like it turned
// in each of seven ways.
func BenchmarkSimilar(b *testing.B) {
	db := openBench(b)
	n := benchSize("PORCHLIGHT_BENCH_UPLOADS", 20_000)
	for start := 0; start < n; start += 1000 {
		ids, pictures := []string{}, map[string]audit.Measurement{}
		for i := range 1000 {
			u, m := sampleUpload(start + i)
			ids, pictures[u.PhotoID] = append(ids, u.PhotoID), m
		}
		if err := db.write(b.Context(), func(s session) error { return s.savePictures(b.Context(), ids, pictures) }); err != nil {
			b.Fatal(err)
		}
	}
	s := db.on(db.reader)
	var took []time.Duration
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		_, m := sampleUpload(i * 7919 % n)
		for way := range m.Turned {
			_, other := sampleUpload(n + 7*i + way)
			m.Turned[way] = other.Fingerprint
		}
		began := time.Now()
		found, err := s.similarPhotos(b.Context(), "none", pictureOf(m))
		took = append(took, time.Since(began))
		if err != nil || len(found) == 0 {
			b.Fatalf("%d found, %v", len(found), err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
}
