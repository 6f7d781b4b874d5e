package webhook

import (
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"93.184.216.34": true, "1.1.1.1": true, "172.15.255.255": true, "172.32.0.1": true, "100.63.255.255": true, "100.128.0.0": true,
		"2606:2800:220:1:248:1893:25c8:1946": true, "::ffff:1.1.1.1": true, "64:ff9b::101:101": true,

		"127.0.0.1": false, "127.255.255.254": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false,
		"172.31.255.255": false, "192.168.0.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false,
		"192.0.0.1": false, "192.0.2.1": false, "192.88.99.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false,
		"203.0.113.1": false, "224.0.0.1": false, "239.255.255.255": false, "240.0.0.1": false, "255.255.255.255": false,

		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12:3456::1": false, "ff02::1": false, "fec0::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b::a00:1": false,
		"64:ff9b::a9fe:a9fe": false, "64:ff9b:1::1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "3fff::1": false,
		"100::1": false, "2606:2800::1%eth0": false,
	} {
		if got := Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("Public(%s) = %v, want %v", text, got, want)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

func TestNewEndpoint(t *testing.T) {
	long := "https://example.com/" + strings.Repeat("x", maxURLBytes)
	for _, c := range []struct {
		url           string
		public, inner bool // allowed without and with private addresses
	}{
		{"https://example.com", true, true},
		{"https://example.com:8443/a/b?c=d", true, true},
		{"https://93.184.216.34/", true, true},
		{"http://example.com/", false, true},
		{"https://127.0.0.1/", false, true},
		{"https://[::1]:8443/", false, true},
		{"https://[64:ff9b::7f00:1]/", false, true},
		{"http://10.1.2.3/", false, true},
		{"ftp://example.com/", false, false},
		{"example.com", false, false},
		{"https:///path", false, false},
		{"https:example.com", false, false},
		{"https://user@example.com/", false, false},
		{"https://example.com/#part", false, false},
		{"https://exa mple.com/", false, false},
		{"https://example.com/\x00", false, false},
		{"", false, false},
		{long, false, false},
	} {
		for _, allow := range []bool{false, true} {
			want := c.public && !allow || c.inner && allow
			e, err := NewEndpoint("W1", c.url, nil, noon, allow)
			if got := err == nil; got != want || err != nil && audit.ErrorCode(err) != audit.CodeInvalid {
				t.Errorf("NewEndpoint(%q, allow %v): %v, want it allowed %v", c.url, allow, err, want)
			}
			if err == nil && !cmp.Equal(e.Events, Types) {
				t.Errorf("events = %v, want all", e.Events)
			}
		}
	}
	if _, err := NewEndpoint("W1", "https://example.com", []Type{Ping}, noon, false); audit.ErrorCode(err) != audit.CodeInvalid {
		t.Errorf("an endpoint for pings: %v", err)
	}
}

// FuzzEndpointURL holds that an address which was let through has no secret, and is no
// private address that is written out.
func FuzzEndpointURL(f *testing.F) {
	for _, text := range []string{"https://example.com/", "https://a:b@c/", "https://[::1]/", "https://127.0.0.1:1/", "http://x", "https://%31/", "https://[fe80::1%25eth0]/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if checkURL(text, false) != nil {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Hostname() == "" {
			t.Errorf("%q was let through", text)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && !Public(a) {
			t.Errorf("%q was let through: it names %v", text, a)
		}
	})
}

// TestSign holds the signature against the example of the Standard Webhooks
// specification's reference libraries.
func TestSign(t *testing.T) {
	e := Endpoint{EndpointID: "W1", Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	m := Message{MessageID: "msg_p5jXN8AQM9LWM0D4loKWxJek", Body: []byte(`{"test": 2432232314}`)}
	got, err := e.Sign(m, time.Unix(1614265330, 0))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
		"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	for _, secret := range []string{"", "whsec_", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if _, err := (Endpoint{Secret: secret}).Sign(m, noon); audit.ErrorCode(err) != audit.CodeInternal {
			t.Errorf("secret %q: %v, want an error", secret, err)
		}
	}
}

func TestSecrets(t *testing.T) {
	a, err := NewEndpoint("W1", "https://example.com", nil, noon, false)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := NewEndpoint("W1", "https://example.com", nil, noon, false)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(a.Secret, "whsec_"))
	if err != nil || len(key) != 32 || a.Secret == b.Secret {
		t.Errorf("secrets %q and %q, want 32 bytes each, of their own", a.Secret, b.Secret)
	}
	if text, _ := json.Marshal(a); strings.Contains(string(text), "whsec") {
		t.Errorf("the JSON tells the secret: %s", text)
	}
}

