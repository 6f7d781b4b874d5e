package storagetest

import (
	"errors"
	"fmt"
	"testing"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

func testUploadRoundTrip(t *testing.T, r Records) {
	d := delivery("T1", "D1", "1 Main St")
	put(t, r, d)
	u, m := upload("a", "T1", "D1", at(3)), measurement(print(1), 90)
	var known audit.Known
	want := report(u, audit.Review, at(4))
	kept, got, created, err := r.AddUpload(t.Context(), u, m, func(k audit.Known) ([]audit.Report, error) {
		known = k
		return []audit.Report{want}, nil
	})
	wantCode(t, "AddUpload", err, "")
	if !created {
		t.Error("not created")
	}
	same(t, "what the judge knew", known, audit.Known{Delivery: d})
	same(t, "upload", kept, u)
	bare := want
	want.Measurement = &m
	same(t, "report", got, want)

	uploads, err := r.PhotoUploads(t.Context(), u.PhotoID)
	wantCode(t, "PhotoUploads", err, "")
	same(t, "uploads of the photo", uploads, []audit.JudgedUpload{{Upload: u, Measurement: m, Report: bare}})
	reports, err := r.Reports(t.Context(), u.PhotoID)
	wantCode(t, "Reports", err, "")
	same(t, "reports", reports, []audit.Report{bare})

	// A photo that does not decode has no pixels, and is evidence all the same.
	broken := upload("broken", "T1", "D1", at(5))
	bm := audit.Measurement{Version: "test-1", Problem: &audit.Problem{Code: audit.CodeUndecodable, Message: "no end"}}
	add(t, r, broken, bm)
	uploads, err = r.PhotoUploads(t.Context(), broken.PhotoID)
	wantCode(t, "PhotoUploads", err, "")
	same(t, "measurement of a photo that does not decode", uploads[0].Measurement, bm)

	_, err = r.PhotoUploads(t.Context(), photoID("nothing"))
	wantCode(t, "PhotoUploads of nothing", err, audit.CodeNotFound)
	reports, err = r.Reports(t.Context(), photoID("nothing"))
	wantCode(t, "Reports of nothing", err, "")
	same(t, "reports of nothing", reports, []audit.Report{})
}

func testUploadAgain(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"), delivery("T2", "D1", "2 Main St"))
	first, m := upload("a", "T1", "D1", at(3)), measurement(print(1), 90)
	_, want := add(t, r, first, m)

	again := upload("a", "T1", "D1", at(30))
	other := m
	other.Version = "test-2"
	kept, got, created, err := r.AddUpload(t.Context(), again, other, func(audit.Known) ([]audit.Report, error) {
		t.Error("the judge was called for a photo that was judged")
		return nil, errors.New("called")
	})
	wantCode(t, "AddUpload again", err, "")
	if created {
		t.Error("created twice")
	}
	same(t, "upload", kept, first)
	same(t, "report", got, want)

	// For another delivery the same photo is another upload.
	elsewhere := upload("a", "T2", "D1", at(40))
	known, _ := add(t, r, elsewhere, m)
	if len(known.Sightings) != 1 || known.Sightings[0].UploadID != first.UploadID {
		t.Errorf("sightings = %+v, want the first upload", known.Sightings)
	}
	taken := upload("b", "T2", "D1", at(50))
	taken.UploadID = first.UploadID
	_, _, _, err = r.AddUpload(t.Context(), taken, measurement(print(2), 90), judgeAs(taken, audit.Accept, nil))
	wantCode(t, "AddUpload with a taken id", err, audit.CodeConflict)
	_, err = r.PhotoUploads(t.Context(), taken.PhotoID)
	wantCode(t, "PhotoUploads of what was refused", err, audit.CodeNotFound)
}

func testUploadUnknownDelivery(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	for _, u := range []audit.Upload{upload("a", "T9", "D1", at(1)), upload("b", "T1", "D1", at(1))} {
		if u.TrackingID == "T1" {
			u.Also = []string{"T1", "T9"}
		}
		_, _, _, err := r.AddUpload(t.Context(), u, measurement(print(1), 90), judgeAs(u, audit.Accept, nil))
		wantCode(t, "AddUpload", err, audit.CodeDelivery)
		if got, want := audit.ErrorMessage(err), "no delivery T9 is on record"; got != want {
			t.Errorf("message = %q, want %q", got, want)
		}
	}
}

func testUploadAlso(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"), delivery("T2", "D1", "1 Main St"), delivery("T3", "D1", "1 Main St"))
	u, m := upload("a", "T1", "D1", at(1)), measurement(print(1), 90)
	u.Also = []string{"T3", "T2"}
	add(t, r, u, m)
	for _, id := range []string{"T1", "T2", "T3"} {
		e, err := r.Evidence(t.Context(), id)
		wantCode(t, "Evidence", err, "")
		if len(e.Photos) != 1 || e.Photos[0].Upload.UploadID != u.UploadID {
			t.Errorf("%s: photos = %+v, want the one upload", id, e.Photos)
		}
	}
	// What shows T2 already is not stored for it once more.
	again := upload("a", "T2", "D1", at(2))
	kept, _, created, err := r.AddUpload(t.Context(), again, m, judgeAs(again, audit.Accept, nil))
	wantCode(t, "AddUpload", err, "")
	if created || kept.UploadID != u.UploadID {
		t.Errorf("created %v, upload %s; want the first one, %s", created, kept.UploadID, u.UploadID)
	}
	// The other way round, the wider upload is new and the narrower one stays.
	narrow, wide := upload("b", "T3", "D1", at(3)), upload("b", "T2", "D1", at(4))
	wide.Also = []string{"T3"}
	add(t, r, narrow, measurement(print(2), 90))
	add(t, r, wide, measurement(print(2), 90))
	e, err := r.Evidence(t.Context(), "T3")
	wantCode(t, "Evidence", err, "")
	if len(e.Photos) != 2 || e.Photos[1].Upload.UploadID != narrow.UploadID {
		t.Errorf("T3: photos = %+v, want the first upload and the narrow one", e.Photos)
	}
}

func testUploadRefusedByJudge(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	u := upload("a", "T1", "D1", at(1))
	refusal := errors.New("no verdict")
	for _, judge := range []func(audit.Known) ([]audit.Report, error){
		func(audit.Known) ([]audit.Report, error) { return nil, refusal },
		func(audit.Known) ([]audit.Report, error) { return nil, nil },
		func(audit.Known) ([]audit.Report, error) {
			stray := report(u, audit.Accept, at(1))
			stray.UploadID = "nobody's"
			return []audit.Report{report(u, audit.Accept, at(1)), stray}, nil
		},
	} {
		if _, _, created, err := r.AddUpload(t.Context(), u, measurement(print(1), 90), judge); err == nil || created {
			t.Errorf("created %v, error %v; want an error", created, err)
		}
		_, err := r.PhotoUploads(t.Context(), u.PhotoID)
		wantCode(t, "PhotoUploads of what was refused", err, audit.CodeNotFound)
	}
	_, _, _, err := r.AddUpload(t.Context(), u, measurement(print(1), 90), func(audit.Known) ([]audit.Report, error) { return nil, refusal })
	if !errors.Is(err, refusal) {
		t.Errorf("error = %v, want the judge's own", err)
	}
	add(t, r, u, measurement(print(1), 90))
}

func testUploadRejudgesOthers(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	first := upload("a", "T1", "D1", at(1))
	add(t, r, first, measurement(print(1), 90))
	second := upload("b", "T1", "D1", at(2))
	better := report(first, audit.Review, at(3))
	_, _, _, err := r.AddUpload(t.Context(), second, measurement(print(2), 90), func(k audit.Known) ([]audit.Report, error) {
		if len(k.Others) != 1 || k.Others[0].Upload.UploadID != first.UploadID || k.Others[0].Report.Verdict != audit.Accept {
			t.Errorf("others = %+v, want the first upload, accepted", k.Others)
		}
		return []audit.Report{report(second, audit.Accept, at(3)), better}, nil
	})
	wantCode(t, "AddUpload", err, "")
	reports, err := r.Reports(t.Context(), first.PhotoID)
	wantCode(t, "Reports", err, "")
	if len(reports) != 2 {
		t.Fatalf("%d reports, want 2", len(reports))
	}
	same(t, "the newer report", reports[1], better)
	uploads, err := r.PhotoUploads(t.Context(), first.PhotoID)
	wantCode(t, "PhotoUploads", err, "")
	same(t, "the report that counts", uploads[0].Report, better)
}

func testEvidence(t *testing.T, r Records) {
	d := delivery("T1", "D1", "1 Main St")
	put(t, r, d, delivery("T2", "D1", "2 Main St"))
	late, early := upload("a", "T1", "D1", at(9)), upload("b", "T1", "D1", at(4))
	add(t, r, late, measurement(print(1), 90))
	add(t, r, early, measurement(print(2), 90))
	events := []dispute.Event{
		{EventID: "E2", TrackingID: "T1", Kind: "contact", At: at(2), Source: "phone", Detail: "rang\ttwice", Latitude: ptr(47.0), Longitude: ptr(8.0), RecordedAt: at(3)},
		{EventID: "E1", TrackingID: "T1", Kind: "scan", At: at(1), RecordedAt: at(3)},
		{EventID: "E3", TrackingID: "T2", Kind: "scan", At: at(1), RecordedAt: at(3)},
	}
	wantCode(t, "AddEvents", r.AddEvents(t.Context(), events), "")
	changed := events[0]
	changed.Detail = "another story"
	wantCode(t, "AddEvents again", r.AddEvents(t.Context(), []dispute.Event{changed, events[1]}), "")
	wantCode(t, "AddEvents of nothing", r.AddEvents(t.Context(), nil), "")

	e, err := r.Evidence(t.Context(), "T1")
	wantCode(t, "Evidence", err, "")
	same(t, "delivery", e.Delivery, d)
	same(t, "events", e.Events, []dispute.Event{events[1], events[0]})
	if len(e.Photos) != 2 || e.Photos[0].Upload.UploadID != early.UploadID || e.Photos[1].Upload.UploadID != late.UploadID {
		t.Errorf("photos = %+v, want the early and the late one", e.Photos)
	}
	all, err := r.DriverDeliveries(t.Context(), "D1", at(-100), at(100))
	wantCode(t, "DriverDeliveries", err, "")
	if len(all) != 2 {
		t.Fatalf("%d deliveries, want 2", len(all))
	}
	e.History = dispute.History{} // which lists go without
	same(t, "a driver's delivery with its evidence", all[0], e)
	_, err = r.Evidence(t.Context(), "T9")
	wantCode(t, "Evidence on nothing", err, audit.CodeNotFound)
}

// testManyUploads sends far more photos for one delivery than any instruction asks for:
// each is judged beside the latest of them only, and all are kept.
func testManyUploads(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	const sent = 40
	var known audit.Known
	for i := range sent {
		known, _ = add(t, r, upload(fmt.Sprintf("photo %03d", i), "T1", "D1", at(float64(i))), measurement(print(i), 90))
	}
	if n := len(known.Others); n < 16 || n >= sent-1 {
		t.Fatalf("the last of %d photos is judged beside %d others, want a bounded number", sent, n)
	}
	if got, want := known.Others[len(known.Others)-1].Upload.PhotoID, photoID(fmt.Sprintf("photo %03d", sent-2)); got != want {
		t.Errorf("the latest of the others is photo %s, want the one before", got)
	}
	e, err := r.Evidence(t.Context(), "T1")
	wantCode(t, "Evidence", err, "")
	if len(e.Photos) != sent {
		t.Errorf("%d photos are on record, want %d", len(e.Photos), sent)
	}
}
