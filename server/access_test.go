package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
)

// serves says who each route serves. A route that is missing here fails the test:
// whoever adds one decides here, too, whom it is for.
var serves = map[string]string{
	"GET /healthz":      "anyone",
	"GET /readyz":       "anyone",
	"GET /metrics":      "anyone",
	"GET /openapi.json": "anyone",

	"POST /api/v1/deliveries":                         "dispatch admin",
	"GET /api/v1/deliveries/:tracking_id":             "driver agent dispatch admin",
	"POST /api/v1/deliveries/:tracking_id/photos":     "driver admin",
	"POST /api/v1/deliveries/:tracking_id/events":     "driver dispatch admin",
	"GET /api/v1/photos/:photo_id":                    "driver agent dispatch admin",
	"GET /api/v1/photos/:photo_id/preview":            "driver agent dispatch admin",
	"GET /api/v1/photos/:photo_id/reports":            "driver agent dispatch admin",
	"POST /api/v1/claims":                             "agent dispatch admin",
	"GET /api/v1/claims":                              "agent dispatch admin",
	"GET /api/v1/claims/:claim_id":                    "agent dispatch admin",
	"POST /api/v1/claims/:claim_id/packets":           "agent admin",
	"GET /api/v1/claims/:claim_id/packets":            "agent dispatch admin",
	"GET /api/v1/packets/:packet_file":                "agent dispatch admin",
	"POST /api/v1/reaudits":                           "admin",
	"GET /api/v1/reaudits":                            "dispatch admin",
	"GET /api/v1/reaudits/:run_id":                    "dispatch admin",
	"GET /api/v1/custody":                             "admin",
	"GET /":                                           "anyone",
	"GET /signin":                                     "anyone",
	"POST /signin":                                    "anyone",
	"POST /signout":                                   "driver agent dispatch admin",
	"GET /static/:file":                               "anyone",
	"GET /driver":                                     "driver",
	"GET /driver/stops/:tracking_id":                  "driver",
	"POST /driver/stops/:tracking_id/photos":          "driver",
	"GET /driver/stops/:tracking_id/photos/:photo_id": "driver",
	"GET /agent":                                      "agent dispatch admin",
	"GET /agent/claims/:claim_id":                     "agent dispatch admin",
	"POST /agent/claims/:claim_id/packets":            "agent admin",
	"GET /agent/reaudits":                             "agent dispatch admin",
	"GET /agent/reaudits/:run_id":                     "agent dispatch admin",

	"GET /api/v1/webhooks":                         "admin",
	"POST /api/v1/webhooks":                        "admin",
	"DELETE /api/v1/webhooks/:endpoint_id":         "admin",
	"POST /api/v1/webhooks/:endpoint_id/test":      "admin",
	"GET /api/v1/webhooks/:endpoint_id/deliveries": "admin",
}

func TestEveryRouteServesItsRolesAlone(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	s.addClaim(t, "C1", "T1")
	photo := s.kept(t, "T1").PhotoID
	fill := strings.NewReplacer(":tracking_id", "T1", ":photo_id", photo, ":claim_id", "C1", ":packet_file", "none.zip", ":run_id", "none", ":endpoint_id", "none", ":file", "icon.svg")
	for _, r := range s.engine.Routes() {
		key := r.Method + " " + r.Path
		want, ok := serves[key]
		if !ok {
			t.Errorf("%s is not in the expectations", key)
			continue
		}
		page := s.table[key].page
		for _, role := range append([]audit.Role{""}, audit.Roles...) {
			name := string(role)
			if role == "" {
				name = "nobody"
			}
			t.Run(key+" as "+name, func(t *testing.T) {
				req := s.request(t, r.Method, fill.Replace(r.Path), "", nil)
				switch {
				case role == "":
				case page:
					req.AddCookie(s.signedIn(t, role))
				default:
					req.Header.Set("Authorization", "Bearer "+s.secrets[role])
				}
				got := s.send(t, req)
				toSignIn := got.StatusCode == http.StatusSeeOther && strings.HasPrefix(got.Header.Get("Location"), "/signin")
				refused := got.StatusCode == http.StatusForbidden && strings.Contains(string(got.body), "may not do this")
				switch {
				case want == "anyone" || slices.Contains(strings.Fields(want), string(role)):
					// A form without its csrf field is refused after the role is let through.
					if got.StatusCode == http.StatusUnauthorized && key != "POST /signin" || refused || toSignIn && key != "POST /signout" {
						t.Errorf("got %d %.200s, want it served", got.StatusCode, got.body)
					}
				case role == "" && page:
					if !toSignIn {
						t.Errorf("got %d, want a redirect to /signin", got.StatusCode)
					}
				case role == "":
					if got.StatusCode != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") == "" {
						t.Errorf("got %d, want 401 with WWW-Authenticate", got.StatusCode)
					}
				default:
					if !refused {
						t.Errorf("got %d %.200s, want 403", got.StatusCode, got.body)
					}
				}
			})
		}
	}
	if got, want := len(s.engine.Routes()), len(serves); got != want {
		t.Errorf("%d routes, %d expected", got, want)
	}
}

