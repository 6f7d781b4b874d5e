package sqldb

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"porchlight/audit"
)

// stricter is the built-in checklist with another limit of blur and a version of its own.
func stricter(t testing.TB, version string) *audit.Checklist {
	t.Helper()
	text := strings.NewReplacer("version: guide-2026", "version: "+version, "fail_above: 1 #", "fail_above: -2 #", "warn_above: 0\n\n  detail", "warn_above: -3\n\n  detail").
		Replace(audit.Guide2026().Text())
	c, err := audit.ParseChecklist([]byte(text))
	if err != nil || c.Checks.Blur.FailAbove != -2 {
		t.Fatalf("blur fails above %v, %v", c.Checks.Blur.FailAbove, err)
	}
	return c
}

func service(db *DB) *audit.Service {
	n := 0
	var mu sync.Mutex
	return audit.NewService(audit.Config{Records: db, Archive: db, NewID: func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("id-%09d", n)
	}})
}

// TestReaudit runs a re-audit over chunks with many workers on both databases: every
// upload is judged once, and a run that was left goes on.
func TestReaudit(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		const n = 40
		for i := range n {
			sample(t, db, i)
		}
		s := service(db)
		list := stricter(t, "strict-1")
		dry, err := s.Reaudit(t.Context(), audit.ReauditOptions{Checklist: list, DryRun: true, ChunkSize: 7})
		if err != nil || dry.Done != n {
			t.Fatalf("dry run: %+v, %v", dry, err)
		}
		if runs, _, err := db.Runs(t.Context(), "", 1); err != nil || len(runs) != 0 {
			t.Fatalf("a dry run is on record: %v, %v", runs, err)
		}
		if text, err := db.Checklist(t.Context(), list.Version); audit.ErrorCode(err) != audit.CodeNotFound {
			t.Errorf("a dry run keeps its checklist: %.20q, %v", text, err)
		}
		// It is ended in its midst, as a process is.
		ctx, cancel := context.WithCancel(t.Context())
		o := audit.ReauditOptions{Checklist: list, ChunkSize: 7, WorkOptions: audit.WorkOptions{Progress: func(r audit.Run) {
			if r.ChunksDone == 2 {
				cancel()
			}
		}}}
		half, err := s.Reaudit(ctx, o)
		if err == nil {
			t.Fatalf("the run was not ended: %+v", half)
		}
		if reports := reportsBy(t, db, "strict-1"); reports != 0 {
			t.Errorf("%d reports count before the run is published", reports)
		}
		flips := 0
		var gaveWay atomic.Int32
		o.WorkOptions = audit.WorkOptions{Workers: 4, Flip: func(audit.Flip) { flips++ }, GiveWay: func(context.Context, time.Duration) { gaveWay.Add(1) }}
		run, err := s.Reaudit(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if run.RunID == dry.RunID || run.State != audit.RunPublished || run.Done != n || run.Total != n || run.Skipped != 0 || run.Failed != 0 || run.ChunksDone != run.Chunks {
			t.Errorf("run = %+v", run)
		}
		if run.Flipped != dry.Flipped || run.Flipped == 0 || flips >= run.Flipped {
			t.Errorf("%d flips, %d in the dry run, %d told by the one who went on", run.Flipped, dry.Flipped, flips)
		}
		if n := int(gaveWay.Load()); n < 2*(run.Chunks-3) { // when a chunk was read, and when it was stored
			t.Errorf("it gave way to others %d times over %d chunks", n, run.Chunks)
		}
		if runs, _, err := db.Runs(t.Context(), "", 10); err != nil || len(runs) != 1 {
			t.Errorf("%d runs, %v, want one that went on", len(runs), err)
		}
		if reports := reportsBy(t, db, "strict-1"); reports != n {
			t.Errorf("%d reports count, want %d", reports, n)
		}
		edited := *list
		edited.Version = audit.Guide2026().Version
		if err := db.SaveChecklist(t.Context(), edited.Version, audit.Guide2026().Text(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Reaudit(t.Context(), audit.ReauditOptions{Checklist: &edited, DryRun: true}); audit.ErrorCode(err) != audit.CodeConflict {
			t.Errorf("a dry run by another text than is kept under the version: %v", err)
		}
		again, err := s.Reaudit(t.Context(), o)
		if err != nil || again.Done != n || again.Skipped != n || again.Flipped != 0 {
			t.Errorf("the same again: %+v, %v", again, err)
		}
	})
}

// reportsBy counts the uploads whose report that counts is by a checklist, and holds that
// none has two reports of one run.
func reportsBy(t testing.TB, db *DB, checklist string) (n int) {
	t.Helper()
	cases, err := db.Cases(t.Context(), audit.Filter{}, audit.Span{Last: "~"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.Report.Checklist == checklist {
			n++
		}
		all, err := db.Reports(t.Context(), c.Upload.PhotoID)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, r := range all {
			if key := r.UploadID + r.RunID; r.RunID != "" && seen[key] {
				t.Errorf("upload %s has two reports of run %s", r.UploadID, r.RunID)
			} else {
				seen[key] = true
			}
		}
	}
	return n
}

// TestRunsAtOnce works on two runs at once, each with workers of its own, while somebody
// tries to keep another text under the version of one of their checklists.
func TestRunsAtOnce(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		const n = 60
		for i := range n {
			sample(t, db, i)
		}
		versions := []string{"strict-1", "strict-2"}
		runs := make([]audit.Run, len(versions))
		services := []*audit.Service{service(db), service(db)}
		services[1].NewID = func() string { return "other-" + services[0].NewID() }
		var working sync.WaitGroup
		for i, version := range versions {
			working.Go(func() {
				edited := audit.ErrorCode(nil)
				run, err := services[i].Reaudit(t.Context(), audit.ReauditOptions{Checklist: stricter(t, version), ChunkSize: 7, WorkOptions: audit.WorkOptions{Workers: 2, Progress: func(r audit.Run) {
					if r.ChunksDone == 2 {
						edited = audit.ErrorCode(db.SaveChecklist(t.Context(), version, audit.Guide2026().Text(), time.Now()))
					}
				}}})
				if err != nil || run.State != audit.RunPublished || run.Done != n || run.Total != n || run.Failed != 0 || run.Skipped != 0 || run.ChunksDone != run.Chunks {
					t.Errorf("%s: %+v, %v", version, run, err)
				}
				if edited != audit.CodeConflict {
					t.Errorf("%s was kept with other contents: %q", version, edited)
				}
				runs[i] = run
			})
		}
		working.Wait()
		of := map[string]int{}
		for i := range n {
			u, _ := sampleUpload(i)
			reports, err := db.Reports(t.Context(), u.PhotoID)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range reports {
				of[r.RunID+" "+r.Checklist]++
			}
		}
		if of[runs[0].RunID+" strict-1"] != n || of[runs[1].RunID+" strict-2"] != n || len(of) != 3 {
			t.Errorf("reports by run and checklist: %v, want %d of each run", of, n)
		}
	})
}

