package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"porchlight/audit"
	"porchlight/web"
)

// browser keeps a session, as a browser does.
type browser struct {
	*stack
	session *http.Cookie
}

func (b browser) open(t *testing.T, path string) (reply, *goquery.Document) {
	t.Helper()
	r := b.request(t, "GET", path, "", nil)
	r.Header.Set("Accept", "text/html")
	if b.session != nil {
		r.AddCookie(b.session)
	}
	got := b.send(t, r)
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(string(got.body)))
	must(t, err)
	return got, doc
}

func (b browser) post(t *testing.T, path, contentType, body string, headers ...string) reply {
	t.Helper()
	r := b.request(t, "POST", path, contentType, strings.NewReader(body))
	if b.session != nil {
		r.AddCookie(b.session)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return b.send(t, r)
}

func (b browser) postForm(t *testing.T, path string, fields ...string) reply {
	t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	return b.post(t, path, "application/x-www-form-urlencoded", v.Encode())
}

func csrf(doc *goquery.Document) string {
	return doc.Find("input[name=csrf]").First().AttrOr("value", "")
}

func TestSignIn(t *testing.T) {
	s := newStack(t, func(c *Config) { c.Secure = true })
	b := browser{stack: s}
	secret := s.secrets[audit.Driver]
	r, doc := b.open(t, "/driver")
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/signin?next=%2Fdriver" {
		t.Errorf("signed out: %d to %q", r.StatusCode, r.Header.Get("Location"))
	}
	r, doc = b.open(t, "/signin?token="+secret+"&next=/driver")
	if got := doc.Find("input[name=token]").AttrOr("value", ""); r.StatusCode != 200 || got != secret || len(r.Cookies()) > 0 {
		t.Errorf("the link fills in %q, sets %v; want the token and no session", got, r.Cookies())
	}
	for header, want := range map[string]string{
		"Content-Security-Policy": web.ContentSecurityPolicy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		if got := r.Header.Get(header); got != want {
			t.Errorf("%s = %q, want %q", header, got, want)
		}
	}
	r = b.postForm(t, "/signin", "token", "pl_wrong")
	if r.StatusCode != 401 || len(r.Cookies()) > 0 || !strings.Contains(string(r.body), "not known") {
		t.Errorf("a wrong token: %d", r.StatusCode)
	}
	if r := b.post(t, "/signin", "application/x-www-form-urlencoded", "token="+secret, "Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site"); r.StatusCode != 403 {
		t.Errorf("from another site: %d, want 403", r.StatusCode)
	}
	r = b.postForm(t, "/signin", "token", secret, "next", "/driver")
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/driver" || len(r.Cookies()) != 1 {
		t.Fatalf("sign in: %d to %q with %v", r.StatusCode, r.Header.Get("Location"), r.Cookies())
	}
	b.session = r.Cookies()[0]
	if c := b.session; !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || strings.Contains(c.Value, secret) {
		t.Errorf("cookie = %+v", c)
	}
	first := b.session
	r = b.postForm(t, "/signin", "token", secret)
	if b.session = r.Cookies()[0]; b.session.Value == first.Value {
		t.Error("signing in again keeps the session's id")
	}
	if r, _ := (browser{s, first}).open(t, "/driver"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("the old session still opens: %d", r.StatusCode)
	}
	r, doc = b.open(t, "/driver")
	if r.StatusCode != 200 {
		t.Fatalf("/driver: %d", r.StatusCode)
	}
	if r := b.postForm(t, "/signout"); r.StatusCode != 403 {
		t.Errorf("sign out without the field csrf: %d, want 403", r.StatusCode)
	}
	if r := b.postForm(t, "/signout", "csrf", csrf(doc)); r.StatusCode != http.StatusSeeOther {
		t.Errorf("sign out: %d", r.StatusCode)
	}
	if r, _ := b.open(t, "/driver"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("after signing out: %d", r.StatusCode)
	}
}

// With HTTPS the cookie is for this host alone, with or without the server speaking it.
func TestCookies(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := newStack(t, func(c *Config) { c.Secure = secure })
		r := browser{stack: s}.postForm(t, "/signin", "token", s.secrets[audit.Agent])
		header := r.Header.Get("Set-Cookie")
		c, err := http.ParseSetCookie(header)
		must(t, err)
		name := "porchlight_session"
		if secure {
			name = "__Host-porchlight_session"
		}
		if c.Name != name || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 {
			t.Errorf("secure %v: %s", secure, header)
		}
	}
}

