package storagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"porchlight/audit"
)

// testSightingsByFingerprint holds that every photo within 15 bits is found wherever it
// was taken, that none beyond 31 is, and that distance and quality are what they are.
func testSightingsByFingerprint(t *testing.T, r Records) {
	random := rand.New(rand.NewPCG(1, 2))
	const originals = 12
	for i := range originals {
		id := fmt.Sprintf("original-%d", i)
		put(t, r, delivery(id, "D1", fmt.Sprint(i, " First St")))
		u := upload(id, id, "D1", at(float64(i)))
		if known, _ := add(t, r, u, measurement(print(i), 90-i)); len(known.Sightings) != 0 {
			t.Fatalf("an original is similar to %+v", known.Sightings)
		}
	}
	for distance := range 48 {
		i := distance % originals
		id := fmt.Sprintf("copy-%d", distance)
		put(t, r, delivery(id, "D2", fmt.Sprint(distance, " Second St")))
		// One bit in each band is the hardest case: at 16 no band is equal.
		var bits []int
		for n := range distance {
			bits = append(bits, n%16*16+(n/16))
		}
		if distance < 16 && distance%2 == 1 {
			bits = random.Perm(256)[:distance]
		}
		u := upload(id, id, "D2", at(100+float64(distance)))
		known, _ := add(t, r, u, measurement(flipped(print(i), bits...), 95))
		found := slices.IndexFunc(known.Sightings, func(s audit.Sighting) bool { return s.TrackingID == fmt.Sprintf("original-%d", i) })
		switch {
		case found < 0 && distance <= 15:
			t.Errorf("distance %d was not found", distance)
		case found >= 0 && distance > 31:
			t.Errorf("distance %d was found anywhere", distance)
		case found >= 0:
			s := known.Sightings[found]
			if s.Distance != distance || s.Quality != 90-i || s.DriverID != "D1" || s.StopKey != delivery("", "", fmt.Sprint(i, " First St")).Key() {
				t.Errorf("distance %d: sighting = %+v, want its distance, quality %d, driver D1, the original's stop", distance, s, 90-i)
			}
			if want := at(float64(i) - 1); !s.At.Equal(want) {
				t.Errorf("seen at %v, want when it was captured, %v", s.At, want)
			}
		}
	}
	// Below a quality of 50 a fingerprint says nothing.
	put(t, r, delivery("flat", "D3", "Flat St"))
	u := upload("flat", "flat", "D3", at(300))
	if known, _ := add(t, r, u, measurement(print(0), 49)); len(known.Sightings) != 0 {
		t.Errorf("a flat photo is similar to %+v", known.Sightings)
	}
	u = upload("exact", "flat", "D3", at(301))
	known, _ := add(t, r, u, measurement(print(0), 80))
	if slices.ContainsFunc(known.Sightings, func(s audit.Sighting) bool { return s.Quality < 50 }) {
		t.Errorf("sightings = %+v, want none of the flat photo", known.Sightings)
	}
}

// testSightingsOfTurned holds that a picture is found however it was turned or mirrored,
// at the distance it has then, and that one which is unlike in every way is not.
func testSightingsOfTurned(t *testing.T, r Records) {
	put(t, r, delivery("T0", "D1", "1 Main St"))
	original := upload("original", "T0", "D1", at(0))
	add(t, r, original, measurement(print(1), 90))
	for way := range 7 {
		id := fmt.Sprint("T", way+1)
		put(t, r, delivery(id, "D2", fmt.Sprint(way, " Second St")))
		for _, off := range []int{0, 12, 60} {
			var bits []int
			for n := range off {
				bits = append(bits, (37*n+5*way)%256)
			}
			m := measurement(print(100*way+off+2), 80)
			for i := range m.Turned {
				m.Turned[i] = print(1000*way + 10*off + i + 5000)
			}
			m.Turned[way] = flipped(print(1), bits...)
			known, _ := add(t, r, upload(fmt.Sprint("turned-", way, "-", off), id, "D2", at(float64(1000*way+off)+1)), m)
			found := slices.IndexFunc(known.Sightings, func(s audit.Sighting) bool { return s.UploadID == original.UploadID })
			switch {
			case off == 60 && found >= 0:
				t.Errorf("way %d: found at %d bits", way, off)
			case off < 60 && (found < 0 || known.Sightings[found].Distance != off || known.Sightings[found].Quality != 80):
				t.Errorf("way %d, %d bits: %+v", way, off, known.Sightings)
			}
		}
	}
}

