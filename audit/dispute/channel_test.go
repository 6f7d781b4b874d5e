package dispute

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"porchlight/audit"
)

func TestChannelsFit(t *testing.T) {
	for _, test := range []struct {
		channel string
		padding int // bytes a look
		look    int
		code    audit.Code
	}{
		{"default", 100, 0, ""},
		{"default", 900_000, 1, ""},   // 2.7 MB, then 1.8 MB
		{"default", 1_500_000, 2, ""}, // 4.5, 3, 1.5 MB
		{"default", 2_100_000, 2, CodeChannelLimit},
		{"Stripe", 1_400_000, 0, ""}, // 4.2 MB of 4.5
		{"discover", 1_400_000, 1, ""},
		{"mastercard", 4_000_000, 0, ""},
		{"nobody", 1, 0, audit.CodeInvalid},
	} {
		service, p := strong().issue(t, nil)
		service.Document = plain{padding: test.padding}
		sub, err := service.Submit(t.Context(), p.PacketID, test.channel)
		if audit.ErrorCode(err) != test.code {
			t.Errorf("%s with %d: %v, want code %q", test.channel, test.padding, err, test.code)
		}
		if test.code == "" && (sub.Look != test.look || !sub.Fits || sub.Bytes != int64(len(sub.Body)) || sub.Bytes > sub.MaxFileBytes) {
			t.Errorf("%s with %d: %+v, want look %d", test.channel, test.padding, sub.Preflight, test.look)
		}
	}
}

func TestPreflightsSayWhatDoesNotFit(t *testing.T) {
	service, p := weak().issue(t, nil)
	service.Document = plain{padding: 2_500_000}
	all, err := service.Preflights(t.Context(), p.PacketID)
	if err != nil {
		t.Fatal(err)
	}
	fits := map[string]bool{}
	for _, f := range all {
		fits[f.Name] = f.Fits
		if !f.Fits && len(f.Problems) == 0 {
			t.Errorf("%s does not fit, and no reason is given", f.Name)
		}
		if len(f.Notes) == 0 {
			t.Errorf("%s: the packet of a claim to accept goes out without a note", f.Name)
		}
	}
	for name, want := range map[string]bool{"default": false, "shopify": false, "stripe": true, "discover": true, "email": true} {
		if fits[name] != want {
			t.Errorf("%s fits: %v, want %v", name, fits[name], want)
		}
	}
}

// TestEmail reads the driver's dispute as a mail program would.
func TestEmail(t *testing.T) {
	service, p := hiddenAway().issue(t, nil)
	service.Document = plain{}
	sub, err := service.Submit(t.Context(), p.PacketID, "email")
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(bytes.NewReader(sub.Body))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Header.Get("Subject"); got != "Dispute: delivery TBA-1" {
		t.Errorf("subject %q", got)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		kinds = append(kinds, kind)
		if kind == "text/plain" {
			for _, want := range []string{"TBA-1", "1428 Elm Street", "4 March 2026 at 15:02 PST", "Two photos are attached.", "Driver A1B2C3D4E5F6"} {
				if !strings.Contains(string(b), want) {
					t.Errorf("the text lacks %q:\n%s", want, b)
				}
			}
			if n := len(strings.Split(string(b), "\n")); n > 16 {
				t.Errorf("%d lines: it should be brief", n)
			}
		}
	}
	if want := []string{"text/plain", "image/jpeg", "image/jpeg"}; !slices.Equal(kinds, want) {
		t.Errorf("parts %v, want %v", kinds, want)
	}
}

func TestFieldsOfProcessors(t *testing.T) {
	_, p := hiddenAway().issue(t, nil)
	want := Fields{ShippingTrackingNumber: "TBA-1", ShippingDate: "2026-03-04", ServiceDate: "2026-03-04", ShippingAddress: "1428 Elm Street, 98109 Seattle, US",
		CustomerCommunication: "2026-03-04 23:02:40 UTC customer told: delivered: behind the planter (carrier, event E-9)", UncategorizedText: p.Recommendation.Summary}
	if p.Fields != want {
		t.Errorf("fields %+v\nwant %+v", p.Fields, want)
	}
}

