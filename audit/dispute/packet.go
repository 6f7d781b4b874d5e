package dispute

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
)

// PacketFormat names the layout of a packet's JSON. Fields may be added under the same name.
const PacketFormat = "porchlight-packet/1"

// MaxPacketPhotos is the most photos that a packet holds: far above what any claim
// needs, and what keeps its ZIP under 4 GB.
const MaxPacketPhotos = 150

// Packet is the evidence that answers a claim, frozen: everything that renders it reads
// it alone. All times are UTC.
type Packet struct {
	Format           string         `json:"format"` // [PacketFormat]
	PacketID         string         `json:"packet_id"`
	ClaimID          string         `json:"claim_id"`
	IssuedAt         time.Time      `json:"issued_at"`
	Claim            Claim          `json:"claim"`
	Delivery         audit.Delivery `json:"delivery"`
	DeliveryOnRecord bool           `json:"delivery_on_record"`
	Recommendation   Recommendation `json:"recommendation"`
	Timeline         []Line         `json:"timeline"`              // oldest first
	Undated          []Line         `json:"undated"`               // what is on record without a time
	NotOnRecord      []string       `json:"not_on_record"`         // what a reader would look for in vain
	Events           []Event        `json:"events,omitempty"`      // oldest first
	Contact          *Contact       `json:"contact,omitempty"`     // absent where the customer was not contacted
	Track            []TrackPoint   `json:"track,omitempty"`       // the driver's, around the delivery, oldest first
	Attached         []Attachment   `json:"attachments,omitempty"` // oldest first
	Places           []Place        `json:"places,omitempty"`
	Photos           []Photo        `json:"photos"` // oldest first
	Fields           Fields         `json:"fields"` // for a card processor's form
	Driver           *DriverRecord  `json:"driver_record,omitempty"`
	Integrity        Integrity      `json:"integrity"`
}

// Line is one thing that happened, and who says so.
type Line struct {
	At     time.Time `json:"at,omitzero"`
	Local  string    `json:"local,omitempty"` // At in the stop's time zone, where that is known
	What   string    `json:"what"`
	Source string    `json:"source"`
}

// Photo is a photo of the delivery with what was found in it.
type Photo struct {
	PhotoID     string             `json:"photo_id"`       // SHA-256 of the bytes
	File        string             `json:"file,omitempty"` // its name in the ZIP; absent where the original is not intact
	Original    OriginalState      `json:"original"`
	MediaType   string             `json:"media_type"`
	Bytes       int64              `json:"bytes"`
	Role        audit.PhotoRole    `json:"role"`
	UploadID    string             `json:"upload_id"`
	TrackingID  string             `json:"tracking_id"` // the delivery that it was uploaded for
	Also        []string           `json:"also,omitempty"`
	CapturedAt  *time.Time         `json:"captured_at,omitempty"` // by the phone's clock
	TakenAt     *time.Time         `json:"taken_at,omitempty"`    // by the camera's clock, EXIF
	ReceivedAt  time.Time          `json:"received_at"`
	Fix         *audit.Fix         `json:"fix,omitempty"` // the phone's, sent beside the file
	Report      audit.Report       `json:"report"`        // the latest when the packet was issued
	Measurement *audit.Measurement `json:"measurement,omitempty"`
}

// DriverRecord is how often the driver's deliveries were claimed as not received.
type DriverRecord struct {
	DriverID    string    `json:"driver_id"`
	Packages    int       `json:"packages"`     // that the record counts
	NotReceived int       `json:"not_received"` // of them
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
}

// Integrity says what the packet's evidence can be checked against.
type Integrity struct {
	Originals    []Original `json:"originals"`
	Checklists   []string   `json:"checklists"`   // versions that judged the photos
	Measurements []string   `json:"measurements"` // versions of the measuring code
	Rules        string     `json:"rules"`        // version that the recommendation was made by
	// Custody is the custody log's last entry when the packet was issued: the log can then
	// not be cut off or written anew before it without that being seen. Absent where the
	// log was empty, and in packets older than it.
	Custody *custody.Head `json:"custody,omitempty"`
	// Timestamp says which authority was asked for a time stamp of this JSON; absent where
	// none was. The time stamp itself stands beside it, as packet.json.tsr.
	Timestamp *TimestampNote `json:"timestamp,omitempty"`
}

// TimestampWords says in a sentence whether there is a time stamp; empty where none was
// asked for.
func (i Integrity) TimestampWords() string {
	switch {
	case i.Timestamp == nil:
		return ""
	case i.Timestamp.Problem != "":
		return "None: " + i.Timestamp.Problem + " (" + i.Timestamp.Authority + ")"
	}
	return "packet.json.tsr, by " + i.Timestamp.Authority + " (RFC 3161)"
}

// Original is a photo's bytes as they were read when the packet was issued.
type Original struct {
	PhotoID string        `json:"photo_id"` // SHA-256 that they were received under
	SHA256  string        `json:"sha256"`   // that they have now; empty where they are missing
	Bytes   int64         `json:"bytes"`
	State   OriginalState `json:"state"`
}

