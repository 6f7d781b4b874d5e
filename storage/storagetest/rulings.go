package storagetest

import (
	"slices"
	"strings"
	"testing"

	"porchlight/audit"
	"porchlight/audit/custody"
)

func testRulings(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"), delivery("T2", "D2", "2 Main St"))
	var uploads []audit.Upload
	for i, verdict := range []audit.Verdict{audit.Review, audit.Accept, audit.Review, audit.Retake} {
		u := upload([]string{"a", "b", "c", "d"}[i], []string{"T1", "T2"}[i%2], "D1", at(float64(i)))
		_, _, _, err := r.AddUpload(t.Context(), u, measurement(print(i), 90), judgeAs(u, verdict, nil))
		wantCode(t, "AddUpload", err, "")
		uploads = append(uploads, u)
	}
	waiting := func(want ...audit.Upload) {
		t.Helper()
		var got []audit.Upload
		for _, j := range eachPage(t, 1, func(after string, limit int) ([]audit.JudgedUpload, string, error) {
			return r.PhotosWaiting(t.Context(), after, limit)
		}) {
			got = append(got, j.Upload)
		}
		same(t, "waiting", got, want)
		n, err := r.CountPhotosWaiting(t.Context(), 10)
		wantCode(t, "CountPhotosWaiting", err, "")
		same(t, "how many wait", n, len(want))
	}
	waiting(uploads[0], uploads[2])

	ruling := func(u audit.Upload, kind audit.RulingKind, reason audit.Reason, minutes float64) audit.Ruling {
		return audit.Ruling{RulingID: newID("ruling"), UploadID: u.UploadID, Kind: kind, Reason: reason, Note: "a \"word\"", Landmark: "no", RuledBy: "token:1", RuledAt: at(minutes)}
	}
	_, err := r.AddRuling(t.Context(), ruling(audit.Upload{UploadID: "none"}, audit.RuledAccept, "", 10))
	wantCode(t, "AddRuling without its upload", err, audit.CodeNotFound)
	_, err = r.AddRuling(t.Context(), ruling(uploads[0], audit.RuledUndo, "", 10))
	wantCode(t, "AddRuling that undoes nothing", err, audit.CodeConflict)

	given := ruling(uploads[0], audit.RuledReject, audit.PackageInHand, 11)
	rejected, err := r.AddRuling(t.Context(), given)
	wantCode(t, "AddRuling", err, "")
	want := given
	want.PhotoID, want.TrackingID, want.DriverID, want.Checklist, want.Verdict, want.ReportID = uploads[0].PhotoID, "T1", "D1", "guide-test", audit.Review, rejected.ReportID
	same(t, "ruling", rejected, want)
	if rejected.ReportID == "" {
		t.Error("the ruling does not name the report that it was made on")
	}
	_, err = r.AddRuling(t.Context(), given)
	wantCode(t, "AddRuling with an id that is taken", err, audit.CodeConflict)
	waiting(uploads[2])

	// It counts wherever the photo is looked at.
	judged, err := r.PhotoUploads(t.Context(), uploads[0].PhotoID)
	wantCode(t, "PhotoUploads", err, "")
	same(t, "a photo's ruling", judged[0].Ruling, &rejected)
	ev, err := r.Evidence(t.Context(), "T1")
	wantCode(t, "Evidence", err, "")
	same(t, "what counts of the delivery's photos", []audit.Verdict{ev.Photos[0].Settled(), ev.Photos[1].Settled()}, []audit.Verdict{audit.Retake, audit.Review})

	// A new report neither takes it away nor asks a person again; where the checklist no
	// longer asks for one, the photo leaves the queue.
	startRun(t, r, "R1", "guide-2", []audit.Span{all})
	chunk := audit.Chunk{Reports: []audit.Report{report(uploads[0], audit.Review, at(21)), report(uploads[1], audit.Review, at(21)), report(uploads[2], audit.Accept, at(21))},
		Flips: []audit.Flip{{UploadID: uploads[1].UploadID, Before: audit.Accept, After: audit.Review}, {UploadID: uploads[2].UploadID, Before: audit.Review, After: audit.Accept}}}
	slices.SortFunc(chunk.Reports, func(a, b audit.Report) int { return strings.Compare(a.UploadID, b.UploadID) })
	_, err = r.FinishChunk(t.Context(), *take(t, r, "R1"), chunk, at(22))
	wantCode(t, "FinishChunk", err, "")
	waiting(uploads[2])
	_, err = r.ChangeRun(t.Context(), "R1", audit.RunPublished, at(23))
	wantCode(t, "ChangeRun", err, "")
	waiting(uploads[1])
	judged, err = r.PhotoUploads(t.Context(), uploads[0].PhotoID)
	wantCode(t, "PhotoUploads", err, "")
	same(t, "the ruling after a new report", judged[0].Ruling, &rejected)

	undone, err := r.AddRuling(t.Context(), ruling(uploads[0], audit.RuledUndo, "", 30))
	wantCode(t, "AddRuling that undoes", err, "")
	waiting(uploads[0], uploads[1])
	accepted, err := r.AddRuling(t.Context(), ruling(uploads[3], audit.RuledAccept, "", 31))
	wantCode(t, "AddRuling on a photo that the checklist rejects", err, "")
	gone, err := r.AddRuling(t.Context(), ruling(uploads[3], audit.RuledUndo, "", 32))
	wantCode(t, "AddRuling that undoes", err, "")
	waiting(uploads[0], uploads[1]) // it is the checklist's again

	for f, want := range map[audit.RulingFilter][]audit.Ruling{
		{}: {gone, accepted, undone, rejected}, {UploadID: uploads[0].UploadID}: {undone, rejected}, {UploadID: uploads[1].UploadID}: nil,
	} {
		for _, limit := range []int{1, 3, 10} {
			same(t, "rulings", eachPage(t, limit, func(after string, limit int) ([]audit.Ruling, string, error) {
				return r.Rulings(t.Context(), f, after, limit)
			}), want)
		}
	}
	_, _, err = r.Rulings(t.Context(), audit.RulingFilter{}, "!!!", 10)
	wantCode(t, "Rulings from a cursor that is none", err, audit.CodeInvalid)

	entries, _, err := r.Custody(t.Context(), custody.Subject{Kind: custody.Photo, ID: uploads[0].PhotoID}, "", 10)
	wantCode(t, "Custody", err, "")
	var actions []custody.Action
	for _, e := range entries {
		actions = append(actions, e.Action)
	}
	same(t, "what was done with the photo", actions, []custody.Action{custody.PhotoUploaded, custody.PhotoReviewed, custody.PhotoReviewed})
}

