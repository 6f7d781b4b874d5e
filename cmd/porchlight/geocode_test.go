package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"porchlight/fixtures"
)

func TestGeocoderSettings(t *testing.T) {
	for _, c := range []struct {
		args  []string
		host  string
		fault string
	}{
		{nil, "", ""},
		{[]string{"--geocoder=https://geo.example/nominatim"}, "geo.example", ""},
		{[]string{"--geocoder=https://geo.example", "--geocoder-email=ops@porch.example"}, "geo.example", ""},
		{[]string{"--geocoder=geo.example"}, "", "--geocoder"},
		{[]string{"--geocoder=https://user:password@geo.example"}, "", "--geocoder"},
		{[]string{"--geocoder=https://geo.example", "--geocoder-email=ops"}, "", "--geocoder-email"},
		{[]string{"--geocoder-email=ops@porch.example"}, "", "--geocoder is missing"},
	} {
		var s geocoderSettings
		f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		s.flags(f)
		if err := f.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		client, err := s.read()
		if c.fault != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.fault) {
				t.Errorf("%q: %v, want a fault of %s", c.args, err, c.fault)
			}
			continue
		}
		if err != nil || (client == nil) != (c.host == "") || client != nil && client.Host() != c.host {
			t.Errorf("%q: client %+v, %v; want one of %q", c.args, client, err, c.host)
		}
	}
}

// place is a Nominatim service that knows one street.
func place(t *testing.T, asked *atomic.Int32) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if !strings.HasPrefix(r.URL.Query().Get("street"), "4702") {
			fmt.Fprint(w, "[]")
			return
		}
		fmt.Fprint(w, `[{"lat":"47.6205","lon":"-122.3493","category":"building","type":"house","addresstype":"building","place_rank":30,"display_name":"4702, Maple Street",
			"licence":"ODbL 1.0","boundingbox":["47.6204","47.6206","-122.3494","-122.3492"]}]`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestGeocoding imports stops without coordinates into the real process: a photo's
// location is unknown until the service was asked, and judged again once it answered;
// nobody can import an answer.
func TestGeocoding(t *testing.T) {
	for name, stores := range sites {
		t.Run(name, func(t *testing.T) {
			at := append([]string{"--data", t.TempDir()}, stores(t)...)
			p := startServer(t, append(at, "--log-level", "error")...)
			p.contract = readContract(t, p.url)
			token := newToken(t, at, "--role", "admin")
			var sum struct {
				Created  int
				Rejected []struct{ Code, Message string }
			}
			p.do(http.StatusOK, "POST", "/api/v1/deliveries", token, "application/x-ndjson", []byte(
				`{"tracking_id":"T1","address":"4702 Maple St","locality":"Seattle"}
{"tracking_id":"T2","address":"1 Nowhere St","locality":"Seattle"}
{"tracking_id":"T3","address":"3 Elm St","geocoded":{"latitude":1,"longitude":2,"precision_m":1,"kind":"building","source":"me","asked_at":"2026-11-20T18:00:00Z"}}
`), meantInvalid).json(t, &sum)
			if sum.Created != 2 || len(sum.Rejected) != 1 || !strings.Contains(sum.Rejected[0].Message, "geocoded") {
				t.Errorf("import answers %+v, want 2 created and the one that names geocoded rejected", sum)
			}
			photo := fixtures.Scene{Place: 1, Shot: 1, Number: "4702", Width: 640, Height: 480}.JPEG()
			fields := map[string]string{"captured_at": "2026-11-20T17:59:30Z", "latitude": "47.6206", "longitude": "-122.3493", "accuracy_m": "8"}
			var r receipt
			p.upload(http.StatusCreated, token, "T1", photo, fields).json(t, &r)
			if got := r.finding("location"); got != "unknown" {
				t.Errorf("before the service was asked the location is %q, want unknown", got)
			}

			var asked atomic.Int32
			out, _ := run(t, 0, slices.Concat([]string{"geocode"}, at, []string{"--geocoder", place(t, &asked)})...)
			if !strings.HasPrefix(out, "1 addresses found, 1 not known to 127.0.0.1:") || !strings.HasSuffix(out, ", 0 wait\n") {
				t.Errorf("geocode says %q", out)
			}
			if n := asked.Load(); n != 3 {
				t.Errorf("the service was asked %d times, want 3: once for T1, in two ways for T2", n)
			}
			location := func() string {
				var d struct{ Photos []receipt }
				p.do(http.StatusOK, "GET", "/api/v1/deliveries/T1", token, "", nil).json(t, &d)
				if len(d.Photos) != 1 {
					t.Fatalf("T1 has %d photos, want 1", len(d.Photos))
				}
				return d.Photos[0].finding("location")
			}
			if got := location(); got != "pass" {
				t.Errorf("once the stop is found the location is %q, want pass", got)
			}
			if list := string(p.do(http.StatusOK, "GET", "/api/v1/deliveries", token, "", nil).body); strings.Count(list, `"geocoded"`) != 1 {
				t.Errorf("the list of deliveries names %d positions, want 1: %s", strings.Count(list, `"geocoded"`), list)
			}

			// The service itself asks, where it is told whom.
			p.kill()
			p.args = append(p.args, "--geocoder", place(t, &asked))
			p.start()
			p.do(http.StatusOK, "POST", "/api/v1/deliveries", token, "text/csv", []byte("tracking_id,address,locality\nT4,4702 Maple Street N,Seattle\n"))
			for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
				if strings.Contains(string(p.do(http.StatusOK, "GET", "/api/v1/deliveries/T4", token, "", nil).body), `"geocoded"`) {
					break
				}
				if time.Now().After(end) {
					t.Fatal("T4 is not geocoded within a minute")
				}
			}
		})
	}
}
