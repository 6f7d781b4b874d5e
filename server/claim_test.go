package server

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

func TestClaimToPacket(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	photo := s.kept(t, "T1").PhotoID
	r := s.as(t, audit.Driver, "POST", "/api/v1/deliveries/T1/events", "application/json",
		`{"event_id":"E1","kind":"contact","at":"2026-05-04T09:00:00Z","detail":"rang the bell"}`)
	if r.StatusCode != http.StatusCreated || decodeAs[EventKept](t, r).EventID != "E1" {
		t.Fatalf("event: %d %s", r.StatusCode, r.body)
	}
	for range 2 { // the same event again is kept once
		s.as(t, audit.Driver, "POST", "/api/v1/deliveries/T1/events", "application/json", `{"event_id":"E1","kind":"contact","at":"2026-05-04T09:00:00Z","detail":"rang the bell"}`)
	}
	if d := decodeAs[DeliveryOnRecord](t, s.get(t, audit.Driver, "/api/v1/deliveries/T1")); len(d.Events) != 1 || d.Events[0].Source != "driver" {
		t.Errorf("events = %+v, want one of the driver's", d.Events)
	}
	r = s.as(t, audit.Agent, "POST", "/api/v1/claims", "application/json",
		`{"claim_id":"C1","tracking_id":"T1","reported_at":"2026-05-05T00:00:00Z","reason":"delivered_not_received","statement":"nothing there","channel":"email","due_at":"2026-05-12T00:00:00Z"}`)
	if r.StatusCode != http.StatusOK {
		t.Fatalf("claim: %d %s", r.StatusCode, r.body)
	}
	c := decodeAs[ClaimOnRecord](t, s.get(t, audit.Agent, "/api/v1/claims/C1"))
	if c.Statement != "nothing there" || len(c.Evidence.Photos) != 1 || c.Recommendation.Recommendation == "" || len(c.Packets) != 0 {
		t.Errorf("claim = %+v", c)
	}
	r = s.as(t, audit.Agent, "POST", "/api/v1/claims/C1/packets", "", "")
	p := decodeAs[PacketRef](t, r)
	if r.StatusCode != http.StatusCreated || p.PacketID == "" || p.ClaimID != "C1" || r.Header.Get("Location") != "/api/v1/packets/"+p.PacketID+".zip" {
		t.Fatalf("issue: %d %s, Location %q", r.StatusCode, r.body, r.Header.Get("Location"))
	}
	if list := decodeAs[List[PacketRef]](t, s.get(t, audit.Agent, "/api/v1/claims/C1/packets")); len(list.Items) != 1 || list.Items[0].PacketID != p.PacketID {
		t.Errorf("packets = %+v", list)
	}
	js := s.get(t, audit.Dispatch, "/api/v1/packets/"+p.PacketID+".json")
	packet, err := dispute.DecodePacket(js.body)
	if err != nil || packet.PacketID != p.PacketID || len(packet.Photos) != 1 || packet.Photos[0].PhotoID != photo {
		t.Errorf("packet: %v %+v", err, packet)
	}
	zip := s.get(t, audit.Agent, "/api/v1/packets/"+p.PacketID+".zip")
	if zip.StatusCode != 200 || zip.Header.Get("Content-Type") != "application/zip" || !strings.HasPrefix(zip.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("zip: %d %v", zip.StatusCode, zip.Header)
	}
	v, err := dispute.Verify(bytes.NewReader(zip.body), int64(len(zip.body)), s.key.PublicKey(), nil)
	if err != nil || !v.Valid() {
		t.Errorf("the ZIP is not valid: %v %s", err, v)
	}
	namesWhatWasAltered(t, s, zip.body)
	again := s.get(t, audit.Agent, "/api/v1/packets/"+p.PacketID+".zip")
	if !bytes.Equal(zip.body, again.body) {
		t.Error("the ZIP differs the second time")
	}
}

