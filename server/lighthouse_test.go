package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"porchlight/audit"
	"porchlight/fixtures"
	"porchlight/web/browsertest"
)

// lighthouse is what Lighthouse says about a page.
type lighthouse struct {
	Audits map[string]struct {
		Title        string   `json:"title"`
		Score        *float64 `json:"score"`
		DisplayValue string   `json:"displayValue"`
		Mode         string   `json:"scoreDisplayMode"`
	} `json:"audits"`
	Categories map[string]struct {
		Score     *float64 `json:"score"`
		AuditRefs []struct {
			ID     string  `json:"id"`
			Weight float64 `json:"weight"`
		} `json:"auditRefs"`
	} `json:"categories"`
	RuntimeError *struct{ Message string } `json:"runtimeError"`
}

// score is a category's score, of 100.
func (l lighthouse) score(category string) int {
	if s := l.Categories[category].Score; s != nil {
		return int(*s*100 + 0.5)
	}
	return 0
}

// lost are the audits that take something off a category's score.
func (l lighthouse) lost(category string) (out []string) {
	for _, ref := range l.Categories[category].AuditRefs {
		if a := l.Audits[ref.ID]; ref.Weight > 0 && a.Score != nil && *a.Score < 0.9 {
			out = append(out, fmt.Sprintf("%s %s", a.Title, a.DisplayValue))
		}
	}
	return out
}

// TestLighthouse prints Lighthouse's scores of the pages and holds them to 95. A score of
// performance is the median of several runs, since it moves with what else the machine
// does. It needs `make lighthouse`, which says where Lighthouse is.
func TestLighthouse(t *testing.T) {
	folder := os.Getenv("PORCHLIGHT_TEST_LIGHTHOUSE")
	if folder == "" {
		t.Skip("takes long: make lighthouse")
	}
	needsCheck(t)
	runs := 3
	if n, err := strconv.Atoi(os.Getenv("PORCHLIGHT_TEST_LIGHTHOUSE_RUNS")); err == nil && n > 0 {
		runs = n
	}
	s := newStack(t)
	s.agentsMorning(t)
	photo := audit.PhotoID(fixtures.Scene{Place: 1, Number: "12", Width: 1200, Height: 900}.JPEG())
	const phone, desktop = "phone", "desktop"
	for _, page := range []struct {
		path string
		role audit.Role
		on   string
	}{
		{"/signin", "", phone}, {"/signin", "", desktop},
		{"/driver", audit.Driver, phone}, {"/driver/stops/TBA3100000001", audit.Driver, phone}, {"/driver/stops/TBA3100000000/photos/" + photo, audit.Driver, phone},
		{"/driver/rejects", audit.Driver, phone}, {"/driver/standing", audit.Driver, phone}, {"/driver/disputes", audit.Driver, phone}, {"/driver/disputes/CLM-2026-00001", audit.Driver, phone},
		{"/agent", audit.Admin, desktop}, {"/agent/claims/CLM-2026-00001", audit.Admin, desktop}, {"/agent/review", audit.Admin, desktop},
		{"/agent/fleet", audit.Admin, desktop}, {"/agent/checklist", audit.Admin, desktop}, {"/agent/drivers/D1", audit.Admin, desktop}, {"/agent/reaudits", audit.Admin, desktop},
	} {
		t.Run(page.on+page.path, func(t *testing.T) {
			front := s.openedBy(t, page.role)
			var speed, practices []int
			var last lighthouse
			for range runs {
				last = runLighthouse(t, folder, front+page.path, page.on == desktop)
				speed, practices = append(speed, last.score("performance")), append(practices, last.score("best-practices"))
			}
			slices.Sort(speed)
			slices.Sort(practices)
			t.Logf("%-8s %-40.40s performance %3d (%d to %d), best practices %3d", page.on, page.path, speed[runs/2], speed[0], speed[runs-1], practices[0])
			if speed[runs/2] < 95 {
				t.Errorf("%s on a %s: performance %d, want 95: %q", page.path, page.on, speed[runs/2], last.lost("performance"))
			}
			if practices[0] < 95 {
				t.Errorf("%s on a %s: best practices %d, want 95: %q", page.path, page.on, practices[0], last.lost("best-practices"))
			}
		})
	}
}

// openedBy is an address of the server at which everybody is signed in with a role; an
// empty one is nobody.
func (s *stack) openedBy(t *testing.T, role audit.Role) string {
	t.Helper()
	if role == "" {
		return s.url
	}
	cookie := s.signedIn(t, role)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.AddCookie(cookie)
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h.URL
}

// runLighthouse loads a page in a browser of its own, as on a slow phone or on a desktop.
func runLighthouse(t *testing.T, folder, url string, desktop bool) lighthouse {
	t.Helper()
	args := []string{filepath.Join(folder, "node_modules", "lighthouse", "cli", "index.js"), url, "--quiet", "--output=json", "--output-path=stdout",
		"--only-categories=performance,best-practices", "--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking"}
	if desktop {
		args = append(args, "--preset=desktop")
	}
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Env = append(os.Environ(), "CHROME_PATH="+browsertest.Program())
	var faults bytes.Buffer
	cmd.Stderr = &faults
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("lighthouse %s: %v\n%s", url, err, faults.String())
	}
	var out lighthouse
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("lighthouse %s: %v: %.500s", url, err, b)
	}
	if out.RuntimeError != nil {
		t.Fatalf("lighthouse %s: %s", url, out.RuntimeError.Message)
	}
	return out
}
