package main

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"porchlight/fixtures"
)

// BenchmarkLoad uploads photos of about 3 MB from 8 and 64 clients to the real server
// process, on the embedded stores and on Postgres with S3, while one agent reads a claim's
// page and its packets over and over. It reports
//
//	photos/s, p50-ms, p99-ms   of an upload, from its first byte to its 201, with tries that were answered 503
//	x-audit                    the server's CPU time to that of `porchlight audit` over the same photos, right after
//	peak-MiB                   of the server
//	read-p50-ms, read-p99-ms   of the agent's reads
//	idle-p99-ms                how late the machine wakes who sleeps for 5 ms meanwhile: no answer can be sooner
//	awake-read-p99-ms          of the reads during which the machine woke nobody more than 20 ms late
//
// PORCHLIGHT_BENCH_PHOTOS sets how many photos each run sends.
func BenchmarkLoad(b *testing.B) {
	photos := manyPhotos(b, benchPhotos(96))
	folder := inFolder(b, photos)
	for _, name := range []string{"SQLite and a folder", "Postgres and S3"} {
		for _, clients := range []int{8, 64} {
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(name, " ", "-"), clients), func(b *testing.B) {
				for b.Loop() {
					load(b, sites[name](b), photos, clients, folder)
				}
			})
		}
	}
}

