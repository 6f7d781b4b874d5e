package storagetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"porchlight/audit"
	"porchlight/audit/vision/scene"
)

// seen is a measurement of a photo of a place, its features shifted a little from visit to
// visit.
func seen(photo int, place uint64, visit int) audit.Measurement {
	random := rand.New(rand.NewPCG(place, 1))
	features := make([]scene.Feature, 60)
	for i := range features {
		f := &features[i]
		f.X, f.Y = uint16(random.IntN(50_000)+100*visit), uint16(random.IntN(40_000)+50*visit)
		f.Bits = [4]uint64{random.Uint64(), random.Uint64(), random.Uint64(), random.Uint64() ^ uint64(visit)}
	}
	m := measurement(print(photo), 90)
	v := *m.Vision
	v.Scene = scene.Encode(features)
	m.Vision = &v
	return m
}

// testRecognitions holds that a photo is compared with the accepted ones of its stop from
// earlier visits and with no others, and that what was found is kept.
func testRecognitions(t *testing.T, r Records) {
	const day = 24 * 60
	photos := 0
	visit := func(stop string, place uint64, minutes float64, verdict audit.Verdict) (audit.Upload, *audit.Recognition) {
		t.Helper()
		photos++
		id := fmt.Sprintf("T%d", photos)
		d := delivery(id, "D1", stop)
		put(t, r, d)
		u := upload(id, id, "D1", at(minutes))
		var known audit.Known
		_, _, _, err := r.AddUpload(t.Context(), u, seen(photos, place, photos), judgeAs(u, verdict, &known))
		wantCode(t, "AddUpload", err, "")
		if known.Recognition == nil {
			t.Fatal("it was not compared")
		}
		return u, known.Recognition
	}
	is := func(what string, got *audit.Recognition, compared int, like *audit.Upload) {
		t.Helper()
		switch {
		case got.Compared != compared:
			t.Errorf("%s: compared with %d photos, want %d", what, got.Compared, compared)
		case like == nil && (got.UploadID != "" || got.Points != 0 || !got.At.IsZero()):
			t.Errorf("%s: %+v, want nothing recognised", what, got)
		case like != nil && (got.UploadID != like.UploadID || got.Points < 50 || !got.At.Equal(*like.CapturedAt)):
			t.Errorf("%s: %+v, want upload %s and 50 points or more", what, got, like.UploadID)
		}
	}
	first, found := visit("1 Main St", 1, 0, audit.Accept)
	is("the first photo", found, 0, nil)
	_, found = visit("1 Main St", 1, 60, audit.Accept)
	is("a photo of the same visit", found, 0, nil)
	_, found = visit("2 Main St", 1, 3*day, audit.Accept)
	is("a photo of another stop", found, 0, nil)
	left, found := visit("1 Main St", 2, 2*day, audit.Review)
	is("a photo of another door", found, 2, nil)
	_, found = visit("1 Main St", 2, 4*day, audit.Retake)
	is("a photo of the same other door, which nobody accepted", found, 2, nil)
	_, err := r.AddRuling(t.Context(), audit.Ruling{RulingID: newID("ruling"), UploadID: left.UploadID, Kind: audit.RuledAccept, RuledBy: "token:1", RuledAt: at(5 * day)})
	wantCode(t, "AddRuling", err, "")
	again, found := visit("1 Main St", 2, 6*day, audit.Accept)
	is("a photo of a door that a person accepted", found, 3, &left)

	// The file of an earlier visit says nothing of this one.
	used, _ := visit("5 Main St", 8, 0, audit.Accept)
	put(t, r, delivery("file", "D1", "5 Main St"))
	u := upload(used.TrackingID, "file", "D1", at(8*day))
	known, _ := add(t, r, u, seen(photos, 8, photos))
	is("the file of an earlier visit", known.Recognition, 0, nil)

	// A photo that nobody looked at is not compared, nor is one compared with it.
	put(t, r, delivery("unseen", "D1", "3 Main St"))
	blind := upload("unseen", "unseen", "D1", at(0))
	known, _ = add(t, r, blind, measurement(print(98), 90))
	if known.Recognition != nil {
		t.Errorf("a photo without features: %+v", known.Recognition)
	}
	_, found = visit("3 Main St", 5, day, audit.Accept)
	is("beside a photo without features", found, 0, nil)
	// Once it is read again, it is.
	startRun(t, r, "R1", "guide-2", []audit.Span{all})
	now := seen(98, 5, 1)
	now.Version = "test-2"
	_, err = r.FinishChunk(t.Context(), *take(t, r, "R1"), audit.Chunk{Done: 1, Remeasured: map[string]audit.Measurement{blind.PhotoID: now}}, at(9*day))
	wantCode(t, "FinishChunk", err, "")
	_, found = visit("3 Main St", 5, 1.2*day, audit.Accept)
	is("beside a photo that was read again", found, 1, &blind)

	// The latest are compared, and no more than so many.
	for i := range audit.MaxCompared + 2 {
		place := uint64(7)
		if i == 0 || i > audit.MaxCompared {
			place = 6
		}
		_, found := visit("4 Main St", place, float64(i*day), audit.Accept)
		if i == audit.MaxCompared+1 {
			is("after many others", found, audit.MaxCompared, nil)
		}
	}

	// What was found is kept; the features are not among what is judged again.
	cases, err := r.CasesOf(t.Context(), []string{again.UploadID, first.UploadID, blind.UploadID})
	wantCode(t, "CasesOf", err, "")
	kept := map[string]*audit.Recognition{}
	for _, c := range cases {
		kept[c.Upload.UploadID] = c.Recognition
		if c.Measurement.Vision.Scene != nil {
			t.Error("a stored measurement holds features")
		}
	}
	is("what is kept of the first", kept[first.UploadID], 0, nil)
	is("what is kept of a recognised one", kept[again.UploadID], 3, &left)
	if kept[blind.UploadID] != nil {
		t.Errorf("what is kept of one that was not compared: %+v", kept[blind.UploadID])
	}
}
