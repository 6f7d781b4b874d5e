package sender

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"porchlight/audit/webhook"
	"porchlight/storage/sqldb"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// patience ends a test that would hang; no test waits for it to pass.
const patience = 30 * time.Second

// clock is a time that the test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// bench is a dispatcher on a real database.
type bench struct {
	t        *testing.T
	db       *sqldb.DB
	clock    clock
	config   Config
	attempts chan webhook.Attempt // those that are on record
	log      bytes.Buffer         // read when the dispatcher has ended
	*Dispatcher
	stop func() // waits for the dispatcher's end
}

func newBench(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: filepath.Join(t.TempDir(), "records.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	b := &bench{t: t, db: db, clock: clock{t: noon}, attempts: make(chan webhook.Attempt, 100)}
	b.config = Config{Outbox: db, AllowPrivate: true, Poll: 5 * time.Millisecond, Now: b.clock.now, Random: func() float64 { return 0 },
		Log: slog.New(slog.NewTextHandler(&b.log, nil)), Observe: func(a webhook.Attempt) { b.attempts <- a }}
	for _, f := range change {
		f(&b.config)
	}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

// start runs a new dispatcher on the bench's database.
func (b *bench) start() {
	b.Dispatcher = New(b.config)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.Dispatcher.Run(ctx)
	}()
	b.stop = func() { cancel(); <-ended }
}

// endpoint adds one; what it asks for does not matter to a ping.
func (b *bench) endpoint(url string) webhook.Endpoint {
	b.t.Helper()
	e, err := webhook.NewEndpoint(uuid.NewString(), url, nil, noon, true)
	if err == nil {
		err = b.db.AddEndpoint(b.t.Context(), e)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

func (b *bench) ping(e webhook.Endpoint) (messageID string) {
	b.t.Helper()
	event := webhook.PingEvent(uuid.NewString(), e.EndpointID, b.clock.now())
	if err := b.db.SendEvent(b.t.Context(), e.EndpointID, event); err != nil {
		b.t.Fatal(err)
	}
	return event.MessageID()
}

// next is the next attempt that is on record.
func (b *bench) next() webhook.Attempt {
	b.t.Helper()
	return receive(b.t, b.attempts)
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// messages are an endpoint's on record, newest first.
func (b *bench) messages(e webhook.Endpoint) []webhook.Message {
	b.t.Helper()
	all, _, err := b.db.Messages(b.t.Context(), e.EndpointID, "", 100)
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// request is what a receiver was sent.
type request struct {
	header http.Header
	body   string
}

// receiver is an endpoint that answers request n (from 0) as it is told, and 204 after.
func receiver(t *testing.T, answers ...func(http.ResponseWriter)) (url string, requests <-chan request) {
	t.Helper()
	got := make(chan request, 100)
	var mu sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		f := func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }
		if len(answers) > 0 {
			f, answers = answers[0], answers[1:]
		}
		mu.Unlock()
		got <- request{r.Header, string(body)}
		f(w)
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

func status(code int, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

// hangUp closes the connection in place of an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

// verify is written from the specification alone.
func verify(t *testing.T, secret string, r request) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		t.Errorf("the secret %q holds %d bytes (%v), want 24 to 64", secret, len(key), err)
	}
	h := hmac.New(sha256.New, key)
	io.WriteString(h, r.header.Get("Webhook-Id")+"."+r.header.Get("Webhook-Timestamp")+"."+r.body)
	if got, want := r.header.Get("Webhook-Signature"), "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("signature %q, want %q", got, want)
	}
}
