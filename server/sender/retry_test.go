package sender

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestPause(t *testing.T) {
	for _, c := range []struct {
		n          int
		retryAfter time.Duration
		random     float64
		want       time.Duration
		again      bool
	}{
		{1, 0, 0, 5 * time.Second, true},
		{1, 0, .8, 6 * time.Second, true},
		{2, 0, 0, 30 * time.Second, true},
		{8, 0, .5, 13*time.Hour + 30*time.Minute, true},
		{9, 0, 0, 0, false},
		{100, time.Hour, 0, 0, false},
		{1, time.Minute, 0, time.Minute, true},
		{4, time.Minute, 0, 10 * time.Minute, true}, // an endpoint can put us off, not hurry us
		{0, 0, 0, 5 * time.Second, true},
	} {
		if got, again := pause(c.n, c.retryAfter, c.random); got != c.want || again != c.again {
			t.Errorf("pause(%d, %v, %v) = %v %v, want %v %v", c.n, c.retryAfter, c.random, got, again, c.want, c.again)
		}
	}
	least, most := time.Duration(0), time.Duration(0)
	for n := range pauses {
		p, _ := pause(n+1, 0, 0)
		q, _ := pause(n+1, 0, .999999)
		least, most = least+p, most+q
	}
	if least < 22*time.Hour || most > 28*time.Hour {
		t.Errorf("given up after %v to %v, want 22 to 28 hours", least, most)
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, "-1": 0, "1.5": 0, "soon": 0, "43200": 12 * time.Hour, "43201": 12 * time.Hour,
		"18446744073709551615": 12 * time.Hour, "99999999999999999999999": 0,
		noon.Add(time.Minute).Format(http.TimeFormat):      time.Minute,
		noon.Add(-time.Minute).Format(http.TimeFormat):     0,
		noon.Add(1000 * time.Hour).Format(http.TimeFormat): 12 * time.Hour,
		"Fri, 31 Dec 9999 23:59:59 GMT":                    12 * time.Hour,
		"Saturday, 14-Mar-26 12:00:30 GMT":                 30 * time.Second,
		noon.Add(time.Minute).Format(time.RFC3339):         0,
	} {
		if got := retryAfter(text, noon); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", text, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, text := range []string{"", "120", "-1", "99999999999999999999", "Sat, 14 Mar 2026 12:00:30 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := retryAfter(text, noon); got < 0 || got > maxRetryAfter {
			t.Errorf("retryAfter(%q) = %v", text, got)
		}
	})
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&url.Error{Op: "Post", URL: "https://x/?key=secret", Err: errors.New("connection refused")}, "connection refused"},
		{&url.Error{Op: "Post", URL: "https://x/?key=secret", Err: errPrivate}, errPrivate.Error()},
		{errors.New("a\x00b\xffc"), "a?b?c"},
		{errors.New(strings.Repeat("é", 400)), strings.Repeat("é", 150)},
	} {
		got := words(c.err)
		if got != c.want || !utf8.ValidString(got) {
			t.Errorf("words(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}
