package sqldb

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/pixel"
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

// BenchmarkSimilar looks for photos like one that is on record among all, also turned in
// each of seven ways; and, as of a photo within borders and under a caption, the same of the
// picture within and of what is certain of it. Each photo asked about differs from one on
// record in 15 bits or in 31, anywhere; found-15 and found-31 are the shares that are found,
// false is how many others were. The first thousand find the index in no cache, as never again, and
// are not counted. On SQLite the CPU time is told too, which a busy machine does not stretch.
func BenchmarkSimilar(b *testing.B) {
	n := benchSize("PORCHLIGHT_BENCH_UPLOADS", 20_000)
	for _, on := range databases {
		b.Run(on.name, func(b *testing.B) {
			db := mustOpen(b, on.url(b))
			b.Cleanup(func() { db.Close() })
			empty := databaseBytes(b, db)
			seedPictures(b, db, n)
			each := (databaseBytes(b, db) - empty) / float64(n)
			for name, ask := range map[string]func(number int, print string, turned [7]string) audit.Measurement{"plain": askPlain, "bordered": askBordered} {
				b.Run(name, func(b *testing.B) {
					benchmarkSimilar(b, db.on(db.writer), n, ask) // as uploads do
					b.ReportMetric(each, "bytes/photo")
				})
			}
		})
	}
}

// seedPictures stores n photos' fingerprints, every tenth one's within borders too.
func seedPictures(b *testing.B, db *DB, n int) {
	b.Helper()
	loose(b, db, true)
	defer loose(b, db, false)
	const block = 50_000 // in one transaction
	for start := 0; start < n; start += block {
		ids, pictures := []string{}, map[string]audit.Measurement{}
		for i := range min(block, n-start) {
			u, m := sampleUpload(start + i)
			if i%10 == 0 {
				m.Trimmed, m.TrimmedQuality = samplePrint(start+i, "trimmed"), 90
			}
			ids, pictures[u.PhotoID] = append(ids, u.PhotoID), m
		}
		if err := db.write(b.Context(), func(s session) error {
			for chunk := range slices.Chunk(ids, chunkRows) {
				if err := s.savePictures(b.Context(), chunk, pictures); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	tidy(b, db)
}

func samplePrint(i int, what string) string { return audit.PhotoID(fmt.Append(nil, what, i)) }

func askPlain(_ int, print string, turned [7]string) audit.Measurement {
	return audit.Measurement{Measures: &pixel.Measures{Fingerprint: print, FingerprintQuality: 90, Turned: turned}}
}

func askBordered(i int, print string, turned [7]string) audit.Measurement {
	m := askPlain(i, samplePrint(i, "with its border"), turned)
	m.Trimmed, m.TrimmedQuality, m.Uncovered, m.Certain = print, 90, samplePrint(i, "uncovered"), strings.Repeat("f5ff", 16)
	for way := range m.TrimmedTurned {
		m.TrimmedTurned[way] = samplePrint(i, fmt.Sprint("trimmed and turned ", way))
	}
	return m
}

func benchmarkSimilar(b *testing.B, s session, n int, ask func(int, string, [7]string) audit.Measurement) {
	random := rand.New(rand.NewPCG(1, 2))
	var took, worked []time.Duration
	asked, found, wrong := map[int]int{}, map[int]int{}, 0
	look := func(i int) (differ int, u audit.Upload, similar []sighted) {
		u, m := sampleUpload(i * 7919 % n)
		differ = 15 + 16*(i%2)
		print, _ := hex.DecodeString(m.Fingerprint)
		for _, bit := range random.Perm(256)[:differ] {
			print[bit/8] ^= 1 << (bit % 8)
		}
		var turned [7]string
		for way := range turned {
			turned[way] = samplePrint(i, fmt.Sprint("turned ", way))
		}
		p := pictureOf(ask(i, hex.EncodeToString(print), turned))
		began, busy := time.Now(), ownCPU()
		similar, err := s.similarPhotos(b.Context(), "none", p)
		took, worked = append(took, time.Since(began)), append(worked, ownCPU()-busy)
		if err != nil {
			b.Fatal(err)
		}
		return differ, u, similar
	}
	const cold = 1000
	for i := range cold {
		look(i)
	}
	took, worked = nil, nil
	for i := cold; b.Loop(); i++ {
		differ, u, similar := look(i)
		asked[differ]++
		for _, e := range similar {
			if e.photoID == u.PhotoID {
				found[differ]++
			} else {
				wrong++
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
	if slices.Sort(worked); s.dialect == (sqlite{}) { // which works in this process
		b.ReportMetric(worked[len(worked)/2].Seconds()*1000, "p50-cpu-ms")
		b.ReportMetric(worked[len(worked)*99/100].Seconds()*1000, "p99-cpu-ms")
	}
	for differ, all := range asked {
		b.ReportMetric(float64(found[differ])/float64(all), fmt.Sprintf("found-%d", differ))
	}
	b.ReportMetric(float64(wrong), "false")
}

// BenchmarkCustody is sixteen who change something at the same moment, each in a transaction
// with its entry in the custody log: changes/s is how fast the chain takes turns.
func BenchmarkCustody(b *testing.B) {
	for _, on := range databases {
		b.Run(on.name, func(b *testing.B) {
			db := mustOpen(b, on.url(b))
			b.Cleanup(func() { db.Close() })
			b.SetParallelism(16)
			b.RunParallel(func(next *testing.PB) {
				for next.Next() {
					if err := db.write(b.Context(), func(s session) error {
						return s.log(b.Context(), custody.Entry{Action: custody.PhotoUploaded, Subject: custody.Subject{Kind: custody.Photo, ID: "p"}})
					}); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}

// ownCPU is the CPU time that this process has taken.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
