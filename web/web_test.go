package web

import (
	"errors"
	"io/fs"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"porchlight/audit"
)

func mustNew(t testing.TB) *Pages {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// render is a page as a browser parses it.
func render(t *testing.T, p *Pages, page Page) *goquery.Document {
	t.Helper()
	w := httptest.NewRecorder()
	if err := p.Render(w, page, 418); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Type"); w.Code != 418 || got != "text/html; charset=utf-8" {
		t.Fatalf("status %d, type %q", w.Code, got)
	}
	doc, err := goquery.NewDocumentFromReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// text is an element's text with its spaces folded.
func text(s *goquery.Selection) string { return strings.Join(strings.Fields(s.Text()), " ") }

// TestPagesAreSound holds what is true of every page, whatever it shows.
func TestPagesAreSound(t *testing.T) {
	p := mustNew(t)
	for kind, set := range map[string]map[string]Page{"full": full(), "empty": empty(), "hostile": hostile(t)} {
		for name, page := range set {
			t.Run(kind+"/"+name, func(t *testing.T) { sound(t, render(t, p, page)) })
		}
	}
}

func sound(t *testing.T, doc *goquery.Document) {
	t.Helper()
	for selector, want := range map[string]int{"html[lang=en]": 1, "head > title": 1, "body > header": 1, "main#main": 1, "main h1": 1,
		"script:not([src^='/static/']), style, iframe, object, base, meta[http-equiv]": 0, "a.skip[href='#main']": 1, "link[rel=stylesheet][href='/static/porchlight.css']": 1} {
		if got := doc.Find(selector).Length(); got != want {
			t.Errorf("%d of %s, want %d", got, selector, want)
		}
	}
	if text(doc.Find("h1")) == "" || strings.HasPrefix(text(doc.Find("title")), "-") {
		t.Errorf("heading %q, title %q", text(doc.Find("h1")), text(doc.Find("title")))
	}
	ids := map[string]bool{}
	doc.Find("*").Each(func(_ int, s *goquery.Selection) {
		for _, a := range s.Nodes[0].Attr {
			switch {
			case strings.HasPrefix(a.Key, "on") || a.Key == "style":
				t.Errorf("%s has %s=%q", goquery.NodeName(s), a.Key, a.Val)
			case a.Key == "href" || a.Key == "src" || a.Key == "action":
				staysHere(t, a)
			case a.Key == "id":
				if ids[a.Val] {
					t.Errorf("id %s twice", a.Val)
				}
				ids[a.Val] = true
			}
		}
	})
	doc.Find("[aria-labelledby], [aria-describedby], label[for]").Each(func(_ int, s *goquery.Selection) {
		for _, name := range []string{"aria-labelledby", "aria-describedby", "for"} {
			for _, id := range strings.Fields(s.AttrOr(name, "")) {
				if !ids[id] {
					t.Errorf("%s=%s names nothing", name, id)
				}
			}
		}
	})
	doc.Find("form").Each(func(_ int, s *goquery.Selection) {
		// What changes something carries the session's own field; a search does not, so that its address shows nothing.
		changes := s.AttrOr("method", "") == "post"
		if !changes && s.AttrOr("role", "") != "search" || s.Find("input[type=hidden][name=csrf]").Length() != map[bool]int{true: 1}[changes] || s.Find("button[type=submit]").Length() == 0 {
			t.Errorf("form %s lacks its method, csrf or button", s.AttrOr("action", ""))
		}
	})
	doc.Find("input:not([type=hidden]), select, textarea").Each(func(_ int, s *goquery.Selection) {
		if id := s.AttrOr("id", ""); s.Closest("label").Length() == 0 && (id == "" || doc.Find("label[for="+id+"]").Length() != 1) {
			t.Errorf("%s %s has no label", goquery.NodeName(s), s.AttrOr("name", ""))
		}
	})
	doc.Find(".badge, .verdict h1, .verdict .summary").Each(func(_ int, s *goquery.Selection) {
		if s.Find("svg.icon").Length() != 1 || text(s) == "" {
			t.Errorf("a status is colour alone: %q", text(s))
		}
	})
	doc.Find("img").Each(func(_ int, s *goquery.Selection) {
		if s.AttrOr("alt", "") == "" {
			t.Errorf("image %s has no alt", s.AttrOr("src", ""))
		}
	})
	doc.Find("time").Each(func(_ int, s *goquery.Selection) {
		at := s.AttrOr("datetime", "")
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			t.Errorf("datetime %q", at)
		}
	})
	doc.Find("table").Each(func(_ int, s *goquery.Selection) {
		columns := s.Find("thead th").Length()
		s.Find("tbody tr").Each(func(_ int, row *goquery.Selection) {
			if n := row.Children().Length(); n != columns && row.Find("[colspan]").Length() == 0 {
				t.Errorf("a row has %d cells, the head %d", n, columns)
			}
		})
	})
}