func TestMessageIDs(t *testing.T) {
	ids := map[string]bool{}
	for _, e := range []Event{{Type: PhotoAudited, Subject: "U1"}, {Type: PhotoRejected, Subject: "U1"}, {Type: PhotoAudited, Subject: "U2"}} {
		id := e.MessageID()
		ids[id] = true
		if later := (Event{Type: e.Type, Subject: e.Subject, At: noon, Data: 1}).MessageID(); later != id {
			t.Errorf("%v has the ids %s and %s", e, id, later)
		}
		if strings.Trim(id, "msg_0123456789abcdef") != "" {
			t.Errorf("id %q does not go into a header and a signature as it is", id)
		}
	}
	if len(ids) != 3 {
		t.Errorf("%d ids, want 3", len(ids))
	}
}

func TestPhotoEvents(t *testing.T) {
	u := audit.Upload{UploadID: "U1", PhotoID: "abcd", TrackingID: "T/1 ?", Role: audit.Placement, DriverID: "D1", ReceivedAt: noon.Add(123456789),
		Fix: &audit.Fix{}}
	u.Fix.Latitude, u.Fix.Longitude = 47.37691, 8.54172
	r := audit.Report{ReportID: "R1", UploadID: "U1", Checklist: "guide-2026", Verdict: audit.Retake, Score: 40, Findings: []audit.Finding{
		{Check: "brightness", Result: audit.Fail, Reason: "photo_too_dark", Value: 12.5, Advice: "Turn on the flash"},
		{Check: "location", Result: audit.Warn, Reason: "other", Value: 120.0, Detail: "47.37691, 8.54172"},
		{Check: "time", Result: audit.Unknown, Reason: "no clock"}, {Check: "blur", Result: audit.Pass},
	}}
	events := PhotoEvents(u, r)
	if len(events) != 2 || events[0].Type != PhotoAudited || events[1].Type != PhotoRejected {
		t.Fatalf("events %+v, want photo.audited and photo.rejected", events)
	}
	body, err := events[1].Body()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"photo.rejected","timestamp":"2026-03-14T12:00:00.123456Z","data":{"upload_id":"U1","photo_id":"abcd","tracking_id":"T/1 ?",` +
		`"driver_id":"D1","role":"placement","report_id":"R1","checklist":"guide-2026","verdict":"retake","score":40,` +
		`"reasons":[{"check":"brightness","result":"fail","reason":"photo_too_dark"},{"check":"location","result":"warn","reason":"other"}],` +
		`"links":{"delivery":"/api/v1/deliveries/T%2F1%20%3F","photo":"/api/v1/photos/abcd","reports":"/api/v1/photos/abcd/reports"}}}`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	for _, v := range []audit.Verdict{audit.Accept, audit.Review} {
		r.Verdict, r.Findings = v, nil
		events := PhotoEvents(u, r)
		if len(events) != 1 || !reflect.DeepEqual(events[0].Data.(Photo).Reasons, []Reason{}) {
			t.Errorf("verdict %s: %+v, want photo.audited alone", v, events)
		}
	}
}

func TestClaimAndPacketEvents(t *testing.T) {
	c := dispute.Claim{ClaimID: "C1", TrackingID: "T1", Statement: "my own words", Reason: "in mine too", Channel: "stripe", DueAt: &noon}
	p := dispute.FrozenPacket{PacketID: "P1", ClaimID: "C1", IssuedAt: noon, JSON: []byte(`{"claim": "my own words"}`)}
	for _, tc := range []struct {
		event Event
		want  string
	}{
		{ClaimEvent(c, noon), `{"type":"claim.opened","timestamp":"2026-03-14T12:00:00Z","data":{"claim_id":"C1","tracking_id":"T1","channel":"stripe",` +
			`"due_at":"2026-03-14T12:00:00Z","links":{"claim":"/api/v1/claims/C1","delivery":"/api/v1/deliveries/T1"}}}`},
		{PacketEvent(p), `{"type":"packet.issued","timestamp":"2026-03-14T12:00:00Z","data":{"packet_id":"P1","claim_id":"C1","issued_at":"2026-03-14T12:00:00Z",` +
			`"links":{"claim":"/api/v1/claims/C1","json":"/api/v1/packets/P1.json","zip":"/api/v1/packets/P1.zip"}}}`},
	} {
		body, err := tc.event.Body()
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(tc.want, string(body)); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
	}
}
