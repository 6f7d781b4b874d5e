package storagetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porchlight/audit"
)

func testChecklists(t *testing.T, r Records) {
	wantCode(t, "SaveChecklist", r.SaveChecklist(t.Context(), "guide-1", "limits: ½\n", noon), "")
	wantCode(t, "SaveChecklist again", r.SaveChecklist(t.Context(), "guide-1", "limits: ½\n", at(1)), "")
	wantCode(t, "SaveChecklist with other contents", r.SaveChecklist(t.Context(), "guide-1", "limits: 2\n", at(2)), audit.CodeConflict)
	got, err := r.Checklist(t.Context(), "guide-1")
	wantCode(t, "Checklist", err, "")
	same(t, "checklist", got, "limits: ½\n")
	wantCode(t, "SaveChecklist", r.SaveChecklist(t.Context(), "guide-0", "limits: 3\n", at(3)), "")
	kept := eachPage(t, 1, func(after string, limit int) ([]audit.KeptChecklist, string, error) {
		return r.Checklists(t.Context(), after, limit)
	})
	same(t, "checklists, the latest first", kept, []audit.KeptChecklist{{Version: "guide-0", SHA256: photoID("limits: 3\n"), KeptAt: at(3)},
		{Version: "guide-1", SHA256: photoID("limits: ½\n"), KeptAt: noon}})
	_, err = r.Checklist(t.Context(), "guide-2")
	wantCode(t, "Checklist that is not there", err, audit.CodeNotFound)
}

func testRuns(t *testing.T, r Records) {
	var want []string
	for i := range 7 {
		run := audit.Run{RunID: fmt.Sprint("R", i), Checklist: "guide-1", Filter: audit.Filter{Since: at(-10), Until: at(10), DriverID: "D1"},
			Measure: true, StartedAt: at(float64(i / 2))}
		wantCode(t, "StartRun", r.StartRun(t.Context(), run, nil), "")
		got, err := r.Run(t.Context(), run.RunID)
		wantCode(t, "Run", err, "")
		same(t, "run", got, run)
		want = append(want, run.RunID)
	}
	slices.Reverse(want)
	wantCode(t, "StartRun again", r.StartRun(t.Context(), audit.Run{RunID: "R1", StartedAt: noon}, nil), audit.CodeConflict)
	_, err := r.Run(t.Context(), "R9")
	wantCode(t, "Run that is not there", err, audit.CodeNotFound)
	for _, limit := range []int{1, 2, 3, 7, 8} {
		var got []string
		for _, run := range eachPage(t, limit, func(after string, limit int) ([]audit.Run, string, error) { return r.Runs(t.Context(), after, limit) }) {
			got = append(got, run.RunID)
		}
		same(t, fmt.Sprint("runs by ", limit), got, want)
	}
}

// all is the span of all uploads.
var all = audit.Span{First: "", Last: "~"}

// startRun keeps a run of those chunks that is held when it is done.
func startRun(t testing.TB, r Records, id, checklist string, chunks []audit.Span) audit.Run {
	t.Helper()
	run := audit.Run{RunID: id, State: audit.RunRunning, Checklist: checklist, Hold: true, StartedAt: at(400), Chunks: len(chunks)}
	wantCode(t, "StartRun", r.StartRun(t.Context(), run, chunks), "")
	return run
}

// take gives the next chunk of a run to a worker, nil where there is none.
func take(t testing.TB, r Records, runID string) *audit.Task {
	t.Helper()
	task, err := r.TakeChunk(t.Context(), runID, "W1", at(400), at(401))
	wantCode(t, "TakeChunk", err, "")
	return task
}

