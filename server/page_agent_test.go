package server

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/web"
)

// shown are the texts of a page's elements, spaces folded.
func shown(doc *goquery.Document, selector string) []string {
	out := []string{}
	doc.Find(selector).Each(func(_ int, s *goquery.Selection) { out = append(out, strings.Join(strings.Fields(s.Text()), " ")) })
	return out
}

func TestQueueIsNarrowed(t *testing.T) {
	now := time.Now()
	s := newStack(t, func(c *Config) { c.Now = func() time.Time { return now } })
	s.deliveries(t, "T1")
	s.kept(t, "T1")
	var claims []dispute.Claim
	add := func(id, tracking, channel, reason string, due time.Duration) {
		c := dispute.Claim{ClaimID: id, TrackingID: tracking, Channel: channel, Reason: reason}
		if due != 0 {
			at := now.Add(due)
			c.DueAt = &at
		}
		claims = append(claims, c)
	}
	add("late", "T1", "stripe", "delivered_not_received", -time.Hour)
	add("today", "T9", "paypal", "Delivered, not received", 5*time.Hour)
	add("week", "T1", "stripe", "other", 50*time.Hour)
	add("someday", "T9", "", "", 0)
	for i := range 60 { // behind the others
		add("z"+string(rune('a'+i%26))+string(rune('a'+i/26)), "T9", "amex", "", 900*time.Hour)
	}
	if _, err := s.db.PutClaims(t.Context(), claims, now); err != nil {
		t.Fatal(err)
	}
	b := browser{s, s.signedIn(t, audit.Agent)}
	for query, want := range map[string]string{
		"due=overdue": "late", "due=day": "today", "due=week": "today week", "channel=stripe": "late week", "channel=paypal": "today", "channel=none": "",
		"reason=Delivered+not+received": "late today", "answer=review&due=day": "today", "answer=dispute&due=day": "", "q=T1": "late week", "q=T1&due=overdue": "late", "q=someday": "someday", "channel=stripe&reason=other": "week",
	} {
		r, doc := b.open(t, "/agent?"+query)
		if got := strings.Join(shown(doc, "tbody th a"), " "); r.StatusCode != 200 || got != want {
			t.Errorf("%s: %d %q, want %q", query, r.StatusCode, got, want)
		}
	}
	// A page goes on where the one before ended, with what it was narrowed by.
	seen, path := map[string]bool{}, "/agent?channel=amex"
	for pages := 0; path != ""; pages++ {
		_, doc := b.open(t, path)
		for _, id := range shown(doc, "tbody th a") {
			if seen[id] || !strings.HasPrefix(id, "z") {
				t.Errorf("%s on page %d", id, pages)
			}
			seen[id] = true
		}
		path = doc.Find("a[rel=next]").AttrOr("href", "")
		if path != "" && !strings.Contains(path, "channel=amex") || pages > 5 {
			t.Fatalf("page %d goes on with %q", pages, path)
		}
	}
	if len(seen) != 60 {
		t.Errorf("%d claims, want 60", len(seen))
	}
	for _, query := range []string{"due=soon", "answer=maybe", "q=" + strings.Repeat("x", 201)} {
		if r, _ := b.open(t, "/agent?"+query); r.StatusCode != http.StatusUnprocessableEntity && r.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20s: %d", query, r.StatusCode)
		}
	}
}