// signedIn signs a role in on a page.
func (s *stack) signedIn(t *testing.T, role audit.Role) *http.Cookie {
	t.Helper()
	r := s.send(t, s.request(t, "POST", "/signin", "application/x-www-form-urlencoded", strings.NewReader("token="+s.secrets[role])))
	for _, c := range r.Cookies() {
		if c.Name == sessionCookie && c.Value != "" {
			return c
		}
	}
	t.Fatalf("no session: %d %s", r.StatusCode, r.body)
	return nil
}

func TestCredentials(t *testing.T) {
	s := newStack(t)
	good := s.secrets[audit.Admin]
	s.addToken(t, audit.Agent, time.Nanosecond)
	s.addToken(t, audit.Dispatch, time.Hour)
	must(t, s.db.RevokeToken(t.Context(), s.tokens[audit.Dispatch].TokenID, time.Now()))
	for _, c := range []struct {
		name, header string
		status       int
		code         audit.Code
	}{
		{"none", "", 401, audit.CodeUnauthorized},
		{"another scheme", "Basic " + good, 401, audit.CodeUnauthorized},
		{"no secret", "Bearer ", 401, audit.CodeUnauthorized},
		{"unknown", "Bearer pl_nothing", 401, audit.CodeUnauthorized},
		{"the hash itself", "Bearer " + tokenHash(good), 401, audit.CodeUnauthorized},
		{"expired", "Bearer " + s.secrets[audit.Agent], 401, audit.CodeExpired},
		{"revoked", "Bearer " + s.secrets[audit.Dispatch], 401, CodeRevoked},
		{"good", "Bearer " + good, 200, ""},
		{"good, scheme in lower case", "bearer " + good, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := s.request(t, "GET", "/api/v1/claims", "", nil)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			got := s.send(t, r)
			if got.StatusCode != c.status {
				t.Fatalf("got %d %s, want %d", got.StatusCode, got.body, c.status)
			}
			if c.code != "" {
				if p := got.problem(t); p.Code != c.code {
					t.Errorf("code = %s, want %s", p.Code, c.code)
				}
				if !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") {
					t.Error("WWW-Authenticate is missing")
				}
			}
		})
	}
}

func TestNewToken(t *testing.T) {
	now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	secret, token, err := NewToken(audit.Driver, "D1", time.Hour, now, newID)
	must(t, err)
	if !strings.HasPrefix(secret, "pl_") || len(secret) != len("pl_")+43 {
		t.Errorf("secret = %q", secret)
	}
	if token.Hash != tokenHash(secret) || strings.Contains(token.Hash, secret) || !token.ExpiresAt.Equal(now.Add(time.Hour)) {
		t.Errorf("token = %+v", token)
	}
	if _, _, err := NewToken(audit.Driver, "", 0, now, newID); audit.ErrorCode(err) != audit.CodeInvalid {
		t.Errorf("a driver's token without a driver: %v", err)
	}
	if _, _, err := NewToken("king", "", 0, now, newID); audit.ErrorCode(err) != audit.CodeInvalid {
		t.Errorf("a role that does not exist: %v", err)
	}
	other, _, err := NewToken(audit.Admin, "", 0, now, newID)
	must(t, err)
	if other == secret {
		t.Error("two secrets are equal")
	}
}
