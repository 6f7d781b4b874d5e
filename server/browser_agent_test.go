package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/geo"
	"porchlight/audit/vision"
	"porchlight/fixtures"
	"porchlight/web/browsertest"
)

// keyboard is a page that is used with keys alone.
type keyboard struct {
	*testing.T
	*browsertest.Page
}

// press presses keys one after the other: \t is Tab, \r is Enter.
func (k keyboard) press(keys string) {
	k.T.Helper()
	k.Do(chromedp.KeyEvent(keys))
}

// leave presses keys that lead to another page and waits until it is there.
func (k keyboard) leave(keys, until string) {
	k.T.Helper()
	browsertest.Eval[bool](k.Page, `window.before = true`)
	k.press(keys)
	k.Wait(`!window.before && document.readyState === "complete" && (` + until + `)`)
}

// tab goes on with Tab until an element has the focus.
func (k keyboard) tab(selector string) {
	k.T.Helper()
	is := fmt.Sprintf(`document.activeElement.matches(%q)`, selector)
	for range 200 {
		k.press("\t")
		if browsertest.Eval[bool](k.Page, is) {
			return
		}
	}
	k.T.Fatalf("Tab never comes to %s", selector)
}

// agentsMorning puts on record what an agent finds in the morning: claims, those due first
// with their photos, a photo that waits for a person, a packet, a re-audit.
func (s *stack) agentsMorning(t *testing.T) (packetID, runID string) {
	t.Helper()
	now := time.Now()
	at := func(d time.Duration) string { return now.Add(d).UTC().Format(time.RFC3339) }
	streets := []string{"12 Elm Street", "99 Oak Avenue", "860 Elm Terrace Apartments North", "1217 NW 62nd Street"}
	var rows []string
	for i, street := range streets {
		for unit := range 3 {
			instruction := []string{"front_door", "hidden", "front_door"}[unit]
			rows = append(rows, fmt.Sprintf(`{"tracking_id":"TBA31000000%d%d","driver_id":"D1","address":%q,"unit":"%d","locality":"Springfield","postcode":"10001","latitude":%f,"longitude":-73.9967,`+
				`"instruction":%q,"window_start":%q,"window_end":%q,"scanned_at":%q,"scan_latitude":%f,"scan_longitude":-73.99675,"delivered_at":%q,"outcome":"delivered","time_zone":"America/New_York","note":"Left by the door, to the left of the mat"}`,
				i, unit, street, unit+1, 40.7501+float64(i)/100, instruction, at(-3*time.Hour), at(time.Hour), at(-time.Hour), 40.7502+float64(i)/100, at(-time.Hour)))
		}
	}
	if r := s.as(t, audit.Dispatch, "POST", "/api/v1/deliveries", ndjson, strings.Join(rows, "\n")); r.StatusCode != 200 {
		t.Fatalf("import: %d %s", r.StatusCode, r.body)
	}
	shot := func(tracking string, scene fixtures.Scene, role string) {
		scene.Width, scene.Height = 1200, 900
		r := s.upload(t, audit.Driver, tracking, photoPart(scene.JPEG()), part{name: "role", value: role}, part{name: "captured_at", value: at(-time.Hour)},
			part{name: "latitude", value: "40.7502"}, part{name: "longitude", value: "-73.9966"}, part{name: "accuracy_m", value: "8"})
		if r.StatusCode != 201 {
			t.Fatalf("upload: %d %s", r.StatusCode, r.body)
		}
	}
	shot("TBA3100000000", fixtures.Scene{Place: 1, Number: "12"}, "placement")
	shot("TBA3100000000", fixtures.Scene{Place: 1, Number: "12", Shot: 2}, "placement")
	shot("TBA3100000001", fixtures.Scene{Place: 1, Number: "12", Hidden: true, Shot: 3}, "context")
	shot("TBA3100000010", fixtures.Scene{Place: 2, Number: "99", Night: true, Defect: fixtures.Dark}, "placement")
	shot("TBA3100000011", fixtures.Scene{Place: 2, Number: "99", Hidden: true}, "close_up")
	shot("TBA3100000020", fixtures.Scene{Place: 1, Number: "12"}, "placement") // the first one's photo, elsewhere
	var claims []dispute.Claim
	for i, c := range []struct {
		tracking, channel, statement string
		due                          time.Duration
	}{
		{"TBA3100000000", "stripe", "I was home all day and nothing came.\nThe photo is not my door.", 5 * time.Hour},
		{"TBA3100000010", "paypal", "No package.", -50 * time.Hour},
		{"TBA3100000001", "amex", "", 60 * time.Hour},
		{"TBA3100000020", "stripe", "My neighbour has it?", 80 * time.Hour},
		{"TBA3999999999", "", "", 0},
	} {
		reported := now.Add(-20 * time.Hour)
		claim := dispute.Claim{ClaimID: fmt.Sprintf("CLM-2026-%05d", i+1), TrackingID: c.tracking, Channel: c.channel, Reason: "delivered_not_received", Statement: c.statement, ReportedAt: &reported}
		if c.due != 0 {
			due := now.Add(c.due)
			claim.DueAt = &due
		}
		claims = append(claims, claim)
	}
	_, err := s.db.PutClaims(t.Context(), claims, now)
	must(t, err)
	var track []dispute.TrackPoint
	for i := range 20 {
		track = append(track, dispute.TrackPoint{DriverID: "D1", At: now.Add(-time.Hour + time.Duration(i-10)*15*time.Second).UTC(), Point: geo.Point{Latitude: 40.7495 + float64(i)*0.00006, Longitude: -73.9971 + float64(i)*0.00003}})
	}
	_, err = s.db.PutTrack(t.Context(), track)
	must(t, err)
	run := decodeAs[audit.Run](t, s.as(t, audit.Admin, "POST", "/api/v1/reaudits", "application/json", s.strictRun(t)))
	// After the run, which would have it taken again.
	shot("TBA3100000001", fixtures.Scene{Place: 1, Number: "12", Hidden: true, Shot: 5}, "close_up")
	packet := decodeAs[PacketRef](t, s.as(t, audit.Agent, "POST", "/api/v1/claims/CLM-2026-00004/packets", "", ""))
	return packet.PacketID, run.RunID
}