// DecodePacket reads a packet's JSON. Errors: [audit.CodeCorrupted].
func DecodePacket(b []byte) (Packet, error) {
	var p Packet
	if err := json.Unmarshal(b, &p); err != nil {
		return Packet{}, audit.Errorf(audit.CodeCorrupted, "The packet's JSON cannot be read", err)
	}
	if p.Format != PacketFormat {
		return Packet{}, audit.Errorf(audit.CodeCorrupted, "The packet's format is %q, not %q", p.Format, PacketFormat)
	}
	return p, nil
}

// encode is the packet's JSON as it is frozen.
func (p Packet) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		return nil, audit.Errorf(audit.CodeInternal, "The packet cannot be written as JSON", err)
	}
	return b.Bytes(), nil
}

// original is what reading a photo's bytes gave.
type original struct {
	state  OriginalState
	sha256 string
	crc32  uint32
	bytes  int64
}

// assemble builds a packet. It is pure.
func assemble(id string, at time.Time, file CaseFile, rules *Rules, originals map[string]original) Packet {
	c, ev := file.Claim, file.Evidence
	states := make(map[string]OriginalState, len(originals))
	for photoID, o := range originals {
		states[photoID] = o.state
	}
	p := Packet{
		Format: PacketFormat, PacketID: id, ClaimID: c.ClaimID, IssuedAt: at.UTC(),
		Claim: c.inUTC(), Delivery: inUTC(ev.Delivery), DeliveryOnRecord: ev.OnRecord(),
		Recommendation: recommend(c, ev, file.Driver, rules, states),
		Photos:         []Photo{}, Driver: file.Driver, Track: ev.Track,
		Integrity: Integrity{Originals: []Original{}, Checklists: []string{}, Measurements: []string{}, Rules: rules.Version},
	}
	p.Timeline, p.Undated = timeline(c, ev)
	p.NotOnRecord = notOnRecord(c, ev)
	p.Places = places(ev)
	for _, e := range ev.Events {
		e.At, e.RecordedAt = e.At.UTC(), e.RecordedAt.UTC()
		p.Events = append(p.Events, e)
	}
	for i, a := range ev.Attached {
		if a.Original = originals[a.SHA256].state; a.Original == Intact {
			a.File = fmt.Sprintf("%s%02d-%s%s", attachmentsDir, i+1, first12(a.SHA256), a.Ext())
		}
		p.Attached = append(p.Attached, a)
	}
	if tried, ok := contact(ev, rules); ok {
		p.Contact = &tried
	}
	p.Fields = fields(p)
	files := map[string]string{} // by photo id: a photo that shows two roles is in the ZIP once
	for i, u := range ev.Photos {
		o := originals[u.Upload.PhotoID]
		if _, again := files[u.Upload.PhotoID]; !again {
			files[u.Upload.PhotoID] = ""
			if o.state == Intact {
				files[u.Upload.PhotoID] = originalName(i+1, u.Upload)
			}
			p.Integrity.Originals = append(p.Integrity.Originals, Original{PhotoID: u.Upload.PhotoID, SHA256: o.sha256, Bytes: o.bytes, State: o.state})
		}
		p.Photos = append(p.Photos, photo(u, o.state, files[u.Upload.PhotoID], ev.Delivery.Zone()))
		p.Integrity.Checklists = addOnce(p.Integrity.Checklists, u.Report.Checklist)
		p.Integrity.Measurements = addOnce(p.Integrity.Measurements, u.Measurement.Version)
	}
	return p
}

func photo(u audit.JudgedUpload, state OriginalState, file string, zone *time.Location) Photo {
	report := u.Report
	report.Measurement = nil // it stands beside the report
	report.JudgedAt = report.JudgedAt.UTC()
	if report.Findings == nil {
		report.Findings = []audit.Finding{}
	}
	m := u.Measurement
	p := Photo{
		PhotoID: u.Upload.PhotoID, File: file, Original: state, MediaType: u.Upload.MediaType, Bytes: u.Upload.Bytes,
		Role: u.Upload.Role, UploadID: u.Upload.UploadID, TrackingID: u.Upload.TrackingID, Also: u.Upload.Also,
		CapturedAt: utc(u.Upload.CapturedAt), ReceivedAt: u.Upload.ReceivedAt.UTC(), Fix: u.Upload.Fix,
		Report: report, Measurement: &m,
	}
	if at, ok := m.Exif.TakenTime(zone); ok {
		p.TakenAt = utc(&at)
	}
	return p
}

// originalName is a photo's name in the ZIP.
func originalName(n int, u audit.Upload) string {
	ext := cmp.Or(audit.Extension(u.MediaType), ".bin")
	role := u.Role
	if !slices.Contains(audit.PhotoRoles, role) {
		role = "photo"
	}
	return fmt.Sprintf("originals/%02d-%s-%s%s", n, role, first12(u.PhotoID), ext)
}

func addOnce(list []string, v string) []string {
	if v == "" || slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func (c Claim) inUTC() Claim {
	c.ReportedAt, c.DueAt = utc(c.ReportedAt), utc(c.DueAt)
	return c
}

func inUTC(d audit.Delivery) audit.Delivery {
	d.WindowStart, d.WindowEnd = utc(d.WindowStart), utc(d.WindowEnd)
	d.ScannedAt, d.DeliveredAt = utc(d.ScannedAt), utc(d.DeliveredAt)
	return d
}
