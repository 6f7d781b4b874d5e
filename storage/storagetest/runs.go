package storagetest

import (
	"fmt"
	"slices"
	"testing"

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
	var kept []audit.KeptChecklist
	for after := ""; ; {
		page, next, err := r.Checklists(t.Context(), after, 1)
		wantCode(t, "Checklists", err, "")
		kept = append(kept, page...)
		if after = next; after == "" {
			break
		}
	}
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
		wantCode(t, "StartRun", r.StartRun(t.Context(), run), "")
		got, err := r.Run(t.Context(), run.RunID)
		wantCode(t, "Run", err, "")
		same(t, "run", got, run)
		want = append(want, run.RunID)
	}
	slices.Reverse(want)
	wantCode(t, "StartRun again", r.StartRun(t.Context(), audit.Run{RunID: "R1", StartedAt: noon}), audit.CodeConflict)
	_, err := r.Run(t.Context(), "R9")
	wantCode(t, "Run that is not there", err, audit.CodeNotFound)
	for _, limit := range []int{1, 2, 3, 7, 8} {
		var got []string
		for after := ""; ; {
			page, next, err := r.Runs(t.Context(), after, limit)
			wantCode(t, "Runs", err, "")
			for _, run := range page {
				got = append(got, run.RunID)
			}
			if after = next; after == "" {
				break
			}
		}
		same(t, fmt.Sprint("runs by ", limit), got, want)
	}
}

func testChunks(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	var c audit.Chunk
	var want []audit.Flip
	for i := range 30 {
		u := upload(fmt.Sprint("photo ", i), "T1", "D1", at(float64(i)))
		add(t, r, u, measurement(print(i), 90))
		rep := report(u, audit.Retake, at(500))
		rep.RunID = "R1"
		c.Reports = append(c.Reports, rep)
		f := audit.Flip{UploadID: u.UploadID, PhotoID: u.PhotoID, TrackingID: "T1", DriverID: "D1", Before: audit.Accept, After: audit.Retake, Check: "blur", Detail: "Soft"}
		c.Flips = append(c.Flips, f)
		want = append(want, f)
	}
	run := audit.Run{RunID: "R1", Checklist: "guide-2", StartedAt: at(400)}
	wantCode(t, "AppendChunk without a run", r.AppendChunk(t.Context(), run, c), audit.CodeNotFound)
	wantCode(t, "StartRun", r.StartRun(t.Context(), run), "")
	run.Cursor, run.Done, run.Flipped, run.FinishedAt = want[29].UploadID, 30, 30, ptr(at(501))
	wantCode(t, "AppendChunk", r.AppendChunk(t.Context(), run, c), "")
	got, err := r.Run(t.Context(), "R1")
	wantCode(t, "Run", err, "")
	same(t, "run with its progress", got, run)

	again := run
	again.Done = 60
	wantCode(t, "AppendChunk again", r.AppendChunk(t.Context(), again, c), audit.CodeConflict)
	got, err = r.Run(t.Context(), "R1")
	wantCode(t, "Run", err, "")
	same(t, "run after a chunk that was refused", got, run)
	wantCode(t, "AppendChunk of nothing", r.AppendChunk(t.Context(), run, audit.Chunk{}), "")

	for _, limit := range []int{1, 7, 30, 31} {
		var got []audit.Flip
		for after := ""; ; {
			page, next, err := r.Flips(t.Context(), "R1", after, limit)
			wantCode(t, "Flips", err, "")
			got = append(got, page...)
			if after = next; after == "" {
				break
			}
		}
		same(t, fmt.Sprint("flips by ", limit), got, want)
	}
	uploads, err := r.PhotoUploads(t.Context(), want[3].PhotoID)
	wantCode(t, "PhotoUploads", err, "")
	same(t, "the report that counts", uploads[0].Report, c.Reports[3])
	reports, err := r.Reports(t.Context(), want[3].PhotoID)
	wantCode(t, "Reports", err, "")
	if len(reports) != 2 {
		t.Errorf("%d reports, want the old and the new one", len(reports))
	}
}

func testRemeasured(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"), delivery("T2", "D2", "2 Main St"))
	u := upload("a", "T1", "D1", at(0))
	old := measurement(print(1), 90)
	add(t, r, u, old)
	fresh := measurement(print(2), 80)
	fresh.Version, fresh.Vision = "test-2", nil
	run := audit.Run{RunID: "R1", StartedAt: noon}
	wantCode(t, "StartRun", r.StartRun(t.Context(), run), "")
	rep := report(u, audit.Accept, at(9))
	rep.MeasurementVersion = "test-2"
	for i := range 2 { // the second time that version is kept already
		rep.ReportID = newID("report")
		c := audit.Chunk{Reports: []audit.Report{rep}, Remeasured: map[string]audit.Measurement{u.PhotoID: fresh}}
		wantCode(t, fmt.Sprint("AppendChunk ", i), r.AppendChunk(t.Context(), run, c), "")
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
			var got []string
			for after := ""; ; {
				cases, err := r.Cases(t.Context(), test.filter, after, limit)
				wantCode(t, "Cases", err, "")
				if len(cases) == 0 {
					break
				}
				for _, c := range cases {
					after = c.Upload.UploadID
					got = append(got, after)
					wantCase(t, c)
				}
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
	cases, err := r.Cases(t.Context(), audit.Filter{}, "", 100)
	wantCode(t, "Cases", err, "")
	if len(cases) != 5 {
		t.Fatalf("%d cases, want 5", len(cases))
	}
	for _, c := range cases {
		same(t, "sightings of "+c.Upload.TrackingID, c.Sightings, want[c.Upload.UploadID])
	}
}
