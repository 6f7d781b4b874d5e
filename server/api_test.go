package server

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
)

func TestRequestErrors(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "other1")
	for _, c := range []struct {
		role               audit.Role
		method, path, body string
		status             int
		code               audit.Code
	}{
		{audit.Admin, "GET", "/api/v1/nothing", "", 404, audit.CodeNotFound},
		{audit.Admin, "GET", "/api/v1/deliveries/T1/", "", 404, audit.CodeNotFound},
		{audit.Admin, "DELETE", "/api/v1/claims", "", 405, CodeMethod},
		{audit.Admin, "GET", "/api/v1/deliveries/T9", "", 404, audit.CodeDelivery},
		{audit.Admin, "GET", "/api/v1/claims/C9", "", 404, audit.CodeNotFound},
		{audit.Admin, "GET", "/api/v1/claims/C9/packets", "", 404, audit.CodeNotFound},
		{audit.Admin, "POST", "/api/v1/claims/C9/packets", "", 404, audit.CodeNotFound},
		{audit.Admin, "GET", "/api/v1/packets/P9.zip", "", 404, audit.CodeNotFound},
		{audit.Admin, "GET", "/api/v1/packets/P9.json", "", 404, audit.CodeNotFound},
		{audit.Admin, "GET", "/api/v1/packets/P9.exe", "", 404, audit.CodeNotFound},
		{audit.Admin, "GET", "/api/v1/reaudits/R9", "", 404, audit.CodeNotFound},
		{audit.Admin, "GET", "/api/v1/custody?cursor=forged", "", 422, audit.CodeInvalid},
		{audit.Admin, "GET", "/api/v1/custody?subject_kind=photo", "", 422, audit.CodeInvalid},
		{audit.Admin, "GET", "/api/v1/custody?subject_kind=king&subject_id=1", "", 422, audit.CodeInvalid},
		{audit.Admin, "GET", "/api/v1/claims?limit=0", "", 422, audit.CodeInvalid},
		{audit.Admin, "GET", "/api/v1/claims?limit=many", "", 422, audit.CodeInvalid},
		{audit.Admin, "GET", "/api/v1/claims?cursor=forged", "", 422, audit.CodeInvalid},
		{audit.Admin, "GET", "/api/v1/claims?colour=red", "", 422, audit.CodeUnknownField},
		{audit.Admin, "POST", "/api/v1/reaudits", "{", 400, audit.CodeUnreadable},
		{audit.Admin, "POST", "/api/v1/reaudits", `{"colour":"red"}`, 422, audit.CodeUnknownField},
		{audit.Admin, "POST", "/api/v1/reaudits", `{"measure":"yes"}`, 422, audit.CodeInvalid},
		{audit.Admin, "POST", "/api/v1/reaudits", `{"checklist":"guide-1066"}`, 422, audit.CodeChecklist},
		{audit.Admin, "POST", "/api/v1/reaudits", `{"since":"2026-05-04T00:00:00Z","until":"2026-05-03T00:00:00Z"}`, 422, audit.CodeInvalid},
		{audit.Driver, "POST", "/api/v1/deliveries/T1/events", `{"kind":"contact"}`, 422, audit.CodeInvalid},
		{audit.Driver, "POST", "/api/v1/deliveries/T1/events", `{"kind":"fix","at":"2026-05-04T00:00:00Z","latitude":1}`, 422, audit.CodeInvalid},
		{audit.Driver, "POST", "/api/v1/deliveries/T1/events", `{"kind":"fix","at":"2026-05-04T00:00:00Z","latitude":91,"longitude":1}`, 422, audit.CodeInvalid},
		{audit.Driver, "POST", "/api/v1/deliveries/other1/events", `{"kind":"note","at":"2026-05-04T00:00:00Z"}`, 403, audit.CodeNotYours},
		{audit.Driver, "POST", "/api/v1/deliveries/T1/events", `"` + strings.Repeat("x", 2<<20) + `"`, 413, CodeTooMuch},
	} {
		t.Run(c.method+" "+c.path+" "+c.body[:min(40, len(c.body))], func(t *testing.T) {
			contentType := ""
			if c.body != "" {
				contentType = "application/json"
			}
			got := s.as(t, c.role, c.method, c.path, contentType, c.body)
			p := got.problem(t)
			if got.StatusCode != c.status || p.Code != c.code || p.Status != c.status || p.Title == "" || p.Detail == "" || p.RequestID != got.Header.Get("X-Request-Id") {
				t.Errorf("got %d %+v, want %d %s", got.StatusCode, p, c.status, c.code)
			}
			if len(p.Detail) > 1000 {
				t.Errorf("the detail has %d bytes", len(p.Detail))
			}
		})
	}
	if got := s.as(t, audit.Admin, "POST", "/api/v1/reaudits", "text/plain", "measure"); got.StatusCode != 415 || got.problem(t).Code != CodeMediaType {
		t.Errorf("plain text: %d %s", got.StatusCode, got.body)
	}
	if got := s.as(t, audit.Admin, "DELETE", "/api/v1/claims", "", ""); !strings.Contains(got.Header.Get("Allow"), "GET") {
		t.Errorf("Allow = %q", got.Header.Get("Allow"))
	}
}

// inside is what must never reach a client.
var inside = regexp.MustCompile(`(?i)sql|select |insert |goroutine|\.go:\d|panic|database|constraint|/tmp|no such file|permission|runtime error`)