// A tile server is asked only where one is set, and by the pages with a map alone.
func TestMapTiles(t *testing.T) {
	tiles, err := web.NewTiles("https://tiles.example/{z}/{x}/{y}.png", "The map's makers")
	must(t, err)
	for _, set := range []*web.Tiles{nil, tiles} {
		s := newStack(t, func(c *Config) { c.Tiles = set })
		s.deliveries(t, "T1")
		s.kept(t, "T1")
		s.addClaim(t, "C1", "T1")
		packet := decodeAs[PacketRef](t, s.as(t, audit.Agent, "POST", "/api/v1/claims/C1/packets", "", ""))
		b := browser{s, s.signedIn(t, audit.Agent)}
		for _, path := range []string{"/agent/claims/C1", "/agent/packets/" + packet.PacketID} {
			r, doc := b.open(t, path)
			drawn, credit := doc.Find(".map image[href^='https://tiles.example/']").Length(), strings.Contains(doc.Find(".map figcaption").Text(), "The map's makers")
			if r.Header.Get("Content-Security-Policy") != set.Policy() || doc.Find(".map circle").Length() == 0 || drawn > 0 != (set != nil) || credit != (set != nil) {
				t.Errorf("%s with tiles %v: %d drawn, credit %t, policy %s", path, set, drawn, credit, r.Header.Get("Content-Security-Policy"))
			}
		}
		if r, _ := b.open(t, "/agent"); r.Header.Get("Content-Security-Policy") != web.ContentSecurityPolicy {
			t.Errorf("the queue's policy is %s", r.Header.Get("Content-Security-Policy"))
		}
	}
}

// TestAgentReadsAndAttaches goes from a claim to its photo and its packet, and adds a
// document from the page.
func TestAgentReadsAndAttaches(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "T2")
	photo := s.kept(t, "T1").PhotoID
	s.addClaim(t, "C#1", "T1")
	s.addClaim(t, "C2", "T2")
	s.addClaim(t, "C9", "T9")
	b := browser{s, s.signedIn(t, audit.Agent)}
	_, doc := b.open(t, "/agent/claims/C%231")
	if got := shown(doc, "[aria-labelledby=history] .past a"); len(got) != 2 || got[0] != "C2" || got[1] != "C2" {
		t.Errorf("around the claim are %q, want the other one at the stop, of the same driver", got)
	}
	to := doc.Find("a.shot").AttrOr("href", "")
	for _, zoom := range []string{"", "?zoom=2", "?zoom=4"} {
		r, page := b.open(t, to+zoom)
		src := page.Find(".pan img").AttrOr("src", "")
		if got, _ := b.open(t, src); r.StatusCode != 200 || got.StatusCode != 200 || got.Header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%s%s: %d with picture %s: %d", to, zoom, r.StatusCode, src, got.StatusCode)
		}
	}
	for path, want := range map[string]int{to + "?zoom=3": 422, "/agent/photos/none": 404, "/agent/packets/none": 404} {
		if r, _ := b.open(t, path); r.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, r.StatusCode, want)
		}
	}

	action := doc.Find("form[enctype='multipart/form-data']").AttrOr("action", "")
	field := part{name: "csrf", value: csrf(doc)}
	send := func(parts ...part) reply {
		ct, body := multipartForm(t, parts...)
		return b.post(t, action, ct, string(body))
	}
	what, file := part{name: "what", value: "the customer's e-mail"}, part{"file", "mail.pdf", "%PDF-1.7 hello"}
	if r := send(what, file); r.StatusCode != 403 {
		t.Errorf("without the field csrf: %d, want 403", r.StatusCode)
	}
	for name, parts := range map[string][]part{"is empty": {field, what}, "what is missing": {field, file}, "no JPEG": {field, what, {"file", "a.svg", "<svg onload=alert(1)>"}}} {
		if r := send(parts...); r.StatusCode != 200 || !strings.Contains(string(r.body), name) || !strings.Contains(string(r.body), `name="what"`) {
			t.Errorf("%s: %d, want the claim with that message", name, r.StatusCode)
		}
	}
	if r := send(field, what, file); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/agent/claims/C%231#attached" {
		t.Fatalf("attach: %d to %q: %s", r.StatusCode, r.Header.Get("Location"), r.body)
	}
	_, doc = b.open(t, "/agent/claims/C%231")
	kept := doc.Find("[aria-labelledby=attached] li a")
	if got, _ := b.open(t, kept.AttrOr("href", "")); kept.Text() != "the customer's e-mail" || string(got.body) != file.value {
		t.Errorf("the attachment %q: %d %q", kept.Text(), got.StatusCode, got.body)
	}

	b.postForm(t, "/agent/claims/C%231/packets", "csrf", csrf(doc))
	_, doc = b.open(t, "/agent/claims/C%231")
	packet := doc.Find(".packets li > a").First().AttrOr("href", "")
	r, doc := b.open(t, packet)
	if r.StatusCode != 200 || doc.Find("article a[href='/agent/photos/"+photo+"'] img").Length() != 1 || doc.Find(".timeline li").Length() < 3 ||
		!strings.Contains(doc.Find("[aria-labelledby=timeline]").Text(), "The customer's e-mail") {
		t.Errorf("packet %q: %d, %d in its timeline", packet, r.StatusCode, doc.Find(".timeline li").Length())
	}
	if got := s.custodyCount(t, "packet.exported"); got != 1 {
		t.Errorf("%d looks at packets are logged, want 1", got)
	}
}

