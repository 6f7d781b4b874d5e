package server

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
)

// callers are the columns of the table below. The tokens of the last two were an
// admin's.
var callers = []string{"nobody", "driver", "other driver", "agent", "dispatch", "admin", "expired", "revoked"}

// serves says what each route answers to each caller: the delivery T1 is the driver's,
// not the other driver's. "in" is a redirect to the sign-in page. A route that is missing
// here fails the test: whoever adds one decides here, too, whom it is for.
var serves = map[string]string{
	"GET /healthz":        "200 200 200 200 200 200 200 200",
	"GET /readyz":         "200 200 200 200 200 200 200 200",
	"GET /metrics":        "200 200 200 200 200 200 200 200",
	"GET /porchlight.pub": "200 200 200 200 200 200 200 200",
	"GET /openapi.json":   "200 200 200 200 200 200 200 200",

	"POST /api/v1/deliveries":                          "401 403 403 403 200 200 401 401",
	"GET /api/v1/deliveries":                           "401 403 403 200 200 200 401 401",
	"GET /api/v1/deliveries/:tracking_id":              "401 200 403 200 200 200 401 401",
	"POST /api/v1/deliveries/:tracking_id/photos":      "401 415 403 403 403 415 401 401",
	"POST /api/v1/deliveries/:tracking_id/events":      "401 201 403 403 201 201 401 401",
	"GET /api/v1/photos/:photo_id":                     "401 200 404 200 200 200 401 401",
	"GET /api/v1/photos/:photo_id/preview":             "401 200 404 200 200 200 401 401",
	"GET /api/v1/photos/:photo_id/reports":             "401 200 404 200 200 200 401 401",
	"POST /api/v1/uploads/:upload_id/review":           "401 403 403 404 403 404 401 401",
	"GET /api/v1/reviews":                              "401 403 403 200 200 200 401 401",
	"GET /api/v1/clusters":                             "401 403 403 200 200 200 401 401",
	"GET /api/v1/reviews/waiting":                      "401 403 403 200 200 200 401 401",
	"POST /api/v1/claims":                              "401 403 403 200 200 200 401 401",
	"GET /api/v1/claims":                               "401 403 403 200 200 200 401 401",
	"GET /api/v1/claims/:claim_id":                     "401 403 403 200 200 200 401 401",
	"POST /api/v1/claims/:claim_id/packets":            "401 403 403 201 403 201 401 401",
	"GET /api/v1/claims/:claim_id/packets":             "401 403 403 200 200 200 401 401",
	"POST /api/v1/deliveries/:tracking_id/attachments": "401 403 403 422 422 422 401 401",
	"GET /api/v1/attachments/:attachment_id":           "401 403 403 404 404 404 401 401",
	"POST /api/v1/tracks":                              "401 403 403 403 400 400 401 401",
	"POST /api/v1/claims/:claim_id/outcome":            "401 403 403 400 403 400 401 401",
	"GET /api/v1/outcomes":                             "401 403 403 200 200 200 401 401",
	"POST /api/v1/packets":                             "401 403 403 200 403 200 401 401",
	"GET /api/v1/packets/:packet_id":                   "401 403 403 404 404 404 401 401",
	"GET /api/v1/packets/:packet_id/channels":          "401 403 403 404 404 404 401 401",
	"GET /api/v1/packets/:packet_id/channels/:channel": "401 403 403 404 404 404 401 401",
	"GET /api/v1/holds":                                "401 403 403 403 403 200 401 401",
	"POST /api/v1/holds":                               "401 403 403 403 403 201 401 401",
	"DELETE /api/v1/holds/:hold_id":                    "401 403 403 403 403 404 401 401",
	"GET /api/v1/tokens":                               "401 403 403 403 403 200 401 401",
	"POST /api/v1/tokens":                              "401 403 403 403 403 201 401 401",
	"DELETE /api/v1/tokens/:token_id":                  "401 403 403 403 403 404 401 401",
	"POST /api/v1/reaudits":                            "401 403 403 403 403 422 401 401",
	"GET /api/v1/reaudits":                             "401 403 403 403 200 200 401 401",
	"GET /api/v1/reaudits/:run_id":                     "401 403 403 403 404 404 401 401",
	"POST /api/v1/reaudits/:run_id/state":              "401 403 403 403 403 404 401 401",
	"GET /api/v1/reaudits/:run_id/failures":            "401 403 403 403 404 404 401 401",
	"GET /api/v1/webhooks":                             "401 403 403 403 403 200 401 401",
	"POST /api/v1/webhooks":                            "401 403 403 403 403 422 401 401",
	"DELETE /api/v1/webhooks/:endpoint_id":             "401 403 403 403 403 404 401 401",
	"POST /api/v1/webhooks/:endpoint_id/test":          "401 403 403 403 403 404 401 401",
	"GET /api/v1/webhooks/:endpoint_id/deliveries":     "401 403 403 403 403 404 401 401",
	"GET /api/v1/custody":                              "401 403 403 403 403 200 401 401",
	"POST /api/v1/blocks":                              "401 403 403 403 200 200 401 401",
	"POST /api/v1/feedback":                            "401 403 403 403 200 200 401 401",
	"POST /api/v1/concessions":                         "401 403 403 403 200 200 401 401",
	"POST /api/v1/photo-reports":                       "401 403 403 403 200 200 401 401",
	"GET /api/v1/drivers/:driver_id/standing":          "401 200 403 200 200 200 401 401",
	"GET /api/v1/photo-reports":                        "401 403 403 422 422 422 401 401",
	"GET /api/v1/photo-reports.csv":                    "401 403 403 422 422 422 401 401",
	"GET /api/v1/photo-reports/differences":            "401 403 403 422 422 422 401 401",
	"GET /api/v1/standings":                            "401 403 403 200 200 200 401 401",

	"GET /":                                           "200 303 303 303 200 303 200 200",
	"GET /signin":                                     "200 200 200 200 200 200 200 200",
	"POST /signin":                                    "401 401 401 401 401 401 401 401",
	"GET /signin/oidc":                                "404 404 404 404 404 404 404 404", // none is configured
	"GET /signin/callback":                            "404 404 404 404 404 404 404 404",
	"POST /signout":                                   "in in in in in in in in",
	"GET /static/:file":                               "200 200 200 200 200 200 200 200",
	"GET /static/phone/:file":                         "200 200 200 200 200 200 200 200",
	"GET /driver-worker.js":                           "200 200 200 200 200 200 200 200",
	"GET /driver/standing":                            "in 200 200 403 403 403 in in",
	"GET /driver/session":                             "in 200 200 403 403 403 in in",
	"GET /driver/checklist":                           "in 200 200 403 403 403 in in",
	"GET /driver/rejects":                             "in 200 200 403 403 403 in in",
	"GET /driver/disputes":                            "in 200 200 403 403 403 in in",
	"GET /driver/disputes/:claim_id":                  "in 200 404 403 403 403 in in",
	"GET /driver/disputes/:claim_id/email":            "in 200 404 403 403 403 in in",
	"POST /driver/stops/:tracking_id/events":          "in 422 403 403 403 403 in in",
	"GET /agent/drivers":                              "in 403 403 200 200 200 in in",
	"GET /agent/drivers/:driver_id":                   "in 403 403 200 200 200 in in",
	"GET /agent":                                      "in 403 403 200 200 200 in in",
	"GET /agent/import":                               "in 403 403 200 200 200 in in",
	"POST /agent/import":                              "in 403 403 415 415 415 in in",
	"POST /agent/packets":                             "in 403 403 200 403 200 in in",
	"GET /agent/reaudits":                             "in 403 403 200 200 200 in in",
	"GET /agent/reaudits/:run_id":                     "in 403 403 404 404 404 in in",
	"POST /agent/reaudits/:run_id/state":              "in 403 403 403 403 404 in in",
	"GET /agent/claims/:claim_id":                     "in 403 403 200 200 200 in in",
	"POST /agent/claims/:claim_id/packets":            "in 403 403 303 403 303 in in",
	"POST /agent/claims/:claim_id/outcome":            "in 403 403 200 403 200 in in",
	"POST /agent/claims/:claim_id/attachments":        "in 403 403 415 415 415 in in",
	"GET /agent/fleet":                                "in 403 403 200 200 200 in in",
	"GET /agent/fleet/carrier":                        "in 403 403 200 200 200 in in",
	"GET /agent/reuse":                                "in 403 403 200 200 200 in in",
	"GET /agent/checklist":                            "in 403 403 200 200 200 in in",
	"POST /agent/checklist":                           "in 403 403 200 200 200 in in",
	"GET /agent/review":                               "in 403 403 200 200 200 in in",
	"POST /agent/review/:upload_id":                   "in 403 403 200 403 200 in in",
	"GET /agent/packets/:packet_id":                   "in 403 403 404 404 404 in in",
	"GET /agent/photos/:photo_id":                     "in 403 403 200 200 200 in in",
	"GET /driver":                                     "in 200 200 403 403 403 in in",
	"GET /driver/stops/:tracking_id":                  "in 200 403 403 403 403 in in",
	"POST /driver/stops/:tracking_id/photos":          "in 415 403 403 403 403 in in",
	"GET /driver/stops/:tracking_id/photos/:photo_id": "in 200 403 403 403 403 in in",
}

