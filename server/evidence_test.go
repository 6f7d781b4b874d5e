package server

import (
	"archive/zip"
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

// TestAgentsDay goes through what an agent does with a claim beyond reading it: an
// attachment and a track come in, the packet goes out for a channel, the outcome is kept.
func TestAgentsDay(t *testing.T) {
	s := newStack(t)
	s.deliveries(t, "T1", "T2")
	s.kept(t, "T1")
	s.addClaim(t, "C1", "T1")
	s.addClaim(t, "C2", "T2")

	r := s.as(t, audit.Agent, "POST", "/api/v1/deliveries/T1/attachments?what=the+customer%27s+e-mail&name=mail.pdf", "application/pdf", "%PDF-1.7 hello")
	a := decodeAs[dispute.Attachment](t, r)
	if r.StatusCode != http.StatusCreated || a.MediaType != "application/pdf" || a.SHA256 != audit.PhotoID([]byte("%PDF-1.7 hello")) {
		t.Fatalf("attachment: %d %s", r.StatusCode, r.body)
	}
	if r := s.get(t, audit.Agent, "/api/v1/attachments/"+a.AttachmentID); string(r.body) != "%PDF-1.7 hello" || !strings.Contains(r.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the attachment comes back as %d %q %v", r.StatusCode, r.body, r.Header)
	}
	for path, want := range map[string]int{"?what=x": http.StatusUnsupportedMediaType, "": http.StatusUnprocessableEntity, "?what=x&at=yesterday": http.StatusUnprocessableEntity} {
		if r := s.as(t, audit.Agent, "POST", "/api/v1/deliveries/T1/attachments"+path, "application/pdf", "<svg onload=alert(1)>"); r.StatusCode != want {
			t.Errorf("attachment %q: %d, want %d", path, r.StatusCode, want)
		}
	}

	r = s.as(t, audit.Dispatch, "POST", "/api/v1/tracks?driver_id=D1", "application/gpx+xml", `<gpx><trkpt lat="47.1" lon="8.1"><time>2026-05-04T09:00:00Z</time></trkpt><trkpt lat="47.1" lon="8.1"/></gpx>`)
	if sum := decodeAs[TrackSummary](t, r); sum != (TrackSummary{Created: 1, Untimed: 1}) {
		t.Errorf("track: %d %s", r.StatusCode, r.body)
	}
	r = s.as(t, audit.Dispatch, "POST", "/api/v1/tracks", "text/csv", "driver_id,at,latitude,longitude,accuracy_m\nD1,2026-05-04T09:00:00Z,47.1,8.1,5\nD1,2026-05-04T09:01:00Z,47.2,8.2,5\nD1,2026-05-04T09:01:00Z,97.2,8.2,5\n")
	if !strings.Contains(string(r.body), `"created":1`) || !strings.Contains(string(r.body), `"unchanged":1`) || !strings.Contains(string(r.body), `"rejected_count":1`) {
		t.Errorf("rows of a track: %d %s", r.StatusCode, r.body)
	}

	p := decodeAs[PacketRef](t, s.as(t, audit.Agent, "POST", "/api/v1/claims/C1/packets", "", ""))
	pdf := s.get(t, audit.Agent, "/api/v1/packets/"+p.PacketID+".pdf?show=1")
	if pdf.StatusCode != http.StatusOK || !bytes.HasPrefix(pdf.body, []byte("%PDF-")) || !strings.HasPrefix(pdf.Header.Get("Content-Disposition"), "inline") {
		t.Errorf("pdf: %d %v", pdf.StatusCode, pdf.Header)
	}
	list := decodeAs[List[dispute.Preflight]](t, s.get(t, audit.Agent, "/api/v1/packets/"+p.PacketID+"/channels"))
	if len(list.Items) < 8 {
		t.Fatalf("%d channels", len(list.Items))
	}
	for _, f := range list.Items {
		r := s.get(t, audit.Agent, "/api/v1/packets/"+p.PacketID+"/channels/"+f.Name)
		if !f.Fits || r.StatusCode != http.StatusOK || int64(len(r.body)) != f.Bytes {
			t.Errorf("%s: %+v, then %d with %d bytes", f.Name, f, r.StatusCode, len(r.body))
		}
	}
	if r := s.get(t, audit.Agent, "/api/v1/packets/"+p.PacketID+"/channels/fax"); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a channel that is none: %d", r.StatusCode)
	}

	bulk := s.as(t, audit.Agent, "POST", "/api/v1/packets?channel=stripe", "", "")
	z, err := zip.NewReader(bytes.NewReader(bulk.body), int64(len(bulk.body)))
	if err != nil || len(z.File) != 3 {
		t.Fatalf("bulk: %d, %v", bulk.StatusCode, err)
	}

	r = s.as(t, audit.Agent, "POST", "/api/v1/claims/C1/outcome", "application/json", `{"decision":"overturned","note":"the bank agreed"}`)
	o := decodeAs[dispute.Outcome](t, r)
	if r.StatusCode != http.StatusOK || o.Decision != dispute.Overturned || o.PacketID == "" || o.Recommendation == "" {
		t.Errorf("outcome: %d %s", r.StatusCode, r.body)
	}
	if r := s.as(t, audit.Agent, "POST", "/api/v1/claims/C1/outcome", "application/json", `{"decision":"maybe"}`); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an outcome that is none: %d", r.StatusCode)
	}
	if open := decodeAs[List[dispute.Claim]](t, s.get(t, audit.Agent, "/api/v1/claims?open=true")); len(open.Items) != 1 || open.Items[0].ClaimID != "C2" {
		t.Errorf("open claims: %+v", open.Items)
	}
	tallies := decodeAs[List[dispute.Tally]](t, s.get(t, audit.Agent, "/api/v1/outcomes"))
	counted := 0
	for _, tally := range tallies.Items {
		counted += tally.Overturned
	}
	if counted != 1 {
		t.Errorf("tallies: %+v", tallies.Items)
	}
	for action, want := range map[custody.Action]int{custody.AttachmentAdded: 1, custody.AttachmentExported: 1, custody.TrackAdded: 2, custody.ClaimDecided: 1} {
		if got := len(s.custodyOf(t, action)); got != want {
			t.Errorf("%d entries of %s in the custody log, want %d", got, action, want)
		}
	}

	page := s.page(t, audit.Agent, "/agent/claims/C1")
	for _, want := range []string{"<svg", "Overturned", "/channels/stripe", "e-mail"} {
		if !strings.Contains(page, want) {
			t.Errorf("the claim's page lacks %q", want)
		}
	}
	if page := s.page(t, audit.Agent, "/agent?q="+url.QueryEscape("C2")); !strings.Contains(page, "/agent/claims/C2") || strings.Contains(page, "/agent/claims/C1") {
		t.Error("the search shows other claims")
	}
}
