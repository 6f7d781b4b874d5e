package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
	"porchlight/audit/rows"
)

func TestImport(t *testing.T) {
	const row = `{"tracking_id":%q,"driver_id":"D1","route_id":"R1","address":"1 Elm Street","unit":"2","locality":"Springfield","postcode":"10001","country":"US",` +
		`"latitude":40.75,"longitude":-73.99,"stop_kind":"house","instruction":"front_door","proofs":["photo"],"window_start":"2026-05-04T08:00:00Z",` +
		`"window_end":"2026-05-04T10:00:00Z","scanned_at":"2026-05-04T09:00:00Z","scan_latitude":40.75,"scan_longitude":-73.99,` +
		`"delivered_at":"2026-05-04T09:01:00Z","outcome":"delivered","note":"left at door"}`
	a, b := fmt.Sprintf(row, "A"), fmt.Sprintf(row, "B")
	for _, c := range []struct {
		name, contentType, body string
		want                    rows.Summary
	}{
		{"object", "application/json", a, rows.Summary{Created: 1}},
		{"array", "application/json; charset=utf-8", "[" + a + "," + b + "]", rows.Summary{Created: 2}},
		{"lines", ndjson, a + "\n" + b + "\n", rows.Summary{Created: 2}},
		{"csv", "text/csv", "tracking_id,driver_id,proofs\nA,D1,photo signature\nB,D1,\n", rows.Summary{Created: 2}},
		{"type not said", "", a + "\n" + b, rows.Summary{Created: 2}},
		{"one row bad", ndjson, a + "\n" + `{"tracking_id":"B","colour":"red"}` + "\n" + `{"tracking_id":"C","outcome":"eaten"}`, rows.Summary{
			Created: 1, RejectedCount: 2, Rejected: []rows.Rejection{{Line: 2, Code: audit.CodeUnknownField}, {Line: 3, Code: audit.CodeInvalid}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStack(t)
			for _, again := range []bool{false, true} {
				r := s.as(t, audit.Dispatch, "POST", "/api/v1/deliveries", c.contentType, c.body)
				if r.StatusCode != http.StatusOK {
					t.Fatalf("got %d %s", r.StatusCode, r.body)
				}
				got, want := decodeAs[rows.Summary](t, r), c.want
				if again {
					want.Created, want.Unchanged = 0, want.Created
				}
				if want.Rejected == nil {
					want.Rejected = []rows.Rejection{}
				}
				if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Message" }, cmp.Ignore())); diff != "" {
					t.Errorf("again %v (-want +got):\n%s", again, diff)
				}
			}
		})
	}
}

func TestImportErrors(t *testing.T) {
	s := newStack(t, func(c *Config) { c.Limits.ImportBytes = 10_000 })
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		code                    audit.Code
		kept, rejected          int
	}{
		{"every row rejected", "application/json", `{"tracking_id":"A","colour":"red"}`, 422, CodeRejected, 0, 1},
		{"broken on the way", "application/json", `[{"tracking_id":"B1"},{"tracking_id":"B2"},`, 400, "", 2, 0},
		{"a column unknown", "text/csv", "tracking_id,colour\nA,red\n", 400, audit.CodeUnknownField, 0, 0},
		{"empty", "application/json", "", 400, audit.CodeUnreadable, 0, 0},
		{"no rows", "application/json", "[]", 400, audit.CodeUnreadable, 0, 0},
		{"binary", "application/octet-stream", "\x00\x01\x02", 415, CodeMediaType, 0, 0},
		{"too large", ndjson, strings.Repeat(`{"tracking_id":"L"}`+"\n", 1000), 413, CodeTooMuch, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.as(t, audit.Dispatch, "POST", "/api/v1/deliveries", c.contentType, c.body)
			p := got.problem(t)
			if got.StatusCode != c.status || p.Status != c.status || c.code != "" && p.Code != c.code {
				t.Errorf("got %d %+v, want %d %s", got.StatusCode, p, c.status, c.code)
			}
			if len(p.Rejected) != c.rejected {
				t.Errorf("rejected = %+v, want %d", p.Rejected, c.rejected)
			}
			if c.kept > 0 && (p.Kept == nil || p.Kept.Created != c.kept) {
				t.Errorf("kept = %+v, want %d created", p.Kept, c.kept)
			}
		})
	}
}

// TestImportThatStalls ends where nothing arrives any more, and not where it takes long.
func TestImportThatStalls(t *testing.T) {
	s := newStack(t, func(c *Config) { c.Limits.IdleTime = 3 * time.Second })
	pr, pw := io.Pipe()
	r := s.request(t, "POST", "/api/v1/deliveries", ndjson, pr)
	r.Header.Set("Authorization", "Bearer "+s.secrets[audit.Dispatch])
	go func() {
		for i := range 6 {
			_, _ = fmt.Fprintf(pw, "{\"tracking_id\":\"T%d\"}\n", i)
			time.Sleep(700 * time.Millisecond) // in all longer than may be still
		}
		// and then nothing, until the server gives up
	}()
	got := s.send(t, r)
	_ = pw.Close()
	p := got.problem(t)
	if got.StatusCode != http.StatusRequestTimeout || p.Code != CodeTimeout || p.Kept == nil || p.Kept.Created != 6 {
		t.Errorf("got %d %+v %+v, want 408 with 6 kept", got.StatusCode, p, p.Kept)
	}
}
