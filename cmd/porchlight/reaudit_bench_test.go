package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/fixtures"
)

// benchSize is how large a benchmark is: what the variable says, else fallback.
func benchSize(variable string, fallback int) int {
	if v, err := strconv.Atoi(os.Getenv(variable)); err == nil && v > 0 {
		return v
	}
	return fallback
}

// benchPhotos is how many photos a benchmark sends or reads.
func benchPhotos(fallback int) int { return benchSize("PORCHLIGHT_BENCH_PHOTOS", fallback) }

// manyPhotos are n heavy photos, each with bytes of its own.
func manyPhotos(b *testing.B, n int) [][]byte {
	photos := make([][]byte, n)
	whole := heavyPhotos(b)
	for i := range photos {
		photos[i] = fixtures.Distinct(whole[i%len(whole)], i)
	}
	return photos
}

// withRecords are the flags of a site whose database holds n uploads, filled by the
// records' own benchmark. Their photos are not there, which judging again does not miss.
func withRecords(b *testing.B, site string, n int) []string {
	b.Helper()
	at := append([]string{"--data", b.TempDir()}, sites[site](b)...)
	seed := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkSeed$", "-benchtime", "1x", "-timeout", "60m", "../../storage/sqldb")
	seed.Env = append(os.Environ(), "PORCHLIGHT_BENCH_DATABASE="+databaseURL(flagValue(at, "--database"), at[1]), "PORCHLIGHT_BENCH_CLAIMS="+strconv.Itoa(n))
	if out, err := seed.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return at
}

func flagValue(at []string, flag string) string {
	if i := slices.Index(at, flag); i >= 0 {
		return at[i+1]
	}
	return ""
}

// stale puts photos into a site's stores as if other code had measured them, and returns the
// stores.
func stale(b *testing.B, at []string, photos [][]byte) *stores {
	b.Helper()
	st, err := (&storeSettings{data: at[1], database: flagValue(at, "--database"), objects: flagValue(at, "--objects"), lockMode: "compliance"}).open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	m, err := audit.Measure(photos[0])
	if err != nil {
		b.Fatal(err)
	}
	m.Version, m.FingerprintQuality = "other", 0 // looking for likeness is not what is timed
	deliveries := make([]audit.Delivery, len(photos))
	for i := range deliveries {
		deliveries[i] = audit.Delivery{TrackingID: fmt.Sprint("T", i), Stop: audit.Stop{Address: fmt.Sprint(i, " Elm St")}}
	}
	if _, err := st.db.PutDeliveries(b.Context(), deliveries, time.Now()); err != nil {
		b.Fatal(err)
	}
	receiver := audit.NewService(audit.Config{Objects: st.objects, Records: st.db, Archive: st.db, NewID: newID,
		Measure: func(context.Context, []byte) (audit.Measurement, error) { return m, nil }})
	for i, photo := range photos {
		if _, err := receiver.Receive(b.Context(), audit.Upload{TrackingID: deliveries[i].TrackingID, Role: audit.Placement}, photo); err != nil {
			b.Fatal(err)
		}
	}
	return st
}

// BenchmarkReauditMeasure reads stored photos of some MB again, and reports the CPU time of
// that to that of `porchlight audit` over the same photos in files, right after.
func BenchmarkReauditMeasure(b *testing.B) {
	photos := manyPhotos(b, benchPhotos(48))
	folder := inFolder(b, photos)
	for name := range sites {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			var again, files time.Duration
			for b.Loop() {
				b.StopTimer()
				at := append([]string{"--data", b.TempDir()}, sites[name](b)...)
				stale(b, at, photos)
				b.StartTimer()
				cmd := program(append([]string{"audit", "--reaudit", "--measure", "--json"}, at...)...)
				out, err := cmd.Output()
				if want := fmt.Sprintf(`"done":%d,`, len(photos)); err != nil || !strings.Contains(string(out), want) {
					b.Fatalf("%v: %.500s", err, out)
				}
				again += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				files += auditTime(b, folder)
			}
			b.ReportMetric(again.Seconds()/files.Seconds(), "x-audit")
			b.ReportMetric(float64(again.Milliseconds())/float64(b.N*len(photos)), "cpu-ms/photo")
		})
	}
}

