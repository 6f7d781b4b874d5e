package sender

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"porchlight/audit/webhook"
)

// Outbox is where messages wait. Its methods answer [audit.CodeUnavailable] where the
// records are down.
type Outbox interface {
	// Waiting lists the endpoints that a message is due for.
	Waiting(ctx context.Context, now time.Time) ([]webhook.Endpoint, error)
	// Lease takes at most limit due messages of an endpoint, which nobody else is given
	// before until.
	Lease(ctx context.Context, endpointID string, now, until time.Time, limit int) ([]webhook.Message, error)
	// Record keeps what came of sending a message.
	Record(ctx context.Context, a webhook.Attempt) error
	// Sweep forgets messages that were delivered before that time.
	Sweep(ctx context.Context, before time.Time) error
	// Backlog tells how much waits.
	Backlog(ctx context.Context) (webhook.Backlog, error)
}

const (
	attemptTime  = 15 * time.Second // for one attempt, from the look-up of the name to the end of the answer
	recordTime   = 10 * time.Second // to keep its outcome, when the sender stops
	leaseTime    = time.Minute      // longer than both
	sweepEvery   = time.Hour
	keepTime     = 7 * 24 * time.Hour // of messages that were delivered
	defaultPoll  = time.Second
	defaultEach  = 4
	defaultAgent = "Porchlight"
)

// Config is what a [Dispatcher] works with. Outbox is required.
type Config struct {
	Outbox Outbox
	// AllowPrivate lets messages go to private and loopback addresses, and over http. It
	// is meant for tests and for networks where that is wanted.
	AllowPrivate bool
	// PerEndpoint is how many messages are under way to one endpoint at once; default 4.
	PerEndpoint int
	// Poll is how often the outbox is looked into; default one second.
	Poll time.Duration
	// UserAgent names the sender to endpoints; default Porchlight.
	UserAgent string
	Now       func() time.Time // default [time.Now]
	// Random answers a number in [0, 1) that spreads retries; default [rand.Float64].
	Random func() float64
	Log    *slog.Logger // default [slog.Default]
	// Observe, if any, is told of each attempt once it is on record.
	Observe func(webhook.Attempt)
}

// Dispatcher sends messages. It is a Prometheus collector of its own figures.
type Dispatcher struct {
	Config
	client  *http.Client
	figures figures

	mu     sync.Mutex
	busy   map[string]int // messages under way, by endpoint
	flying sync.WaitGroup
	wake   chan struct{} // holds one where the outbox should be looked into at once
	swept  time.Time
}

// New makes a dispatcher.
func New(c Config) *Dispatcher {
	if c.PerEndpoint <= 0 {
		c.PerEndpoint = defaultEach
	}
	if c.Poll <= 0 {
		c.Poll = defaultPoll
	}
	if c.UserAgent == "" {
		c.UserAgent = defaultAgent
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Dispatcher{
		Config: c, client: newClient(c.AllowPrivate, c.PerEndpoint), figures: newFigures(),
		busy: map[string]int{}, wake: make(chan struct{}, 1),
	}
}

// Run sends what is due until ctx ends. Then it begins nothing more and returns when
// what is under way has ended and is on record, which takes 25 seconds at most.
func (d *Dispatcher) Run(ctx context.Context) {
	defer d.client.CloseIdleConnections()
	defer d.flying.Wait()
	tick := time.NewTicker(d.Poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		d.round(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-d.wake:
		}
	}
}

// round begins to send all that is due, as far as there are places for it.
func (d *Dispatcher) round(ctx context.Context) {
	now := d.Now()
	if now.Sub(d.swept) >= sweepEvery {
		if d.failed(ctx, "sweep", d.Outbox.Sweep(ctx, now.Add(-keepTime))) {
			return
		}
		d.swept = now
	}
	endpoints, err := d.Outbox.Waiting(ctx, now)
	if d.failed(ctx, "look into", err) {
		return
	}
	for _, e := range endpoints {
		free := d.free(e.EndpointID)
		if free == 0 {
			continue
		}
		leased, err := d.Outbox.Lease(ctx, e.EndpointID, now, now.Add(leaseTime), free)
		if d.failed(ctx, "take from", err) {
			return
		}
		for _, m := range leased {
			d.send(ctx, e, m)
		}
	}
}

// failed logs an error of the outbox. The round is over then; the next one tries again.
func (d *Dispatcher) failed(ctx context.Context, what string, err error) bool {
	if err != nil && ctx.Err() == nil {
		d.Log.Error("webhooks: cannot "+what+" the outbox", "cause", err)
	}
	return err != nil
}

func (d *Dispatcher) free(endpointID string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(0, d.PerEndpoint-d.busy[endpointID])
}

// occupy takes a place of an endpoint's, or gives it back.
func (d *Dispatcher) occupy(endpointID string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[endpointID] += n; d.busy[endpointID] == 0 {
		delete(d.busy, endpointID)
	}
}

// send sends a message in the background. What has begun is finished though ctx ends.
func (d *Dispatcher) send(ctx context.Context, e webhook.Endpoint, m webhook.Message) {
	ctx = context.WithoutCancel(ctx)
	d.occupy(e.EndpointID, 1)
	d.flying.Go(func() {
		a := d.attempt(ctx, e, m)
		keep, cancel := context.WithTimeout(ctx, recordTime)
		defer cancel()
		err := d.Outbox.Record(keep, a)
		d.occupy(e.EndpointID, -1)
		d.failed(ctx, "keep an outcome in", err) // the lease runs out, and it is sent again
		d.account(ctx, m, a)
		if d.Observe != nil {
			d.Observe(a)
		}
		select {
		case d.wake <- struct{}{}: // there is a place again
		default:
		}
	})
}

// account counts and logs an attempt. The endpoint's URL may hold a secret and is not
// logged.
func (d *Dispatcher) account(ctx context.Context, m webhook.Message, a webhook.Attempt) {
	d.figures.attempts.WithLabelValues(result(a)).Inc()
	level, attrs := slog.LevelDebug, []slog.Attr{
		slog.String("endpoint_id", a.EndpointID), slog.String("message_id", a.MessageID), slog.String("type", string(m.Type)),
		slog.Int("attempt", a.Number), slog.Int("status", a.Status), slog.String("state", string(a.State)),
	}
	if a.State != webhook.Delivered {
		level, attrs = slog.LevelWarn, append(attrs, slog.String("cause", a.Error))
	}
	d.Log.LogAttrs(ctx, level, "webhook", attrs...)
}