func testChunks(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	c := audit.Chunk{Done: 31, Skipped: 1, Verdicts: map[audit.Verdict]map[audit.Verdict]int{audit.Accept: {audit.Retake: 30, audit.Accept: 1}}}
	for i := range 30 {
		u := upload(fmt.Sprint("photo ", i), "T1", "D1", at(float64(i)))
		add(t, r, u, measurement(print(i), 90))
		rep := report(u, audit.Retake, at(500))
		rep.RunID = "R1"
		c.Reports = append(c.Reports, rep)
		c.Flips = append(c.Flips, audit.Flip{UploadID: u.UploadID, PhotoID: u.PhotoID, TrackingID: "T1", DriverID: "D1", Before: audit.Accept, After: audit.Retake, Check: "blur", Detail: "Soft"})
		c.Failures = append(c.Failures, audit.Failure{UploadID: u.UploadID, PhotoID: u.PhotoID, TrackingID: "T1", Code: audit.CodeCorrupted, Reason: "It no longer matches its digest"})
	}
	_, err := r.FinishChunk(t.Context(), audit.Task{RunID: "R1"}, c, at(501))
	wantCode(t, "FinishChunk without a run", err, audit.CodeNotFound)
	run := startRun(t, r, "R1", "guide-2", []audit.Span{all, {First: "x", Last: "y"}})

	first := take(t, r, "R1")
	same(t, "the first chunk", first, &audit.Task{RunID: "R1", Worker: "W1", Span: all})
	second := take(t, r, "R1")
	same(t, "the second chunk", second, &audit.Task{RunID: "R1", Number: 1, Worker: "W1", Span: audit.Span{First: "x", Last: "y"}})
	if third := take(t, r, "R1"); third != nil {
		t.Errorf("a chunk that somebody has is given out: %+v", third)
	}
	// Who does not come back leaves it to the next, unless it is kept.
	wantCode(t, "KeepChunk", r.KeepChunk(t.Context(), *second, at(410)), "")
	late, err := r.TakeChunk(t.Context(), "R1", "W2", at(405), at(406))
	wantCode(t, "TakeChunk of a worker that is gone", err, "")
	if late == nil || late.Number != 0 || late.Worker != "W2" {
		t.Errorf("%+v is given out, want chunk 0", late)
	}
	wantCode(t, "KeepChunk of another's", r.KeepChunk(t.Context(), *first, at(410)), audit.CodeConflict)

	got, err := r.FinishChunk(t.Context(), *late, c, at(501))
	wantCode(t, "FinishChunk", err, "")
	run.ChunksDone, run.Done, run.Skipped, run.Flipped, run.Failed, run.Verdicts = 1, 31, 1, 30, 30, c.Verdicts
	same(t, "run with its progress", got, run)
	got, err = r.FinishChunk(t.Context(), *first, c, at(502))
	wantCode(t, "FinishChunk of what is done", err, "")
	same(t, "run after a chunk that was done twice", got, run)
	wantCode(t, "KeepChunk of what is done", r.KeepChunk(t.Context(), *late, at(510)), audit.CodeConflict)

	got, err = r.FinishChunk(t.Context(), *second, audit.Chunk{}, at(503))
	wantCode(t, "FinishChunk of nothing", err, "")
	run.ChunksDone, run.State, run.FinishedAt = 2, audit.RunDone, ptr(at(503))
	same(t, "run at its end", got, run)
	got, err = r.Run(t.Context(), "R1")
	wantCode(t, "Run", err, "")
	same(t, "run on record", got, run)

	for _, limit := range []int{1, 7, 30, 31} {
		same(t, fmt.Sprint("flips by ", limit), eachPage(t, limit, func(after string, limit int) ([]audit.Flip, string, error) {
			return r.Flips(t.Context(), "R1", after, limit)
		}), c.Flips)
		same(t, fmt.Sprint("failures by ", limit), eachPage(t, limit, func(after string, limit int) ([]audit.Failure, string, error) {
			return r.Failures(t.Context(), "R1", after, limit)
		}), c.Failures)
	}
}

