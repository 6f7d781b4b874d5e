package worker

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
	"porchlight/audit/vision"
	"porchlight/audit/vision/scene"
)

const good = `{"models":["m 1"],"texts":[{"text":"4702","score":0.97,"box":[0.1,0.2,0.3,0.4]}],"boxes":[{"label":"package","score":0.5,"box":[0,0,1,1]}]}`

func TestRead(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		code   audit.Code
	}{
		"a reading":                 {200, good, ""},
		"nothing found":             {200, `{"models":["m 1"]}`, ""},
		"a photo it cannot read":    {422, `{"error":{"code":"photo_undecodable"}}`, audit.CodeUndecodable},
		"a crash over the photo":    {500, "", audit.CodeUndecodable},
		"too slow":                  {504, "", audit.CodeUnavailable},
		"not there":                 {404, "", audit.CodeUnavailable},
		"no JSON":                   {200, "<html>", audit.CodeUnavailable},
		"no models":                 {200, `{"models":[]}`, audit.CodeUnavailable},
		"a score above 1":           {200, strings.Replace(good, "0.97", "1.01", 1), audit.CodeUnavailable},
		"a box beyond the photo":    {200, strings.Replace(good, "0.3,", "1.3,", 1), audit.CodeUnavailable},
		"a box inside out":          {200, strings.Replace(good, "0.1,", "0.35,", 1), audit.CodeUnavailable},
		"a thing that has no label": {200, strings.Replace(good, "package", "cat", 1), audit.CodeUnavailable},
		"too long a text":           {200, strings.Replace(good, "4702", strings.Repeat("4", maxText+1), 1), audit.CodeUnavailable},
		"half a feature":            {200, strings.Replace(good, `"texts"`, `"scene":"AAAA","texts"`, 1), audit.CodeUnavailable},
		"too many features":         {200, strings.Replace(good, `"texts"`, `"scene":"`+strings.Repeat("AAAA", scene.MaxBytes/3+12)+`","texts"`, 1), audit.CodeUnavailable},
		"features":                  {200, strings.Replace(good, `"texts"`, `"scene":"`+strings.Repeat("AAAA", 12)+`","texts"`, 1), ""},
		"a landmark":                {200, strings.Replace(good, `"texts"`, `"landmark":{"score":0.8,"threshold":0.5,"accuracy":0.9,"photos":60},"texts"`, 1), ""},
		"a landmark above 1":        {200, strings.Replace(good, `"texts"`, `"landmark":{"score":1.8,"threshold":0.5,"accuracy":0.9,"photos":60},"texts"`, 1), audit.CodeUnavailable},
		"an accuracy above 1":       {200, strings.Replace(good, `"texts"`, `"landmark":{"score":0.8,"threshold":0.5,"accuracy":90,"photos":60},"texts"`, 1), audit.CodeUnavailable},
		"too long an answer":        {200, good + strings.Repeat(" ", maxAnswer), audit.CodeUnavailable},
		"a redirect":                {302, "", audit.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(tt.status)
				w.Write([]byte(tt.body))
			}))
			defer s.Close()
			c, err := New(Config{URL: s.URL})
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.Read(t.Context(), []byte("photo"))
			if got := audit.ErrorCode(err); got != tt.code {
				t.Fatalf("code %q, want %q: %v", got, tt.code, err)
			}
			if name == "features" && len(r.Scene) != 36 {
				t.Errorf("%d bytes of features", len(r.Scene))
			}
			if name == "a reading" {
				want := vision.Reading{Models: []string{"m 1"}, Texts: []vision.Text{{Text: "4702", Score: .97, Box: vision.Box{.1, .2, .3, .4}}},
					Boxes: []vision.Detection{{Label: vision.Package, Score: .5, Box: vision.Box{0, 0, 1, 1}}}}
				if diff := cmp.Diff(want, r); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestEmbed(t *testing.T) {
	backbone := strings.Repeat("ab", 32)
	for name, tt := range map[string]struct {
		status int
		body   string
		code   audit.Code
	}{
		"an embedding":           {200, `{"backbone":"` + backbone + `","values":[0.5,-1]}`, ""},
		"none":                   {200, `{"backbone":"` + backbone + `","values":[]}`, audit.CodeUnavailable},
		"of no backbone":         {200, `{"values":[0.5]}`, audit.CodeUnavailable},
		"no number":              {200, `{"backbone":"` + backbone + `","values":[1e400]}`, audit.CodeUnavailable},
		"too many numbers":       {200, `{"backbone":"` + backbone + `","values":[0` + strings.Repeat(",0", maxValues) + `]}`, audit.CodeUnavailable},
		"a worker of before":     {404, "404 page not found", audit.CodeUnavailable},
		"a photo it cannot read": {422, `{"error":{"code":"photo_undecodable"}}`, audit.CodeUndecodable},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/embed" {
				t.Errorf("%s is asked for", r.URL.Path)
			}
			w.WriteHeader(tt.status)
			w.Write([]byte(tt.body))
		}))
		c, err := New(Config{URL: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		e, err := c.Embed(t.Context(), []byte("photo"))
		if got := audit.ErrorCode(err); got != tt.code {
			t.Errorf("%s: code %q, want %q: %v", name, got, tt.code, err)
		}
		if tt.code == "" && (e.Backbone != backbone || len(e.Values) != 2) {
			t.Errorf("%s: %+v", name, e)
		}
		s.Close()
	}
}

func TestReadOverSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(good)) })}}
	s.Start()
	defer s.Close()
	c, _ := New(Config{URL: "unix:" + path})
	if _, err := c.Read(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if m, err := c.Models(t.Context()); err != nil || len(m) != 1 {
		t.Error(m, err)
	}
}

func TestReadAgainWhereBusy(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
			return
		}
		w.Write([]byte(good))
	}))
	defer s.Close()
	c, _ := New(Config{URL: s.URL})
	if _, err := c.Read(t.Context(), nil); err != nil || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

// TestHang: a worker that takes a photo and never answers costs the deadline, and after
// three of them nothing.
func TestHang(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // connections are taken by the system and never answered
	c, _ := New(Config{URL: "http://" + l.Addr().String(), Timeout: 20 * time.Millisecond})
	for range failuresBefore {
		if _, err := c.Read(t.Context(), nil); audit.ErrorCode(err) != audit.CodeUnavailable {
			t.Fatal(err)
		}
	}
	if c.breaker.allow() {
		t.Error("the worker is still asked")
	}
}

func TestCallerWhoLeavesIsNoFailure(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, _ := New(Config{URL: "http://" + l.Addr().String()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range failuresBefore {
		c.Read(ctx, nil)
	}
	if !c.breaker.allow() {
		t.Error("the worker is not asked any more")
	}
}

func TestBreaker(t *testing.T) {
	now := time.Unix(0, 0)
	b := breaker{now: func() time.Time { return now }}
	step := func(after time.Duration, want bool) {
		t.Helper()
		now = now.Add(after)
		if got := b.allow(); got != want {
			t.Fatalf("allowed %t at %s, want %t", got, now.Sub(time.Unix(0, 0)), want)
		}
	}
	for range failuresBefore {
		step(0, true)
		b.note(false)
	}
	step(0, false)
	step(shortPause, true) // one tries
	step(0, false)         // the others wait for what comes of it
	b.note(false)
	step(shortPause, false)
	step(shortPause, true)
	b.note(true)
	step(0, true)
	step(0, true)
}

func TestURLs(t *testing.T) {
	for url, ok := range map[string]bool{"http://127.0.0.1:8090": true, "https://vision.example/": true, "unix:/run/v.sock": true,
		"": false, "unix:": false, "ftp://x": false, "127.0.0.1:8090": false, "http://": false} {
		if _, err := New(Config{URL: url}); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func FuzzParseReading(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"models":["m"],"texts":null,"boxes":[]}`))
	f.Add([]byte(strings.Replace(good, `"texts"`, `"scene":"`+strings.Repeat("AAAA", 12)+`","texts"`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReading(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(struct {
			vision.Reading
			Scene []byte `json:"scene"`
		}{r, r.Scene})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseReading(again); err != nil && len(again) <= maxAnswer {
			t.Errorf("%s is refused: %v", again, err)
		}
	})
}
