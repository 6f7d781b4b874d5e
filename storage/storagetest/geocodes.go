package storagetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/geo"
)

// Geocodes is a queue of addresses and what became of them.
type Geocodes interface {
	NextAddress(ctx context.Context, now, until time.Time) (*audit.Sought, error)
	RecordLocated(ctx context.Context, l audit.Located, judge func(audit.Case) (audit.Report, bool)) (int, error)
	AddressesWaiting(ctx context.Context) (int, error)
}

// unplaced is a delivery whose stop has an address and no position.
func unplaced(id, street string) audit.Delivery {
	return audit.Delivery{TrackingID: id, DriverID: "D1", Stop: audit.Stop{Address: street, Locality: "Zürich"}}
}

// putAt imports at a time in minutes.
func putAt(t testing.TB, r Records, minutes float64, ds ...audit.Delivery) {
	t.Helper()
	_, err := r.PutDeliveries(t.Context(), ds, at(minutes))
	wantCode(t, "PutDeliveries", err, "")
}

func waiting(t testing.TB, r Records, want int) {
	t.Helper()
	n, err := r.AddressesWaiting(t.Context())
	wantCode(t, "AddressesWaiting", err, "")
	if n != want {
		t.Errorf("%d addresses wait, want %d", n, want)
	}
}

// next takes the turn at a time in minutes, for a minute.
func next(t testing.TB, r Records, minutes float64, want string) audit.Sought {
	t.Helper()
	a, err := r.NextAddress(t.Context(), at(minutes), at(minutes+1))
	wantCode(t, "NextAddress", err, "")
	if a == nil {
		a = &audit.Sought{}
	}
	if a.Street != want {
		t.Fatalf("at minute %g it is the turn of %q, want %q", minutes, a.Street, want)
	}
	return *a
}

func never(audit.Case) (audit.Report, bool) { return audit.Report{}, false }

func record(t testing.TB, r Records, l audit.Located, judge func(audit.Case) (audit.Report, bool)) int {
	t.Helper()
	n, err := r.RecordLocated(t.Context(), l, judge)
	wantCode(t, "RecordLocated", err, "")
	return n
}

var found = audit.Geocode{Point: geo.Point{Latitude: 47.3769, Longitude: 8.5417}, PrecisionM: 15, Kind: "building", Name: "Bahnhofstrasse 1, Zürich",
	Licence: "ODbL", Source: "nominatim.example", AskedAt: at(1)}

