package stamper

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"porchlight/audit/dispute"
)

func TestStamp(t *testing.T) {
	var got *http.Request
	var body []byte
	status, answer := http.StatusOK, []byte{0x30, 0x00}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		w.Write(answer)
	}))
	defer s.Close()
	c, err := New(strings.Replace(s.URL, "http://", "http://porch:secret@", 1)+"/tsr?policy=1", "Porchlight/test")
	if err != nil {
		t.Fatal(err)
	}
	if c.Name() != s.URL+"/tsr" {
		t.Errorf("named %s", c.Name())
	}
	b, err := c.Stamp(t.Context(), []byte("request"))
	if err != nil || !bytes.Equal(b, answer) {
		t.Errorf("%x, %v", b, err)
	}
	user, password, _ := got.BasicAuth()
	if got.Method != http.MethodPost || got.URL.RequestURI() != "/tsr?policy=1" || got.Header.Get("Content-Type") != "application/timestamp-query" ||
		user != "porch" || password != "secret" || string(body) != "request" {
		t.Errorf("%s %s, %v, %q", got.Method, got.URL, got.Header, body)
	}

	for _, status = range []int{http.StatusFound, http.StatusUnauthorized, http.StatusInternalServerError} {
		if _, err := c.Stamp(t.Context(), nil); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: %v", status, err)
		}
	}
	status, answer = http.StatusOK, make([]byte, dispute.MaxTimestampBytes+1000)
	if b, err := c.Stamp(t.Context(), nil); err != nil || len(b) != dispute.MaxTimestampBytes+1 {
		t.Errorf("%d bytes are read, %v: one more than the limit is enough to refuse them", len(b), err)
	}
	s.Close()
	if _, err := c.Stamp(t.Context(), nil); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("closed: %v", err)
	}
}

func TestStampWaitsNoLonger(t *testing.T) {
	held := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-held }))
	defer s.Close()
	defer close(held)
	c, err := New(s.URL, "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Stamp(ctx, nil); err == nil || err.Error() != "it does not answer" {
		t.Errorf("%v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, u := range []string{"", "stamps.example", "ftp://stamps.example", "http://", "http://a:secret@/x"} {
		if _, err := New(u, "test"); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", u, err)
		}
	}
}