// staysHere checks that a link stays on this server, under the path that the template names.
func staysHere(t *testing.T, a html.Attribute) {
	t.Helper()
	u, err := url.Parse(a.Val)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "?") && a.Val != "#main" ||
		strings.HasPrefix(a.Val, "//") || path.Clean(u.Path) != u.Path && u.Path != "" && !strings.Contains(u.RawPath, "%2F") {
		t.Errorf("%s=%q leaves its place: %v", a.Key, a.Val, err)
	}
}

func TestPagesEscape(t *testing.T) {
	p := mustNew(t)
	for name, page := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			doc := render(t, p, page)
			raw, err := doc.Html()
			if err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(raw, "\u202e\u2066") {
				t.Error("a direction override came through")
			}
			if doc.Find("img[src='x'], textarea:not(#text)").Length() > 0 {
				t.Error("markup came through")
			}
			// The title ends where the template says, and the text is there to be read.
			if got := doc.Find("head > title").Text(); !strings.HasPrefix(got, `"><script>alert(1)`) || !strings.HasSuffix(got, "</textarea> - Porchlight") {
				t.Errorf("title %q", got)
			}
			doc.Find("a[href], form[action]").Each(func(_ int, s *goquery.Selection) {
				to := s.AttrOr("href", s.AttrOr("action", ""))
				if before, _, ok := strings.Cut(to, "?"); ok && strings.Contains(before, "script") {
					t.Errorf("an id's ? became a query: %s", to)
				}
			})
		})
	}
}

