package pdf

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// Look is how photos are shown: what of a document can be smaller.
type Look struct {
	DPI     int // at most
	Quality int // of JPEG, 1..100
}

// Looks are from the finest to the smallest that still shows what a finding says. The
// first is what a packet has where nothing asks for less.
var Looks = []Look{{300, 82}, {220, 76}, {170, 70}, {130, 62}}

// shownPhotos is the most that are shown as pictures; the others are listed.
const shownPhotos = 8

// Originals gives a photo's bytes. Errors: [audit.CodeNotFound], [audit.CodeCorrupted],
// [audit.CodeUnavailable].
type Originals func(ctx context.Context, photoID string) ([]byte, error)

// Document renders packets with the photos that originals gives.
type Document struct{ Originals Originals }

// Looks is how many of [Looks] there are.
func (Document) Looks() int { return len(Looks) }

// Write writes a packet in one of [Looks] and answers its pages.
func (d Document) Write(ctx context.Context, p dispute.Packet, look int, w io.Writer) (int, error) {
	return Write(ctx, p, d.Originals, Looks[look], w)
}

// Write writes a packet as PDF/A-2b and answers its number of pages. Errors: those of
// originals but for the first two, which are said in the document, and w's.
func Write(ctx context.Context, p dispute.Packet, originals Originals, look Look, w io.Writer) (pages int, err error) {
	size := "A4"
	if slices.Contains([]string{"US", "USA", "CA", "CAN", "MX", "MEX"}, strings.ToUpper(p.Delivery.Country)) {
		size = "Letter"
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	title, _ := legible("Claim " + p.ClaimID + ": the record of delivery " + p.Claim.TrackingID)
	s := newSheet(size, "Packet "+p.PacketID+", claim "+p.ClaimID)
	d := &document{sheet: s, Packet: p, look: look, widths: map[int]bool{}}
	archival(s.Fpdf, title, p.IssuedAt)
	s.AddPage()
	d.letter()
	d.timeline()
	if err := d.photos(ctx, originals); err != nil {
		return 0, err
	}
	d.sketch()
	d.record()
	d.integrity()
	var out bytes.Buffer
	if err := s.Output(&out); err != nil {
		return 0, fmt.Errorf("render packet %s: %w", p.PacketID, err)
	}
	b, err := identified(out.Bytes())
	if err != nil {
		return 0, err
	}
	if _, err = w.Write(b); err != nil {
		return 0, fmt.Errorf("write packet %s: %w", p.PacketID, err)
	}
	return s.PageCount(), nil
}

// document is a packet being written.
type document struct {
	*sheet
	dispute.Packet
	look Look
	// widths of the pictures so far: fpdf puts them in order of their width, and two of one
	// width in either order.
	widths map[int]bool
}

// clock is a time in the stop's zone, else in UTC.
func (d *document) clock(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "not on record"
	}
	return t.In(d.Delivery.Zone()).Format("2 January 2006, 15:04:05 MST")
}

func (d *document) letter() {
	d.title("Response to claim " + d.ClaimID)
	d.font("", smallSize, grey)
	about := "Issued " + d.clock(&d.IssuedAt)
	if d.Claim.Channel != "" {
		about += ", for " + d.Claim.Channel
	}
	d.lines(d.split(about+". Tracking id "+d.Claim.TrackingID+".", d.width), 4)
	d.Ln(2)
	d.say(d.opening())
	d.table([]column{{"", .24, grey}, {"", .76, black}}, d.facts())
	d.points("What the records show", "Evidence", d.Recommendation.Reasons, "Nothing on record speaks for the delivery.")
	d.points("What they do not show", "Weakness", d.Recommendation.Weaknesses, "No weakness was found.")
	if d.Claim.Statement != "" {
		d.heading("The customer's words")
		d.say(d.Claim.Statement)
	}
	if d.substituted {
		d.remark("Characters that this document's fonts lack stand as code points, as in [U+738B]; packet.json has the texts as they were written.")
	}
}

// opening says in two sentences what the letter is about.
func (d *document) opening() string {
	to := cmp.Or(d.Delivery.Line(), "the address on record")
	switch d.Recommendation.Recommendation {
	case dispute.DisputeClaim:
		when := ""
		if d.Delivery.DeliveredAt != nil {
			when = " on " + d.clock(d.Delivery.DeliveredAt)
		}
		return fmt.Sprintf("The claim says that package %s was not received. The records below show its delivery to %s%s. We ask that the claim be decided on them.", d.Claim.TrackingID, to, when)
	case dispute.AcceptClaim:
		return fmt.Sprintf("The claim says that package %s was not received. The records below do not show its delivery to %s.", d.Claim.TrackingID, to)
	}
	return fmt.Sprintf("The claim says that package %s was not received. The records below on its delivery to %s do not settle the claim by themselves.", d.Claim.TrackingID, to)
}

