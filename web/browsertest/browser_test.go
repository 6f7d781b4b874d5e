package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A page with everything that must be found, and one with nothing.
func TestPageIsLookedAt(t *testing.T) {
	bad := `<!doctype html><html><head></head><body><div style="width:2000px">wide</div><input><button style="width:9px;height:9px;padding:0;border:0">x</button>
<script>setTimeout(() => { throw new Error("oops") }); fetch("http://127.0.0.2:1/").catch(() => {})</script></body></html>`
	good := `<!doctype html><html lang="en"><head><title>Good</title></head><body><main><h1>Good</h1><p>Nothing is wrong.</p></main></body></html>`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, map[string]string{"/bad": bad, "/good": good}[r.URL.Path])
	}))
	defer s.Close()
	b := Start(t, "")
	p := b.Open(t, s.URL+"/good")
	p.Sound("good")
	p = b.Open(t, s.URL+"/bad")
	p.See(Looks[0])
	if got := p.Overflow(); len(got) == 0 {
		t.Error("what is too wide was not found")
	}
	if got := Eval[[]string](p, small); len(got) != 2 {
		t.Errorf("too small: %q", got)
	}
	if got := p.Axe(); axe() != "" && !strings.Contains(strings.Join(got, "\n"), "html-has-lang") {
		t.Errorf("axe-core found %q", got)
	}
	p.Wait("true")
	if got := strings.Join(p.Faults(), "\n"); !strings.Contains(got, "oops") || !strings.Contains(got, "127.0.0.2") {
		t.Errorf("faults: %s", got)
	}
}