// inFolder is a folder with a file for each photo.
func inFolder(b *testing.B, photos [][]byte) string {
	b.Helper()
	folder := b.TempDir()
	for i, photo := range photos {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%04d.jpg", i)), photo, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return folder
}

// heavyPhotos are phone photos of several MB: labelled ones where there are any, else
// one that is drawn.
func heavyPhotos(b *testing.B) (all [][]byte) {
	b.Helper()
	names, _ := filepath.Glob(filepath.Join(os.Getenv("PORCHLIGHT_PHOTOS"), "deliveries", "*.jp*g"))
	for _, name := range names {
		photo, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if len(photo) > 2_000_000 && len(photo) < 5_000_000 {
			all = append(all, photo)
		}
	}
	if len(all) == 0 {
		all = append(all, fixtures.Scene{Place: 1, Shot: 1, Number: "4702", Width: 4032, Height: 3024}.JPEG())
	}
	return all
}

// auditTime is the CPU time that `porchlight audit` takes over a folder.
func auditTime(b *testing.B, folder string) time.Duration {
	b.Helper()
	cmd := program("audit", "--json", folder)
	_ = cmd.Run() // a photo that must be taken again is an answer
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() > 1 {
		b.Fatalf("porchlight audit: %v", cmd.ProcessState)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func load(b *testing.B, stores []string, photos [][]byte, clients int, folder string) {
	b.StopTimer()
	at := append([]string{"--data", b.TempDir()}, stores...)
	p := startServer(b, append(at, "--log-level", "error")...)
	admin, agent := newToken(b, at, "--role", "admin"), newToken(b, at, "--role", "agent")
	rows := "tracking_id,address\nW,1 Oak St\n"
	for i := range photos {
		rows += fmt.Sprintf("T%d,%d Elm St\n", i, i)
	}
	p.do(http.StatusOK, "POST", "/api/v1/deliveries", admin, "text/csv", []byte(rows))
	p.do(http.StatusOK, "POST", "/api/v1/claims", admin, "application/json", []byte(`{"claim_id":"C1","tracking_id":"T0"}`))
	reader := signedIn(b, p, agent)
	warmUp(b, p, admin, reader, photos[0])
	before := p.cpu()
	b.StartTimer()

	jobs, stop := make(chan int), make(chan struct{})
	took := make([]time.Duration, len(photos))
	var reads, naps []span
	var uploading, reading sync.WaitGroup
	for range clients {
		uploading.Go(func() {
			for i := range jobs {
				body, contentType := form(b, photos[i], nil)
				start := time.Now()
				for {
					a, err := p.try("POST", fmt.Sprintf("/api/v1/deliveries/T%d/photos", i), admin, contentType, body)
					if err == nil && a.status == http.StatusCreated {
						break
					}
					if err != nil || a.status != http.StatusServiceUnavailable {
						b.Errorf("photo %d: status %d %.200s (%v)", i, a.status, a.body, err)
						break
					}
					wait, _ := strconv.Atoi(a.header.Get("Retry-After"))
					time.Sleep(time.Duration(wait) * time.Second)
				}
				took[i] = time.Since(start)
			}
		})
	}
	reading.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
			start := time.Now()
			res, err := reader.Get(p.url + []string{"/agent/claims/C1", "/api/v1/claims/C1/packets"}[n%2])
			if err != nil || res.StatusCode != http.StatusOK {
				b.Errorf("reading: %v %v", res, err)
				return
			}
			res.Body.Close()
			reads = append(reads, span{start, time.Now()})
		}
	})
	reading.Go(func() {
		const nap = 5 * time.Millisecond
		for {
			start := time.Now()
			select {
			case <-stop:
				return
			case <-time.After(nap):
			}
			naps = append(naps, span{start.Add(nap), time.Now()})
		}
	})
	began := time.Now()
	for i := range photos {
		jobs <- i
	}
	close(jobs)
	uploading.Wait()
	elapsed := time.Since(began)
	close(stop)
	reading.Wait()
	b.StopTimer()
	milliseconds := func(all []time.Duration, share int) float64 {
		slices.Sort(all)
		return float64(all[(len(all)-1)*share/100].Microseconds()) / 1000
	}
	b.ReportMetric(float64(len(photos))/elapsed.Seconds(), "photos/s")
	b.ReportMetric(milliseconds(took, 50), "p50-ms")
	b.ReportMetric(milliseconds(took, 99), "p99-ms")
	b.ReportMetric((p.cpu()-before).Seconds()/auditTime(b, folder).Seconds(), "x-audit")
	b.ReportMetric(float64(p.peakMiB()), "peak-MiB")
	var waits, awake, late []time.Duration
	for _, n := range naps {
		late = append(late, n.took())
	}
	for _, r := range reads {
		waits = append(waits, r.took())
		if !slices.ContainsFunc(naps, func(n span) bool {
			return n.took() > 20*time.Millisecond && n.from.Before(r.to) && r.from.Before(n.to)
		}) {
			awake = append(awake, r.took())
		}
	}
	b.ReportMetric(milliseconds(late, 99), "idle-p99-ms")
	if len(awake) > 0 {
		b.ReportMetric(milliseconds(waits, 50), "read-p50-ms")
		b.ReportMetric(milliseconds(waits, 99), "read-p99-ms")
		b.ReportMetric(milliseconds(awake, 99), "awake-read-p99-ms")
	}
	p.kill()
	b.StartTimer()
}

// warmUp has the server do what will be timed a few times before: the first requests of a
// process make its heap and its statements.
func warmUp(b *testing.B, p *process, admin string, reader *http.Client, photo []byte) {
	b.Helper()
	for i := range 4 {
		body, contentType := form(b, fixtures.Distinct(photo, -1-i), nil)
		p.do(http.StatusCreated, "POST", "/api/v1/deliveries/W/photos", admin, contentType, body)
		res, err := reader.Get(p.url + "/agent/claims/C1")
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatalf("reading: %v %v", res, err)
		}
		res.Body.Close()
	}
}

// span is when something began and ended.
type span struct{ from, to time.Time }

func (s span) took() time.Duration { return s.to.Sub(s.from) }

// signedIn is an agent's browser.
func signedIn(b *testing.B, p *process, token string) *http.Client {
	b.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	res, err := client.PostForm(p.url+"/signin", url.Values{"token": {token}})
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatalf("signing in: %v %v", res, err)
	}
	res.Body.Close()
	return client
}
