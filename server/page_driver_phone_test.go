package server

import (
	"net/http"
	"strings"
	"testing"

	"porchlight/audit"
	"porchlight/web"
)

// ask sends what a page's script does.
func (b browser) ask(t *testing.T, method, path, contentType, body string) reply {
	t.Helper()
	r := b.request(t, method, path, contentType, strings.NewReader(body))
	r.Header.Set("Accept", "application/json")
	if b.session != nil {
		r.AddCookie(b.session)
	}
	return b.send(t, r)
}

func TestPhoneSendsItsQueue(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "other1")
	if r := (browser{stack: s}).ask(t, "GET", "/driver/session", "", ""); r.StatusCode != 401 || r.problem(t).Code != audit.CodeUnauthorized {
		t.Errorf("signed out: %d %s", r.StatusCode, r.body)
	}
	b := browser{s, s.signedIn(t, audit.Driver)}
	who := decodeAs[map[string]string](t, b.ask(t, "GET", "/driver/session", "", ""))
	if who["driver_id"] != "D1" || who["csrf"] == "" {
		t.Fatalf("session: %v", who)
	}
	photo := func(csrf string, b []byte) (string, string) {
		ct, body := multipartForm(t, part{name: "csrf", value: csrf}, part{name: "role", value: "placement"}, part{name: "captured_at", value: "2026-05-04T15:00:00.000Z"},
			part{name: "latitude", value: "40.7501"}, part{name: "longitude", value: "-73.9967"}, part{name: "accuracy_m", value: "9"}, photoPart(b))
		return ct, string(body)
	}
	ct, body := photo("wrong", doorstep())
	if r := b.ask(t, "POST", "/driver/stops/T1/photos", ct, body); r.StatusCode != 403 || r.problem(t).Code != CodeCrossSite {
		t.Errorf("with a wrong field: %d %s", r.StatusCode, r.body)
	}
	ct, body = photo(who["csrf"], []byte("no photo"))
	if r := b.ask(t, "POST", "/driver/stops/T1/photos", ct, body); r.StatusCode != 415 || r.problem(t).Code != audit.CodeNotAPhoto {
		t.Errorf("no photo: %d %s", r.StatusCode, r.body)
	}
	ct, body = photo(who["csrf"], doorstep())
	for _, want := range []int{201, 200} {
		r := b.ask(t, "POST", "/driver/stops/T1/photos", ct, body)
		got := decodeAs[phoneReceipt](t, r)
		if r.StatusCode != want || got.PhotoID != audit.PhotoID(doorstep()) || got.Verdict == "" || got.Missing == nil || got.Page != "/driver/stops/T1/photos/"+got.PhotoID {
			t.Errorf("%d %s, want %d", r.StatusCode, r.body, want)
		}
	}
	const form = "application/x-www-form-urlencoded"
	event := "csrf=" + who["csrf"] + "&what=code&event_id=E1&at=2026-05-04T15:01:00.000Z&latitude=40.7501&longitude=-73.9967&accuracy_m=9"
	for range 2 {
		if r := b.ask(t, "POST", "/driver/stops/T1/events", form, event); r.StatusCode != 200 || decodeAs[EventKept](t, r).EventID != "E1" {
			t.Errorf("event: %d %s", r.StatusCode, r.body)
		}
	}
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"T1", "what=code", 403},
		{"T1", "csrf=" + who["csrf"] + "&what=nothing", 422},
		{"T1", "csrf=" + who["csrf"] + "&what=code&kind=scan", 400},
		{"T1", "csrf=" + who["csrf"] + "&what=code&latitude=91&longitude=0", 422},
		{"T1", "csrf=" + who["csrf"] + "&what=code&at=yesterday", 422},
		{"other1", "csrf=" + who["csrf"] + "&what=code", 403},
		{"T9", "csrf=" + who["csrf"] + "&what=code", 404},
	} {
		if r := b.ask(t, "POST", "/driver/stops/"+c.path+"/events", form, c.body); r.StatusCode != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.path, c.body, r.StatusCode, r.body, c.status)
		}
	}
	// Without a script the same button leads back to the page.
	if r := b.postForm(t, "/driver/stops/T1/events", "csrf", who["csrf"], "what", "texted"); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/driver/stops/T1#happened" {
		t.Errorf("by hand: %d to %q", r.StatusCode, r.Header.Get("Location"))
	}
	ev, err := s.db.Evidence(t.Context(), "T1")
	must(t, err)
	if len(ev.Events) != 2 || ev.Events[0].Kind != "access_problem" || ev.Events[0].Detail != "the code did not work; the phone's position, precise to 9 m" || ev.Events[1].Kind != "contact_text" {
		t.Errorf("events = %+v", ev.Events)
	}
	_, doc := b.open(t, "/driver/stops/T1")
	if got := doc.Find("#recorded li").Length(); got != 2 || !strings.Contains(doc.Find("#timer").Text(), "Call from") {
		t.Errorf("%d events on the page; %q", got, doc.Find("#timer").Text())
	}
}