func TestPagesShow(t *testing.T) {
	p := mustNew(t)
	fullPages, emptyPages := full(), empty()
	tests := []struct {
		page     Page
		selector string
		want     []string
	}{
		{fullPages["signin"], "form[action='/signin'] input[name=token][type=password] + p", []string{"Dispatch or your administrator gives it to you."}},
		{fullPages["signin"], "[role=alert]", []string{"That token is not known. Ask dispatch for a new one."}},
		{fullPages["signin_link"], "form button", []string{"Sign in with this link"}},
		{fullPages["home"], "main a", []string{"Sign in"}},

		{fullPages["driver"], ".address", []string{"12 Pine St", "14 Pine St", "1217 NW 62nd St Unit 4B", "860 Elm Terrace Apartments North", "9 Hill Ave", "77 Bay Rd"}},
		{fullPages["driver"], ".badge", []string{"Keep it", "Kept: a person will look", "One more photo", "Take another", "No photo needed", "No photo yet"}},
		{fullPages["driver"], ".stop > span:nth-of-type(3)", []string{"Front door: one photo, placement", "Side door: one photo, placement", "Hidden: two photos, context and close-up",
			"Front door: one photo, placement", "Hand to customer: no photo needed", "Mailroom: one photo, placement"}},
		{fullPages["driver"], ".stop > span:nth-of-type(2)", []string{"12:00 PM to 2:00 PM PDT", "12:00 PM to 2:00 PM PDT", "2:00 PM to 4:00 PM PDT", "3:00 PM to 5:00 PM PDT", "4:00 PM to 6:00 PM PDT", "Tue, May 5, 2:00 PM to 4:00 PM PDT"}},
		{fullPages["driver"], ".extras span", []string{"Do not ring", "Ask for the one-time password"}},
		{fullPages["driver"], ".title .quiet", []string{"3 of 6 done"}},
		{emptyPages["driver"], ".empty", []string{"No stops today. Your route is listed here when dispatch has sent it."}},

		{fullPages["driver_stop"], "form[action='/driver/stops/TBA310000000101/photos'][enctype='multipart/form-data'] button", []string{"Check photo"}},
		{fullPages["driver_stop"], "form[action='/driver/stops/TBA310000000101/events'] button[name=what]", []string{"I texted", "I called", "They answered", "I left", "Code did not work", "Gate or door locked", "Closed", "Not safe", "Address not found"}},
		{fullPages["driver_stop"], "#timer", []string{"First tried at May 4, 2:27:00 PM PDT. Call from May 4, 2:29:00 PM PDT on. The five minutes are over at May 4, 2:32:00 PM PDT."}},
		{fullPages["driver_stop"], "#recorded .words", []string{"I texted, the phone's position, precise to 12 m", "Code did not work"}},
		{fullPages["driver_rejects"], ".shotcard h2", []string{"1217 NW 62nd St", "860 Elm Terrace Apartments North"}},
		{fullPages["driver_rejects"], ".shotcard strong", []string{"Turn on the flash or your flashlight, step closer", "Add a photo showing the hidden package close up"}},
		{emptyPages["driver_rejects"], ".empty", []string{"You sent no photo in the last 0 days. What does not pass is listed here, with what to do about it."}},
		{fullPages["driver_disputes"], ".badge", []string{"Due in 5 hours", "Overdue by 2 days", "Overturned: the delivery was taken as made"}},
		{emptyPages["driver_disputes"], ".empty", []string{"No claims on your deliveries."}},
		{fullPages["driver_dispute"], "#subject, #body", []string{"Dispute: delivery TBA310000000101", "Hello, please review."}},
		{fullPages["driver_dispute"], "a.button[href='/driver/disputes/CLM-2026-00017/email']", []string{"Open as an e-mail with its photos"}},
		{fullPages["driver_stop"], "option[selected]", []string{"Close-up: the package in its hiding place"}},
		{fullPages["driver_stop"], "input[name=also] + bdi", []string{"TBA310000000102", "TBA310000000108"}},
		{fullPages["driver_stop"], "input[name=photo][type=file][accept='image/*'][capture=environment][required]", []string{""}},
		{fullPages["driver_stop"], ".shotcard .badge", []string{"Take another", "Keep it"}},
		{emptyPages["driver_stop"], ".empty", []string{"No photos yet."}},

		{fullPages["agent_photo_deleted"], "main img, .zooms", []string{}},
		{fullPages["agent_photo_deleted"], ".empty", []string{"The photo was deleted May 4, 2026, 10:00 PM UTC, past its retention. What was measured and judged is kept."}},
		{fullPages["verdict_retake"], ".verdict.bad h1", []string{"Take another"}},
		{fullPages["verdict_retake"], ".verdict .advice", []string{"Turn on the flash or your flashlight, step closer"}},
		{fullPages["verdict_retake"], ".facts dd", []string{"1217 NW 62nd St, Unit 4B", "Context", "12 m from the stop, by your phone's position", "1217", "40 of 100"}},
		{fullPages["verdict_retake"], ".actions a", []string{"Take another", "Next stop"}},
		{fullPages["verdict_retake"], ".findings tbody th", []string{"Brightness", "Exposure", "Person", "Readable", "Location", "House number"}},
		{fullPages["verdict_retake"], ".findings tbody tr:nth-child(2) td", []string{"Warning", "28.4% of pixels", "25% of pixels", "Turn away from the light"}},
		{fullPages["verdict_retake"], ".findings tbody tr:nth-child(3) td", []string{"Unknown", "", "", "No vision models installed"}},
		{fullPages["verdict_accept"], ".verdict.good h1", []string{"Keep it"}},
		{fullPages["verdict_accept"], ".actions a", []string{"Next stop: 1217 NW 62nd St", "Take another"}},
		{fullPages["verdict_review"], ".verdict.look", []string{"Kept: a person will look One more photo: the package in its hiding place"}},
		{fullPages["verdict_review"], ".actions a", []string{"Take the next photo"}},
		{emptyPages["driver_verdict"], ".findings tbody", []string{"Nothing was checked."}},
		{emptyPages["driver_verdict"], ".facts dd", []string{"T1", "", "unknown", "0 of 100"}},

		{fullPages["agent"], "tbody tr:nth-child(1) > *", []string{"CLM-2026-00009TBA310000000101", "Overdue by 2 daysMay 2, 2026, 12:30 PM PDT", "DisputeDispute: photo at 12 m, number matches",
			"1217 NW 62nd St, Seattle 98107", "D7", "May 4, 2026, 6:40 PM PDT"}},
		{fullPages["agent"], "tbody tr:nth-child(2) td[data-label=Due]", []string{"Due in 5 hoursMay 4, 2026, 7:30 PM PDT"}},
		{fullPages["agent"], "a[rel=next][href='/agent?after=cursor+2%2F3&answer=dispute&channel=stripe&due=week&q=12+Elm&reason=not+here']", []string{"More claims"}},
		{fullPages["agent"], "form[action='/agent/packets'] button", []string{"Download the packets of all open claims that are due within 7 days, ready for Stripe"}},
		{fullPages["agent"], "a[href='/agent/import']", []string{"Import claims"}},
		{fullPages["import"], "[aria-labelledby=became] dd", []string{"133 claims", "1 claim", "2 claims", "67 rows"}},
		{fullPages["import"], "tbody tr > *", []string{"Line 2", "tracking_id is missing"}},
		{fullPages["import"], "table + p", []string{"And 66 more rows."}},
		{fullPages["agent"], "option[selected]", []string{"Due within 7 days", "Dispute", "Stripe"}},
		{fullPages["agent"], "table + p.quiet", []string{"Looked through 250 claims for these; there are more to look through."}},
		{fullPages["agent_claim"], "article:first-of-type .boxes rect", []string{"", ""}},
		{fullPages["agent_claim"], "article:first-of-type .marks li", []string{"1 Package, 91% sure", "2 Reads “1217”, 98% sure"}},
		{fullPages["agent_claim"], "article .boxes .package rect[x='250.0'][y='666.5'][width='500.0'][height='666.5']", []string{""}},
		{fullPages["agent_claim"], "[aria-labelledby=history] li", []string{"C#4 May 4, 2026 Upheld T4", "C5 May 4, 2026 Open T5"}},
		{fullPages["agent_claim"], "[aria-labelledby=history] a[href='/agent/claims/C%234']", []string{"C#4"}},
		{fullPages["agent_claim"], "form[action='/agent/claims/CLM-2026-00017/attachments'][enctype='multipart/form-data'] button", []string{"Add"}},
		{fullPages["agent_dispatch"], "form button", []string{"Sign out", "Add"}},
		{fullPages["agent_packet"], "article img, article > .empty", []string{"", "The original was missing when the packet was issued."}},
		{fullPages["agent_packet"], "[aria-labelledby=integrity] dd", []string{photoID + " intact, 3.14 MB", "guide-2026", "rules-2026", "7:" + photoID}},
		{fullPages["agent_photo"], ".pan .zoom2 img[src='/api/v1/photos/" + photoID + "/preview?side=2048']", []string{""}},
		{fullPages["agent_photo"], "[aria-labelledby=earlier] .badge", []string{"Review"}},
		{emptyPages["agent"], ".empty", []string{"No open claims. Import claims"}},

		{fullPages["agent_claim"], ".verdict .summary", []string{"Dispute: photo at 12 m, number matches"}},
		{fullPages["agent_claim"], "form[action='/agent/claims/CLM-2026-00017/packets'] button", []string{"Issue packet"}},
		{fullPages["agent_claim"], "blockquote", []string{"I was home all day and nothing came. The photo is not my door."}},
		{fullPages["agent_claim"], "[aria-labelledby=for] li", []string{"The photo was taken 12 m from the stop photo 9f86d081884c", "The house number 1217 can be read in the photo photo 9f86d081884c"}},
		{fullPages["agent_claim"], "[aria-labelledby=against] .source", []string{"driver's phone"}},
		{fullPages["agent_claim"], "article a[href='/api/v1/photos/" + photoID + "']:not(.shot)", []string{"Original", "Original"}},
		{fullPages["agent_claim"], "article img[src='/api/v1/photos/" + photoID + "/preview']", []string{"", ""}},
		{fullPages["agent_claim"], "article .findings caption", []string{"Findings", "Findings"}},
		{fullPages["agent_claim"], ".timeline .when", []string{"May 4, 2:00:00 PM PDT", "May 4, 2:04:00 PM PDT", "May 4, 2:06:00 PM PDT", "No time on record"}},
		{fullPages["agent_claim"], ".packets a[download]", []string{"Packet 0198-packet as zip", "Packet 0198-packet as pdf", "Packet 0198-packet as json", "Stripe", "E-mail of the driver"}},
		{fullPages["agent_claim"], "[role=status] a[href='/api/v1/packets/0198-packet.zip']", []string{"download it"}},
		{emptyPages["agent_claim"], ".empty", []string{"Nothing on record.", "None found.", "No photos on record.", "Nothing on record.", "None yet."}},
		{fullPages["review"], "form.decide button", []string{"Accept a", "Blurry photo 1", "Human in the picture 2", "No package detected 3", "Package in car 4", "Package in hand 5",
			"Package not clearly visible 6", "Package too close 7", "Photo too dark 8", "Other 9"}},
		{fullPages["review"], "form.decide[action='/agent/review/U1'] input[name=after][value=c1] ~ fieldset button[data-key='5'][name=decision][value='reject:package_in_hand']", []string{"Package in hand 5"}},
		{fullPages["review"], "[role=status] form button, .inspect .summary", []string{"Undo", "All photos: Missing: the hidden package close up. Add a photo showing the hidden package close up"}},
		{fullPages["review_dispatch"], "main button", []string{}},
		{emptyPages["review"], ".empty", []string{"No photo waits for a person."}},
		{fullPages["agent_claim"], ".troubles li", []string{"Warning Exposure: Turn away from the light"}},
		{fullPages["agent_claim"], "article:nth-of-type(2) .badge.bad", []string{"Rejected by a person: package in car"}},
		{emptyPages["agent_packet"], ".empty", []string{"Nothing on record.", "None found.", "Nothing on record.", "No photos on record."}},

		{fullPages["standing"], ".verdict.look .summary", []string{"Fair, by the operator targets"}},
		{fullPages["standing"], ".figures tbody tr:nth-child(2) > *", []string{"Delivered", "Fair", "97%", "at least 97%", "485 of 500 packages delivered"}},
		{fullPages["standing"], ".figures tbody tr:nth-child(4) > *", []string{"Not received", "Great", "1 package", "at most 2 packages", "1 of 485 delivered packages claimed or conceded as not received, each once"}},
		{fullPages["standing"], ".figures tbody tr:nth-child(6) > *", []string{"Customer feedback", "Unknown", "", "at least 4.5 stars", "0 stars in 0 ratings of the window's time; needed are at least 5"}},
		{fullPages["standing"], "[aria-labelledby=warnings] li", []string{"The standing was fantastic on 2026-05-01 and is fair now"}},
		{fullPages["standing"], ".moved li", []string{"May 3, 2026Claim C1: package T1 not received What if it had not been made?"}},
		{fullPages["standing"], ".moved a[href='?without_claim=C1']", []string{"What if it had not been made?"}},
		{fullPages["standing"], "[role=status]", []string{"Without C1 the standing would be great. Back to all claims"}},
		{fullPages["standing"], ".days tbody tr > *", []string{"2026-05-04", "Fair", "Delivered: 98% to 97%; Customer feedback: 4.6 to unknown", "Claim C1: package T1 not received"}},
		{fullPages["standing_own"], "h1", []string{"Your standing"}},
		{fullPages["standing_own"], ".moved a[href='?without_claim=C1']", []string{"What if it had not been made?"}},
		{emptyPages["standing"], ".verdict.none .summary", []string{"Unknown: too little data, by the operator targets"}},
		{emptyPages["standing"], ".empty", []string{"Nothing that counts against the driver.", "No day is on record yet."}},
		{fullPages["drivers"], "tbody tr > *", []string{"D7", "Fair", "97%", "97%", "1 package", "100%", "500"}},
		{fullPages["drivers"], "a[rel=next][href='/agent/drivers?standing=fair&after=c']", []string{"More drivers"}},
		{emptyPages["drivers"], ".empty code", []string{"porchlight standings"}},
		{fullPages["reaudits"], "tbody tr:nth-child(2) > *", []string{"May 4, 2026, 7:30 PM UTC", "guide-2026b", "Done", "18250", "2", "1"}},
		{fullPages["reuse"], "main h2", []string{"more than 3 uploads, 3 stops, 2 drivers"}},
		{fullPages["reuse"], ".gallery .badge", []string{"First sent", "The same file", "1 of 256 bits differs"}},
		{fullPages["reuse"], "a[rel=next][href='?after=c']", []string{"More pictures"}},
		{emptyPages["reuse"], ".empty", []string{"No picture was used again."}},
		{emptyPages["reaudits"], ".empty code", []string{"porchlight audit --reaudit"}},
		{fullPages["reaudit"], ".beforeafter .badge", []string{"Accept", "Retake", "Retake", "Review"}},
		{fullPages["reaudit"], ".flips tbody tr > *", []string{"Brightness", "Pass 132 of 255, limit 80 of 255", "Fail 31.3 of 255, limit 60 of 255",
			"House number", "Unknown", "Pass 1217, limit 1217"}},
		{fullPages["reaudit"], "[data-refresh]", []string{}},
		{fullPages["reaudit_running"], "#progress[data-refresh='2'] [role=status]", []string{"Running: 500 of 2000 photos judged, 0 verdicts changed. Look again"}},
		{fullPages["fleet"], "#verdicts tbody tr > *", []string{"May 3", "0 photos", "0 photos", "1 photo", "May 4", "1 photo", "1 photo", "0 photos"}},
		{fullPages["fleet"], "#verdicts > svg g > title", []string{"May 3, retake: 1 photo", "May 4, accept: 1 photo", "May 4, review: 1 photo"}},
		{fullPages["fleet"], "#verdicts desc", []string{"Of 3 photos 33.3% accepted, 33.3% to be looked at, 33.3% to be taken again; a person's word goes over the checklist's; the table below says the same"}},
		{fullPages["fleet"], "[aria-labelledby=reasons-by-day] tbody tr:nth-child(8) > *", []string{"Photo too dark", "1", "0", "1"}},
		{fullPages["fleet"], "[aria-labelledby=watched] tbody tr > *", []string{"D7", "1", "1", "3", "33.3%"}},
		{fullPages["fleet"], "[aria-labelledby=buildings] tbody tr > *", []string{"1217 NW 62nd St, Seattle 98107", "2", "1", "2", "1", "C#1, C2"}},
		{fullPages["fleet"], "[aria-labelledby=reused] li > p:nth-of-type(1)", []string{"Fail The same photo was used at another stop"}},
		{emptyPages["fleet_counted"], "main .empty", []string{"Nothing to draw yet.", "Nothing to draw yet.", "Every photo of these days was accepted, or there was none.",
			"No address has more than one of the 0 claims that came in on these days.", "No photo of these days was used before."}},
		{fullPages["fleet_carrier"], "#carrier tbody tr:nth-child(1) td, #carrier tbody tr:nth-child(8) td", []string{"1 delivery", "0 deliveries", "0 deliveries", "2 deliveries"}},
		{fullPages["fleet_carrier"], "[aria-labelledby=differ] tbody tr > *", []string{"D7", "Rejects: the carrier 1, ours 2", "9f86d081884c photo too dark", "D8", "Not in the carrier's report. No delivery on record. Success: the carrier 1, ours 0", ""}},
		{fullPages["checklist"], ".moves li", []string{"Accept to Retake 1 photo"}},
		{fullPages["checklist"], "#h-brightness text.limit", []string{"fail", "warn"}},
		{fullPages["checklist"], "#h-brightness figcaption", []string{"Brightness (of 255)3 photos, from 30 to 200 of 255; fail 60; warn 80."}},
		{fullPages["checklist"], "button[name=do]", []string{"What would flip?", "Keep this version"}},
		{fullPages["checklist_faulty"], "[role=alert] li", []string{"Line 1: the check blur is missing", "Line 2: oops"}},
		{fullPages["checklist_faulty"], "button[name=do]", []string{"What would flip?"}},
		{emptyPages["reaudit"], ".empty", []string{"No verdict changed so far."}},
		{fullPages["problem"], "h1, .lead, dd", []string{"Not found", "There is no claim CLM-9", "not_found", "0198-request"}},
		{emptyPages["problem"], "h1, .lead", []string{"Something went wrong", "Internal error"}},
	}
	for _, test := range tests {
		got := []string{}
		render(t, p, test.page).Find(test.selector).Each(func(_ int, s *goquery.Selection) { got = append(got, text(s)) })
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%T: %s (-want +got):\n%s", test.page, test.selector, diff)
		}
	}
}