// sends is what goes with the requests that need a body.
var sends = map[string]string{
	"POST /api/v1/deliveries":                     `{"tracking_id":"T1","driver_id":"D1"}`,
	"POST /api/v1/deliveries/:tracking_id/events": `{"event_id":"E1","kind":"note","at":"2026-05-04T12:00:00Z","detail":"a dog"}`,
	"POST /api/v1/claims":                         `{"claim_id":"C1","tracking_id":"T1"}`,
	"POST /api/v1/blocks":                         `{"block_id":"B1","driver_id":"D1","scheduled_start":"2026-05-04T12:00:00Z"}`,
	"POST /api/v1/feedback":                       `{"feedback_id":"F1","driver_id":"D1","at":"2026-05-04T12:00:00Z","rating":5}`,
	"POST /api/v1/concessions":                    `{"tracking_id":"T1","concession_date":"2026-05-04"}`,
	"POST /api/v1/photo-reports":                  `{"week":"2026-W19","driver_id":"D1","opportunities":2,"success":2}`,
	"POST /api/v1/holds":                          `{"kind":"delivery","subject":"T1","reason":"Case 26-1187"}`,
	"POST /api/v1/tokens":                         `{"role":"agent"}`,
	"POST /api/v1/webhooks":                       `{}`,
	"POST /api/v1/reaudits/:run_id/state":         `{"state":"paused"}`,
	"POST /api/v1/uploads/:upload_id/review":      `{"decision":"accept"}`,
	"POST /api/v1/reaudits":                       `{"since":"2026-01-02T00:00:00Z","until":"2026-01-01T00:00:00Z"}`,
}