func TestNothingFromInsideReachesABody(t *testing.T) {
	measure := func(context.Context, []byte) (audit.Measurement, error) {
		var nobody *audit.Measurement
		return *nobody, nil
	}
	s := newStack(t, func(c *Config) { c.Audit.Measure = measure })
	s.deliveries(t, "T1")
	s.addClaim(t, "C1", "T1")
	check := func(name string, r reply, status int) {
		t.Helper()
		p := r.problem(t)
		if r.StatusCode != status {
			t.Errorf("%s: got %d %s, want %d", name, r.StatusCode, r.body, status)
		}
		if found := inside.Find(r.body); found != nil || strings.Contains(string(r.body), s.path) {
			t.Errorf("%s: %q reaches the body: %s", name, found, r.body)
		}
		if p.RequestID == "" || !strings.Contains(s.log.String(), "request_id="+p.RequestID) {
			t.Errorf("%s: the log does not have the request %q", name, p.RequestID)
		}
	}
	check("a panic", s.upload(t, audit.Driver, "T1", photoPart(doorstep())), 500)
	if !strings.Contains(s.log.String(), "goroutine") {
		t.Error("the log has no stack of the panic")
	}
	must(t, os.RemoveAll(filepath.Join(s.path, "objects")))
	check("objects gone", s.upload(t, audit.Driver, "T1", photoPart(doorstep())), 503)
	if r := s.send(t, s.request(t, "GET", "/readyz", "", nil)); r.StatusCode != 503 || !strings.Contains(string(r.body), `"objects":"not ready"`) || !strings.Contains(string(r.body), `"records":"ok"`) {
		t.Errorf("/readyz: %d %s", r.StatusCode, r.body)
	}
	must(t, s.db.Close())
	for _, path := range []string{"/api/v1/claims", "/api/v1/deliveries/T1", "/api/v1/claims/C1", "/api/v1/reaudits"} {
		r := s.get(t, audit.Admin, path)
		check(path+" without records", r, r.StatusCode)
		if r.StatusCode < 500 {
			t.Errorf("%s without records: %d", path, r.StatusCode)
		}
	}
	if r := s.send(t, s.request(t, "GET", "/readyz", "", nil)); r.StatusCode != 503 || !strings.Contains(string(r.body), `"records":"not ready"`) {
		t.Errorf("/readyz: %d %s", r.StatusCode, r.body)
	}
	if r := s.send(t, s.request(t, "GET", "/healthz", "", nil)); r.StatusCode != 200 {
		t.Errorf("/healthz: %d", r.StatusCode)
	}
}

func TestLogHoldsNeitherCoordinatesNorSecrets(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	s.upload(t, audit.Driver, "T1", photoPart(doorstep()), part{name: "latitude", value: "40.7123456"}, part{name: "longitude", value: "-73.9123456"})
	s.upload(t, audit.Driver, "T1", photoPart(doorstep()), part{name: "latitude", value: "91.7123456"}, part{name: "longitude", value: "-73.9123456"})
	s.as(t, audit.Driver, "POST", "/api/v1/deliveries/T1/events", "application/json", `{"kind":"fix","at":"2026-05-04T00:00:00Z","latitude":91.7123456,"longitude":1}`)
	s.send(t, s.request(t, "GET", "/signin?token="+s.secrets[audit.Driver], "", nil))
	log := s.log.String()
	for _, word := range []string{"7123456", "9123456", s.secrets[audit.Driver], "40.7501"} {
		if strings.Contains(log, word) {
			t.Errorf("the log holds %q", word)
		}
	}
	if got := strings.Count(log, "msg=request"); got != 5 {
		t.Errorf("%d requests in the log, want 5", got)
	}
}

func TestRequestID(t *testing.T) {
	made := func() string { return "made" }
	for given, want := range map[string]string{
		"": "made", "abc-1.2:3_X": "abc-1.2:3_X", "a b": "made", "a\nb": "made", strings.Repeat("a", 65): "made", "é": "made",
	} {
		if got := requestID(given, made); got != want {
			t.Errorf("requestID(%q) = %q, want %q", given, got, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	s.kept(t, "T1")
	s.upload(t, audit.Driver, "T1", photoPart(doorstep()))
	s.upload(t, audit.Driver, "T1", photoPart(nil))
	s.get(t, audit.Admin, "/nothing/here")
	got := string(s.send(t, s.request(t, "GET", "/metrics", "", nil)).body)
	for _, line := range []string{
		`porchlight_uploads_total{result="created"} 1`, `porchlight_uploads_total{result="known"} 1`,
		`porchlight_uploads_total{result="photo_empty"} 1`, `porchlight_uploads_in_flight 0`,
		`porchlight_import_rows_total{result="created"} 1`,
		`porchlight_request_seconds_count{method="POST",route="/api/v1/deliveries/:tracking_id/photos",status="201"} 1`,
		`porchlight_request_seconds_count{method="any",route="none",status="404"} 1`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	if !regexp.MustCompile(`porchlight_verdicts_total\{verdict="(accept|review|retake)"\} 1`).MatchString(got) {
		t.Error("no verdict is counted")
	}
}

func TestServeEndsInOrder(t *testing.T) {
	s := newStack(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	r, err := http.Get("http://" + l.Addr().String() + "/healthz")
	must(t, err)
	_ = r.Body.Close()
	if r.StatusCode != 200 {
		t.Errorf("/healthz: %d", r.StatusCode)
	}
	cancel()
	select {
	case err := <-ended:
		must(t, err)
	case <-time.After(time.Minute):
		t.Fatal("the server does not end")
	}
	if _, err := http.Get("http://" + l.Addr().String() + "/healthz"); err == nil {
		t.Error("the server still answers")
	}
}
