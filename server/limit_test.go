package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
)

// recorder answers a request without a connection.
func recorder(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestSignInsAreLimited(t *testing.T) {
	time0 := &clock{time.Now()}
	p := newSmallProvider(t)
	s := newStack(t, withProvider(p.URL), func(c *Config) {
		c.Limits, c.Now, c.TrustedProxies = Limits{SignIns: 3, FailedTokens: 3}, time0.now, []string{"10.0.0.0/8"}
	})
	from := func(remote, forwarded, method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader("token=pl_wrong"))
		r.RemoteAddr = remote
		if method == "POST" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		return recorder(s, r)
	}
	const here = "192.0.2.1:1000"
	for i, path := range []string{"/signin", "/signin/callback", "/signin/oidc"} {
		method := "GET"
		if i == 0 {
			method = "POST"
		}
		if w := from(here, "", method, path); w.Code == 429 {
			t.Errorf("attempt %d: 429", i+1)
		}
	}
	for _, c := range []struct {
		name, remote, forwarded, method, path string
		limited                               bool
	}{
		{"the fourth", here, "", "POST", "/signin", true},
		{"the fourth, to the provider", here, "", "GET", "/signin/oidc", true},
		{"the fourth, from the provider", here, "", "GET", "/signin/callback", true},
		{"from another port", "192.0.2.1:2000", "", "POST", "/signin", true},
		{"only the page", here, "", "GET", "/signin", false},
		{"the address mapped into IPv6", "[::ffff:192.0.2.1]:1", "", "POST", "/signin", true},
		{"a stranger's X-Forwarded-For", here, "198.51.100.9", "POST", "/signin", true},
		{"another address", "192.0.2.2:1000", "", "POST", "/signin", false},
		{"behind a trusted proxy", "10.1.2.3:1000", "192.0.2.1", "POST", "/signin", true},
		{"somebody else behind it", "10.1.2.3:1000", "198.51.100.7", "POST", "/signin", false},
		{"with an address made up before the proxy's own", "10.1.2.3:1000", "203.0.113.5, 192.0.2.1", "POST", "/signin", true},
	} {
		w := from(c.remote, c.forwarded, c.method, c.path)
		if got := w.Code == http.StatusTooManyRequests; got != c.limited {
			t.Errorf("%s: %d %s, want limited %v", c.name, w.Code, w.Body, c.limited)
		}
		if wait, err := strconv.Atoi(w.Header().Get("Retry-After")); c.limited && (err != nil || wait < 1 || wait > 20) {
			t.Errorf("%s: Retry-After %q, want 1 to 20 seconds", c.name, w.Header().Get("Retry-After"))
		}
	}
	for i := range 3 {
		from(fmt.Sprintf("[2001:db8:1:2::%d]:1", i+1), "", "POST", "/signin")
	}
	if w := from("[2001:db8:1:2:ffff::9]:1", "", "POST", "/signin"); w.Code != 429 {
		t.Errorf("from the same /64: %d, want 429", w.Code)
	}
	if w := from("[2001:db8:1:3::1]:1", "", "POST", "/signin"); w.Code == 429 {
		t.Error("from another /64: 429")
	}
	time0.at = time0.at.Add(20 * time.Second)
	if w := from(here, "", "POST", "/signin"); w.Code != 401 {
		t.Errorf("after 20 seconds: %d, want 401", w.Code)
	}
}

func TestFailingTokensAreLimited(t *testing.T) {
	s := newStack(t, func(c *Config) { c.Limits = Limits{FailedTokens: 3} })
	with := func(secret string) reply {
		r := s.request(t, "GET", "/api/v1/claims", "", nil)
		r.Header.Set("Authorization", "Bearer "+secret)
		return s.send(t, r)
	}
	for range 10 {
		if r := with(s.secrets[audit.Agent]); r.StatusCode != 200 {
			t.Fatalf("a good token: %d", r.StatusCode)
		}
	}
	for i := range 3 {
		if r := with("pl_wrong"); r.StatusCode != 401 {
			t.Errorf("failure %d: %d, want 401", i+1, r.StatusCode)
		}
	}
	r := with("pl_wrong")
	if p := r.problem(t); r.StatusCode != 429 || p.Code != CodeTooMany || r.Header.Get("Retry-After") == "" {
		t.Errorf("the fourth: %d %s, Retry-After %q", r.StatusCode, p.Code, r.Header.Get("Retry-After"))
	}
	if r := with(s.secrets[audit.Agent]); r.StatusCode != 200 {
		t.Errorf("a token that was good before: %d, want 200", r.StatusCode)
	}
	if r := with(s.secrets[audit.Admin]); r.StatusCode != 429 {
		t.Errorf("a token not seen before: %d, want 429", r.StatusCode)
	}
	must(t, s.db.RevokeToken(t.Context(), s.tokens[audit.Agent].TokenID, time.Now()))
	if r := with(s.secrets[audit.Agent]); r.StatusCode != 401 {
		t.Errorf("revoked: %d, want 401", r.StatusCode)
	}
	if r := with(s.secrets[audit.Agent]); r.StatusCode != 429 {
		t.Errorf("revoked, again: %d, want 429", r.StatusCode)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	th := newThrottle(2)
	for i := range limitedClients + 100 {
		must(t, th.take(strconv.Itoa(i), time.Now()))
	}
	if n := th.clients.Len(); n != limitedClients {
		t.Errorf("%d addresses are kept, want %d", n, limitedClients)
	}
}