// testSightingsOfTrimmed holds that a picture is found within borders, turned too, whichever
// came first, that two copies in other borders know each other, and that one with a caption
// over it is found by what is certain of it.
func testSightingsOfTrimmed(t *testing.T, r Records) {
	const whole, inner = 90, 70
	framed := func(n int, of string, turned int) audit.Measurement {
		m := measurement(print(n), whole)
		m.Trimmed, m.TrimmedQuality = of, inner
		if turned >= 0 {
			m.Trimmed = print(n + 1)
			for i := range m.TrimmedTurned {
				m.TrimmedTurned[i] = print(n + 2 + i)
			}
			m.TrimmedTurned[turned] = of
		}
		return m
	}
	captioned := measurement(print(500), whole)
	certain := make([]int, 40) // bits of which nothing is known, and which are wrong
	for i := range certain {
		certain[i] = 3 * i
	}
	captioned.Uncovered, captioned.Certain = flipped(print(3), append(certain, 200, 203)...), flipped(strings.Repeat("f", 64), certain...)
	unsure := measurement(print(501), whole)
	unsure.Uncovered, unsure.Certain = print(3), strings.Repeat("0f", 15)+strings.Repeat("00", 17)
	for i, test := range []struct {
		what     string
		m        audit.Measurement
		of       string // whose picture it is
		distance int
		quality  int
	}{
		{"a picture", measurement(print(1), whole), "", 0, 0},
		{"it within borders", framed(100, flipped(print(1), 5, 77), -1), "a picture", 2, inner},
		{"a picture within borders", framed(200, print(2), -1), "", 0, 0},
		{"it without", measurement(flipped(print(2), 9), whole), "a picture within borders", 1, inner},
		{"it within others", framed(300, flipped(print(2), 9, 10), -1), "it without", 1, inner},
		{"it within others, turned", framed(400, flipped(print(2), 9, 10, 11), 4), "it within others", 1, inner},
		{"another picture", measurement(print(3), whole), "", 0, 0},
		{"it under a caption", captioned, "another picture", 3, whole}, // 2 of 216 bits
		{"too little is certain of it", unsure, "", 0, 0},
		{"a flat picture within borders", func() audit.Measurement { m := framed(600, print(3), -1); m.TrimmedQuality = 49; return m }(), "", 0, 0},
	} {
		id := fmt.Sprint("T", i)
		put(t, r, delivery(id, fmt.Sprint("D", i), fmt.Sprint(i, " Main St")))
		known, _ := add(t, r, upload(test.what, id, fmt.Sprint("D", i), at(float64(i))), test.m)
		if test.of == "" {
			if len(known.Sightings) > 0 {
				t.Errorf("%s is taken for %+v", test.what, known.Sightings)
			}
			continue
		}
		if len(known.Sightings) == 0 || known.Sightings[0].PhotoID != photoID(test.of) || known.Sightings[0].Distance != test.distance || known.Sightings[0].Quality != test.quality {
			t.Errorf("%s: sightings %+v, want %s at %d bits", test.what, known.Sightings, test.of, test.distance)
		}
	}
}