func TestDriversOwnDisputes(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "other1")
	photo := s.kept(t, "T1").PhotoID
	s.addClaim(t, "C1", "T1")
	s.addClaim(t, "C2", "other1")
	s.addClaim(t, "C3", "T9")
	b := browser{s, s.signedIn(t, audit.Driver)}
	_, doc := b.open(t, "/driver/disputes")
	if got := doc.Find(`a[href^="/driver/disputes/"]`); got.Length() != 1 || got.AttrOr("href", "") != "/driver/disputes/C1" {
		t.Errorf("%d disputes, first %s", got.Length(), got.AttrOr("href", ""))
	}
	_, doc = b.open(t, "/driver/disputes/C1")
	if text := doc.Find("#body").Text(); !strings.Contains(text, "please review the not-received report on package T1") || doc.Find(`[data-photo="`+photo+`"]`).Length() != 1 {
		t.Errorf("text %q", text)
	}
	r, _ := b.open(t, "/driver/disputes/C1/email")
	if got := string(r.body); r.StatusCode != 200 || r.Header.Get("Content-Type") != "message/rfc822" || !strings.Contains(got, "X-Unsent: 1") || !strings.Contains(got, "image/jpeg") {
		t.Errorf("message: %d %s %.300s", r.StatusCode, r.Header.Get("Content-Type"), got)
	}
	if all, err := s.db.Packets(t.Context(), "C1"); err != nil || len(all) != 0 {
		t.Errorf("looking at a dispute issued %d packets, %v", len(all), err)
	}
	for _, path := range []string{"/driver/disputes/C2", "/driver/disputes/C3", "/driver/disputes/C9", "/driver/disputes/C2/email"} {
		if r, _ := b.open(t, path); r.StatusCode != 404 {
			t.Errorf("%s: %d, want 404", path, r.StatusCode)
		}
	}
	if got := doc.Find("main").Text(); strings.Contains(got, "other1") {
		t.Error("another driver's delivery is shown")
	}
}

func TestDriversRejects(t *testing.T) {
	s := newStack(t)
	s.at(t, audit.FrontDoor, "T1")
	dark := scene(95, "dark")
	if r := s.upload(t, audit.Driver, "T1", photoPart(dark)); r.StatusCode != 201 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	b := browser{s, s.signedIn(t, audit.Driver)}
	_, doc := b.open(t, "/driver/rejects")
	if got := doc.Find(".shotcard strong").Text(); doc.Find(".shotcard").Length() != 1 || !strings.Contains(got, "flash") {
		t.Errorf("%d rejects, advice %q", doc.Find(".shotcard").Length(), got)
	}
}

// Static files are served for good under their digest, compressed where that is understood.
func TestStaticFiles(t *testing.T) {
	s := newStack(t)
	for _, c := range []struct{ path, encoding, cache, mediaType string }{
		{web.AssetPath("phone/queue.js"), "gzip", "public, max-age=31536000, immutable", "text/javascript; charset=utf-8"},
		{"/static/phone/queue.js?v=old", "gzip", "public, max-age=3600", "text/javascript; charset=utf-8"},
		{"/static/phone/queue.js", "", "public, max-age=3600", "text/javascript; charset=utf-8"},
		{web.AssetPath("phone/manifest.webmanifest"), "gzip", "public, max-age=31536000, immutable", "application/manifest+json"},
		{web.AssetPath("phone/porchlight.wasm"), "gzip", "public, max-age=31536000, immutable", "application/wasm"},
	} {
		if c.path == "" {
			continue // the check on the phone is not built
		}
		r := s.request(t, "GET", c.path, "", nil)
		r.Header.Set("Accept-Encoding", c.encoding)
		got := s.send(t, r)
		if got.StatusCode != 200 || got.Header.Get("Content-Encoding") != c.encoding || got.Header.Get("Cache-Control") != c.cache || got.Header.Get("Content-Type") != c.mediaType {
			t.Errorf("%s: %d %v", c.path, got.StatusCode, got.Header)
		}
	}
	if got := s.send(t, s.request(t, "GET", "/driver-worker.js", "", nil)); got.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(string(got.body), `const shell = {"version":"`) {
		t.Errorf("service worker: %v %.100s", got.Header, got.body)
	}
}
