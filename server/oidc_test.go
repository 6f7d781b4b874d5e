package server

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
)

func TestSignInWithAProvider(t *testing.T) {
	set := func(key string, v any) func(*smallProvider) {
		return func(p *smallProvider) { p.claims = func(c map[string]any) { c[key] = v } }
	}
	answer := func(change func(q url.Values)) func(string) string {
		return func(address string) string {
			u, err := url.Parse(address)
			must(t, err)
			q := u.Query()
			change(q)
			u.RawQuery = q.Encode()
			return u.String()
		}
	}
	p := newSmallProvider(t)
	usual := newStack(t, withProvider(p.URL))
	for _, c := range []struct {
		name   string
		server func(*smallProvider)
		answer func(address string) string // changes the address of the provider's answer
		claim  string
		status int
		shows  string
		role   audit.Role
	}{
		{name: "all is well", status: 303, role: audit.Agent},
		{name: "several audiences", server: func(p *smallProvider) {
			p.claims = func(c map[string]any) { c["aud"], c["azp"] = []string{"other", "porchlight"}, "porchlight" }
		}, status: 303, role: audit.Agent},
		{name: "one role as a text", server: set("roles", "ops"), status: 303, role: audit.Admin},
		{name: "admin goes over agent", server: set("roles", []string{"helpdesk", "ops"}), status: 303, role: audit.Admin},
		{name: "a claim within an object", claim: "realm_access.roles", server: set("realm_access", map[string]any{"roles": []string{"ops"}}), status: 303, role: audit.Admin},
		{name: "a claim whose name is a URL", claim: "https://id.example/roles", server: set("https://id.example/roles", []string{"ops"}), status: 303, role: audit.Admin},
		{name: "roles in the user info", server: func(p *smallProvider) {
			p.claims = func(c map[string]any) { delete(c, "roles") }
			p.userInfo = map[string]any{"sub": "person-1", "roles": []string{"ops"}}
		}, status: 303, role: audit.Admin},
		{name: "another person's user info", server: func(p *smallProvider) {
			p.claims = func(c map[string]any) { delete(c, "roles") }
			p.userInfo = map[string]any{"sub": "person-2", "roles": []string{"ops"}}
		}, status: 401, shows: "try once more"},
		{name: "no role that is known", server: set("roles", []string{"other", "driver"}), status: 403, shows: "no role in Porchlight"},
		{name: "a role of another type", server: set("roles", 7), status: 403, shows: "no role in Porchlight"},
		{name: "no roles", server: func(p *smallProvider) { p.claims = func(c map[string]any) { delete(c, "roles") } }, status: 403, shows: "no role in Porchlight"},
		{name: "another state", answer: answer(func(q url.Values) { q.Set("state", "x") }), status: 401, shows: "try once more"},
		{name: "no state", answer: answer(func(q url.Values) { q.Del("state") }), status: 401, shows: "try once more"},
		{name: "no code", answer: answer(func(q url.Values) { q.Del("code") }), status: 401, shows: "try once more"},
		{name: "another code", answer: answer(func(q url.Values) { q.Set("code", "x") }), status: 401, shows: "try once more"},
		{name: "another issuer answers", answer: answer(func(q url.Values) { q.Set("iss", "https://elsewhere.example") }), status: 401, shows: "try once more"},
		{name: "access denied", answer: answer(func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }), status: 401, shows: "did not sign you in"},
		{name: "an error", answer: answer(func(q url.Values) { q.Set("error", "<b>server_error") }), status: 401, shows: "try once more"},
		{name: "another nonce", server: set("nonce", "x"), status: 401, shows: "try once more"},
		{name: "no nonce", server: set("nonce", ""), status: 401, shows: "try once more"},
		{name: "another audience", server: set("aud", "other"), status: 401, shows: "try once more"},
		{name: "another party", server: set("azp", "other"), status: 401, shows: "try once more"},
		{name: "several audiences, no party", server: set("aud", []string{"other", "porchlight"}), status: 401, shows: "try once more"},
		{name: "another issuer", server: set("iss", "https://elsewhere.example"), status: 401, shows: "try once more"},
		{name: "expired", server: set("exp", time.Now().Add(-time.Minute).Unix()), status: 401, shows: "try once more"},
		{name: "no subject", server: set("sub", ""), status: 401, shows: "try once more"},
		{name: "another access token", server: set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), status: 401, shows: "try once more"},
		{name: "a key that is not the provider's", server: func(p *smallProvider) {
			other, err := rsa.GenerateKey(rand.Reader, 2048)
			must(t, err)
			p.sign = func(b []byte) string { return signed(t, jose.RS256, other, "k2", b) }
		}, status: 401, shows: "try once more"},
		{name: "signed with the client's secret", server: func(p *smallProvider) {
			p.sign = func(b []byte) string { return signed(t, jose.HS256, []byte(clientSecret), "k1", b) }
		}, status: 401, shows: "try once more"},
		{name: "not signed", server: func(p *smallProvider) {
			p.sign = func(b []byte) string {
				return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(b) + "."
			}
		}, status: 401, shows: "try once more"},
		{name: "no ID token", server: func(p *smallProvider) {
			p.token = func(w http.ResponseWriter) bool {
				sendJSON(w, 200, map[string]string{"access_token": "access-1", "token_type": "Bearer"})
				return true
			}
		}, status: 401, shows: "try once more"},
		{name: "the provider fails", server: func(p *smallProvider) {
			p.token = func(w http.ResponseWriter) bool { w.WriteHeader(502); return true }
		}, status: 503, shows: "cannot be reached"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.behave(t)
			if c.server != nil {
				c.server(p)
			}
			s := usual
			if c.claim != "" {
				s = newStack(t, withProvider(p.URL), func(k *Config) { k.OIDC.RolesClaim = c.claim })
			}
			b := newSurfer(t)
			address := b.callback(s, "/agent/reaudits")
			if c.answer != nil {
				address = c.answer(address)
			}
			r := b.get(address)
			if r.StatusCode != c.status || !strings.Contains(string(r.body), c.shows) {
				t.Fatalf("got %d %s, want %d with %q", r.StatusCode, r.body, c.status, c.shows)
			}
			page := b.get(s.url + "/agent/reaudits")
			if c.role == "" {
				if page.StatusCode != http.StatusSeeOther {
					t.Errorf("signed in all the same: %d", page.StatusCode)
				}
				return
			}
			if got, want := r.to(t), s.url+"/agent/reaudits"; got != want {
				t.Errorf("sent to %s, want %s", got, want)
			}
			if page.StatusCode != 200 || !strings.Contains(string(page.body), "Jo Oduya") {
				t.Errorf("/agent/reaudits: %d, want 200 with the person's name", page.StatusCode)
			}
			if got, want := b.get(s.url+"/api/v1/tokens").StatusCode == 200, c.role == audit.Admin; got != want {
				t.Errorf("may list tokens: %v, want %v", got, want)
			}
			if !strings.Contains(s.log.String(), "oidc:"+p.URL+"|person-1") {
				t.Error("the log does not name who acts")
			}
		})
	}
}