// custodyCount counts the entries of an action.
func (s *stack) custodyCount(t *testing.T, action string) (n int) {
	t.Helper()
	for e, err := range s.db.CustodyEntries(t.Context()) {
		must(t, err)
		if string(e.Action) == action {
			n++
		}
	}
	return n
}

// hiddenPhoto uploads a photo of a hidden package for a new delivery: one of two that
// are wanted, so that a person is to look.
func (s *stack) hiddenPhoto(t *testing.T, trackingID string) Uploaded {
	t.Helper()
	s.deliveries(t, trackingID)
	r := s.as(t, audit.Dispatch, "POST", "/api/v1/deliveries", ndjson, `{"tracking_id":"`+trackingID+`","instruction":"hidden"}`)
	if r.StatusCode != 200 {
		t.Fatalf("import: %d %s", r.StatusCode, r.body)
	}
	up := s.kept(t, trackingID)
	if up.Report.Verdict != audit.Review {
		t.Fatalf("verdict %s, want review: %+v", up.Report.Verdict, up.Report.Findings)
	}
	return up
}

func TestReviewQueue(t *testing.T) {
	s := newStack(t)
	first, second := s.hiddenPhoto(t, "T1"), s.hiddenPhoto(t, "T2")
	s.addClaim(t, "C1", "T1")
	b := browser{s, s.signedIn(t, audit.Agent)}
	r, doc := b.open(t, "/agent/review")
	form := doc.Find("form.decide")
	if action := form.AttrOr("action", ""); r.StatusCode != 200 || action != "/agent/review/"+first.UploadID || !strings.Contains(doc.Text(), "2 photos wait") {
		t.Fatalf("review: %d to %q, want the older upload", r.StatusCode, form.AttrOr("action", ""))
	}
	_, behind := b.open(t, doc.Find("a[data-key=n]").AttrOr("href", ""))
	if action := behind.Find("form.decide").AttrOr("action", ""); action != "/agent/review/"+second.UploadID || behind.Find("form.decide input[name=after]").AttrOr("value", "") == "" {
		t.Errorf("behind it is %q", action)
	}
	decide := func(action, decision string) reply {
		return b.postForm(t, action, "csrf", csrf(doc), "decision", decision)
	}
	action := form.AttrOr("action", "")
	if r := b.postForm(t, action, "decision", "accept"); r.StatusCode != 403 {
		t.Errorf("without the field csrf: %d, want 403", r.StatusCode)
	}
	for _, decision := range []string{"", "reject", "reject:ugly", "accept:other", "undo"} {
		if r := decide(action, decision); r.StatusCode != 200 || !strings.Contains(string(r.body), `role="alert"`) {
			t.Errorf("%q: %d, want the page with a message", decision, r.StatusCode)
		}
	}
	if r := decide("/agent/review/none", "accept"); r.StatusCode != 404 {
		t.Errorf("an upload that is not there: %d", r.StatusCode)
	}
	to, _ := form.Find("button[data-key='4']").Attr("value")
	if r := b.postForm(t, action, "csrf", csrf(doc), "decision", to, "landmark", "perhaps"); r.StatusCode != 200 || !strings.Contains(string(r.body), `role="alert"`) {
		t.Errorf("a landmark that is neither: %d, want the page with a message", r.StatusCode)
	}
	landmark := form.Find("input[name=landmark][data-key=o]").AttrOr("value", "")
	r = b.postForm(t, action, "csrf", csrf(doc), "decision", to, "landmark", landmark)
	if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/agent/review?done="+first.UploadID {
		t.Fatalf("reject: %d to %q", r.StatusCode, r.Header.Get("Location"))
	}
	_, doc = b.open(t, r.Header.Get("Location"))
	if got := strings.Join(shown(doc, "[role=status] span"), " "); !strings.Contains(got, "Rejected by a person: package in car") || doc.Find("form.decide").AttrOr("action", "") != "/agent/review/"+second.UploadID {
		t.Errorf("after it the page says %q", got)
	}
	rulings := decodeAs[struct{ Items []audit.Ruling }](t, s.get(t, audit.Agent, "/api/v1/reviews?upload_id="+first.UploadID))
	if len(rulings.Items) != 1 || rulings.Items[0].Landmark != audit.LandmarkNo {
		t.Errorf("on record are %+v, want one that says no landmark", rulings.Items)
	}
	_, claim := b.open(t, "/agent/claims/C1")
	if got := shown(claim, "article .badge.bad"); len(got) == 0 || got[0] != "Rejected by a person: package in car" {
		t.Errorf("the claim's photo says %q", got)
	}
	period := "?since=" + url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339)) + "&until=" + url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339))
	if counts := s.get(t, audit.Agent, "/api/v1/photo-reports"+period); !strings.Contains(string(counts.body), `"rejects":1`) || !strings.Contains(string(counts.body), `"package_in_car":1`) {
		t.Errorf("the photo report counts %s", counts.body)
	}
	undo := doc.Find("[role=status] form").AttrOr("action", "")
	if r := decide(undo, "undo"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("undo at %q: %d", undo, r.StatusCode)
	}
	_, doc = b.open(t, "/agent/review")
	if got := doc.Find("form.decide").AttrOr("action", ""); got != action {
		t.Errorf("after undoing, %q is first", got)
	}

	api := s.as(t, audit.Agent, "POST", "/api/v1/uploads/"+second.UploadID+"/review", "application/json", `{"decision":"accept","note":"the door is theirs"}`)
	ruling := decodeAs[audit.Ruling](t, api)
	if api.StatusCode != 200 || ruling.Kind != audit.RuledAccept || ruling.Verdict != audit.Review || ruling.TrackingID != "T2" || ruling.RuledBy != "token:"+s.tokens[audit.Agent].TokenID {
		t.Errorf("by the API: %d %s", api.StatusCode, api.body)
	}
	if api := s.as(t, audit.Agent, "POST", "/api/v1/uploads/"+first.UploadID+"/review", "application/json", `{"decision":"undo"}`); api.StatusCode != http.StatusConflict {
		t.Errorf("undoing nothing: %d", api.StatusCode)
	}
	waiting := decodeAs[List[audit.JudgedUpload]](t, s.get(t, audit.Agent, "/api/v1/reviews/waiting"))
	if len(waiting.Items) != 1 || waiting.Items[0].Upload.UploadID != first.UploadID {
		t.Errorf("%d wait", len(waiting.Items))
	}
	list := decodeAs[List[audit.Ruling]](t, s.get(t, audit.Agent, "/api/v1/reviews?limit=2"))
	if len(list.Items) != 2 || list.Items[0].RulingID != ruling.RulingID || list.Items[1].Kind != audit.RuledUndo || list.Next == "" {
		t.Errorf("decisions: %+v", list)
	}
	if n := s.custodyCount(t, "photo.reviewed"); n != 3 {
		t.Errorf("%d decisions are logged, want 3", n)
	}
}