func TestEveryRouteAnswersEveryCaller(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	s.addClaim(t, "C1", "T1")
	photo := s.kept(t, "T1").PhotoID
	secrets := s.callers(t)
	files := strings.NewReplacer("/static/phone/:file", "/static/phone/queue.js")
	fill := strings.NewReplacer(":tracking_id", "T1", ":photo_id", photo, ":claim_id", "C1", ":packet_id", "none.zip", ":upload_id", "none", ":channel", "stripe", ":attachment_id", "none", ":run_id", "none",
		":file", "icon.svg", ":token_id", "none", ":endpoint_id", "none", ":driver_id", "D1")
	for _, r := range s.engine.Routes() {
		key := r.Method + " " + r.Path
		want := strings.Fields(serves[key])
		if len(want) != len(callers) {
			t.Errorf("%s has %d wanted answers, not one for each of %v", key, len(want), callers)
			continue
		}
		for i, caller := range callers {
			t.Run(key+" as "+caller, func(t *testing.T) {
				reply := s.send(t, s.call(t, r.Method, fill.Replace(files.Replace(r.Path)), key, secrets[caller]))
				got := strconv.Itoa(reply.StatusCode)
				if reply.StatusCode == http.StatusSeeOther && strings.HasPrefix(reply.Header.Get("Location"), "/signin") {
					got = "in"
				}
				if got != want[i] {
					t.Errorf("got %s %.200s, want %s", got, reply.body, want[i])
				}
				if !s.table[key].page && got == "401" && !strings.HasPrefix(reply.Header.Get("WWW-Authenticate"), "Bearer") {
					t.Error("WWW-Authenticate is missing")
				}
			})
		}
	}
	if got, want := len(s.engine.Routes()), len(serves); got != want {
		t.Errorf("%d routes, %d expected", got, want)
	}
}

// callers are the secrets of the columns' tokens.
func (s *stack) callers(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, role := range audit.Roles {
		out[string(role)] = s.secrets[role]
	}
	for name, change := range map[string]func(*audit.Token){
		"other driver": func(k *audit.Token) { k.Role, k.DriverID = audit.Driver, "D2" },
		"expired":      func(k *audit.Token) { past := time.Now().Add(-time.Second); k.ExpiresAt = &past },
		"revoked":      func(k *audit.Token) { past := time.Now().Add(-time.Second); k.RevokedAt = &past },
	} {
		secret, token, err := NewToken(audit.Admin, "", 0, time.Now(), newID)
		must(t, err)
		change(&token)
		must(t, s.db.AddToken(t.Context(), token))
		out[name] = secret
	}
	return out
}

// call makes a request with a secret: on a page by session, with its csrf field.
func (s *stack) call(t testing.TB, method, path, key, secret string) *http.Request {
	t.Helper()
	contentType, body := "application/json", sends[key]
	var session *http.Cookie
	if s.table[key].page && secret != "" {
		session = s.session(t, credential{hash: tokenHash(secret)})
		if method == http.MethodPost {
			contentType, body = "application/x-www-form-urlencoded", "csrf="+sessionField
		}
	}
	if body == "" {
		contentType = ""
	}
	r := s.request(t, method, path, contentType, strings.NewReader(body))
	if session != nil {
		r.AddCookie(session)
	} else if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	return r
}

// sessionField is the csrf field of the sessions that session begins.
const sessionField = "csrf-1"

// session begins one without signing in, and gives its cookie.
func (s *stack) session(t testing.TB, who credential) *http.Cookie {
	t.Helper()
	ctx, err := s.sessions.Load(t.Context(), "")
	must(t, err)
	s.sessions.Put(ctx, sessionHash, who.hash)
	s.sessions.Put(ctx, sessionCSRF, sessionField)
	key, _, err := s.sessions.Commit(ctx)
	must(t, err)
	return &http.Cookie{Name: s.sessions.Cookie.Name, Value: key}
}

// signedIn signs a role in on a page.
func (s *stack) signedIn(t testing.TB, role audit.Role) *http.Cookie {
	t.Helper()
	r := s.send(t, s.request(t, "POST", "/signin", "application/x-www-form-urlencoded", strings.NewReader("token="+s.secrets[role])))
	for _, c := range r.Cookies() {
		if c.Name == s.sessions.Cookie.Name && c.Value != "" {
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