// TestPoisonedUpload holds that an upload that cannot be judged fails alone: one whose
// photo breaks the decoder, one whose photo was altered, and those whose photos are gone.
func TestPoisonedUpload(t *testing.T) {
	both(t, func(t *testing.T, db *DB) {
		for i := range 6 {
			sample(t, db, i)
		}
		s := service(db)
		s.Measure = func(_ context.Context, b []byte) (audit.Measurement, error) {
			if string(b) == "photo 2" {
				panic("a photo that no decoder survives")
			}
			return audit.Measurement{Version: "measured anew"}, nil
		}
		s.Objects = fewObjects{"photo 2": "photo 2", "photo 3": "photo X", "photo 4": "photo 4"}
		run, err := s.Reaudit(t.Context(), audit.ReauditOptions{Measure: true, ChunkSize: 2})
		if err != nil || run.Done != 6 || run.Failed != 5 || run.State != audit.RunPublished {
			t.Fatalf("run = %+v, %v", run, err)
		}
		failures, _, err := db.Failures(t.Context(), run.RunID, "", 10)
		if err != nil || len(failures) != 5 {
			t.Fatalf("%d failures, %v", len(failures), err)
		}
		got := map[string]audit.Code{}
		for _, f := range failures {
			if got[f.PhotoID] = f.Code; f.Reason == "" {
				t.Errorf("%+v has no reason", f)
			}
		}
		want := map[string]audit.Code{}
		for i, code := range []audit.Code{audit.CodeNotFound, audit.CodeNotFound, audit.CodeInternal, audit.CodeCorrupted, "", audit.CodeNotFound} {
			if code != "" {
				want[audit.PhotoID(fmt.Appendf(nil, "photo %d", i))] = code
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("failures: %v, want %v", got, want)
		}
	})
}

// fewObjects is a store that has some photos: what is kept in place of each.
type fewObjects map[string]string

func (o fewObjects) Put(context.Context, string, []byte, string) error {
	return audit.Errorf(audit.CodeImmutable, "nothing is put here")
}

func (o fewObjects) Open(_ context.Context, key string) (io.ReadCloser, int64, error) {
	for photo, kept := range o {
		if key == audit.ObjectKey(audit.PhotoID([]byte(photo))) {
			return io.NopCloser(strings.NewReader(kept)), int64(len(kept)), nil
		}
	}
	return nil, 0, audit.Errorf(audit.CodeNotFound, "no such object")
}

// BenchmarkReaudit judges PORCHLIGHT_BENCH_UPLOADS stored measurements again by another
// checklist, with as many workers as there are processors. cpu-us/photo is this process's
// own time; Postgres has its own beside it.
func BenchmarkReaudit(b *testing.B) {
	n := benchSize("PORCHLIGHT_BENCH_UPLOADS", 20_000)
	for _, on := range databases {
		b.Run(fmt.Sprint(on.name, "/", n), func(b *testing.B) {
			url := on.url(b)
			seedElsewhere(b, url, n)
			db := mustOpen(b, url)
			b.Cleanup(func() { db.Close() })
			s := service(db)
			audit.SpendMemory()
			peak := watchMemory(b)
			began := cpuTime(b)
			for i := 0; b.Loop(); i++ {
				run, err := s.Reaudit(b.Context(), audit.ReauditOptions{Checklist: stricter(b, "strict-"+strconv.Itoa(i)), WorkOptions: audit.WorkOptions{Workers: runtime.NumCPU()}})
				if err != nil || run.Done != n || run.Failed != 0 {
					b.Fatalf("%+v, %v", run, err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "photos/s")
			b.ReportMetric(float64((cpuTime(b)-began).Microseconds())/float64(b.N*n), "cpu-us/photo")
			b.ReportMetric(float64(peak())/(1<<20), "peak-MiB")
		})
	}
}

// seedElsewhere fills a database in a process of its own, whose memory is gone with it.
func seedElsewhere(b *testing.B, url string, n int) {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkSeed$", "-test.benchtime=1x", "-test.timeout=60m")
	cmd.Env = append(os.Environ(), "PORCHLIGHT_BENCH_DATABASE="+url, "PORCHLIGHT_BENCH_CLAIMS="+strconv.Itoa(n))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}

// BenchmarkSeed is that process.
func BenchmarkSeed(b *testing.B) {
	if os.Getenv("PORCHLIGHT_BENCH_DATABASE") == "" {
		b.Skip("fills the database of another benchmark")
	}
	seedClaims(b, openBench(b), benchSize("PORCHLIGHT_BENCH_CLAIMS", 20_000))
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// watchMemory looks at the process's resident memory while a benchmark runs.
func watchMemory(b *testing.B) (peak func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	most, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			most = max(most, residentBytes())
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return func() int { cancel(); <-done; return most }
}

func residentBytes() int {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(v), " kB"))
			return kib << 10
		}
	}
	return 0
}
