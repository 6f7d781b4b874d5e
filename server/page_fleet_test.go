package server

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/fixtures"
)

// dark is a photo taken at night, whatever the place.
func dark() []byte {
	return fixtures.Scene{Place: 2, Width: 1000, Height: 750, Night: true, Defect: fixtures.Dark}.JPEG()
}

// TestFleetPage counts what came in: photos by verdict and reason, one that was used
// before, and an address with two claims.
func TestFleetPage(t *testing.T) {
	s := newStack(t)
	s.hiddenPhoto(t, "T1")
	s.deliveries(t, "T2", "other3")
	elsewhere := `{"tracking_id":"T3","driver_id":"D1","address":"99 Oak Avenue","postcode":"10001","outcome":"delivered","instruction":"front_door"}`
	if r := s.as(t, audit.Dispatch, "POST", "/api/v1/deliveries", ndjson, elsewhere); r.StatusCode != 200 {
		t.Fatalf("import: %d", r.StatusCode)
	}
	if r := s.upload(t, audit.Driver, "T2", photoPart(dark())); r.StatusCode != 201 || decodeAs[Uploaded](t, r).Report.Verdict != audit.Retake {
		t.Fatalf("upload: %d %.300s", r.StatusCode, r.body)
	}
	s.kept(t, "T3") // the photo of T1, at another stop
	s.addClaim(t, "C1", "T1")
	s.addClaim(t, "C2", "T2")
	s.addClaim(t, "C3", "T3")
	b := browser{s, s.signedIn(t, audit.Dispatch)}
	r, doc := b.open(t, "/agent/fleet")
	if r.StatusCode != 200 {
		t.Fatalf("fleet: %d %.300s", r.StatusCode, r.body)
	}
	days := shown(doc, "#verdicts tbody tr")
	if len(days) != 7 || !strings.HasSuffix(days[6], "0 photos1 photo2 photos") {
		t.Errorf("verdicts by day: %q", days)
	}
	if got := shown(doc, "[aria-labelledby=buildings] tbody a"); len(got) != 3 || !strings.HasPrefix(got[0], "12 Elm Street") || got[1]+got[2] != "C2C1" {
		t.Errorf("buildings: %q", got)
	}
	if got := doc.Find("[aria-labelledby=reused] li a[href^='/agent/photos/']"); got.Length() != 1 || !strings.HasSuffix(got.AttrOr("href", ""), audit.PhotoID(doorstep())) {
		t.Errorf("%d reused photos", got.Length())
	}
	if got := shown(doc, "[aria-labelledby=watched] tbody th"); len(got) != 1 || got[0] != "D1" {
		t.Errorf("drivers: %q", got)
	}
	reused := decodeAs[List[audit.Cluster]](t, s.get(t, audit.Agent, "/api/v1/clusters?driver_id=D1"))
	if len(reused.Items) != 1 || len(reused.Items[0].Uploads) != 2 || reused.Items[0].Uploads[0].TrackingID != "T1" || reused.Items[0].Uploads[1].TrackingID != "T3" {
		t.Errorf("clusters: %+v", reused)
	}
	_, doc = b.open(t, "/agent/reuse")
	if got := shown(doc, "main h2, .gallery .badge"); !slices.Equal(got, []string{"2 uploads, 2 stops, 1 driver", "First sent", "The same file"}) {
		t.Errorf("pictures used again: %q", got)
	}
	for path, want := range map[string]int{"/agent/fleet?days=28": 200, "/agent/fleet?days=0": 422, "/agent/fleet?days=x": 422} {
		if r, _ := b.open(t, path); r.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
		}
	}

	// The same week as a stricter checklist has it.
	must(t, s.db.SaveChecklist(t.Context(), "guide-2026-strict", strict("guide-2026-strict"), time.Now()))
	period := "?since=" + url.QueryEscape(time.Now().Add(-48*time.Hour).Format(time.RFC3339)) + "&until=" + url.QueryEscape(time.Now().Add(48*time.Hour).Format(time.RFC3339))
	counted := func(path string) (success, rejects int) {
		var list struct {
			Items []struct{ Success, Rejects int }
		}
		r := s.get(t, audit.Agent, path)
		if err := json.Unmarshal(r.body, &list); err != nil || r.StatusCode != 200 {
			t.Fatalf("%s: %d %s", path, r.StatusCode, r.body)
		}
		for _, i := range list.Items {
			success, rejects = success+i.Success, rejects+i.Rejects
		}
		return success, rejects
	}
	success, rejects := counted("/api/v1/photo-reports" + period)
	if success == 0 {
		t.Error("no photo counts as a success")
	}
	if ok, not := counted("/api/v1/photo-reports" + period + "&checklist=guide-2026-strict"); ok != 0 || not != success+rejects {
		t.Errorf("by the stricter checklist: %d, %d; want 0, %d", ok, not, success+rejects)
	}
	if r := s.get(t, audit.Agent, "/api/v1/photo-reports.csv"+period+"&checklist=guide-2026-strict"); r.StatusCode != 200 || strings.Count(string(r.body), "\n") < 2 {
		t.Errorf("as CSV: %d %s", r.StatusCode, r.body)
	}
	if r := s.get(t, audit.Agent, "/api/v1/photo-reports"+period+"&checklist=none"); r.StatusCode != 422 || !strings.Contains(string(r.body), string(audit.CodeChecklist)) {
		t.Errorf("a checklist that is not there: %d %s", r.StatusCode, r.body)
	}

	year, week := time.Now().UTC().ISOWeek()
	name := isoWeek(year, week)
	report := `{"week":"` + name + `","driver_id":"D1","opportunities":3,"success":3}`
	if r := s.as(t, audit.Dispatch, "POST", "/api/v1/photo-reports", ndjson, report); r.StatusCode != 200 {
		t.Fatalf("import: %d %s", r.StatusCode, r.body)
	}
	_, doc = b.open(t, "/agent/fleet/carrier?week="+name)
	if got := shown(doc, "[aria-labelledby=differ] tbody td"); len(got) != 4 || !strings.Contains(got[0], "Success: the carrier 3, ours 1") || !strings.HasPrefix(got[2], "Not in the carrier's report") {
		t.Errorf("against the carrier: %q", got)
	}
	if r, doc := b.open(t, "/agent/fleet/carrier?week=soon"); r.StatusCode != 200 || len(shown(doc, "[role=alert]")) != 1 {
		t.Errorf("a week that is none: %d", r.StatusCode)
	}
	if r, doc := b.open(t, "/agent/fleet/carrier"); r.StatusCode != 200 || !strings.Contains(strings.Join(shown(doc, ".empty"), ""), "not on record") {
		t.Errorf("last week: %d", r.StatusCode)
	}
}

