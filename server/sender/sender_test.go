package sender

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"porchlight/audit/webhook"
)

func TestDelivery(t *testing.T) {
	url, requests := receiver(t)
	b := newBench(t)
	e := b.endpoint(url + "/hook?key=1")
	id := b.ping(e)
	r := receive(t, requests)
	verify(t, e.Secret, r)
	if got := r.header.Get("Webhook-Id"); got != id {
		t.Errorf("webhook-id = %q, want %q", got, id)
	}
	if got, want := r.header.Get("Webhook-Timestamp"), strconv.FormatInt(noon.Unix(), 10); got != want {
		t.Errorf("webhook-timestamp = %q, want %q", got, want)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q", got)
	}
	if want := `{"type":"ping","timestamp":"2026-03-14T12:00:00Z","data":{"endpoint_id":"` + e.EndpointID + `"}}`; r.body != want {
		t.Errorf("body %s, want %s", r.body, want)
	}
	want := webhook.Attempt{EndpointID: e.EndpointID, MessageID: id, Number: 1, At: noon, State: webhook.Delivered, Status: 204}
	if diff := cmp.Diff(want, b.next()); diff != "" {
		t.Errorf("attempt (-want +got):\n%s", diff)
	}
	if m := b.messages(e)[0]; m.State != webhook.Delivered || m.LastStatus != 204 {
		t.Errorf("on record: %+v", m)
	}
}

// TestRetries lets a message fail in every way, and holds the times between.
func TestRetries(t *testing.T) {
	url, requests := receiver(t, status(500), hangUp, status(503, "Retry-After", "600"), status(429, "Retry-After", noon.Add(5*time.Hour).Format(http.TimeFormat)),
		status(302, "Location", "/elsewhere"), status(404, "Retry-After", "90000"), status(503, "Retry-After", "999999999999"), status(418))
	b := newBench(t)
	e := b.endpoint(url)
	id := b.ping(e)
	at := noon
	for n, want := range []struct {
		status int
		wait   time.Duration
		words  string
	}{
		{500, 5 * time.Second, "500 Internal Server Error"},
		{0, 30 * time.Second, "EOF"},
		{503, 10 * time.Minute, "503 Service Unavailable"}, // as the endpoint asked
		{429, 5*time.Hour - 10*time.Minute - 35*time.Second, "429 Too Many Requests"},
		{302, time.Hour, "302 Found: redirects are not followed"},
		{404, 3 * time.Hour, "404 Not Found"},
		{503, 12 * time.Hour, "503 Service Unavailable"}, // 12 hours at most
		{418, 12 * time.Hour, "418 I'm a teapot"},
	} {
		r := receive(t, requests)
		verify(t, e.Secret, r)
		if got := r.header.Get("Webhook-Id"); got != id {
			t.Errorf("attempt %d: webhook-id = %q, want the same %q", n+1, got, id)
		}
		if got := r.header.Get("Webhook-Timestamp"); got != strconv.FormatInt(at.Unix(), 10) {
			t.Errorf("attempt %d: webhook-timestamp = %q, want its own time", n+1, got)
		}
		a := b.next()
		if a.Status != want.status || a.Error != want.words || a.State != webhook.Pending || a.NextAt.Sub(at) != want.wait {
			t.Errorf("attempt %d: %+v, want status %d, %q and %v to the next", n+1, a, want.status, want.words, want.wait)
		}
		at = a.NextAt
		b.clock.set(at)
	}
	if a := b.next(); a.State != webhook.Delivered || a.Number != 9 {
		t.Errorf("the last attempt: %+v, want it delivered", a)
	}
	if n := len(requests); n != 1 {
		t.Errorf("%d further requests, want 1: the redirect was followed", n)
	}
}

func TestGivenUp(t *testing.T) {
	var answers []func(http.ResponseWriter)
	for range 20 {
		answers = append(answers, status(500))
	}
	url, _ := receiver(t, answers...)
	b := newBench(t)
	e := b.endpoint(url)
	b.ping(e)
	var a webhook.Attempt
	for a = b.next(); a.State == webhook.Pending; a = b.next() {
		b.clock.set(a.NextAt)
	}
	if took := a.At.Sub(noon); a.State != webhook.Failed || a.Number != 9 || took < 22*time.Hour || took > 28*time.Hour {
		t.Errorf("given up after %v: %+v, want attempt 9 and 22 to 28 hours", took, a)
	}
	if m := b.messages(e)[0]; m.State != webhook.Failed || m.NextAttemptAt != nil || m.LastStatus != 500 {
		t.Errorf("on record: %+v, want it failed and listed", m)
	}
}

func TestGone(t *testing.T) {
	url, _ := receiver(t, status(410))
	b := newBench(t)
	e := b.endpoint(url)
	b.ping(e)
	if a := b.next(); !a.Gone || a.State != webhook.Failed {
		t.Errorf("attempt: %+v, want it gone", a)
	}
	all, err := b.db.Endpoints(t.Context())
	if err != nil || all[0].DisabledAt == nil {
		t.Errorf("endpoint %+v, %v; want it disabled", all, err)
	}
}