func TestDue(t *testing.T) {
	c := Channels2026()
	claim := claim()
	if got := c.Due(claim); !got.Equal(*claim.DueAt) {
		t.Errorf("its own time: %v", got)
	}
	claim.DueAt = nil
	if got := c.Due(claim); !got.Equal(claim.ReportedAt.AddDate(0, 0, 7)) { // Stripe's 7 days
		t.Errorf("by its channel: %v", got)
	}
	claim.Channel = "carrier pigeon"
	if got := c.Due(claim); !got.Equal(claim.ReportedAt.AddDate(0, 0, 10)) {
		t.Errorf("by no channel we know: %v", got)
	}
	claim.ReportedAt = nil
	if got := c.Due(claim); got != nil {
		t.Errorf("without a time: %v", got)
	}
}

func TestChannelsAreChecked(t *testing.T) {
	for _, text := range []string{"", "version: x", "version: x\nchannels: {default: {kind: fax, max_file_bytes: 100000, max_bytes: 100000, answer_days: 1}}",
		"version: x\nchannels: {default: {kind: pdf, max_file_bytes: 1, max_bytes: 1, answer_days: 1}}", "version: x\nlimits: {}", strings.Repeat("#", MaxRulesBytes+1)} {
		if _, err := ParseChannels([]byte(text)); audit.ErrorCode(err) != audit.CodeInvalid {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

// TestBulk holds that every claim has its row, that one whose photo is lost stops no
// other, and that each packet in the ZIP is valid by itself.
func TestBulk(t *testing.T) {
	s := strong()
	signer := newSigner(t)
	service := s.serve(t, signer)
	claims := []Claim{s.claim, {ClaimID: "CL-2", TrackingID: "TBA-none"}, {ClaimID: "CL-gone", TrackingID: "TBA-1"}}
	for _, c := range claims[:2] {
		service.Records.(records).claims[c.ClaimID] = c
	}
	var out bytes.Buffer
	err := service.WriteBulk(t.Context(), &out, func(yield func(Claim, error) bool) {
		for _, c := range claims {
			if !yield(c, nil) {
				return
			}
		}
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := csv.NewReader(bytes.NewReader(files["index.csv"])).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("index of %d rows, %v; want 4", len(rows), err)
	}
	for i, want := range []struct{ file, answer string }{{"packets/CL-1.zip", "dispute"}, {"packets/CL-2.zip", "review"}, {"", ""}} {
		row := rows[i+1]
		if row[6] != want.file || row[3] != want.answer || (want.file == "") != (row[7] != "") {
			t.Errorf("row %v, want %+v", row, want)
		}
		if want.file != "" && !verify(t, files[want.file], signer.PublicKey()).Valid() {
			t.Errorf("%s is not valid", want.file)
		}
	}
}

// TestAttachmentsInPackets holds that an attachment is in the ZIP, that altering it shows,
// and that one whose bytes are lost stands in the packet as missing.
func TestAttachmentsInPackets(t *testing.T) {
	signer := newSigner(t)
	b := hiddenAway().zipped(t, signer)
	if v := verify(t, b, signer.PublicKey()); !v.Valid() {
		t.Fatalf("problems %v", v.Problems)
	}
	at := bytes.Index(b, []byte("%PDF-1.7 mail"))
	if at < 0 {
		t.Fatal("the attachment is not in the ZIP")
	}
	b[at+3] ^= 1
	v := verify(t, b, signer.PublicKey())
	if v.Valid() || !slices.ContainsFunc(v.Problems, func(p Problem) bool { return strings.HasPrefix(p.Part, "attachments/01-") }) {
		t.Errorf("an altered attachment: valid %v, problems %v", v.Valid(), v.Problems)
	}
	lost := hiddenAway()
	lost.evidence.Attached[0].SHA256 = strings.Repeat("ab", 32)
	_, p := lost.issue(t, signer)
	if a := p.Attached[0]; a.File != "" || a.Original != Corrupted {
		t.Errorf("an attachment whose bytes are others: %+v", a)
	}
}

func TestRotateKey(t *testing.T) {
	dir := t.TempDir()
	old, err := LoadOrCreateKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := RotateKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	now, err := LoadOrCreateKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !pub.key.Equal(now.PublicKey().key) || pub.key.Equal(old.PublicKey().key) {
		t.Error("the key was not changed")
	}
	text, err := os.ReadFile(filepath.Join(dir, FormerKeyFile(keyID(old.PublicKey().key.ID()))))
	if err != nil || !bytes.Equal(text, old.PublicKey().Text()) {
		t.Errorf("the public key of before: %q, %v", text, err)
	}
}