func TestNavigationByRole(t *testing.T) {
	p := mustNew(t)
	claims := []string{"Claims", "Review", "Fleet", "Drivers", "Re-audits", "Checklist"}
	for role, want := range map[audit.Role][]string{"": {}, audit.Driver: {"Stops", "Rejects", "Disputes", "Standing"}, audit.Agent: claims, audit.Admin: claims, audit.Dispatch: claims} {
		got := []string{}
		doc := render(t, p, Home{Base{Role: role}})
		doc.Find("nav a").Each(func(_ int, s *goquery.Selection) { got = append(got, text(s)) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", role, diff)
		}
		if out := doc.Find("form[action='/signout']").Length(); (out == 1) != (role != "") {
			t.Errorf("%q: %d forms to sign out", role, out)
		}
	}
}

func TestEveryTemplateHasItsPage(t *testing.T) {
	entries, err := fs.ReadDir(files, "templates/pages")
	if err != nil {
		t.Fatal(err)
	}
	var have, want []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	for _, page := range pages {
		want = append(want, page.template())
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("templates (-pages +files):\n%s", diff)
	}
	for name, page := range full() {
		if !slices.Contains(want, page.template()) {
			t.Errorf("%s is no page that New parses", name)
		}
	}
}

// without is the embedded files but for one, which may be replaced.
func without(t *testing.T, name, instead string) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || p == name {
			return err
		}
		b, err := fs.ReadFile(files, p)
		out[p] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if instead != "" {
		out[name] = &fstest.MapFile{Data: []byte(instead)}
	}
	return out
}

