package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWebhookSurvivesKill kills the service after a failed attempt: the next one sends
// the message again, under the same id.
func TestWebhookSurvivesKill(t *testing.T) {
	type request struct{ id, signature, body string }
	requests, status := make(chan request, 10), make(chan int, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- request{r.Header.Get("webhook-id"), r.Header.Get("webhook-signature"), string(body)}
		w.WriteHeader(<-status)
	}))
	defer receiver.Close()
	next := func() request {
		t.Helper()
		select {
		case r := <-requests:
			return r
		case <-time.After(2 * time.Minute):
			t.Fatal("no message came")
			panic("unreachable")
		}
	}
	data := filepath.Join(t.TempDir(), "data")
	if _, stderr := run(t, 2, "webhook", "add", receiver.URL, "--data", data); !strings.Contains(stderr, "https") {
		t.Errorf("an endpoint on a loopback address is refused with %q", stderr)
	}
	if out, _ := run(t, 0, "webhook", "list", "--data", data); !strings.HasPrefix(out, "No webhook endpoints") {
		t.Errorf("list says %q", out)
	}
	out, _ := run(t, 0, "webhook", "add", receiver.URL, "--data", data, "--event", "claim.opened", "--webhook-allow-private")
	id, secret, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("add prints %q, want an id and a secret", out)
	}
	if out, _ := run(t, 0, "webhook", "list", "--data", data); !strings.HasPrefix(out, id) || strings.Contains(out, "whsec_") || !strings.Contains(out, "claim.opened") {
		t.Errorf("list says %q", out)
	}
	admin, _ := run(t, 0, "token", "create", "--data", data, "--role", "admin")
	admin = strings.TrimSpace(admin)

	status <- 500
	p := startServer(t, "--data", data, "--webhook-allow-private")
	p.do(200, "POST", "/api/v1/claims", admin, "application/json", []byte(`{"claim_id":"C1","tracking_id":"T1"}`))
	first := next()
	if !strings.Contains(first.body, `"claim_id":"C1"`) || !strings.HasPrefix(first.signature, "v1,") {
		t.Errorf("the message is %+v", first)
	}
	// The attempt's outcome is on record a moment after it was answered.
	var messages struct {
		Items []struct {
			State      string
			LastStatus int `json:"last_status"`
		}
	}
	recorded := func(want int) bool {
		p.do(200, "GET", "/api/v1/webhooks/"+id+"/deliveries", admin, "", nil).json(t, &messages)
		return len(messages.Items) == 1 && messages.Items[0].LastStatus == want
	}
	for tries := 0; !recorded(500); tries++ {
		if tries == 300 {
			t.Fatalf("on record: %+v, want status 500", messages.Items)
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.kill()
	status <- 204
	p.start()
	if again := next(); again.id != first.id || again.body != first.body {
		t.Errorf("after the kill came %+v, want %+v again", again, first)
	}
	if metrics := p.do(200, "GET", "/metrics", "", "", nil); !strings.Contains(string(metrics.body), "porchlight_webhook_outbox_messages") {
		t.Error("the outbox is not among the figures")
	}
	run(t, 0, "webhook", "remove", id, "--data", data)
	run(t, 2, "webhook", "remove", id, "--data", data)
}