// A form that changes something is taken from our own page alone, in the session that it
// was made for.
func TestForgedForms(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	s.kept(t, "T1")
	s.addClaim(t, "C1", "T1")
	b := browser{s, s.signedIn(t, audit.Agent)}
	_, doc := b.open(t, "/agent/claims/C1")
	_, other := browser{s, s.signedIn(t, audit.Agent)}.open(t, "/agent/claims/C1")
	own := "csrf=" + csrf(doc)
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
	}{
		{"without the field", "", nil, 403},
		{"with a wrong one", "csrf=x", nil, 403},
		{"with another session's", "csrf=" + csrf(other), nil, 403},
		{"from another site", own, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"from another subdomain", own, []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"from another origin, in an older browser", own, []string{"Origin", "https://elsewhere.example"}, 403},
		{"from our own page", own, []string{"Sec-Fetch-Site", "same-origin", "Origin", s.url}, 303},
	} {
		r := b.post(t, "/agent/claims/C1/packets", "application/x-www-form-urlencoded", c.body, c.headers...)
		if r.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.name, r.StatusCode, c.status)
		}
	}
	if all, err := s.db.Packets(t.Context(), "C1"); err != nil || len(all) != 1 {
		t.Errorf("%d packets, %v, want the one from our own page", len(all), err)
	}
}

func TestSessionEndsWithItsToken(t *testing.T) {
	s := newStack(t)
	b := browser{s, s.signedIn(t, audit.Agent)}
	if r, _ := b.open(t, "/agent"); r.StatusCode != 200 {
		t.Fatalf("/agent: %d", r.StatusCode)
	}
	// The session reads the API, for the pages' own pictures and links; it changes nothing there.
	if r, _ := b.open(t, "/api/v1/claims"); r.StatusCode != 200 {
		t.Errorf("the API by session: %d", r.StatusCode)
	}
	if r := b.post(t, "/api/v1/claims", "application/json", `{"claim_id":"C1","tracking_id":"T1"}`); r.StatusCode != 401 {
		t.Errorf("a change through the API by session: %d, want 401", r.StatusCode)
	}
	must(t, s.db.RevokeToken(t.Context(), s.tokens[audit.Agent].TokenID, time.Now()))
	if r, _ := b.open(t, "/agent"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("after the token was revoked: %d", r.StatusCode)
	}
}

func TestDriverUploadsFromThePage(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "T2", "other1")
	b := browser{s, s.signedIn(t, audit.Driver)}
	r, doc := b.open(t, "/driver")
	if n := doc.Find(`a[href^="/driver/stops/"]`).Length(); r.StatusCode != 200 || n != 2 {
		t.Fatalf("/driver: %d with %d stops, want 2", r.StatusCode, n)
	}
	_, doc = b.open(t, "/driver/stops/T1")
	form := doc.Find(`form[enctype="multipart/form-data"]`)
	action := form.AttrOr("action", "")
	if action != "/driver/stops/T1/photos" || form.Find(`input[name=also][value=T2]`).Length() != 1 {
		t.Fatalf("form to %q, %d further packages", action, form.Find("input[name=also]").Length())
	}
	field := part{name: "csrf", value: csrf(doc)}
	ct, body := multipartForm(t, part{name: "role", value: "placement"}, photoPart(doorstep()))
	if r := b.post(t, action, ct, string(body)); r.StatusCode != 403 {
		t.Errorf("without the field csrf: %d, want 403", r.StatusCode)
	}
	ct, body = multipartForm(t, field, photoPart([]byte("no photo")))
	if r := b.post(t, action, ct, string(body)); r.StatusCode != 415 || !strings.Contains(string(r.body), "not a photo") || !strings.Contains(string(r.body), `name="photo"`) {
		t.Errorf("not a photo: %d, want 415 with the form again", r.StatusCode)
	}
	ct, body = multipartForm(t, photoPart(doorstep()), part{name: "role", value: "placement"}, part{name: "also", value: "T2"}, field)
	r = b.post(t, action, ct, string(body))
	to := r.Header.Get("Location")
	if r.StatusCode != http.StatusSeeOther || to != "/driver/stops/T1/photos/"+audit.PhotoID(doorstep()) {
		t.Fatalf("upload: %d to %q: %s", r.StatusCode, to, r.body)
	}
	if r, doc := b.open(t, to); r.StatusCode != 200 || doc.Find("#verdict").Length() != 1 {
		t.Errorf("verdict: %d", r.StatusCode)
	}
	if r := b.post(t, action, ct, string(body)); !strings.HasSuffix(r.Header.Get("Location"), "?before=1") {
		t.Errorf("again: to %q", r.Header.Get("Location"))
	}
	_, doc = b.open(t, "/driver/stops/T1")
	src := doc.Find("main img").First().AttrOr("src", "")
	if r, _ := b.open(t, src); r.StatusCode != 200 || r.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("the page's picture %q: %d", src, r.StatusCode)
	}
	for path, want := range map[string]int{
		"/driver/stops/other1": 403, "/driver/stops/T9": 404, "/driver/stops/T1/photos/none": 404, "/nothing": 404, "/static/porchlight.css": 200, "/static/none.css": 404,
	} {
		r, _ := b.open(t, path)
		if r.StatusCode != want || want >= 400 && !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s, want %d", path, r.StatusCode, r.Header.Get("Content-Type"), want)
		}
	}
}