// sees finds in every photo what the drawn doorsteps show, so that there is something to mark.
type sees struct{}

func (sees) Models(context.Context) ([]string, error) { return []string{"drawn-1"}, nil }
func (sees) Read(context.Context, []byte) (vision.Reading, error) {
	return vision.Reading{Models: []string{"drawn-1"}, Texts: []vision.Text{{Text: "12", Score: 0.97, Box: vision.Box{0.29, 0.17, 0.42, 0.28}}},
		Boxes: []vision.Detection{{Label: vision.Package, Score: 0.91, Box: vision.Box{0.57, 0.73, 0.75, 0.91}}}}, nil
}

// strictRun keeps a stricter checklist and asks for a re-audit of one driver by it.
func (s *stack) strictRun(t *testing.T) string {
	t.Helper()
	must(t, s.db.SaveChecklist(t.Context(), "guide-2026-strict", strict("guide-2026-strict"), time.Now()))
	b, err := json.Marshal(map[string]string{"checklist": "guide-2026-strict", "driver_id": "D1"})
	must(t, err)
	return string(b)
}

// TestAgentsDayInABrowser is a day with keys alone: in, to the claim that is due, read,
// answer, decide, judge photos, out.
func TestAgentsDayInABrowser(t *testing.T) {
	b := browsertest.Start(t, "")
	s := newStack(t)
	s.deliveries(t, "T0")
	s.kept(t, "T0")
	waits := []Uploaded{s.hiddenPhoto(t, "T1"), s.hiddenPhoto(t, "T2")}
	due := time.Now().Add(time.Hour)
	_, err := s.db.PutClaims(t.Context(), []dispute.Claim{{ClaimID: "C1", TrackingID: "T0", DueAt: &due}, {ClaimID: "C2", TrackingID: "T1"}, {ClaimID: "C3", TrackingID: "T9"}}, time.Now())
	must(t, err)
	k := keyboard{t, b.Open(t, s.url+"/agent")}

	k.tab("#token")
	k.press(s.secrets[audit.Agent])
	k.leave("\r", `location.pathname === "/agent"`)
	k.press("?")
	k.Wait(`document.querySelector("dialog[open] dl").innerText.includes("Next row")`)
	k.press("\x1b")
	k.Wait(`!document.querySelector("dialog")`)
	k.press("/")
	k.Wait(`document.activeElement.id === "q"`)
	k.press("12 elm")
	k.leave("\r", `new URLSearchParams(location.search).get("q").endsWith("12 elm") && document.querySelectorAll("tbody tr").length === 2`)
	k.press("j")
	k.press("j")
	k.press("k")
	k.Wait(`document.activeElement.textContent === "C1"`)
	k.leave("\r", `location.pathname === "/agent/claims/C1"`)
	k.Wait(`[...document.images].length && [...document.images].every(i => i.complete && i.naturalWidth > 0)`)
	k.leave("p", `location.hash === "#packets" && document.querySelector(".packets li")`)
	k.tab(`.packets a[href^="/agent/packets/"]`)
	k.leave("\r", `location.pathname.startsWith("/agent/packets/")`)
	k.leave("b", `location.pathname === "/agent/claims/C1"`)
	k.tab(`input[name=decision]`)
	k.press(" ")
	k.tab(`form[action$="/outcome"] button`)
	k.leave("\r", `document.querySelector(".facts").innerText.includes("Upheld")`)
	if o, err := s.db.Outcome(t.Context(), "C1"); err != nil || o == nil || o.Decision != dispute.Upheld {
		t.Errorf("the outcome is %+v, %v", o, err)
	}

	k.tab(`.top a[href="/agent/review"]`)
	k.leave("\r", `document.querySelector("form.decide")`)
	k.leave("4", `document.querySelector("[role=status]").innerText.includes("package in car")`)
	k.leave("u", `document.querySelector("[role=status]").innerText.includes("Taken back")`)
	k.leave("a", `document.querySelector("[role=status]").innerText.includes("Accepted")`)
	k.leave("9", `document.querySelector(".empty")`)
	for i, want := range []audit.RulingKind{audit.RuledAccept, audit.RuledReject} {
		if all, _, err := s.db.Rulings(t.Context(), audit.RulingFilter{UploadID: waits[i].UploadID}, "", 1); err != nil || len(all) != 1 || all[0].Kind != want {
			t.Errorf("photo %d was ruled %+v, %v, want %s", i, all, err, want)
		}
	}
	k.tab(`form[action="/signout"] button`)
	k.leave("\r", `!document.querySelector("nav")`)
	k.Go(s.url + "/agent")
	k.Wait(`location.pathname === "/signin"`)
	if faults := k.Faults(); len(faults) > 0 {
		t.Errorf("faults: %q", faults)
	}
}

