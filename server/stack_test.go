package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/dispute/pdf"
	"porchlight/fixtures"
	"porchlight/storage/dir"
	"porchlight/storage/sqldb"
	"porchlight/web"
)

// stack is a server on a real database and a real directory.
type stack struct {
	*Server
	config  Config // that the server was made of
	url     string
	db      *sqldb.DB
	path    string // of the directory with everything
	secrets map[audit.Role]string
	tokens  map[audit.Role]audit.Token
	log     *journal
	stores  *StoreMetrics
	key     *dispute.Signer
}

// open opens the stores, counted as the program has them.
func (s *stack) open(t testing.TB) ObjectStore {
	t.Helper()
	objects, err := dir.Open(filepath.Join(s.path, "objects"))
	must(t, err)
	t.Cleanup(func() { _ = objects.Close() })
	s.db, err = sqldb.Open(t.Context(), sqldb.Config{URL: filepath.Join(s.path, "records.db"), Observe: s.stores.Records})
	must(t, err)
	t.Cleanup(func() { _ = s.db.Close() })
	return s.stores.Objects(objects)
}

// journal is a log that may be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// newStack starts one. The driver's token is driver D1's.
func newStack(t testing.TB, change ...func(*Config)) *stack {
	t.Helper()
	s := &stack{path: t.TempDir(), secrets: map[audit.Role]string{}, tokens: map[audit.Role]audit.Token{}, log: &journal{}, stores: NewStoreMetrics()}
	objects := s.open(t)
	pages, err := web.New()
	must(t, err)
	s.key, err = dispute.LoadOrCreateKey(s.path)
	must(t, err)
	h := httptest.NewUnstartedServer(nil)
	t.Cleanup(h.Close)
	s.url = "http://" + h.Listener.Addr().String()
	c := Config{
		PublicURL: s.url, Limits: Limits{SignIns: 1e6, FailedTokens: 1e6}, // the tests share an address
		Work:  &audit.WorkOptions{},
		Audit: audit.NewService(audit.Config{Objects: objects, Records: s.db, Archive: s.db, NewID: newID}),
		Dispute: dispute.NewService(dispute.Config{Records: s.db, Objects: objects, Now: time.Now, NewID: newID, Signer: s.key,
			Document: pdf.Document{Originals: func(ctx context.Context, id string) ([]byte, error) { return audit.Original(ctx, objects, id) }}}),
		Records: s.db, Objects: objects, Pages: pages, NewID: newID, Version: "test", Collectors: []prometheus.Collector{s.stores},
		Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	for _, f := range change {
		f(&c)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sessions == nil {
		c.Sessions = s.db.WebSessions(c.Now)
	}
	s.config = c
	s.Server, err = New(c)
	must(t, err)
	t.Cleanup(s.Close)
	h.Config.Handler = s
	h.Start()
	for _, role := range audit.Roles {
		s.addToken(t, role, 0)
	}
	return s
}

func (s *stack) addToken(t testing.TB, role audit.Role, ttl time.Duration) {
	t.Helper()
	driver := ""
	if role == audit.Driver {
		driver = "D1"
	}
	secret, token, err := NewToken(role, driver, ttl, time.Now(), newID)
	must(t, err)
	must(t, s.db.AddToken(t.Context(), token))
	s.secrets[role], s.tokens[role] = secret, token
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reply is an answer, read.
type reply struct {
	*http.Response
	body []byte
}

func (r reply) problem(t testing.TB) Problem {
	t.Helper()
	if got := r.Header.Get("Content-Type"); got != problemMedia {
		t.Errorf("Content-Type = %q, want %q (%d: %s)", got, problemMedia, r.StatusCode, r.body)
	}
	return decodeAs[Problem](t, r)
}

func decodeAs[T any](t testing.TB, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("%d %q: %v", r.StatusCode, r.body, err)
	}
	return v
}

// plain does not follow redirects.
var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (s *stack) send(t testing.TB, r *http.Request) reply {
	t.Helper()
	resp, err := plain.Do(r)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return reply{resp, b}
}

func (s *stack) request(t testing.TB, method, path, contentType string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
	must(t, err)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// as sends a request with a role's token.
func (s *stack) as(t testing.TB, role audit.Role, method, path, contentType, body string) reply {
	t.Helper()
	r := s.request(t, method, path, contentType, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+s.secrets[role])
	return s.send(t, r)
}

func (s *stack) get(t testing.TB, role audit.Role, path string) reply {
	t.Helper()
	return s.as(t, role, "GET", path, "", "")
}

const ndjson = "application/x-ndjson"

// deliveries imports deliveries of D1 (and of D2, whose ids begin with other).
func (s *stack) deliveries(t testing.TB, ids ...string) {
	t.Helper()
	var b strings.Builder
	for _, id := range ids {
		driver := "D1"
		if strings.HasPrefix(id, "other") {
			driver = "D2"
		}
		fmt.Fprintf(&b, `{"tracking_id":%q,"driver_id":%q,"address":"12 Elm Street","postcode":"10001","latitude":40.7501,"longitude":-73.9967,`+
			`"instruction":"front_door","window_start":%q,"outcome":"delivered"}`+"\n", id, driver, time.Now().Format(time.RFC3339))
	}
	if r := s.as(t, audit.Dispatch, "POST", "/api/v1/deliveries", ndjson, b.String()); r.StatusCode != http.StatusOK {
		t.Fatalf("import: %d %s", r.StatusCode, r.body)
	}
}

// part is a part of a form. One without a name of a file is a field.
type part struct{ name, file, value string }

func photoPart(b []byte) part { return part{"photo", "photo.jpg", string(b)} }

func multipartForm(t testing.TB, parts ...part) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		var to io.Writer
		var err error
		if p.file != "" {
			to, err = w.CreateFormFile(p.name, p.file)
		} else {
			to, err = w.CreateFormField(p.name)
		}
		if err == nil {
			_, err = io.WriteString(to, p.value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

func (s *stack) upload(t testing.TB, role audit.Role, trackingID string, parts ...part) reply {
	t.Helper()
	ct, b := multipartForm(t, parts...)
	return s.as(t, role, "POST", "/api/v1/deliveries/"+trackingID+"/photos", ct, string(b))
}

// doorstep is a photo of 1000x750 pixels, stored a quarter turn anticlockwise.
var doorstep = sync.OnceValue(func() []byte {
	return fixtures.Scene{Place: 1, Number: "12", Width: 1000, Height: 750, Meta: &fixtures.Meta{
		Orientation: 6, TakenAt: time.Date(2026, 5, 4, 15, 0, 0, 0, time.UTC),
	}}.JPEG()
})

// kept uploads the doorstep for a delivery and answers what came of it.
func (s *stack) kept(t testing.TB, trackingID string) Uploaded {
	t.Helper()
	r := s.upload(t, audit.Driver, trackingID, photoPart(doorstep()))
	if r.StatusCode != http.StatusCreated {
		t.Fatalf("upload: %d %s", r.StatusCode, r.body)
	}
	return decodeAs[Uploaded](t, r)
}

// claim imports a claim.
func (s *stack) addClaim(t testing.TB, id, trackingID string) {
	t.Helper()
	must(t, func() error {
		_, err := s.db.PutClaims(context.Background(), []dispute.Claim{{ClaimID: id, TrackingID: trackingID}}, time.Now())
		return err
	}())
}