// testGeocodes holds that each address is asked about once, and where the answer shows.
func testGeocodes(t *testing.T, r Records) {
	placed := unplaced("T4", "4 Main St")
	placed.Latitude, placed.Longitude = ptr(47.1), ptr(8.1)
	street := audit.Delivery{TrackingID: "T5", Stop: audit.Stop{Address: "5 Main St"}}
	second := unplaced("T2", "1 MAIN st.")
	second.Unit = "2 b"
	putAt(t, r, 0, unplaced("T1", "1 Main St"), second, placed, street)
	putAt(t, r, 1, unplaced("T3", "3 Main St"))
	waiting(t, r, 2)

	next(t, r, -1, "")
	a := next(t, r, 2, "1 Main St")
	same(t, "sought", a, audit.Sought{PostalAddress: audit.PostalAddress{Street: "1 Main St", Locality: "Zürich"}, Turn: at(3)})
	next(t, r, 2.9, "") // one at a time
	record(t, r, audit.Located{Sought: a, At: at(2.1), Next: at(2.2), Place: &found}, never)
	waiting(t, r, 1)
	b := next(t, r, 2.2, "3 Main St")
	record(t, r, audit.Located{Sought: b, At: at(2.3), Next: at(2.4)}, never)
	next(t, r, 9, "")
	waiting(t, r, 0)

	for id, want := range map[string]*audit.Geocode{"T1": &found, "T2": &found, "T3": nil, "T4": nil, "T5": nil} {
		d, err := r.Delivery(t.Context(), id)
		wantCode(t, "Delivery", err, "")
		same(t, id+" geocoded", d.Geocoded, want)
		if (d.Latitude != nil) != (id == "T4") {
			t.Errorf("%s has latitude %v", id, d.Latitude)
		}
		e, err := r.Evidence(t.Context(), id)
		wantCode(t, "Evidence", err, "")
		same(t, id+" geocoded, as evidence", e.Delivery.Geocoded, want)
	}
	all, err := r.DriverDeliveries(t.Context(), "D1", time.Time{}, time.Time{})
	wantCode(t, "DriverDeliveries", err, "")
	n := 0
	for _, e := range all {
		if e.Delivery.Geocoded != nil {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d of a driver's deliveries are geocoded, want 2", n)
	}
	list, _, err := r.Deliveries(t.Context(), audit.DeliveryFilter{}, "", 10)
	wantCode(t, "Deliveries", err, "")
	n = 0
	for _, d := range list {
		if d.Geocoded != nil {
			n++
		}
	}
	if n != 2 || len(list) != 5 {
		t.Errorf("%d of %d deliveries in the list are geocoded, want 2 of 5", n, len(list))
	}

	// What is found counts for good, what is not for thirty days.
	month := audit.AbsentFor.Minutes()
	putAt(t, r, month, unplaced("T6", "1 Main St"), unplaced("T7", "3 Main St"))
	waiting(t, r, 0)
	putAt(t, r, month+3, unplaced("T8", "1 Main St"), unplaced("T9", "3 Main St"))
	waiting(t, r, 1)
	next(t, r, month+4, "3 Main St")

	// A position of its own goes first, and takes nothing over.
	d := unplaced("T1", "1 Main St")
	d.Latitude, d.Longitude = ptr(47.5), ptr(8.5)
	d.Geocoded = &audit.Geocode{PrecisionM: 1}
	putAt(t, r, month+5, d)
	got, err := r.Delivery(t.Context(), "T1")
	wantCode(t, "Delivery", err, "")
	if got.Geocoded != nil || *got.Latitude != 47.5 {
		t.Errorf("with a position of its own: %+v, geocoded %+v", *got.Latitude, got.Geocoded)
	}
}

// testGeocodingFailures holds that who fails waits, and that a turn is given back once.
func testGeocodingFailures(t *testing.T, r Records) {
	putAt(t, r, 0, unplaced("T1", "1 Main St"))
	putAt(t, r, 1, unplaced("T2", "2 Main St"))
	a := next(t, r, 2, "1 Main St")
	record(t, r, audit.Located{Sought: a, At: at(2), Next: at(5), Failed: true, Again: at(20)}, never)
	next(t, r, 4.9, "")
	b := next(t, r, 5, "2 Main St")
	if b.Failures != 1 || b.Attempts != 0 {
		t.Errorf("after a failure: %+v, want 1 failure and no attempt", b)
	}
	// The server with the turn is gone: the turn runs out, and another one takes it.
	c := next(t, r, 6.5, "2 Main St")
	record(t, r, audit.Located{Sought: b, At: at(6.6), Next: at(6.6), Failed: true, Again: at(6.6)}, never) // it was slow only
	next(t, r, 7, "")
	record(t, r, audit.Located{Sought: c, At: at(7), Next: at(7), Place: &found}, never)
	// The slow one's answer comes again, and does no harm.
	record(t, r, audit.Located{Sought: b, At: at(7.1), Next: at(99)}, never)
	if d, err := r.Delivery(t.Context(), "T2"); err != nil || d.Geocoded == nil {
		t.Errorf("found, and then not: %+v, %v", d.Geocoded, err)
	}
	next(t, r, 19, "")
	a = next(t, r, 20, "1 Main St")
	if a.Attempts != 1 || a.Failures != 0 {
		t.Errorf("once the service answers again: %+v, want 1 attempt and no failure", a)
	}
	waiting(t, r, 1)
}

// testGeocodesAtOnce holds that of many servers one has the turn.
func testGeocodesAtOnce(t *testing.T, r Records) {
	for i := range 5 {
		putAt(t, r, 0, unplaced(fmt.Sprint("T", i), fmt.Sprint(i, " Main St")))
	}
	var mu sync.Mutex
	turns := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			a, err := r.NextAddress(t.Context(), at(1), at(2))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("NextAddress: %v", err)
			}
			if a != nil {
				turns++
			}
		})
	}
	wg.Wait()
	if turns != 1 {
		t.Errorf("%d servers have the turn, want 1", turns)
	}
}

// testGeocodedUploads holds that uploads are judged with the position, and those before
// it again.
func testGeocodedUploads(t *testing.T, r Records) {
	putAt(t, r, 0, unplaced("T1", "1 Main St"), unplaced("T2", "1 Main St"), unplaced("T3", "3 Main St"))
	first := upload("a", "T1", "D1", at(1))
	shown := upload("b", "T3", "D1", at(2)) // of another stop, and shows T2
	shown.Also = []string{"T2"}
	for i, u := range []audit.Upload{first, shown} {
		if known, _ := add(t, r, u, measurement(print(i), 90)); known.Delivery.Geocoded != nil {
			t.Errorf("judged with %+v before it was found", known.Delivery.Geocoded)
		}
	}
	head, err := r.CustodyHead(t.Context())
	wantCode(t, "CustodyHead", err, "")
	a := next(t, r, 3, "1 Main St")
	var judged []string
	n := record(t, r, audit.Located{Sought: a, At: at(3), Next: at(3), Place: &found}, func(c audit.Case) (audit.Report, bool) {
		judged = append(judged, c.Upload.UploadID)
		same(t, "the case's position", c.Delivery.Geocoded, &found)
		rep := c.Report
		rep.ReportID, rep.JudgedAt, rep.Verdict = newID("report"), at(3), audit.Retake
		return rep, true
	})
	same(t, "judged again", judged, []string{first.UploadID})
	if n != 1 {
		t.Errorf("%d relocated, want 1", n)
	}
	reports, err := r.Reports(t.Context(), first.PhotoID)
	wantCode(t, "Reports", err, "")
	if len(reports) != 2 || reports[1].Verdict != audit.Retake {
		t.Errorf("%d reports, want a second one: %+v", len(reports), reports)
	}
	if after, err := r.CustodyHead(t.Context()); err != nil || after.Seq != head.Seq+1 {
		t.Errorf("custody head %v after %v, %v; want one entry more", after, head, err)
	}
	known, _ := add(t, r, upload("c", "T2", "D1", at(4)), measurement(print(3), 90))
	same(t, "a later upload's position", known.Delivery.Geocoded, &found)
}