// TestAgentPagesInABrowser holds every page of the agents and of operations to what
// everybody needs of a page, in all the ways in which one is looked at.
func TestAgentPagesInABrowser(t *testing.T) {
	browsertest.NeedsTime(t)
	b := browsertest.Start(t, "")
	s := newStack(t, func(c *Config) {
		config := c.Audit.Config
		config.Vision = sees{}
		c.Audit = audit.NewService(config)
	})
	packet, run := s.agentsMorning(t)
	session := s.signedIn(t, audit.Admin)
	cookie := &network.CookieParam{Name: session.Name, Value: session.Value, URL: s.url}
	photo := audit.PhotoID(fixtures.Scene{Place: 1, Number: "12", Width: 1200, Height: 900}.JPEG())
	for _, page := range []struct{ name, path string }{
		{"claims", "/agent"}, {"claims-none", "/agent?channel=discover"}, {"import", "/agent/import"}, {"claim", "/agent/claims/CLM-2026-00001"}, {"claim-not-on-record", "/agent/claims/CLM-2026-00005"},
		{"packet", "/agent/packets/" + packet}, {"photo", "/agent/photos/" + photo}, {"photo-large", "/agent/photos/" + photo + "?zoom=2"}, {"review", "/agent/review"},
		{"fleet", "/agent/fleet"}, {"carrier", "/agent/fleet/carrier"}, {"reuse", "/agent/reuse"}, {"drivers", "/agent/drivers"}, {"driver", "/agent/drivers/D1"},
		{"reaudits", "/agent/reaudits"}, {"reaudit", "/agent/reaudits/" + run}, {"checklist", "/agent/checklist"}, {"problem", "/agent/claims/none"},
		{"driver-without", "/agent/drivers/D1?without_claim=CLM-2026-00001"}, {"claims-decided", "/agent?all=1&due=week"},
	} {
		t.Run(page.name, func(t *testing.T) {
			p := b.Open(t, s.url+page.path, cookie)
			p.Wait(seen)
			p.Sound("agent-" + page.name)
		})
	}
}