// BenchmarkReauditWorkers works on re-audits by one and by two processes of `porchlight work`, each on one
// processor of its own, in turn. It reports how many times as many photos a second two judge: of
// those that are read again, and of stored measurements, for which Postgres, on the same
// machine, works about as long as they do.
func BenchmarkReauditWorkers(b *testing.B) {
	b.Run("measured", func(b *testing.B) {
		photos := manyPhotos(b, benchPhotos(240))
		both(b, func() (*stores, []string, audit.ReauditOptions) {
			at := append([]string{"--data", b.TempDir()}, sites["Postgres and S3"](b)...)
			return stale(b, at, photos), at, audit.ReauditOptions{Measure: true, ChunkSize: 2}
		})
	})
	b.Run("judged", func(b *testing.B) {
		at := withRecords(b, "Postgres and S3", benchSize("PORCHLIGHT_BENCH_RECORDS", 60_000))
		st, err := (&storeSettings{data: at[1], database: flagValue(at, "--database"), objects: flagValue(at, "--objects"), lockMode: "compliance"}).open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		defer st.Close()
		both(b, func() (*stores, []string, audit.ReauditOptions) {
			return st, at, audit.ReauditOptions{Again: true, Hold: true}
		})
	})
}

func both(b *testing.B, fresh func() (*stores, []string, audit.ReauditOptions)) {
	var rate [3]float64
	for b.Loop() {
		for _, processes := range []int{1, 2} {
			b.StopTimer()
			st, at, o := fresh()
			b.StartTimer()
			rate[processes] += workedBy(b, st, at, o, processes)
		}
	}
	b.ReportMetric(rate[1]/float64(b.N), "one-photos/s")
	b.ReportMetric(rate[2]/float64(b.N), "two-photos/s")
	b.ReportMetric(rate[2]/rate[1], "x-one")
}

// workedBy starts workers and a run, and tells the photos a second from when a fifth is
// done, by when all workers have found it, to its end.
func workedBy(b *testing.B, st *stores, at []string, o audit.ReauditOptions, processes int) float64 {
	b.Helper()
	for i := range processes {
		cmd := program(append([]string{"work", "--workers", "1"}, at...)...)
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
		onProcessor(b, cmd, i)
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() { cmd.Process.Kill(); cmd.Wait() }()
	}
	time.Sleep(2 * workEvery)
	run, err := st.audit.StartReaudit(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	var first time.Time
	var done int
	for {
		time.Sleep(20 * time.Millisecond)
		now := time.Now()
		if run, err = st.db.Run(b.Context(), run.RunID); err != nil {
			b.Fatal(err)
		}
		if first.IsZero() && run.Done*5 >= run.Total {
			first, done = now, run.Done
		}
		if run.Ended() {
			if run.Failed > 0 {
				b.Fatalf("%+v", run)
			}
			return float64(run.Done-done) / now.Sub(first).Seconds()
		}
	}
}

// onProcessor has a program run on one processor alone: GOMAXPROCS does not bound what it has the
// JPEG decoder do meanwhile.
func onProcessor(b *testing.B, cmd *exec.Cmd, number int) {
	b.Helper()
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		b.Skip("without taskset a program cannot be kept on one processor")
	}
	cmd.Args = append([]string{taskset, "--cpu-list", strconv.Itoa(number), cmd.Path}, cmd.Args[1:]...)
	cmd.Path = taskset
}