func TestAProvidersAnswerIsGoodOnce(t *testing.T) {
	p := newSmallProvider(t)
	var offset time.Duration
	s := newStack(t, withProvider(p.URL), func(c *Config) { c.Now = func() time.Time { return time.Now().Add(offset) } })
	b := newSurfer(t)
	address := b.callback(s, "/agent")
	u, err := url.Parse(address)
	must(t, err)
	if r := newSurfer(t).get(address); r.StatusCode != 401 || p.tokens != 0 {
		t.Errorf("in another browser: %d, the provider was asked %d times", r.StatusCode, p.tokens)
	}
	before := b.Jar.Cookies(u)
	if r := b.get(address); r.StatusCode != 303 {
		t.Fatalf("first: %d %s", r.StatusCode, r.body)
	}
	if after := b.Jar.Cookies(u); len(before) != 1 || len(after) != 1 || before[0].Value == after[0].Value {
		t.Errorf("signing in keeps the session's id: %v, then %v", before, after)
	}
	if r := b.get(address); r.StatusCode != 401 || p.tokens != 1 {
		t.Errorf("again: %d, the provider was asked %d times, want 401 and once", r.StatusCode, p.tokens)
	}
	if r := b.get(s.url + "/agent"); r.StatusCode != 200 {
		t.Errorf("the session after it: %d", r.StatusCode)
	}
	fresh, err := url.Parse(b.callback(s, ""))
	must(t, err)
	q := fresh.Query()
	q.Set("code", u.Query().Get("code"))
	if r := b.get(s.url + fresh.Path + "?" + q.Encode()); r.StatusCode != 401 || p.tokens != 2 {
		t.Errorf("a used code with a fresh state: %d, the provider was asked %d times", r.StatusCode, p.tokens)
	}
	late := b.callback(s, "/agent")
	offset += attemptTime + time.Second
	if r := b.get(late); r.StatusCode != 401 || !strings.Contains(string(r.body), "too long") || p.tokens != 2 {
		t.Errorf("a late answer: %d %s", r.StatusCode, r.body)
	}
}