// testChunksOfMany holds that sixteen workers share a run's chunks, each one's once.
func testChunksOfMany(t *testing.T, r Records) {
	const chunks = 100
	spans := make([]audit.Span, chunks)
	for i := range spans {
		id := fmt.Sprintf("%03d", i)
		spans[i] = audit.Span{First: id, Last: id}
	}
	startRun(t, r, "R1", "v1", spans)
	var mu sync.Mutex
	taken := map[int]int{}
	var workers sync.WaitGroup
	for w := range 16 {
		workers.Go(func() {
			for {
				task, err := r.TakeChunk(t.Context(), "R1", fmt.Sprint("W", w), at(400), at(500))
				if err != nil || task == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				taken[task.Number]++
				mu.Unlock()
				if _, err := r.FinishChunk(t.Context(), *task, audit.Chunk{Done: 3}, at(401)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	for i := range chunks {
		if taken[i] != 1 {
			t.Errorf("chunk %d was given out %d times", i, taken[i])
		}
	}
	run, err := r.Run(t.Context(), "R1")
	wantCode(t, "Run", err, "")
	if run.State != audit.RunDone || run.ChunksDone != chunks || run.Done != 3*chunks {
		t.Errorf("run = %+v", run)
	}
}

func testRunStates(t *testing.T, r Records) {
	run := startRun(t, r, "R1", "v1", []audit.Span{all, all})
	same(t, "open runs", one(t, r.OpenRuns), []audit.Run{run})
	other := run
	other.RunID, other.StartedAt = "another", at(9)
	open, ok, err := r.OpenRun(t.Context(), other)
	wantCode(t, "OpenRun", err, "")
	if same(t, "the run that does the same", open, run); !ok {
		t.Error("not found")
	}
	for _, differs := range []func(*audit.Run){func(r *audit.Run) { r.Checklist = "v2" }, func(r *audit.Run) { r.Measure = true }, func(r *audit.Run) { r.Filter.DriverID = "D9" }} {
		other := run
		differs(&other)
		if open, ok, err := r.OpenRun(t.Context(), other); ok || err != nil {
			t.Errorf("%+v does the same as %+v, %v", open, other, err)
		}
	}
	change := func(to audit.RunState, want audit.Code) audit.Run {
		t.Helper()
		got, err := r.ChangeRun(t.Context(), "R1", to, at(402))
		wantCode(t, "ChangeRun to "+string(to), err, want)
		return got
	}
	change(audit.RunPublished, audit.CodeConflict)
	change(audit.RunPaused, "")
	if task := take(t, r, "R1"); task != nil {
		t.Errorf("a paused run's chunk is given out: %+v", task)
	}
	if _, ok, err := r.OpenRun(t.Context(), other); !ok || err != nil {
		t.Errorf("a paused run is found: %v, %v", ok, err)
	}
	same(t, "open runs while it is paused", one(t, r.OpenRuns), []audit.Run{})
	change(audit.RunRunning, "")
	task := take(t, r, "R1")
	got := change(audit.RunCancelled, "")
	if got.State != audit.RunCancelled || got.FinishedAt == nil {
		t.Errorf("cancelled: %+v", got)
	}
	_, err = r.FinishChunk(t.Context(), *task, audit.Chunk{Done: 1}, at(403))
	wantCode(t, "FinishChunk of a cancelled run", err, audit.CodeConflict)
	wantCode(t, "KeepChunk of a cancelled run", r.KeepChunk(t.Context(), *task, at(410)), audit.CodeConflict)
	for _, to := range []audit.RunState{audit.RunRunning, audit.RunPaused, audit.RunPublished, "nonsense"} {
		change(to, audit.CodeConflict)
	}
	if _, ok, err := r.OpenRun(t.Context(), other); ok || err != nil {
		t.Errorf("a cancelled run is found: %v, %v", ok, err)
	}
	_, err = r.ChangeRun(t.Context(), "R9", audit.RunPaused, at(402))
	wantCode(t, "ChangeRun of none", err, audit.CodeNotFound)
}

func one[T any](t testing.TB, get func(context.Context) (T, error)) T {
	t.Helper()
	v, err := get(t.Context())
	wantCode(t, "reading", err, "")
	return v
}

// testPublished holds that a run's reports count from when it is published, that the
// latest one counts, and that none is lost from a photo's history.
func testPublished(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"), delivery("T2", "D2", "2 Main St"))
	var uploads []audit.Upload
	first := map[string]audit.Report{}
	const photos = 281 // several rows of packed reports
	for i := range photos {
		id := "T1"
		if i >= 20 {
			id = "T2"
		}
		u := upload(fmt.Sprint("photo ", i), id, "", at(float64(i)))
		_, kept := add(t, r, u, measurement(print(i), 20))
		kept.Measurement = nil
		first[u.UploadID] = kept
		uploads = append(uploads, u)
	}
	slices.SortFunc(uploads, func(a, b audit.Upload) int { return strings.Compare(a.UploadID, b.UploadID) })
	judge := func(runID string, verdict audit.Verdict, judged time.Time, which func(i int) bool) map[string]audit.Report {
		var c audit.Chunk
		reports := map[string]audit.Report{}
		for i, u := range uploads {
			if which(i) {
				rep := report(u, verdict, judged)
				rep.RunID = runID
				c.Reports = append(c.Reports, rep)
				reports[u.UploadID] = rep
			}
		}
		startRun(t, r, runID, runID, []audit.Span{all})
		_, err := r.FinishChunk(t.Context(), *take(t, r, runID), c, judged)
		wantCode(t, "FinishChunk", err, "")
		return reports
	}
	counts := func(what string, want ...map[string]audit.Report) {
		t.Helper()
		cases, err := r.Cases(t.Context(), audit.Filter{}, all)
		wantCode(t, "Cases", err, "")
		if len(cases) != photos {
			t.Fatalf("%s: %d cases", what, len(cases))
		}
		for _, c := range cases {
			for _, w := range want {
				if rep, ok := w[c.Upload.UploadID]; ok {
					same(t, what, c.Report, rep)
					break
				}
			}
		}
		ev, err := r.Evidence(t.Context(), "T1")
		wantCode(t, "Evidence", err, "")
		for _, p := range ev.Photos {
			for _, w := range want {
				if rep, ok := w[p.Upload.UploadID]; ok {
					same(t, what+", as evidence", p.Report, rep)
					break
				}
			}
		}
	}
	all := judge("R1", audit.Retake, at(1000), func(int) bool { return true })
	counts("before it is published", first)
	some := judge("R2", audit.Review, at(2000), func(i int) bool { return i%3 == 0 })
	for i, want := range map[int]bool{0: true, 1: false} {
		made, ok, err := r.RunReport(t.Context(), "R2", uploads[i].UploadID)
		wantCode(t, "RunReport", err, "")
		same(t, "whether a run that does not count made a report", ok, want)
		if ok {
			same(t, "a report that does not count", made, some[uploads[i].UploadID])
		}
	}
	_, err := r.ChangeRun(t.Context(), "R2", audit.RunPublished, at(2001))
	wantCode(t, "publish", err, "")
	counts("the second alone is published", some, first)
	// It was judged before the second one, which goes over it, whenever it is published.
	_, err = r.ChangeRun(t.Context(), "R1", audit.RunPublished, at(3000))
	wantCode(t, "publish", err, "")
	counts("both are published", some, all)
	_, err = r.ChangeRun(t.Context(), "R1", audit.RunCancelled, at(3000))
	wantCode(t, "cancel what is published", err, audit.CodeConflict)

	for i, want := range map[int]int{0: 3, 1: 2, photos - 1: 2} {
		reports, err := r.Reports(t.Context(), uploads[i].PhotoID)
		wantCode(t, "Reports", err, "")
		if len(reports) != want || !slices.IsSortedFunc(reports, func(a, b audit.Report) int { return a.JudgedAt.Compare(b.JudgedAt) }) {
			t.Errorf("photo %d has %d reports, want %d, oldest first", i, len(reports), want)
		}
	}
}

func testRemeasured(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"), delivery("T2", "D2", "2 Main St"))
	u := upload("a", "T1", "D1", at(0))
	old := measurement(print(1), 90)
	add(t, r, u, old)
	fresh := measurement(print(2), 80)
	fresh.Version, fresh.Vision = "test-2", nil
	startRun(t, r, "R1", "v1", []audit.Span{all, all})
	for i := range 2 { // the second time that version is kept already
		c := audit.Chunk{Remeasured: map[string]audit.Measurement{u.PhotoID: fresh}}
		_, err := r.FinishChunk(t.Context(), *take(t, r, "R1"), c, at(10))
		wantCode(t, fmt.Sprint("FinishChunk ", i), err, "")
	}
	kept, err := r.PhotoUploads(t.Context(), u.PhotoID)
	wantCode(t, "PhotoUploads", err, "")
	same(t, "the measurement that counts", kept[0].Measurement, fresh)
	// It is found by its new likeness, and no longer by the old one.
	for _, test := range []struct {
		print string
		want  int
	}{{print(1), 0}, {print(2), 1}} {
		known, _ := add(t, r, upload("like "+test.print, "T2", "D2", at(5)), measurement(test.print, 90))
		if len(known.Sightings) != test.want {
			t.Errorf("sightings = %+v, want %d", known.Sightings, test.want)
		}
	}
	// A server that still measures the old way does not bring the old likeness back.
	again := upload("a", "T2", "D2", at(6))
	add(t, r, again, old)
	kept, err = r.PhotoUploads(t.Context(), u.PhotoID)
	wantCode(t, "PhotoUploads", err, "")
	for _, k := range kept {
		same(t, "the measurement that counts", k.Measurement, fresh)
	}
}

func testCases(t *testing.T, r Records) {
	var want []string
	drivers := []string{"D1", "D2"}
	known := map[string]audit.Known{}
	for i := range 23 {
		id := fmt.Sprint("T", i/2) // two photos a delivery
		d := delivery(id, drivers[i/2%2], fmt.Sprint(i/2, " Main St"))
		put(t, r, d)
		u := upload(fmt.Sprint("photo ", i), id, d.DriverID, at(float64(i)))
		known[u.UploadID], _ = add(t, r, u, measurement(print(i), 90))
		want = append(want, u.UploadID)
	}
	for _, test := range []struct {
		filter audit.Filter
		want   []string
	}{
		{audit.Filter{}, want},
		{audit.Filter{Since: at(5), Until: at(9)}, want[5:9]},
		{audit.Filter{Since: at(22)}, want[22:]},
		{audit.Filter{Until: at(0)}, nil},
		{audit.Filter{DriverID: "D2", Until: at(8)}, []string{want[2], want[3], want[6], want[7]}},
		{audit.Filter{DriverID: "D9"}, nil},
	} {
		for _, limit := range []int{1, 5, 23, 1000} {
			chunks, total, err := r.Plan(t.Context(), test.filter, limit)
			wantCode(t, "Plan", err, "")
			var got []string
			for _, span := range chunks {
				cases, err := r.Cases(t.Context(), test.filter, span)
				wantCode(t, "Cases", err, "")
				if len(cases) == 0 || len(cases) > limit {
					t.Errorf("a chunk of %d", len(cases))
				}
				for _, c := range cases {
					got = append(got, c.Upload.UploadID)
					wantCase(t, c)
				}
			}
			if total != len(test.want) {
				t.Errorf("%d planned, want %d", total, len(test.want))
			}
			same(t, fmt.Sprintf("cases of %+v by %d", test.filter, limit), got, test.want)
		}
	}
}

// wantCase holds that a case carries its own delivery, measurement and report, and the
// other upload of its delivery.
func wantCase(t testing.TB, c audit.Case) {
	t.Helper()
	u := c.Upload
	if c.Delivery.TrackingID != u.TrackingID || c.Report.UploadID != u.UploadID || c.Measurement.Version == "" {
		t.Errorf("case %s: delivery %s, report on %s", u.UploadID, c.Delivery.TrackingID, c.Report.UploadID)
	}
	others := 1
	if u.TrackingID == "T11" {
		others = 0 // the last delivery has one photo
	}
	if len(c.Others) != others {
		t.Errorf("case %s: %d others, want %d", u.UploadID, len(c.Others), others)
	}
	for _, o := range c.Others {
		if o.Upload.UploadID == u.UploadID || o.Upload.TrackingID != u.TrackingID || o.Report.UploadID != o.Upload.UploadID {
			t.Errorf("case %s: other %+v", u.UploadID, o.Upload)
		}
	}
}

// testCasesKeepTheOriginal holds that a re-audit sees of each upload what came before
// it, and no more: an original is not a copy of its copy.
func testCasesKeepTheOriginal(t *testing.T, r Records) {
	want := map[string][]audit.Sighting{}
	for i := range 5 {
		id := fmt.Sprint("T", i)
		put(t, r, delivery(id, fmt.Sprint("D", i), fmt.Sprint(i, " Main St")))
		name := "same bytes"
		if i%2 == 1 {
			name = fmt.Sprint("similar ", i)
		}
		// The clock of the one who received it may be wrong: what counts is what was there.
		u := upload(name, id, fmt.Sprint("D", i), at(float64(10-i)))
		known, _ := add(t, r, u, measurement(flipped(print(1), i%2), 90))
		want[u.UploadID] = known.Sightings
		if len(known.Sightings) != i {
			t.Fatalf("upload %d saw %d earlier ones", i, len(known.Sightings))
		}
	}
	cases, err := r.Cases(t.Context(), audit.Filter{}, all)
	wantCode(t, "Cases", err, "")
	if len(cases) != 5 {
		t.Fatalf("%d cases, want 5", len(cases))
	}
	for _, c := range cases {
		same(t, "sightings of "+c.Upload.TrackingID, c.Sightings, want[c.Upload.UploadID])
	}
}