// namesWhatWasAltered changes bytes all over each file of a packet, and holds that the
// packet is no longer valid and the file, or what vouches for it, is named.
func namesWhatWasAltered(t *testing.T, s *stack, packet []byte) {
	t.Helper()
	const samples = 12
	z, err := zip.NewReader(bytes.NewReader(packet), int64(len(packet)))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range z.File {
		from, err := f.DataOffset()
		if err != nil {
			t.Fatal(err)
		}
		seen[path.Ext(f.Name)] = true
		for i := range int64(samples) {
			b := bytes.Clone(packet)
			b[from+i*int64(f.UncompressedSize64-1)/(samples-1)] ^= 0x20
			v, err := dispute.Verify(bytes.NewReader(b), int64(len(b)), s.key.PublicKey(), nil)
			named := slices.ContainsFunc(v.Problems, func(p dispute.Problem) bool { return p.Part == f.Name })
			if strings.HasPrefix(f.Name, "manifest.json") { // or its signature, which is then no longer valid
				named = named || v.Signature.State != dispute.SignatureValid
			}
			if err != nil || v.Valid() || !named {
				t.Errorf("%s, sample %d changed: %v, %s, problems %v", f.Name, i, err, v, v.Problems)
			}
		}
	}
	for _, ext := range []string{".json", ".pdf", ".jpg", ".minisig"} {
		if !seen[ext] {
			t.Errorf("the packet has no %s, but %v", ext, seen)
		}
	}
}

func TestClaimsPageByCursor(t *testing.T) {
	s := newStack(t)
	var b strings.Builder
	for i := range 7 {
		fmt.Fprintf(&b, `{"claim_id":"C%d","tracking_id":"T%d","due_at":%q}`+"\n", i, i, time.Date(2026, 5, 10-i, 0, 0, 0, 0, time.UTC).Format(time.RFC3339))
	}
	if r := s.as(t, audit.Agent, "POST", "/api/v1/claims", ndjson, b.String()); r.StatusCode != 200 {
		t.Fatalf("import: %d %s", r.StatusCode, r.body)
	}
	var got []string
	path := "/api/v1/claims?limit=3"
	for pages := 1; ; pages++ {
		list := decodeAs[List[dispute.Claim]](t, s.get(t, audit.Agent, path))
		for _, c := range list.Items {
			got = append(got, c.ClaimID)
		}
		if list.Next == "" {
			if pages != 3 {
				t.Errorf("%d pages, want 3", pages)
			}
			break
		}
		path = "/api/v1/claims?limit=3&cursor=" + list.Next
	}
	if want := "C6 C5 C4 C3 C2 C1 C0"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestReaudit(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1")
	s.kept(t, "T1")
	r := s.as(t, audit.Admin, "POST", "/api/v1/reaudits", "application/json", `{"driver_id":"D1","again":true}`)
	run := decodeAs[audit.Run](t, r)
	if r.StatusCode != http.StatusOK || run.Done != 1 || run.Flipped != 0 || run.FinishedAt == nil || r.Header.Get("Location") != "/api/v1/reaudits/"+run.RunID {
		t.Fatalf("got %d %s", r.StatusCode, r.body)
	}
	if other := decodeAs[audit.Run](t, s.as(t, audit.Admin, "POST", "/api/v1/reaudits", "application/json", `{"driver_id":"D2"}`)); other.Done != 0 {
		t.Errorf("a driver without photos: %+v", other)
	}
	list := decodeAs[List[audit.Run]](t, s.get(t, audit.Dispatch, "/api/v1/reaudits?limit=1"))
	if len(list.Items) != 1 || list.Items[0].Filter.DriverID != "D2" || list.Next == "" {
		t.Errorf("newest first, one a page: %+v", list)
	}
	one := decodeAs[RunWithFlips](t, s.get(t, audit.Dispatch, "/api/v1/reaudits/"+run.RunID))
	if one.RunID != run.RunID || one.Items == nil || len(one.Items) != 0 {
		t.Errorf("run = %+v", one)
	}
	// A held run's page shows what would change, though nothing has.
	held := strings.TrimSuffix(s.strictRun(t), "}") + `,"hold":true}`
	run = decodeAs[audit.Run](t, s.as(t, audit.Admin, "POST", "/api/v1/reaudits", "application/json", held))
	if run.Flipped != 1 || run.State != audit.RunDone {
		t.Fatalf("a held run: %+v", run)
	}
	_, doc := browser{s, s.signedIn(t, audit.Admin)}.open(t, "/agent/reaudits/"+run.RunID)
	if got := shown(doc, ".flips tbody tr:nth-child(1) > *"); len(got) != 3 || !strings.HasPrefix(got[1], "Pass") || !strings.HasPrefix(got[2], "Fail") {
		t.Errorf("what a held run would change: %q", got)
	}
	// What the checklist has judged is not judged again, unless that is asked for.
	run = decodeAs[audit.Run](t, s.as(t, audit.Admin, "POST", "/api/v1/reaudits", "application/json", `{"hold":true}`))
	if run.Done != 1 || run.Skipped != 1 || run.State != audit.RunDone || run.PublishedAt != nil {
		t.Errorf("a held run of what is judged: %+v", run)
	}
	change := func(state string, want int) {
		t.Helper()
		if r := s.as(t, audit.Admin, "POST", "/api/v1/reaudits/"+run.RunID+"/state", "application/json", `{"state":"`+state+`"}`); r.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", state, r.StatusCode, r.body, want)
		}
	}
	change("paused", 409)
	change("published", 200)
	change("cancelled", 409)
	change("done", 422)
	failures := decodeAs[List[audit.Failure]](t, s.get(t, audit.Dispatch, "/api/v1/reaudits/"+run.RunID+"/failures"))
	if failures.Items == nil || len(failures.Items) != 0 {
		t.Errorf("failures = %+v", failures)
	}
}

