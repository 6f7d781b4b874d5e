package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/rows"
	"porchlight/audit/standing"
)

// standingDay is before the packages' times: noon, so that an hour around stays a day.
var standingDay = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// drive imports 100 packages of D1, one claimed and one conceded, and 5 blocks.
func (s *stack) drive(t *testing.T) {
	t.Helper()
	post := func(path, body string) {
		t.Helper()
		if r := s.as(t, audit.Dispatch, "POST", path, ndjson, body); r.StatusCode != 200 {
			t.Fatalf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	var ds, bs strings.Builder
	for i := range 100 {
		at := standingDay.Add(-time.Duration(i) * time.Hour).Format(time.RFC3339)
		fmt.Fprintf(&ds, `{"tracking_id":"P%03d","driver_id":"D1","window_start":%q,"window_end":%q,"delivered_at":%q,"outcome":"delivered"}`+"\n", i, at, at, at)
	}
	for i := range 5 {
		at := standingDay.Add(-time.Duration(i+1) * 24 * time.Hour).Format(time.RFC3339)
		fmt.Fprintf(&bs, `{"block_id":"B%d","driver_id":"D1","scheduled_start":%q,"checked_in_at":%q}`+"\n", i, at, at)
	}
	post("/api/v1/deliveries", ds.String())
	post("/api/v1/blocks", bs.String())
	post("/api/v1/claims", `{"claim_id":"C1","tracking_id":"P007","reported_at":"2026-11-20T11:00:00Z","reason":"delivered_not_received"}`)
}

func TestDriverStanding(t *testing.T) {
	s := newStack(t, func(c *Config) { c.Now = func() time.Time { return standingDay } })
	s.drive(t)
	csv := "\"Tracking\nID\",Concession Date,Impacts DSB/Scorecard,Delivered > 50 m,\"No POD\non Delivery\",DSP\nP009,2026-11-19,Yes,\u2022,1,X\n"
	for _, want := range []rows.Summary{{Created: 1}, {Unchanged: 1}} {
		r := s.as(t, audit.Dispatch, "POST", "/api/v1/concessions", "text/csv", csv)
		if got := decodeAs[rows.Summary](t, r); r.StatusCode != 200 || got.Created != want.Created || got.Unchanged != want.Unchanged {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
	get := func(query string) DriverStanding {
		t.Helper()
		r := s.get(t, audit.Driver, "/api/v1/drivers/D1/standing"+query)
		if r.StatusCode != 200 {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		return decodeAs[DriverStanding](t, r)
	}
	// Two in 100 are held against the limits for 500: fair. Without one of them: great.
	got := get("")
	if f := got.Figure(standing.NotReceived); got.Standing != standing.Fair || f.Value == nil || *f.Value != 2 || f.Of != 100 || got.Label != "operator targets" {
		t.Errorf("%s, %+v", got.Standing, f)
	}
	if len(got.Events) != 2 || got.Events[0].ID != "C1" || !strings.Contains(got.Events[1].Text, "delivered_over_50_m, no_pod") || len(got.Unknown) == 0 {
		t.Errorf("events %+v, unknown %v", got.Events, got.Unknown)
	}
	if w := get("?without_claim=C1").WithoutClaim; w == nil || w.ClaimID != "C1" || w.Standing != standing.Great {
		t.Errorf("without C1: %+v", w)
	}
	if w := get("?without_claim=P009@2026-11-19").WithoutClaim; w == nil || w.Standing != standing.Great {
		t.Errorf("without the concession: %+v", w)
	}
	// An hour before the claim was made.
	if got := get("?at=2026-11-20T10:30:00Z"); got.Standing != standing.Great || got.EventCount != 1 {
		t.Errorf("before the claim: %s, %d events", got.Standing, got.EventCount)
	}
	for path, want := range map[string]int{"/api/v1/drivers/D1/standing?without_claim=C9": 404, "/api/v1/drivers/D9/standing": 404, "/api/v1/drivers/a%20b/standing": 422} {
		if r := s.get(t, audit.Agent, path); r.StatusCode != want {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	page := s.page(t, audit.Agent, "/agent/drivers/D1?without_claim=C1")
	for _, want := range []string{"Fair", "the standing would be", "great", "claim C1: package P007"} {
		if !strings.Contains(strings.ToLower(page), strings.ToLower(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page := s.page(t, audit.Driver, "/driver/standing"); !strings.Contains(page, "Your standing") {
		t.Errorf("the driver's page: %.300s", page)
	}

	// The packet's record of the driver is of the same figures; it is wired in cmd.
	if list := decodeAs[List[standing.Snapshot]](t, s.get(t, audit.Agent, "/api/v1/standings")); len(list.Items) != 0 {
		t.Errorf("%d standings are kept already", len(list.Items))
	}
	for _, at := range []time.Time{standingDay.Add(-26 * time.Hour), standingDay} {
		if _, err := s.db.RecomputeStandings(t.Context(), standing.Targets2026(), standing.DayOf(at), at, nil); err != nil {
			t.Fatal(err)
		}
	}
	list := decodeAs[List[standing.Snapshot]](t, s.get(t, audit.Dispatch, "/api/v1/standings?standing=fair"))
	if len(list.Items) != 1 || list.Items[0].DriverID != "D1" || list.Items[0].Day != "2026-11-20" {
		t.Errorf("fair are %+v", list.Items)
	}
	if list := decodeAs[List[standing.Snapshot]](t, s.get(t, audit.Dispatch, "/api/v1/standings?standing=at_risk")); len(list.Items) != 0 {
		t.Errorf("at risk are %+v", list.Items)
	}
	if list := decodeAs[List[standing.Snapshot]](t, s.get(t, audit.Dispatch, "/api/v1/standings?day=2026-11-19")); len(list.Items) != 1 || list.Items[0].Standing != standing.Fantastic {
		t.Errorf("the day before: %+v", list.Items)
	}
	for _, query := range []string{"?standing=good", "?day=today", "?cursor=!!!"} {
		if r := s.get(t, audit.Dispatch, "/api/v1/standings"+query); r.StatusCode != 422 {
			t.Errorf("%s: %d %s", query, r.StatusCode, r.body)
		}
	}
	got = get("")
	if len(got.History) != 2 || got.History[0].Day != "2026-11-20" || len(got.History[0].Changes) == 0 || len(got.History[0].Events) != 1 {
		t.Errorf("history %+v", got.History)
	}
	if len(got.Warnings) == 0 || got.Warnings[0].Kind != "standing_dropped" {
		t.Errorf("warnings %+v", got.Warnings)
	}
	if page := s.page(t, audit.Agent, "/agent/drivers?standing=fair"); !strings.Contains(page, `href="/agent/drivers/D1"`) {
		t.Errorf("the list: %.300s", page)
	}
}

// page is a page as a role sees it.
func (s *stack) page(t *testing.T, role audit.Role, path string) string {
	t.Helper()
	r := s.request(t, "GET", path, "", nil)
	r.AddCookie(s.signedIn(t, role))
	got := s.send(t, r)
	if got.StatusCode != 200 {
		t.Fatalf("%s: %d %s", path, got.StatusCode, got.body)
	}
	return string(got.body)
}

func TestImportPhotoReports(t *testing.T) {
	s := newStack(t)
	csv := "Transporter ID,Opportunities,Success,Bypass,Rejects,\"Blurry\nPhoto\",Photo Too Dark,Other\nA1B2C3D4E5F6G,10,8,0,2,1,1,\n"
	for path, want := range map[string]int{"/api/v1/photo-reports?week=2026-W47": 200, "/api/v1/photo-reports": 422, "/api/v1/photo-reports?week=47": 422} {
		if r := s.as(t, audit.Dispatch, "POST", path, "text/csv", csv); r.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", path, r.StatusCode, r.body, want)
		}
	}
}

// TestPhotoReport holds our count of a week against a carrier's.
func TestPhotoReport(t *testing.T) {
	s := newStack(t)
	r := s.as(t, audit.Dispatch, "POST", "/api/v1/deliveries", "application/json", `[
		{"tracking_id":"T1","driver_id":"D1","address":"1 Elm St","outcome":"delivered","delivered_at":"2026-11-17T10:00:00Z"},
		{"tracking_id":"T2","driver_id":"D1","address":"2 Elm St","outcome":"delivered","delivered_at":"2026-11-18T10:00:00Z"},
		{"tracking_id":"T3","driver_id":"D1","address":"3 Elm St","outcome":"delivered","delivered_at":"2026-11-23T00:00:00Z"}]`)
	if r.StatusCode != http.StatusOK {
		t.Fatalf("deliveries: %d %s", r.StatusCode, r.body)
	}
	s.kept(t, "T1")
	const week = "since=2026-11-16T00:00:00Z&until=2026-11-23T00:00:00Z"
	ours := decodeAs[List[standing.PhotoCounts]](t, s.get(t, audit.Agent, "/api/v1/photo-reports?"+week)).Items
	if len(ours) != 1 || ours[0].Opportunities != 2 || ours[0].Bypass != 1 || ours[0].Success+ours[0].Rejects != 1 {
		t.Fatalf("ours: %+v", ours)
	}
	if csv := string(s.get(t, audit.Agent, "/api/v1/photo-reports.csv?"+week).body); !strings.HasPrefix(csv, "driver_id,opportunities,success,bypass,rejects,blurry_photo,") || !strings.Contains(csv, "\nD1,2,") {
		t.Errorf("as CSV: %q", csv)
	}
	s.as(t, audit.Dispatch, "POST", "/api/v1/photo-reports?week=2026-W47", "application/json", `[{"driver_id":"D1","opportunities":2,"success":2}]`)
	gaps := decodeAs[List[standing.PhotoDifference]](t, s.get(t, audit.Agent, "/api/v1/photo-reports/differences?week=2026-W47")).Items
	if len(gaps) != 1 || !slices.Contains(gaps[0].Figures, standing.FigureGap{Figure: "bypass", Carrier: 0, Ours: 1}) {
		t.Errorf("differences: %+v", gaps)
	}
	for _, path := range []string{"?since=2026-01-01T00:00:00Z&until=2026-11-01T00:00:00Z", "?since=2026-11-02T00:00:00Z&until=2026-11-01T00:00:00Z", "/differences?week=2026-W54"} {
		if r := s.get(t, audit.Agent, "/api/v1/photo-reports"+path); r.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}
