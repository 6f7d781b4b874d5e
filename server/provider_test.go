package server

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	jose "github.com/go-jose/go-jose/v4"

	"porchlight/audit"
)

const clientSecret = "a-secret-of-the-client-with-32-bytes"

// smallProvider is an OpenID provider that can be made to answer wrongly. It asks
// nobody anything: whoever comes is signed in.
type smallProvider struct {
	*httptest.Server
	mu    sync.Mutex
	grant map[string]url.Values // by code, what was asked for; gone once used

	// What a test changes.
	claims   func(claims map[string]any)      // of the ID token
	userInfo map[string]any                   // answered by /userinfo
	sign     func(payload []byte) string      // makes the ID token
	token    func(w http.ResponseWriter) bool // answers in place of /token where true
	tokens   int                              // times that /token was asked
}

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// newSmallProvider starts one.
func newSmallProvider(t *testing.T) *smallProvider {
	t.Helper()
	p := &smallProvider{grant: map[string]url.Values{}}
	p.behave(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		sendJSON(w, 200, map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			"jwks_uri": p.URL + "/keys", "userinfo_endpoint": p.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		sendJSON(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: signingKey().Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.exchange)
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer access-1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		sendJSON(w, 200, p.userInfo)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// behave undoes what a test changed.
func (p *smallProvider) behave(t *testing.T) {
	p.claims, p.token = func(map[string]any) {}, nil
	p.userInfo = map[string]any{"sub": "person-1"}
	p.sign = func(b []byte) string { return signed(t, jose.RS256, signingKey(), "k1", b) }
}

func sendJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, id string, payload []byte) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", id))
	must(t, err)
	o, err := s.Sign(payload)
	must(t, err)
	text, err := o.CompactSerialize()
	must(t, err)
	return text
}

func (p *smallProvider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("response_type") != "code" || q.Get("client_id") != "porchlight" ||
		!strings.Contains(" "+q.Get("scope")+" ", " openid ") || len(q.Get("state")) < 20 || len(q.Get("nonce")) < 20 {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.grant[code] = q
	p.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}.Encode(), http.StatusSeeOther)
}

func (p *smallProvider) exchange(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens++
	if p.token != nil && p.token(w) {
		return
	}
	id, secret, _ := r.BasicAuth()
	asked, ok := p.grant[r.PostFormValue("code")]
	delete(p.grant, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || id != "porchlight" || secret != clientSecret || asked.Get("redirect_uri") != r.PostFormValue("redirect_uri") ||
		asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		sendJSON(w, 400, map[string]string{"error": "invalid_grant"})
		return
	}
	claims := map[string]any{"iss": p.URL, "sub": "person-1", "aud": "porchlight", "nonce": asked.Get("nonce"), "name": "Jo Oduya",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "roles": []string{"support", "other"}}
	p.claims(claims)
	b, err := json.Marshal(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sendJSON(w, 200, map[string]any{"access_token": "access-1", "token_type": "Bearer", "expires_in": 60, "id_token": p.sign(b)})
}

// withProvider configures a provider, with "support" for agents and "ops" for admins.
func withProvider(issuer string) func(*Config) {
	return func(c *Config) {
		c.OIDC = &OIDC{Issuer: issuer, ClientID: "porchlight", ClientSecret: clientSecret,
			Roles: map[audit.Role][]string{audit.Agent: {"support", "helpdesk"}, audit.Admin: {"ops"}}}
	}
}

// surfer is a browser with all its cookies. It follows no redirect by itself.
type surfer struct {
	*http.Client
	t *testing.T
}

func newSurfer(t *testing.T) surfer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return surfer{&http.Client{Jar: jar, CheckRedirect: plain.CheckRedirect}, t}
}

func (b surfer) get(address string) reply {
	b.t.Helper()
	r, err := b.Get(address)
	must(b.t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	must(b.t, err)
	return reply{r, body}
}

// to follows a redirect.
func (r reply) to(t *testing.T) string {
	t.Helper()
	u, err := r.Location()
	if err != nil {
		t.Fatalf("%d %s: %v", r.StatusCode, r.body, err)
	}
	return u.String()
}

// callback goes to the provider and gives the address of its answer.
func (b surfer) callback(s *stack, next string) string {
	b.t.Helper()
	asked := b.get(s.url + "/signin/oidc?next=" + url.QueryEscape(next))
	return b.get(asked.to(b.t)).to(b.t)
}

// realProvider starts oidc-provider as a process of its own, and answers its issuer.
func realProvider(t *testing.T, redirectURI string) string {
	t.Helper()
	folder := os.Getenv("PORCHLIGHT_TEST_OIDC_PROVIDER")
	if folder == "" {
		t.Skip("PORCHLIGHT_TEST_OIDC_PROVIDER is not set: .ci/servers.sh installs oidc-provider where npm is, and sets it")
	}
	cmd := exec.Command("node", "testdata/provider.mjs", folder, redirectURI)
	cmd.Env = append(os.Environ(), "CLIENT_SECRET="+clientSecret)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close() // it ends with its input
		_ = cmd.Wait()
	})
	issuer, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the provider does not start: %v", err)
	}
	return strings.TrimSpace(issuer)
}

func TestSignInAtARealProvider(t *testing.T) {
	s := newStack(t, func(c *Config) {
		withProvider(realProvider(t, c.PublicURL+"/signin/callback"))(c)
		c.OIDC.RolesClaim = "realm_access.roles"
	})
	for _, c := range []struct {
		person string
		status int
		shows  string
	}{
		{"ann", 200, "Ann Agent"},
		{"ada", 200, "Ada Admin"},
		{"vic", 403, "no role in Porchlight"},
		{"nobody", 401, "did not sign you in"},
	} {
		t.Run(c.person, func(t *testing.T) {
			b := newSurfer(t)
			_, doc := browser{stack: s}.open(t, b.get(s.url + "/agent").to(t)[len(s.url):])
			button := doc.Find(`a[href^="/signin/oidc"]`).AttrOr("href", "")
			r := b.get(s.url + button)
			for range 10 { // there and back, asking who one is on the way
				if r.StatusCode == http.StatusOK && strings.Contains(r.Request.URL.Path, "/interaction/") {
					form, err := goquery.NewDocumentFromReader(strings.NewReader(string(r.body)))
					must(t, err)
					r = b.get(r.Request.URL.String() + "?" + form.Find("input").AttrOr("name", "") + "=" + c.person)
					continue
				}
				if r.StatusCode < 300 || r.StatusCode > 399 {
					break
				}
				r = b.get(r.to(t))
			}
			if r.StatusCode != c.status || !strings.Contains(string(r.body), c.shows) || !strings.HasPrefix(r.Request.URL.String(), s.url) {
				t.Fatalf("ended at %s: %d %.200s\n%s", r.Request.URL, r.StatusCode, r.body, s.log)
			}
			if want := "/agent"; c.status == 200 && r.Request.URL.Path != want {
				t.Errorf("ended at %s, want %s", r.Request.URL.Path, want)
			}
		})
	}
}