// BenchmarkReauditBesideUploads uploads photos of about 3 MB from 2 and 8 clients, by
// themselves and while the same process judges stored measurements again as fast as it can,
// in turn, three times each. It reports the p99 of an upload without and with that, the
// second to the first, and how many measurements a second were judged meanwhile.
func BenchmarkReauditBesideUploads(b *testing.B) {
	const records = 20_000
	photos := manyPhotos(b, benchPhotos(48))
	for name := range sites {
		for _, clients := range []int{2, 8} {
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(name, " ", "-"), clients), func(b *testing.B) {
				at := withRecords(b, name, records)
				p := startServer(b, append(at, "--log-level", "error")...)
				admin := newToken(b, at, "--role", "admin")
				var idle, busy []time.Duration
				judged, busyTime := 0, time.Duration(0)
				uploadAll(b, p, admin, photos[:8], clients, "W") // the first requests make heap and statements
				round := 0
				for b.Loop() {
					for range 3 {
						idle = append(idle, uploadAll(b, p, admin, photos, clients, fmt.Sprint("I", round, "-"))...)
						stop, ended := make(chan struct{}), make(chan int)
						go func() { ended <- reauditUntil(b, p, admin, stop) }()
						began := time.Now()
						busy = append(busy, uploadAll(b, p, admin, photos, clients, fmt.Sprint("B", round, "-"))...)
						busyTime += time.Since(began)
						close(stop)
						judged += <-ended
						round++
					}
				}
				p99 := func(all []time.Duration) float64 {
					slices.Sort(all)
					return float64(all[(len(all)-1)*99/100].Microseconds()) / 1000
				}
				b.ReportMetric(p99(idle), "idle-p99-ms")
				b.ReportMetric(p99(busy), "p99-ms")
				b.ReportMetric(p99(busy)/p99(idle), "x-idle")
				b.ReportMetric(float64(judged)/busyTime.Seconds(), "judged/s")
				p.kill()
			})
		}
	}
}

// uploadAll sends photos to deliveries of their own and tells how long each took. Bytes that
// were sent before are other photos by what is appended to them.
func uploadAll(b *testing.B, p *process, admin string, photos [][]byte, clients int, prefix string) []time.Duration {
	b.Helper()
	rows := "tracking_id,address\n"
	for i := range photos {
		rows += fmt.Sprintf("%s%d,%d Elm St\n", prefix, i, i)
	}
	p.do(http.StatusOK, "POST", "/api/v1/deliveries", admin, "text/csv", []byte(rows))
	took := make([]time.Duration, len(photos))
	jobs := make(chan int)
	var uploading sync.WaitGroup
	for range clients {
		uploading.Go(func() {
			for i := range jobs {
				body, contentType := form(b, append(slices.Clip(photos[i]), prefix...), nil)
				start := time.Now()
				a, err := p.try("POST", fmt.Sprintf("/api/v1/deliveries/%s%d/photos", prefix, i), admin, contentType, body)
				if err != nil || a.status != http.StatusCreated {
					b.Errorf("photo %d: status %d %.200s (%v)", i, a.status, a.body, err)
				}
				took[i] = time.Since(start)
			}
		})
	}
	for i := range photos {
		jobs <- i
	}
	close(jobs)
	uploading.Wait()
	return took
}

// reauditUntil has everything judged again, over and over, and tells how many uploads were.
// What is under way at the end is cancelled.
func reauditUntil(b *testing.B, p *process, admin string, stop chan struct{}) (judged int) {
	ask := func(method, path, body string) (run audit.Run) {
		a, err := p.try(method, "/api/v1/reaudits"+path, admin, "application/json", []byte(body))
		if err == nil && a.status >= http.StatusBadRequest {
			err = fmt.Errorf("status %d: %.200s", a.status, a.body)
		}
		if err == nil {
			err = json.Unmarshal(a.body, &run)
		}
		if err != nil || run.Failed > 0 {
			b.Errorf("%s: %v, %+v", method, err, run)
			run.State = audit.RunCancelled
		}
		return run
	}
	for {
		run := ask("POST", "", `{"again":true,"hold":true}`)
		for !run.Ended() {
			select {
			case <-stop:
				return judged + ask("POST", "/"+run.RunID+"/state", `{"state":"cancelled"}`).Done
			case <-time.After(50 * time.Millisecond):
			}
			run = ask("GET", "/"+run.RunID+"?limit=1", "")
		}
		judged += run.Done
		select {
		case <-stop:
			return judged
		default:
		}
	}
}