func TestPageOf(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	self := func(s string) string { return s }
	for _, c := range []struct {
		in   Paging
		want []string
		next string
		code audit.Code
	}{
		{Paging{"", 2}, []string{"a", "b"}, "b", ""},
		{Paging{"b", 2}, []string{"c", "d"}, "d", ""},
		{Paging{"d", 2}, []string{"e"}, "", ""},
		{Paging{"c", 2}, []string{"d", "e"}, "", ""},
		{Paging{"e", 2}, nil, "", ""},
		{Paging{"", 5}, all, "", ""},
		{Paging{"x", 5}, nil, "", audit.CodeInvalid},
	} {
		got, next, err := pageOf(all, self, c.in)
		if !slices.Equal(got, c.want) || next != c.next || audit.ErrorCode(err) != c.code {
			t.Errorf("pageOf(%+v) = %v, %q, %v; want %v, %q, %q", c.in, got, next, err, c.want, c.next, c.code)
		}
	}
}

func TestListsAreFiltered(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "T2", "other1")
	s.addClaim(t, "C1", "T1")
	s.addClaim(t, "C2", "T2")
	type list struct {
		Items []map[string]any
		Next  string
	}
	for path, want := range map[string]int{
		"/api/v1/deliveries": 3, "/api/v1/deliveries?driver_id=D1": 2, "/api/v1/deliveries?until=2020-01-01T00:00:00Z": 0,
		"/api/v1/deliveries?since=2020-01-01T00:00:00%2B01:00": 3, "/api/v1/deliveries?driver_id=D2&limit=1": 1,
		"/api/v1/claims": 2, "/api/v1/claims?tracking_id=T2": 1, "/api/v1/claims?due_before=2100-01-01T00:00:00Z": 0,
		"/api/v1/tokens": 4, "/api/v1/tokens?driver_id=D1": 1, "/api/v1/tokens?driver_id=D2": 0,
	} {
		r := s.get(t, audit.Admin, path)
		if got := decodeAs[list](t, r); r.StatusCode != 200 || len(got.Items) != want || got.Next != "" {
			t.Errorf("%s: %d with %d items, next %q, want %d", path, r.StatusCode, len(got.Items), got.Next, want)
		}
	}
	for path, code := range map[string]audit.Code{
		"/api/v1/deliveries?since=yesterday": audit.CodeInvalid, "/api/v1/deliveries?until=2026-01-01T00:00:00Z&since=2026-01-01T00:00:00Z": audit.CodeInvalid,
		"/api/v1/deliveries?cursor=forged": audit.CodeInvalid, "/api/v1/claims/C1/packets?cursor=forged": audit.CodeInvalid,
		"/api/v1/webhooks?cursor=forged": audit.CodeInvalid, "/api/v1/claims?due_before=soon": audit.CodeInvalid, "/api/v1/deliveries?colour=red": audit.CodeUnknownField,
	} {
		if r := s.get(t, audit.Admin, path); r.StatusCode != 422 || r.problem(t).Code != code {
			t.Errorf("%s: %d %s, want 422 %s", path, r.StatusCode, r.body, code)
		}
	}
}