func TestStartFailsWithoutATemplate(t *testing.T) {
	names := []string{"templates/layout.html", "templates/parts.html", "templates/phone.html", "templates/console.html"}
	for _, page := range pages {
		names = append(names, "templates/pages/"+page.template())
	}
	for _, name := range names {
		if _, err := parse(without(t, name, "")); !errors.Is(err, fs.ErrNotExist) && (err == nil || !strings.Contains(err.Error(), "no files")) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for instead, want := range map[string]string{"{{define \"main\"}}{{nope}}{{end}}": "nope", "{{define \"other\"}}x{{end}}": "main"} {
		if _, err := parse(without(t, "templates/pages/home.html", instead)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %s: %v", instead, err)
		}
	}
}

func TestRenderWritesNothingOnError(t *testing.T) {
	p, err := parse(without(t, "templates/pages/home.html", `{{define "main"}}half a page {{index "" 5}}{{end}}`))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := p.Render(w, Home{}, 200); err == nil {
		t.Error("a template that fails was rendered")
	}
	if w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Errorf("wrote %q, %v", w.Body, w.Header())
	}
}

func BenchmarkRender(b *testing.B) {
	p, page := mustNew(b), full()["agent_claim"]
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Render(httptest.NewRecorder(), page, 200); err != nil {
			b.Fatal(err)
		}
	}
}