func TestAgentAnswersAClaimFromThePage(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	s.kept(t, "T1")
	s.addClaim(t, "C#1", "T1")
	s.addClaim(t, "C2", "T9")
	b := browser{s, s.signedIn(t, audit.Agent)}
	r, doc := b.open(t, "/agent")
	if n := doc.Find(`a[href^="/agent/claims/"]`).Length(); r.StatusCode != 200 || n != 2 {
		t.Fatalf("/agent: %d with %d claims, want 2", r.StatusCode, n)
	}
	r, doc = b.open(t, "/agent/claims/C%231")
	if r.StatusCode != 200 || doc.Find(".timeline li").Length() == 0 || doc.Find(".packets li").Length() != 0 {
		t.Fatalf("claim: %d, timeline of %d, %d packets", r.StatusCode, doc.Find(".timeline li").Length(), doc.Find(".packets li").Length())
	}
	if all, _ := s.db.Packets(t.Context(), "C#1"); len(all) != 0 {
		t.Errorf("looking at a claim issued %d packets", len(all))
	}
	if r := b.postForm(t, "/agent/claims/C%231/packets"); r.StatusCode != 403 {
		t.Errorf("without the field csrf: %d, want 403", r.StatusCode)
	}
	r = b.postForm(t, "/agent/claims/C%231/packets", "csrf", csrf(doc))
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/agent/claims/C%231#packets" {
		t.Fatalf("issue: %d to %q", r.StatusCode, r.Header.Get("Location"))
	}
	_, doc = b.open(t, "/agent/claims/C%231")
	link := doc.Find(`.packets a[href$=".zip"]`).AttrOr("href", "")
	if r, _ := b.open(t, link); r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/zip" {
		t.Errorf("the page's packet %q: %d", link, r.StatusCode)
	}
	if r, _ := b.open(t, "/agent/claims/C2"); r.StatusCode != 200 {
		t.Errorf("a claim on no delivery: %d", r.StatusCode)
	}
	s.as(t, audit.Admin, "POST", "/api/v1/reaudits", "application/json", `{}`)
	_, doc = b.open(t, "/agent/reaudits")
	run := doc.Find(`a[href^="/agent/reaudits/"]`).AttrOr("href", "")
	if r, _ := b.open(t, run); r.StatusCode != 200 {
		t.Errorf("re-audit %q: %d", run, r.StatusCode)
	}
}

func TestLocalPath(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "/driver": "/driver", "/driver/stops/a%23b": "/driver/stops/a%23b", "//elsewhere.example": "", "https://elsewhere.example/": "",
		`/\elsewhere.example`: "", "driver": "", "/signin": "", "/signin/oidc": "", "/a\r\nb": "", "javascript:alert(1)": "",
	} {
		if got := localPath(in); got != want {
			t.Errorf("localPath(%q) = %q, want %q", in, got, want)
		}
	}
}