// testSightingsAtStop holds that the same driver's photos of the same stop are compared
// up to 60 bits, for 90 days.
func testSightingsAtStop(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"), delivery("T2", "D1", "1 MAIN st."), delivery("T3", "D1", "2 Main St"), delivery("T4", "D2", "1 Main St"))
	day := 24 * 60.0
	add(t, r, upload("a", "T1", "D1", at(0)), measurement(print(1), 60))
	far := make([]int, 60)
	for i := range far {
		far[i] = i%16*16 + i/16
	}
	for i, test := range []struct {
		trackingID, driver string
		minutes            float64
		bits               int
		want               bool
	}{
		{"T2", "D1", 10, 60, true},
		{"T2", "D1", 11, 32, true},
		{"T2", "D1", 90*day - 1, 60, true},
		{"T2", "D1", 91 * day, 60, false},
		{"T3", "D1", 12, 60, false},
		{"T4", "D2", 13, 60, false},
	} {
		u := upload(fmt.Sprint("b", i), test.trackingID, test.driver, at(test.minutes))
		known, _ := add(t, r, u, measurement(flipped(print(1), far[:test.bits]...), 70))
		got := slices.ContainsFunc(known.Sightings, func(s audit.Sighting) bool {
			return s.PhotoID == photoID("a") && s.Distance == test.bits && s.Quality == 60
		})
		if got != test.want {
			t.Errorf("%+v: found %v, sightings %+v", test, got, known.Sightings)
		}
	}
	// Where a delivery's address is put right, its photos move with it.
	put(t, r, audit.Delivery{TrackingID: "T1", Stop: audit.Stop{Address: "2 Main St"}})
	known, _ := add(t, r, upload("c", "T3", "D1", at(20)), measurement(flipped(print(1), far[:50]...), 70))
	if !slices.ContainsFunc(known.Sightings, func(s audit.Sighting) bool { return s.PhotoID == photoID("a") && s.Distance == 50 }) {
		t.Errorf("sightings = %+v, want the photo of the delivery that moved", known.Sightings)
	}
}

func testSightingsOfEqualBytes(t *testing.T, r Records) {
	put(t, r, delivery("T1", "D1", "1 Main St"), delivery("T2", "D2", "2 Main St"), delivery("T3", "D1", "1 Main St"))
	broken := audit.Measurement{Version: "test-1"}
	first := upload("a", "T1", "D1", at(0))
	first.CapturedAt = nil
	add(t, r, first, broken)
	second := upload("a", "T2", "D2", at(1))
	known, _ := add(t, r, second, broken)
	want := audit.Sighting{UploadID: first.UploadID, PhotoID: first.PhotoID, TrackingID: "T1", DriverID: "D1",
		StopKey: delivery("", "", "1 Main St").Key(), At: first.ReceivedAt}
	same(t, "sightings of equal bytes", known.Sightings, []audit.Sighting{want})
	known, _ = add(t, r, upload("a", "T3", "D1", at(2)), broken)
	if len(known.Sightings) != 2 || known.Sightings[0].UploadID != first.UploadID || known.Sightings[1].UploadID != second.UploadID {
		t.Errorf("sightings = %+v, want both, the older first", known.Sightings)
	}
}

// testSightingsManyOfOneVisit holds that many photos of one visit do not hide the one
// that matters.
func testSightingsManyOfOneVisit(t *testing.T, r Records) {
	put(t, r, delivery("elsewhere", "D1", "9 Far St"))
	original := upload("near", "elsewhere", "D1", at(-5000))
	add(t, r, original, measurement(flipped(print(1), 1, 2, 3), 90))
	for i := range 70 {
		id := fmt.Sprint("T", i)
		put(t, r, delivery(id, "D1", "1 Main St"))
		known, _ := add(t, r, upload("same", id, "D1", at(float64(i))), measurement(print(1), 90))
		if !slices.ContainsFunc(known.Sightings, func(s audit.Sighting) bool { return s.UploadID == original.UploadID }) {
			t.Fatalf("after %d photos of the visit: sightings = %+v, want the one taken elsewhere", i, known.Sightings)
		}
		if len(known.Sightings) > 50 {
			t.Fatalf("%d sightings, 50 are the most", len(known.Sightings))
		}
	}
}
