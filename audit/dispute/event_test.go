package dispute

import (
	"strings"
	"testing"
	"time"

	"porchlight/audit"
)

func TestPasswordsAreNotKept(t *testing.T) {
	for _, test := range []struct{ kind, detail, want string }{
		{"password_entered", "123456", "(digits not kept)"},
		{"password_failed", "tried 123 456, then 12-34-56", "tried (digits not kept), then (digits not kept)"},
		{"password_fallback", "phone ends in 4711", "phone ends in (digits not kept)"},
		{"OTP", "1.2.3.4.5.6 wrong", "(digits not kept) wrong"},
		{"password_failed", "3 attempts", "3 attempts"},
		{"note", "gate code 123456", "gate code 123456"},
	} {
		if got := (Event{Kind: test.kind, Detail: test.detail}).Redacted().Detail; got != test.want {
			t.Errorf("%s %q is kept as %q, want %q", test.kind, test.detail, got, test.want)
		}
	}
}

// TestContactRule holds the guide's rule at its edges: a text, 120 s, a call, 300 s in all.
func TestContactRule(t *testing.T) {
	start := *at("2026-03-04T23:00:00Z")
	event := func(kind string, seconds int) Event {
		return Event{Kind: kind, At: start.Add(time.Duration(seconds) * time.Second)}
	}
	for _, test := range []struct {
		name   string
		events []Event
		kept   bool
	}{
		{"as it should be", []Event{event("contact_text", 0), event("contact_call", 120), event("departure", 300)}, true},
		{"called a second early", []Event{event("contact_text", 0), event("contact_call", 119), event("departure", 300)}, false},
		{"left a second early", []Event{event("contact_text", 0), event("contact_call", 120), event("departure", 299)}, false},
		{"only texted", []Event{event("contact_text", 0), event("departure", 600)}, false},
		{"only called", []Event{event("contact_call", 0), event("departure", 600)}, false},
		{"answered at once", []Event{event("contact_text", 0), event("contact_answer", 10), event("departure", 20)}, true},
		{"no end on record", []Event{event("contact_text", 0), event("contact_call", 120)}, false},
	} {
		c, tried := contact(Evidence{Events: test.events}, Rules2026())
		if !tried || c.Kept != test.kept {
			t.Errorf("%s: %+v, want kept %v", test.name, c, test.kept)
		}
	}
	if _, tried := contact(Evidence{Events: []Event{event("arrival", 0)}}, Rules2026()); tried {
		t.Error("an arrival is no contact")
	}
}

func TestParseTrack(t *testing.T) {
	const gpx = `<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
		<trkpt lat="47.1" lon="8.1"><ele>400</ele><time>2026-03-04T23:00:00Z</time></trkpt>
		<trkpt lat="47.2" lon="8.2"><time>2026-03-05T00:00:10.5+01:00</time></trkpt>
		<trkpt lat="47.3" lon="8.3"></trkpt><trkpt lat="147.3" lon="8.3"><time>2026-03-04T23:00:00Z</time></trkpt></trkseg></trk></gpx>`
	const line = `{"type":"Feature","geometry":{"type":"LineString","coordinates":[[8.1,47.1],[8.2,47.2,400]]},"properties":{"coordTimes":["2026-03-04T23:00:00Z","2026-03-04T23:00:10.5Z"]}}`
	const dots = `{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[8.1,47.1]},"properties":{"time":"2026-03-04T23:00:00Z"}},
		{"type":"Feature","geometry":{"type":"Point","coordinates":[8.2,47.2]},"properties":{"time":"2026-03-04T23:00:10.5Z"}}]}`
	const lines = `{"type":"Feature","geometry":{"type":"MultiLineString","coordinates":[[[8.1,47.1]],[[8.2,47.2]]]},"properties":{"coordTimes":[["2026-03-04T23:00:00Z"],["2026-03-04T23:00:10.5Z"]]}}`
	for text, untimed := range map[string]int{gpx: 2, "\ufeff" + line: 0, dots: 0, lines: 0} {
		got, left, err := ParseTrack(strings.NewReader(text), "D1")
		if err != nil || left != untimed || len(got) != 2 {
			t.Errorf("%.40q: %d points, %d left out, %v", text, len(got), left, err)
			continue
		}
		if p := got[1]; p.DriverID != "D1" || p.Latitude != 47.2 || p.Longitude != 8.2 || !p.At.Equal(*at("2026-03-04T23:00:10.5Z")) {
			t.Errorf("%.40q: second point %+v", text, p)
		}
	}
	for _, text := range []string{"", "lat,lon", "<html></html>", "<gpx><trkpt lat='x' lon='1'/></gpx>", "{", `{"type":"Point"}`, `{"type":"Feature","geometry":{"type":"LineString","coordinates":[[1]]}}`,
		`{"type":"Feature","geometry":{"type":"LineString","coordinates":"x"}}`} {
		if _, _, err := ParseTrack(strings.NewReader(text), "D1"); audit.ErrorCode(err) != audit.CodeInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseTrack(f *testing.F) {
	f.Add([]byte(`<gpx><trkpt lat="1" lon="1"><time>2026-03-04T23:00:00Z</time></trkpt></gpx>`))
	f.Add([]byte(`{"type":"Feature","geometry":{"type":"LineString","coordinates":[[8.1,47.1]]},"properties":{"coordTimes":["2026-03-04T23:00:00Z"]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		points, _, err := ParseTrack(strings.NewReader(string(b)), "D1")
		for _, p := range points {
			if fault := p.Validate(); fault != nil && err == nil {
				t.Errorf("%+v was read: %v", p, fault)
			}
		}
	})
}

// TestTrackAtDelivery holds where a track has the driver between two of its points.
func TestTrackAtDelivery(t *testing.T) {
	s := wrongAddress()
	p, ok := trackPlace(s.evidence)
	// 23:02:30 lies half way between 380 m and 420 m.
	if !ok || *p.AwayM < 399.9 || *p.AwayM > 400.1 || !strings.Contains(p.What, "between points 1 min 00 s and 40 m apart") {
		t.Errorf("%+v", p)
	}
	s.evidence.Track = s.evidence.Track[:2]
	if p, _ := trackPlace(s.evidence); !strings.Contains(p.What, "nearest point of the track, 1 min 30 s") {
		t.Errorf("after its end: %q", p.What)
	}
	s.evidence.Track = nil
	if _, ok := trackPlace(s.evidence); ok {
		t.Error("a place without a track")
	}
}