func (d *document) facts() [][]string {
	orNone := func(v string) string { return cmp.Or(v, "not on record") }
	var proofs []string
	for _, p := range d.Delivery.Proofs {
		proofs = append(proofs, strings.ReplaceAll(string(p), "_", " "))
	}
	claim := strings.ReplaceAll(d.Claim.Reason, "_", " ")
	if d.Claim.ReportedAt != nil {
		claim = strings.TrimPrefix(claim+", reported "+d.clock(d.Claim.ReportedAt), ", ")
	}
	rows := [][]string{
		{"Claim", orNone(claim)},
		{"Address", orNone(d.Delivery.Line())},
		{"Instruction", orNone(strings.ReplaceAll(string(d.Delivery.Instruction), "_", " "))},
		{"Scanned", d.clock(d.Delivery.ScannedAt)},
		{"Delivered", d.clock(d.Delivery.DeliveredAt)},
	}
	if len(proofs) > 0 {
		rows = append(rows, []string{"Proof required", strings.Join(proofs, ", ")})
	}
	var away []string
	for _, p := range d.Places {
		if p.AwayM != nil {
			away = append(away, fmt.Sprintf("%s: %.0f m from the stop", p.What, *p.AwayM))
		}
	}
	return append(rows, []string{"Positions", orNone(strings.Join(away, "; "))}, []string{"Photos", strconv.Itoa(len(d.Photos))})
}

func (d *document) points(heading, head string, points []dispute.Point, none string) {
	d.heading(heading)
	if len(points) == 0 {
		d.say(none)
		return
	}
	var rows [][]string
	for _, p := range points {
		rows = append(rows, []string{p.Text, p.Source})
	}
	d.table([]column{{head, .66, black}, {"Source", .34, grey}}, rows)
}

func (d *document) timeline() {
	d.heading("Timeline")
	zone := d.Delivery.Zone()
	var rows [][]string
	for _, l := range d.Timeline {
		when := l.At.In(zone).Format("2006-01-02 15:04:05 MST")
		if zone != time.UTC {
			when += "\n" + l.At.UTC().Format("15:04:05") + " UTC"
		}
		rows = append(rows, []string{when, l.What, l.Source})
	}
	for _, l := range d.Undated {
		rows = append(rows, []string{"not on record", l.What, l.Source})
	}
	d.table([]column{{"Time", .24, black}, {"What happened", .46, black}, {"Source", .30, grey}}, rows)
	if d.Contact != nil {
		kept := "the guide's rule (text, wait two to three minutes, call, five minutes in all) was not kept, or is not on record as kept"
		if d.Contact.Kept {
			kept = "the guide's rule (text, wait two to three minutes, call, five minutes in all) was kept"
		}
		d.say("Contact with the customer: " + d.Contact.Words + "; " + kept + ".")
	}
	if len(d.NotOnRecord) > 0 {
		d.say("Not on record: " + strings.Join(d.NotOnRecord, "; ") + ".")
	}
}

func (d *document) record() {
	if d.Driver == nil {
		return
	}
	d.heading("The driver's record")
	d.say(fmt.Sprintf("Driver %s: %d of %d packages claimed as not received, %s to %s (delivery and claim records).", d.Driver.DriverID, d.Driver.NotReceived, d.Driver.Packages, d.clock(&d.Driver.From), d.clock(&d.Driver.To)))
}

func (d *document) integrity() {
	d.heading("Integrity")
	d.say("Each photo's identity is the SHA-256 of its bytes as they were first received. When this packet was issued they were read again:")
	var rows [][]string
	for _, o := range d.Integrity.Originals {
		rows = append(rows, []string{o.PhotoID, strconv.FormatInt(o.Bytes, 10), string(o.State)})
	}
	if len(rows) > 0 {
		d.table([]column{{"Original, SHA-256", .72, black}, {"Bytes", .12, black}, {"State", .16, black}}, rows)
	} else {
		d.say("There is no photo.")
	}
	by := [][]string{{"Packet", d.PacketID}, {"Photos judged by", joined(d.Integrity.Checklists, "no checklist")}, {"Measured by", joined(d.Integrity.Measurements, "nothing")},
		{"Recommendation by", d.Integrity.Rules}}
	if d.Integrity.Custody != nil {
		by = append(by, []string{"Custody log's head", d.Integrity.Custody.String()})
	}
	if words := d.Integrity.TimestampWords(); words != "" {
		by = append(by, []string{"Time stamp", words})
	}
	d.table([]column{{"", .24, grey}, {"", .76, black}}, by)
	d.remark("The packet's ZIP holds the originals, this document, packet.json with every value behind it, and a signed manifest with the SHA-256 of each file. \"porchlight verify\" and \"minisign -V\" check it without a server.")
}

func joined(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ", ")
}

// resultInk is a result's colour; its word stands beside it always.
func resultInk(r audit.Result) ink {
	switch r {
	case audit.Fail:
		return alarm
	case audit.Unknown:
		return grey
	}
	return black
}