// TestPrivateAddresses holds that nothing is sent, or even connected to, that is not
// public, by address or by name.
func TestPrivateAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	connected := make(chan struct{}, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connected <- struct{}{}
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "[::]", "127.1"} {
		t.Run(host, func(t *testing.T) {
			t.Setenv("HTTPS_PROXY", "http://"+l.Addr().String())
			b := newBench(t, func(c *Config) { c.AllowPrivate = false })
			e := b.endpoint("https://" + host + ":" + port + "/")
			b.ping(e)
			a := b.next()
			// 127.1 is an address to some resolvers and no name to others.
			if a.Status != 0 || a.State != webhook.Pending || a.Error != errPrivate.Error() && host != "127.1" {
				t.Errorf("attempt: %+v, want %q", a, errPrivate)
			}
			if len(connected) > 0 {
				t.Error("it was connected to")
			}
		})
	}
	t.Run("http", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.AllowPrivate = false })
		b.ping(b.endpoint("http://example.com/"))
		if a := b.next(); !strings.Contains(a.Error, "https") {
			t.Errorf("attempt: %+v, want it refused for want of https", a)
		}
	})
}

func TestSlowEndpointHoldsUpNobody(t *testing.T) {
	entered, release := make(chan struct{}, 100), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		entered <- struct{}{}
		<-release
	}))
	t.Cleanup(slow.Close)
	free := sync.OnceFunc(func() { close(release) })
	t.Cleanup(free) // before the server waits for its requests to end
	url, _ := receiver(t)
	b := newBench(t)
	stuck, quick := b.endpoint(slow.URL), b.endpoint(url)
	for range 3 * defaultEach {
		b.ping(stuck)
	}
	for range defaultEach {
		receive(t, entered)
	}
	for range 10 {
		b.ping(quick)
	}
	for range 10 {
		if a := b.next(); a.EndpointID != quick.EndpointID || a.State != webhook.Delivered {
			t.Fatalf("attempt %+v, want one of the quick endpoint", a)
		}
	}
	if n := len(entered); n != 0 {
		t.Errorf("%d requests to the slow endpoint, want %d at once", defaultEach+n, defaultEach)
	}
	free()
	for range 3 * defaultEach {
		if a := b.next(); a.State != webhook.Delivered {
			t.Errorf("attempt %+v, want it delivered at last", a)
		}
	}
}

// TestStop holds that what is under way when the dispatcher stops is finished and kept.
func TestStop(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		entered <- struct{}{}
		<-release
	}))
	t.Cleanup(s.Close)
	b := newBench(t)
	e := b.endpoint(s.URL)
	b.ping(e)
	receive(t, entered)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		b.stop()
	}()
	close(release)
	receive(t, stopped)
	if m := b.messages(e)[0]; m.State != webhook.Delivered {
		t.Errorf("on record after the stop: %+v, want it delivered", m)
	}
}

// TestRestart leaves a message leased by a dispatcher that died: another one sends it,
// under the same id, when the lease has run out.
func TestRestart(t *testing.T) {
	url, requests := receiver(t)
	b := newBench(t)
	b.stop()
	e := b.endpoint(url)
	id := b.ping(e)
	if all, err := b.db.Lease(t.Context(), e.EndpointID, noon, noon.Add(leaseTime), 10); err != nil || len(all) != 1 {
		t.Fatalf("leased %d, %v", len(all), err)
	}
	b.start()
	later := b.ping(e)
	if a := b.next(); a.MessageID != later {
		t.Errorf("message %s was sent while it is leased, want %s", a.MessageID, later)
	}
	b.clock.set(noon.Add(leaseTime))
	if a := b.next(); a.MessageID != id || a.Number != 2 || a.State != webhook.Delivered {
		t.Errorf("attempt %+v, want message %s delivered at attempt 2", a, id)
	}
	receive(t, requests)
	if r := receive(t, requests); r.header.Get("Webhook-Id") != id {
		t.Errorf("webhook-id = %s, want %s", r.header.Get("Webhook-Id"), id)
	}
}

func TestLongAnswer(t *testing.T) {
	url, _ := receiver(t, func(w http.ResponseWriter) {
		block := make([]byte, 1<<20)
		for {
			if _, err := w.Write(block); err != nil { // ends when the sender has had enough
				return
			}
		}
	})
	b := newBench(t)
	b.ping(b.endpoint(url))
	if a := b.next(); a.State != webhook.Delivered || a.Status != 200 {
		t.Errorf("attempt %+v, want it delivered", a)
	}
}

func TestFiguresAndLog(t *testing.T) {
	url, _ := receiver(t, status(204), status(500))
	b := newBench(t)
	e := b.endpoint(url + "/secret-in-the-path")
	b.ping(e)
	b.next()
	b.ping(e)
	b.next()
	b.clock.set(noon.Add(4 * time.Second))
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(b.Dispatcher)
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`porchlight_webhook_attempts_total{result="delivered"} 1`, `porchlight_webhook_attempts_total{result="retried"} 1`,
		`porchlight_webhook_outbox_messages 1`, `porchlight_webhook_outbox_age_seconds 4`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("the figures lack %s:\n%s", want, w.Body)
		}
	}
	b.stop()
	if log := b.log.String(); !strings.Contains(log, "500 Internal") || strings.Contains(log, "secret-in-the-path") {
		t.Errorf("the log says %q, want the failure without the URL", log)
	}
}
