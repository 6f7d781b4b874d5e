package nominatim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit/geo"
)

// house is an answer as the public service writes it.
const house = `[{"place_id":311,"licence":"Data © OpenStreetMap contributors, ODbL 1.0. http://osm.org/copyright","osm_type":"way","osm_id":9,
"lat":"47.6205000","lon":"-122.3493000","category":"building","type":"house","place_rank":30,"importance":0.00007,"addresstype":"building",
"name":"","display_name":"4702, Maple Street, Seattle, 98109, United States","boundingbox":["47.6204500","47.6205500","-122.3494000","-122.3492000"]}]`

func TestParse(t *testing.T) {
	place := func(kind string, rank int, half float64) string {
		return fmt.Sprintf(`[{"lat":"47.5","lon":"8.5","place_rank":%d,"addresstype":%q,"boundingbox":["%f","%f","8.5","8.5"]}]`, rank, kind, 47.5-half, 47.5+half)
	}
	for name, tt := range map[string]struct {
		text      string
		found     bool
		precision float64
		kind      string
		fails     bool
	}{
		"a house":                          {house, true, 15, "building", false},
		"none":                             {`[]`, false, 0, "", false},
		"a large building":                 {place("building", 30, .001), true, 112, "building", false},
		"a house without a rank":           {`[{"lat":1.5,"lon":2.5,"addresstype":"house"}]`, true, 15, "house", false},
		"a building that is no address":    {place("building", 22, 0), true, 300, "building", false},
		"a short street":                   {place("road", 26, .0001), true, 100, "road", false},
		"a long street":                    {place("road", 26, .01), true, 1112, "road", false},
		"a postcode":                       {place("postcode", 21, .001), true, 500, "postcode", false},
		"a village":                        {place("village", 19, .001), true, 1000, "village", false},
		"a city":                           {place("city", 16, .001), true, 5000, "city", false},
		"a state":                          {place("state", 8, 1), true, 111181, "state", false},
		"something of an unknown kind":     {`[{"lat":"1","lon":"2"}]`, true, 50000, "", false},
		"numbers as numbers":               {`[{"lat":1.5,"lon":2.5,"place_rank":30,"type":"yes","boundingbox":[1.5,1.5,2.5,2.5]}]`, true, 15, "yes", false},
		"only the first counts":            {`[{"lat":"1","lon":"2","place_rank":30},{"lat":"9","lon":"9"}]`, true, 15, "", false},
		"no position":                      {`[{"display_name":"x"}]`, false, 0, "", true},
		"nowhere":                          {`[{"lat":"0","lon":"0"}]`, false, 0, "", true},
		"off the Earth":                    {`[{"lat":"91","lon":"0"}]`, false, 0, "", true},
		"not a number":                     {`[{"lat":"nan","lon":"1"}]`, false, 0, "", true},
		"a box of three sides":             {`[{"lat":"1","lon":"2","boundingbox":["1","2","3"]}]`, false, 0, "", true},
		"a box upside down":                {`[{"lat":"1","lon":"2","boundingbox":["2","1","2","3"]}]`, false, 0, "", true},
		"a box beyond the pole":            {`[{"lat":"1","lon":"2","boundingbox":["1","91","2","3"]}]`, false, 0, "", true},
		"an error in JSON":                 {`{"error":{"code":400,"message":"Bad request"}}`, false, 0, "", true},
		"null":                             {`null`, false, 0, "", true},
		"a web page":                       {`<!doctype html>`, false, 0, "", true},
		"cut off":                          {house[:200], false, 0, "", true},
		"two answers":                      {`[][]`, false, 0, "", true},
		"too much":                         {`[` + strings.Repeat(" ", MaxAnswerBytes) + `]`, false, 0, "", true},
		"not UTF-8":                        {"[{\"lat\":\"1\",\"lon\":\"2\",\"display_name\":\"\xff\"}]", false, 0, "", true},
		"a number that is hard to believe": {`[{"lat":"1e400","lon":"2"}]`, false, 0, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			p, found, err := Parse([]byte(tt.text))
			if found != tt.found || errors.Is(err, ErrAnswer) != tt.fails || (err != nil) != tt.fails {
				t.Fatalf("found %v, %v; want found %v, an error %v", found, err, tt.found, tt.fails)
			}
			if p.PrecisionM != tt.precision || p.Kind != tt.kind {
				t.Errorf("a %q, precise to %g m; want a %q, %g m", p.Kind, p.PrecisionM, tt.kind, tt.precision)
			}
		})
	}
	p, _, _ := Parse([]byte(house))
	want := Place{Point: geo.Point{Latitude: 47.6205, Longitude: -122.3493}, PrecisionM: 15, Kind: "building",
		DisplayName: "4702, Maple Street, Seattle, 98109, United States", Licence: "Data © OpenStreetMap contributors, ODbL 1.0. http://osm.org/copyright"}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("a house (-want +got):\n%s", diff)
	}
	if p, _, err := Parse([]byte(`[{"lat":"1","lon":"2","display_name":"a\u0000` + strings.Repeat("ü", 2000) + `"}]`)); err != nil || len(p.DisplayName) != 1023 {
		t.Errorf("a long name is kept as %d bytes, %v; want 1023", len(p.DisplayName), err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{house, `[]`, `null`, `[{"lat":1,"lon":2,"boundingbox":[1,1,2,2],"place_rank":26}]`, `[{"lat":"-0","lon":"180"}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, found, err := Parse(b)
		if err != nil && (found || !errors.Is(err, ErrAnswer)) {
			t.Errorf("found %v with %v", found, err)
		}
		if found && (!p.Valid() || !(p.PrecisionM >= 15 && p.PrecisionM < 2.1e7) || strings.Contains(p.Kind+p.DisplayName+p.Licence, "\x00") || len(p.DisplayName) > 1024) {
			t.Errorf("%q gives %+v", b, p)
		}
	})
}

// service answers requests one after another, and keeps what it was asked.
type service struct {
	*httptest.Server
	asked   []url.Values
	header  http.Header
	answers []http.HandlerFunc
}

func newService(t *testing.T, answers ...http.HandlerFunc) *service {
	t.Helper()
	s := &service{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/geo/search" {
			http.NotFound(w, r)
			return
		}
		n := len(s.asked)
		s.asked, s.header = append(s.asked, r.URL.Query()), r.Header
		if n >= len(s.answers) {
			http.Error(w, "asked too often", http.StatusTeapot)
			return
		}
		s.answers[n](w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// clock is a time that passes only while the client sleeps.
type clock struct {
	at    time.Time
	slept []time.Duration
}

func (c *clock) now() time.Time { return c.at }
func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.slept, c.at = append(c.slept, d), c.at.Add(d)
	return ctx.Err()
}

func newClient(t *testing.T, s *service, change ...func(*Config)) (*Client, *clock) {
	t.Helper()
	k := &clock{at: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}
	config := Config{URL: s.URL + "/geo/", UserAgent: "Porchlight/1", Email: "ops@porchlight.example", Now: k.now, Sleep: k.sleep}
	for _, f := range change {
		f(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c, k
}

var maple = Address{Street: "4702 Maple St", Locality: "Seattle", Postcode: "98109", Country: "US"}

func TestSearch(t *testing.T) {
	parts := url.Values{"street": {"4702 Maple St"}, "city": {"Seattle"}, "postalcode": {"98109"}, "countrycodes": {"us"},
		"format": {"jsonv2"}, "limit": {"1"}, "addressdetails": {"0"}, "email": {"ops@porchlight.example"}}
	typed := func(q string, more url.Values) url.Values {
		v := url.Values{"q": {q}, "format": {"jsonv2"}, "limit": {"1"}, "addressdetails": {"0"}, "email": {"ops@porchlight.example"}}
		for name := range more {
			v[name] = more[name]
		}
		return v
	}
	us := url.Values{"countrycodes": {"us"}}
	for name, tt := range map[string]struct {
		address Address
		answers []http.HandlerFunc
		asked   []url.Values
		found   bool
		status  int
		after   time.Duration
		fails   error
	}{
		"found":          {maple, []http.HandlerFunc{says(200, house)}, []url.Values{parts}, true, 0, 0, nil},
		"found as typed": {maple, []http.HandlerFunc{says(200, `[]`), says(200, house)}, []url.Values{parts, typed("4702 Maple St, Seattle, 98109", us)}, true, 0, 0, nil},
		"not found":      {maple, []http.HandlerFunc{says(200, `[]`), says(200, `[]`)}, []url.Values{parts, typed("4702 Maple St, Seattle, 98109", us)}, false, 0, 0, nil},
		"in one line": {Address{Street: "4702 Maple St, Seattle", Country: "United States"}, []http.HandlerFunc{says(200, house)},
			[]url.Values{typed("4702 Maple St, Seattle, United States", nil)}, true, 0, 0, nil},
		"too often":  {maple, []http.HandlerFunc{says(429, "", "Retry-After", "90")}, []url.Values{parts}, false, 429, 90 * time.Second, nil},
		"until then": {maple, []http.HandlerFunc{says(503, "", "Retry-After", "Sat, 14 Mar 2026 12:05:00 GMT")}, []url.Values{parts}, false, 503, 5 * time.Minute, nil},
		"broken":     {maple, []http.HandlerFunc{says(500, "<html>")}, []url.Values{parts}, false, 500, 0, nil},
		"moved":      {maple, []http.HandlerFunc{says(301, "", "Location", "/geo/search")}, []url.Values{parts}, false, 301, 0, nil},
		"no JSON":    {maple, []http.HandlerFunc{says(200, `{`)}, []url.Values{parts}, false, 0, 0, ErrAnswer},
		"huge":       {maple, []http.HandlerFunc{says(200, `["`+strings.Repeat("x", 4*MaxAnswerBytes)+`"]`)}, []url.Values{parts}, false, 0, 0, ErrAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, tt.answers...)
			c, _ := newClient(t, s)
			p, found, err := c.Search(t.Context(), tt.address)
			if found != tt.found || (err != nil) != (tt.fails != nil || tt.status != 0) || tt.fails != nil && !errors.Is(err, tt.fails) {
				t.Errorf("found %v, %v; want %v, %v", found, err, tt.found, tt.fails)
			}
			var status *StatusError
			if errors.As(err, &status) != (tt.status != 0) || status != nil && (status.Status != tt.status || status.RetryAfter != tt.after) {
				t.Errorf("error %#v (%v), want status %d, to be asked again after %v", status, err, tt.status, tt.after)
			}
			if tt.found && (p.Source != c.Host() || p.Latitude != 47.6205) {
				t.Errorf("place %+v", p)
			}
			if diff := cmp.Diff(tt.asked, s.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if got, want := s.header.Get("User-Agent"), "Porchlight/1"; got != want {
				t.Errorf("User-Agent %q, want %q", got, want)
			}
			if err != nil && strings.Contains(err.Error(), "Maple") {
				t.Errorf("the error tells the address: %v", err)
			}
		})
	}
}

// TestPace holds that any two requests are a second apart, those of one search too.
func TestPace(t *testing.T) {
	none := says(200, `[]`)
	s := newService(t, none, none, none, none, none, none)
	c, k := newClient(t, s)
	for range 2 {
		if _, _, err := c.Search(t.Context(), maple); err != nil {
			t.Fatal(err)
		}
	}
	k.at = k.at.Add(400 * time.Millisecond)
	if _, _, err := c.Search(t.Context(), maple); err != nil {
		t.Fatal(err)
	}
	want := []time.Duration{time.Second, time.Second, time.Second, 600 * time.Millisecond, time.Second}
	if diff := cmp.Diff(want, k.slept); diff != "" || len(s.asked) != 6 {
		t.Errorf("%d requests, waits (-want +got):\n%s", len(s.asked), diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := c.Search(ctx, maple); !errors.Is(err, context.Canceled) || len(s.asked) != 6 {
		t.Errorf("a search that was called off: %v, after %d requests", err, len(s.asked))
	}
}

// TestUnanswered holds that neither a service that hangs nor one that is gone tells the
// address in its error.
func TestUnanswered(t *testing.T) {
	hangs := newService(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	gone := newService(t)
	gone.Close()
	for name, s := range map[string]*service{"hangs": hangs, "gone": gone} {
		c, _ := newClient(t, s, func(c *Config) { c.HTTP = &http.Client{Timeout: 50 * time.Millisecond} })
		_, found, err := c.Search(t.Context(), maple)
		if err == nil || found || strings.Contains(err.Error(), "Maple") {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, u := range []string{"", "nominatim.example", "ftp://nominatim.example", "https://", "https://me:secret@nominatim.example", "https://nominatim.example/?key=1", "https://nominatim.example/#a", "http://[::1"} {
		if _, err := New(Config{URL: u}); err == nil {
			t.Errorf("%q is taken", u)
		}
	}
}