// strict is the built-in checklist with a brightness that no photo of the tests reaches.
func strict(version string) string {
	g := audit.Guide2026().Text()
	g = strings.Replace(g, "version: guide-2026", "version: "+version, 1)
	g = strings.Replace(g, "fail_below: 60", "fail_below: 254", 1)
	return strings.Replace(g, "warn_below: 80", "warn_below: 255", 1)
}

// TestChecklistIsTriedAndKept tries a stricter checklist, keeps it, and looks at what the
// re-audit by it changed.
func TestChecklistIsTriedAndKept(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	photo := s.kept(t, "T1")
	agent, admin := browser{s, s.signedIn(t, audit.Agent)}, browser{s, s.signedIn(t, audit.Admin)}
	r, doc := agent.open(t, "/agent/checklist")
	if r.StatusCode != 200 || doc.Find("textarea").Text() != audit.Guide2026().Text() || !strings.Contains(doc.Text(), "latest 1 photos") || doc.Find("#h-brightness svg").Length() == 0 {
		t.Fatalf("checklist: %d, %d bytes of text", r.StatusCode, len(doc.Find("textarea").Text()))
	}
	_, own := admin.open(t, "/agent/checklist")
	for _, c := range []struct {
		name   string
		by     browser
		field  string
		do     string
		text   string
		status int
		says   string
	}{
		{"without the field csrf", agent, "", "try", strict("strict-1"), 403, "out of date"},
		{"faulty", agent, csrf(doc), "try", "version: x\nchecks: {}\n", 200, "the check blur is missing"},
		{"tried", agent, csrf(doc), "try", strict("strict-1"), 200, "<strong>1</strong> would have another verdict"},
		{"kept by an agent", agent, csrf(doc), "keep", strict("strict-1"), 403, "Only admins"},
		{"kept", admin, csrf(own), "keep", strict("strict-1"), 200, "Kept as"},
		{"kept with other contents", admin, csrf(own), "keep", strict("strict-1") + "# more\n", 200, "kept with other contents"},
	} {
		r := c.by.postForm(t, "/agent/checklist", "csrf", c.field, "do", c.do, "text", c.text)
		if r.StatusCode != c.status || !strings.Contains(string(r.body), c.says) {
			t.Errorf("%s: %d, want %d with %q", c.name, r.StatusCode, c.status, c.says)
		}
	}
	if text, err := s.db.Checklist(t.Context(), "strict-1"); err != nil || text != strict("strict-1") {
		t.Errorf("kept %d bytes, %v", len(text), err)
	}
	if r, doc := agent.open(t, "/agent/checklist?version=strict-1"); r.StatusCode != 200 || doc.Find("textarea").Text() != strict("strict-1") {
		t.Errorf("the kept version: %d", r.StatusCode)
	}
	if r, _ := agent.open(t, "/agent/checklist?version=none"); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a version that is not on record: %d", r.StatusCode)
	}

	run := decodeAs[audit.Run](t, s.as(t, audit.Admin, "POST", "/api/v1/reaudits", "application/json", `{"checklist":"strict-1"}`))
	_, doc = agent.open(t, "/agent/reaudits/"+run.RunID)
	if got := strings.Join(shown(doc, ".beforeafter .badge"), " "); got != string(capital(photo.Report.Verdict))+" Retake" {
		t.Errorf("the flip is %q", got)
	}
	if got := shown(doc, ".flips tbody tr:first-of-type > *"); len(got) != 3 || got[0] != "Brightness" || !strings.HasPrefix(got[1], "Pass") || !strings.HasPrefix(got[2], "Fail") {
		t.Errorf("the findings that changed: %q", got)
	}
	if src := doc.Find(".flips img").AttrOr("src", ""); !strings.Contains(src, photo.PhotoID) {
		t.Errorf("its photo is %q", src)
	}
}

func capital(v audit.Verdict) audit.Verdict {
	return audit.Verdict(strings.ToUpper(string(v[:1]))) + v[1:]
}
