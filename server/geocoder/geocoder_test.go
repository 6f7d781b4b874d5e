package geocoder

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"porchlight/audit"
	"porchlight/audit/geo"
	"porchlight/audit/geo/nominatim"
	"porchlight/storage/sqldb"
)

// service answers by street; what it does not know is absent.
type service struct {
	mu     sync.Mutex
	places map[string]nominatim.Place
	faults map[string]error
	asked  []string
}

func (s *service) Search(_ context.Context, a nominatim.Address) (nominatim.Place, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, a.Street)
	if err := s.faults[a.Street]; err != nil {
		return nominatim.Place{}, false, err
	}
	p, ok := s.places[a.Street]
	return p, ok, nil
}

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// setUp opens records with a delivery for each street.
func setUp(t *testing.T, streets ...string) (*sqldb.DB, *service, *clock, func() *Worker) {
	t.Helper()
	at := &clock{at: time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)}
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: filepath.Join(t.TempDir(), "records.db"), Now: at.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, street := range streets { // one after another: they are due in this order
		d := audit.Delivery{TrackingID: "for " + street, Stop: audit.Stop{Address: street, Locality: "Springfield"}}
		if _, err := db.PutDeliveries(t.Context(), []audit.Delivery{d}, at.Now()); err != nil {
			t.Fatal(err)
		}
		at.pass(time.Second)
	}
	s := &service{places: map[string]nominatim.Place{}, faults: map[string]error{}}
	return db, s, at, func() *Worker {
		return New(Config{Queue: db, Service: s, Now: at.Now, Log: slog.New(slog.DiscardHandler), Poll: time.Millisecond,
			Judge: func(audit.Case) (audit.Report, bool) { return audit.Report{}, false }})
	}
}

func step(t *testing.T, w *Worker, want Result) {
	t.Helper()
	got, err := w.Step(t.Context())
	if err != nil || got != want {
		t.Fatalf("Step = %q, %v; want %q", got, err, want)
	}
}

func geocoded(t *testing.T, db *sqldb.DB, street string) *audit.Geocode {
	t.Helper()
	d, err := db.Delivery(t.Context(), "for "+street)
	if err != nil {
		t.Fatal(err)
	}
	return d.Geocoded
}

// TestStep holds that each address is asked about once, no two within a second, and that
// what is found shows in the delivery with its precision.
func TestStep(t *testing.T) {
	db, s, at, worker := setUp(t, "1 Elm St", "2 Elm St")
	s.places["1 Elm St"] = nominatim.Place{Point: geo.Point{Latitude: 47.5, Longitude: -122.5}, PrecisionM: 15, Kind: "building",
		DisplayName: "1, Elm Street", Licence: "ODbL", Source: "geo.example"}
	w, other := worker(), worker()
	step(t, w, Found)
	step(t, w, Idle) // within the second
	at.pass(900 * time.Millisecond)
	step(t, other, Idle) // the turn is everybody's
	at.pass(100 * time.Millisecond)
	step(t, other, Absent)
	at.pass(time.Hour)
	step(t, w, Idle)
	g := geocoded(t, db, "1 Elm St")
	if g == nil || g.Point != (geo.Point{Latitude: 47.5, Longitude: -122.5}) || g.PrecisionM != 15 || g.Licence != "ODbL" || g.Source != "geo.example" || g.AskedAt.IsZero() {
		t.Errorf("1 Elm St is geocoded as %+v", g)
	}
	if g := geocoded(t, db, "2 Elm St"); g != nil {
		t.Errorf("2 Elm St, which the service does not know, is geocoded as %+v", g)
	}
	if n := len(s.asked); n != 2 {
		t.Errorf("the service was asked %d times, want 2: %q", n, s.asked)
	}
	if got := testutil.ToFloat64(w.requests.WithLabelValues("found")); got != 1 {
		t.Errorf("found counts %v, want 1", got)
	}
}

// TestFailures holds that everybody pauses longer and longer while the service fails, at
// least as long as it asks for, and that an address that fails is put behind the others.
func TestFailures(t *testing.T) {
	db, s, at, worker := setUp(t, "1 Elm St", "2 Elm St")
	s.places["2 Elm St"] = nominatim.Place{Point: geo.Point{Latitude: 47.5, Longitude: -122.5}, PrecisionM: 100}
	s.faults["1 Elm St"] = errors.New("no route to host")
	s.faults["2 Elm St"] = &nominatim.StatusError{Status: 429, RetryAfter: 40 * time.Second}
	w := worker()
	step(t, w, Failed) // 1 Elm St, everybody pauses for 5 s
	at.pass(4 * time.Second)
	step(t, w, Idle)
	at.pass(time.Second)
	step(t, w, Failed) // 2 Elm St: 10 s, but 40 s are asked for
	at.pass(39 * time.Second)
	step(t, w, Idle)
	s.faults["2 Elm St"] = nil
	at.pass(time.Minute)
	step(t, w, Failed) // 1 Elm St is due first again: 20 s
	at.pass(19 * time.Second)
	step(t, w, Idle)
	at.pass(time.Second)
	step(t, w, Found)
	if geocoded(t, db, "2 Elm St") == nil {
		t.Error("2 Elm St is not geocoded once the service answers")
	}
	at.pass(mostAgain)
	s.faults["1 Elm St"] = nil
	step(t, w, Absent)
	if n, err := db.AddressesWaiting(t.Context()); n != 0 || err != nil {
		t.Errorf("%d addresses wait, %v; want none", n, err)
	}
}

func TestDoubled(t *testing.T) {
	for times, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
		if got := doubled(firstPause, times, mostPause); got != want {
			t.Errorf("after %d failures: %v, want %v", times, got, want)
		}
	}
	if got := doubled(firstPause, 1000, mostPause); got != mostPause {
		t.Errorf("after many failures: %v, want %v", got, mostPause)
	}
}

// TestRun holds that a running worker empties the queue and ends with its context.
func TestRun(t *testing.T) {
	db, _, at, worker := setUp(t, "1 Elm St", "2 Elm St", "3 Elm St")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		worker().Run(ctx)
	}()
	for range 1000 {
		if n, err := db.AddressesWaiting(t.Context()); err != nil || n == 0 {
			break
		}
		at.pass(time.Second)
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	<-done
	if n, err := db.AddressesWaiting(t.Context()); n != 0 || err != nil {
		t.Errorf("%d addresses wait, %v; want none", n, err)
	}
}
