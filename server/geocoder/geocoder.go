// Package geocoder finds positions for stops that have none, by asking a geocoding
// service about their addresses in the background.
//
// The queue is in the records: it survives restarts, and any number of servers work on
// it. They take turns, so that all together ask about one address at a time and never
// sooner than a second after the one before. Where the service fails, everybody waits
// for longer and longer, up to an hour; an address that fails alone is put off for up
// to a day, so that the others go on.
package geocoder

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"porchlight/audit"
	"porchlight/audit/geo/nominatim"
)

// Queue is where addresses wait. Its methods answer [audit.CodeUnavailable] where the
// records are down.
type Queue interface {
	// NextAddress takes the turn to ask about the address that is due first, until a time;
	// nil where none is due or somebody else has the turn.
	NextAddress(ctx context.Context, now, until time.Time) (*audit.Sought, error)
	// RecordLocated keeps the outcome, gives the turn back, and appends the reports that
	// judge makes of the uploads for the address; it counts them.
	RecordLocated(ctx context.Context, l audit.Located, judge func(audit.Case) (audit.Report, bool)) (relocated int, err error)
	// AddressesWaiting counts what waits.
	AddressesWaiting(ctx context.Context) (int, error)
}

// Service finds an address; [nominatim.Client] does.
type Service interface {
	Search(ctx context.Context, a nominatim.Address) (p nominatim.Place, found bool, err error)
}

const (
	turnTime   = time.Minute      // longer than two requests with their waits, and keeping the outcome
	recordTime = 10 * time.Second // to keep an outcome
	firstPause = 5 * time.Second  // of everybody, when the service fails
	mostPause  = time.Hour
	firstAgain = time.Minute // of an address that failed
	mostAgain  = 24 * time.Hour
	countTime  = 2 * time.Second // that a scrape waits for the queue
)

// Config is what a [Worker] works with. Queue, Service and Judge are required.
type Config struct {
	Queue   Queue
	Service Service
	// Judge judges an upload again whose stop was found; [audit.Service.Relocate] does.
	Judge    func(audit.Case) (audit.Report, bool)
	Interval time.Duration    // between two addresses; default [nominatim.DefaultInterval]
	Poll     time.Duration    // how often the queue is looked into; default one second
	Now      func() time.Time // default [time.Now]
	Log      *slog.Logger     // default [slog.Default]
}

// Worker asks about what waits. It is a Prometheus collector of its own figures.
type Worker struct {
	Config
	requests *prometheus.CounterVec
	waiting  *prometheus.Desc
}

// New makes a worker.
func New(c Config) *Worker {
	if c.Interval <= 0 {
		c.Interval = nominatim.DefaultInterval
	}
	if c.Poll <= 0 {
		c.Poll = time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Worker{Config: c,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "porchlight_geocoding_requests_total",
			Help: "Addresses that the geocoding service was asked about, by result: found, absent, failed (asked about again later).",
		}, []string{"result"}),
		waiting: prometheus.NewDesc("porchlight_geocoding_queue_addresses", "Addresses that wait to be geocoded.", nil, nil),
	}
}

// Run asks about what is due until ctx ends.
func (w *Worker) Run(ctx context.Context) {
	tick := time.NewTicker(w.Poll)
	defer tick.Stop()
	for {
		if _, err := w.Step(ctx); err != nil && ctx.Err() == nil {
			w.Log.Error("geocoding: the queue is not available", "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Result is what came of a step.
type Result string

const (
	Idle   Result = "idle" // nothing was due, or somebody else asks
	Found  Result = "found"
	Absent Result = "absent" // the service knows no such place
	Failed Result = "failed" // the address is asked about again
)

// Step asks about one address. The error is the queue's; that of the service is logged.
func (w *Worker) Step(ctx context.Context) (Result, error) {
	now := w.Now()
	sought, err := w.Queue.NextAddress(ctx, now, now.Add(turnTime))
	if err != nil || sought == nil {
		return Idle, err
	}
	p, found, err := w.Service.Search(ctx, nominatim.Address{Street: sought.Street, Locality: sought.Locality, Postcode: sought.Postcode, Country: sought.Country})
	if ctx.Err() != nil {
		return Idle, ctx.Err() // the turn runs out by itself
	}
	l := w.located(*sought, p, found, err)
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	relocated, kept := w.Queue.RecordLocated(keep, l, w.Judge)
	if kept != nil {
		return Idle, kept
	}
	result := Absent
	switch {
	case l.Failed:
		result = Failed
		w.Log.Warn("geocoding failed", "cause", err, "failures", sought.Failures+1, "pause", l.Next.Sub(l.At))
	case found:
		result = Found
	}
	w.requests.WithLabelValues(string(result)).Inc()
	w.Log.Debug("geocoding", "result", result, "relocated", relocated)
	return result, nil
}

func (w *Worker) located(sought audit.Sought, p nominatim.Place, found bool, err error) audit.Located {
	at := w.Now().UTC().Truncate(time.Microsecond)
	l := audit.Located{Sought: sought, At: at, Next: at.Add(w.Interval)}
	if err != nil {
		pause := doubled(firstPause, sought.Failures, mostPause)
		var status *nominatim.StatusError
		if errors.As(err, &status) {
			pause = max(pause, min(status.RetryAfter, mostPause))
		}
		l.Failed, l.Next, l.Again = true, at.Add(pause), at.Add(doubled(firstAgain, sought.Attempts, mostAgain))
		return l
	}
	if found {
		l.Place = &audit.Geocode{Point: p.Point, PrecisionM: p.PrecisionM, Kind: p.Kind, Name: p.DisplayName, Licence: p.Licence, Source: p.Source, AskedAt: at}
	}
	return l
}

// doubled is first, doubled so many times, and not more than most.
func doubled(first time.Duration, times int, most time.Duration) time.Duration {
	d := first
	for range times {
		if d *= 2; d >= most {
			return most
		}
	}
	return d
}

// Describe is of [prometheus.Collector].
func (w *Worker) Describe(ch chan<- *prometheus.Desc) {
	w.requests.Describe(ch)
	ch <- w.waiting
}

// Collect is of [prometheus.Collector]. Where the queue does not answer, its figure is
// absent.
func (w *Worker) Collect(ch chan<- prometheus.Metric) {
	w.requests.Collect(ch)
	ctx, cancel := context.WithTimeout(context.Background(), countTime)
	defer cancel()
	n, err := w.Queue.AddressesWaiting(ctx)
	if err != nil {
		w.Log.Error("geocoding: the queue cannot be counted", "cause", err)
		return
	}
	ch <- prometheus.MustNewConstMetric(w.waiting, prometheus.GaugeValue, float64(n))
}