func TestAPersonsSession(t *testing.T) {
	p := newSmallProvider(t)
	var offset time.Duration
	s := newStack(t, withProvider(p.URL), func(c *Config) { c.Now = func() time.Time { return time.Now().Add(offset) } })
	b := newSurfer(t)
	if r := b.get(b.callback(s, "//elsewhere.example")); r.to(t) != s.url+"/" {
		t.Errorf("sent to %s", r.to(t))
	}
	// Another server on the same records, as after a restart.
	again := *s
	var err error
	again.Server, err = New(s.config)
	must(t, err)
	t.Cleanup(again.Close)
	u, err := url.Parse(s.url)
	must(t, err)
	cookie := b.Jar.Cookies(u)[0]
	status := func(h http.Handler) int {
		r := s.request(t, "GET", "/agent", "", nil)
		r.AddCookie(cookie)
		w := recorder(h, r)
		return w.Code
	}
	if got := status(again.Server); got != 200 {
		t.Errorf("on another server: %d", got)
	}
	moved := s.config
	moved.OIDC = &OIDC{Issuer: "https://elsewhere.example", ClientID: "porchlight"}
	other, err := New(moved)
	must(t, err)
	t.Cleanup(other.Close)
	if got := status(other); got != 303 {
		t.Errorf("with another provider: %d, want to sign in again", got)
	}
	offset = 11 * time.Hour
	if got := status(s.Server); got != 200 {
		t.Errorf("after 11 hours: %d", got)
	}
	offset = 12*time.Hour + time.Minute
	if got := status(s.Server); got != 303 {
		t.Errorf("after 12 hours: %d, want to sign in again", got)
	}
	offset = 0
	_, doc := browser{s, cookie}.open(t, "/agent")
	if r := (browser{s, cookie}).postForm(t, "/signout", "csrf", csrf(doc)); r.StatusCode != 303 {
		t.Errorf("sign out: %d", r.StatusCode)
	}
	if got := status(again.Server); got != 303 {
		t.Errorf("signed out, on another server: %d", got)
	}
}

// A person's own end of time holds even where the store would keep the session.
func TestAPersonsTimeEnds(t *testing.T) {
	now := time.Now()
	s := newStack(t, withProvider("https://id.example"))
	who := credential{person: &person{Issuer: "https://id.example", Subject: "1", Role: audit.Admin, Until: now.Add(-time.Second)}}
	if _, err := s.principal(t.Context(), who); audit.ErrorCode(err) != audit.CodeExpired {
		t.Errorf("past its end: %v, want %s", err, audit.CodeExpired)
	}
	who.person.Until = now.Add(time.Hour)
	if _, err := s.principal(t.Context(), who); err != nil {
		t.Errorf("before its end: %v", err)
	}
}