func testRecentUploads(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"))
	var ids []string
	for i := range 5 {
		u := upload(string(rune('a'+i)), "T1", "D1", at(float64(i)))
		add(t, r, u, measurement(print(i), 90))
		ids = append([]string{u.UploadID}, ids...)
	}
	var got, cases []string
	for before := ""; ; {
		page, err := r.RecentUploads(t.Context(), before, 2)
		wantCode(t, "RecentUploads", err, "")
		if len(page) == 0 {
			break
		}
		same(t, "Cases are of the same uploads", len(page) <= 2, true)
		k, err := r.RecentCases(t.Context(), before, 2)
		wantCode(t, "RecentCases", err, "")
		for i := range page {
			got, cases = append(got, page[i].Upload.UploadID), append(cases, k[i].Upload.UploadID)
		}
		before = got[len(got)-1]
	}
	same(t, "uploads, the latest first", got, ids)
	same(t, "cases, the latest first", cases, ids)
	some, err := r.CasesOf(t.Context(), []string{ids[0], "none", ids[2]})
	wantCode(t, "CasesOf", err, "")
	if len(some) != 2 || some[0].Upload.UploadID != ids[2] || some[1].Upload.UploadID != ids[0] || some[1].Known.Delivery.TrackingID != "T1" {
		t.Errorf("cases of two uploads and of none: %d, want the two, oldest first, with their delivery", len(some))
	}
}