// Claims are imported on a page: rows that cannot be kept are named, the others are kept.
func TestImportOnAPage(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "T2")
	b := browser{s, s.signedIn(t, audit.Agent)}
	_, doc := b.open(t, "/agent")
	if href := doc.Find("main a[href='/agent/import']").First().Text(); href != "Import claims" {
		t.Fatalf("the claims' page links to %q", href)
	}
	_, doc = b.open(t, "/agent/import")
	field := part{name: "csrf", value: csrf(doc)}
	send := func(parts ...part) (reply, *goquery.Document) {
		t.Helper()
		ct, body := multipartForm(t, parts...)
		r := b.post(t, "/agent/import", ct, string(body))
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(string(r.body)))
		must(t, err)
		return r, doc
	}
	file := func(text string) part { return part{"file", "claims.csv", text} }
	if r, _ := send(file("claim_id,tracking_id\nC1,T1\n")); r.StatusCode != http.StatusForbidden {
		t.Errorf("without the field csrf: %d, want 403", r.StatusCode)
	}
	for text, want := range map[string]string{"": "empty", "claim_id,tracking_id\n": "no rows", "claim_id,colour\nC1,red\n": "colour"} {
		if r, doc := send(field, file(text)); r.StatusCode != 200 || !strings.Contains(doc.Find("[role=alert]").Text(), want) {
			t.Errorf("%q: %d %q, want a message with %q", text, r.StatusCode, doc.Find("[role=alert]").Text(), want)
		}
	}
	// The page's own example is a file that can be imported.
	if r, doc := send(field, file(doc.Find("pre").Text())); r.StatusCode != 200 || doc.Find("[aria-labelledby=became] dd").First().Text() != "2 claims" {
		t.Errorf("the example: %d %s", r.StatusCode, doc.Find("main").Text())
	}
	var all strings.Builder
	all.WriteString("claim_id,tracking_id,due_at\n")
	for i := range 200 {
		tracking := "T1"
		if i%50 == 3 {
			tracking = ""
		}
		fmt.Fprintf(&all, "C%d,%s,%s\n", i, tracking, s.now().Add(time.Duration(i)*time.Hour).UTC().Format(time.RFC3339))
	}
	for _, want := range [][]string{{"196 claims", "0 claims", "0 claims", "4 rows"}, {"0 claims", "0 claims", "196 claims", "4 rows"}} {
		_, doc := send(field, file(all.String()))
		if diff := cmp.Diff(want, doc.Find("[aria-labelledby=became] dd").Map(func(_ int, d *goquery.Selection) string { return d.Text() })); diff != "" {
			t.Errorf("what became of the rows (-want +got):\n%s", diff)
		}
		if lines := doc.Find("tbody th").Text(); lines != "Line 5Line 55Line 105Line 155" {
			t.Errorf("not kept: %q", lines)
		}
	}

	_, doc = b.open(t, "/agent")
	form := doc.Find("form[action='/agent/packets']")
	if r := b.postForm(t, "/agent/packets", "csrf", "wrong"); r.StatusCode != http.StatusForbidden {
		t.Errorf("packets without the page's csrf: %d", r.StatusCode)
	}
	if r := b.postForm(t, "/agent/packets", "csrf", csrf(doc), "channel", "nowhere"); r.StatusCode != 404 && r.StatusCode != 422 {
		t.Errorf("packets for no channel: %d", r.StatusCode)
	}
	if r := b.postForm(t, "/agent/packets", "csrf", csrf(doc), "due", "soon"); r.StatusCode != 422 {
		t.Errorf("packets that are due at no time: %d", r.StatusCode)
	}
	r := b.postForm(t, "/agent/packets", "csrf", form.Find("[name=csrf]").AttrOr("value", ""))
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/zip" || !strings.HasPrefix(string(r.body), "PK") {
		t.Errorf("all packets: %d %s %.40q", r.StatusCode, r.Header.Get("Content-Type"), r.body)
	}
	_, doc = b.open(t, "/agent?due=day")
	form = doc.Find("form[action='/agent/packets']")
	if got := form.Find("button").Text(); got != "Download the packets of all open claims that are due within 24 hours" {
		t.Errorf("the button says %q", got)
	}
	due := b.postForm(t, "/agent/packets", "csrf", csrf(doc), "due", form.Find("[name=due]").AttrOr("value", ""))
	if of, all := claimsIn(t, due.body), claimsIn(t, r.body); of == 0 || of > 24 || all < 196 {
		t.Errorf("the packets of %d claims of %d, want those due within 24 hours of 196 and more", of, all)
	}
}

// claimsIn is how many claims the index of a ZIP with many packets lists.
func claimsIn(t *testing.T, bulk []byte) int {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(bulk), int64(len(bulk)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open("index.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return len(rows) - 1
}