func TestProviderDown(t *testing.T) {
	p := newSmallProvider(t)
	down, broken := sync.Mutex{}, true
	inner := p.Config.Handler
	p.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		down.Lock()
		defer down.Unlock()
		if broken {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		inner.ServeHTTP(w, r)
	})
	var offset time.Duration
	s := newStack(t, withProvider(p.URL), func(c *Config) { c.Now = func() time.Time { return time.Now().Add(offset) } })
	b := newSurfer(t)
	if r := b.get(s.url + "/signin"); r.StatusCode != 200 || !strings.Contains(string(r.body), `href="/signin/oidc"`) {
		t.Errorf("/signin: %d", r.StatusCode)
	}
	r := b.get(s.url + "/signin/oidc?next=/agent")
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || !strings.Contains(string(r.body), "cannot be reached") || !strings.Contains(string(r.body), `name="token"`) {
		t.Errorf("while the provider is down: %d %s", r.StatusCode, r.body)
	}
	down.Lock()
	broken = false
	down.Unlock()
	offset = providerRetry
	if r := b.get(b.callback(s, "/agent")); r.StatusCode != 303 {
		t.Errorf("once it is up: %d %s", r.StatusCode, r.body)
	}
}

func TestProviderConfig(t *testing.T) {
	for _, c := range []struct {
		name string
		c    OIDC
		url  string
		want int // faults
	}{
		{"nothing", OIDC{}, "", 2},
		{"a driver", OIDC{Issuer: "https://id.example", ClientID: "p", Roles: map[audit.Role][]string{audit.Driver: {"d"}}}, "https://p.example", 1},
		{"good", OIDC{Issuer: "https://id.example", ClientID: "p"}, "https://p.example", 0},
	} {
		err := c.c.validate(c.url)
		got := 0
		if err != nil {
			got = len(strings.Split(err.Error(), "\n"))
		}
		if got != c.want {
			t.Errorf("%s: %v, want %d faults", c.name, err, c.want)
		}
	}
}

// FuzzClaim holds that no claims, however they are nested, are read as roles that they
// do not say.
func FuzzClaim(f *testing.F) {
	for _, s := range []string{`{"roles":["a"]}`, `{"a":{"b.c":"d"}}`, `{"a":{"b":{"c":[1,"x",null]}}}`, `{"a.b":{"c":"d"}}`, `{"":{"":""}}`} {
		f.Add(s, "a.b.c")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		var claims map[string]any
		if len(name) > 64 || json.Unmarshal([]byte(text), &claims) != nil {
			return
		}
		values, _ := claim(claims, name)
		for _, v := range values {
			b, err := json.Marshal(v)
			must(t, err)
			if !holds(claims, v) {
				t.Errorf("%s is not in %s", b, text)
			}
		}
		if n := nameOf(claims); len(n) > maxNameBytes {
			t.Errorf("a name of %d bytes", len(n))
		}
	})
}

func holds(v any, want string) bool {
	switch v := v.(type) {
	case string:
		return v == want
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return holds(e, want) })
	case map[string]any:
		for _, e := range v {
			if holds(e, want) {
				return true
			}
		}
	}
	return false
}

func TestNameOf(t *testing.T) {
	got := []string{
		nameOf(map[string]any{"name": " Jo ", "email": "jo@example.com"}), nameOf(map[string]any{"name": "", "email": "jo@example.com"}),
		nameOf(map[string]any{"name": 7}), nameOf(map[string]any{"name": strings.Repeat("é", 150)}),
	}
	if diff := cmp.Diff([]string{"Jo", "jo@example.com", "", strings.Repeat("é", 100)}, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
