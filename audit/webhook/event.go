package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// Event is something that happened and that endpoints are told of.
type Event struct {
	Type    Type
	Subject string // id of what it happened to; there is one event of a type for each
	At      time.Time
	Data    any // written as JSON
}

// MessageID is the event's id, the same for every endpoint and every attempt: it is
// made of type and subject alone.
func (e Event) MessageID() string {
	sum := sha256.Sum256([]byte(string(e.Type) + "\x00" + e.Subject))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// Body is the JSON that is sent: type, timestamp (of the event) and data.
func (e Event) Body() ([]byte, error) {
	b, err := json.Marshal(struct {
		Type      Type      `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      any       `json:"data"`
	}{e.Type, e.At.UTC().Truncate(time.Microsecond), e.Data})
	if err != nil {
		return nil, audit.Errorf(audit.CodeInternal, "An event cannot be written as JSON", err)
	}
	return b, nil
}

// Photo is the data of photo.audited and photo.rejected.
type Photo struct {
	UploadID   string            `json:"upload_id"`
	PhotoID    string            `json:"photo_id"`
	TrackingID string            `json:"tracking_id"`
	Also       []string          `json:"also,omitempty"` // further deliveries that the photo shows
	DriverID   string            `json:"driver_id,omitempty"`
	Role       audit.PhotoRole   `json:"role"`
	ReportID   string            `json:"report_id"`
	Checklist  string            `json:"checklist"` // its version
	Verdict    audit.Verdict     `json:"verdict"`
	Score      int               `json:"score"`
	Reasons    []Reason          `json:"reasons"` // the findings that warn or fail
	Links      map[string]string `json:"links"`   // paths of the API
}

// Reason is a finding that speaks against a photo.
type Reason struct {
	Check  string       `json:"check"`
	Result audit.Result `json:"result"`
	Reason string       `json:"reason"` // one of [audit.Reasons]
}

// PhotoEvents are what a new upload's report is told as.
func PhotoEvents(u audit.Upload, r audit.Report) []Event {
	data := Photo{
		UploadID: u.UploadID, PhotoID: u.PhotoID, TrackingID: u.TrackingID, Also: u.Also, DriverID: u.DriverID, Role: u.Role,
		ReportID: r.ReportID, Checklist: r.Checklist, Verdict: r.Verdict, Score: r.Score, Reasons: []Reason{},
		Links: map[string]string{
			"photo": path("photos", u.PhotoID), "reports": path("photos", u.PhotoID, "reports"), "delivery": path("deliveries", u.TrackingID),
		},
	}
	for _, f := range r.Findings {
		if f.Result == audit.Warn || f.Result == audit.Fail {
			data.Reasons = append(data.Reasons, Reason{f.Check, f.Result, f.Reason})
		}
	}
	all := []Event{{PhotoAudited, u.UploadID, u.ReceivedAt, data}}
	if r.Verdict == audit.Retake {
		all = append(all, Event{PhotoRejected, u.UploadID, u.ReceivedAt, data})
	}
	return all
}

// Claim is the data of claim.opened. What the customer wrote stays in the records.
type Claim struct {
	ClaimID    string            `json:"claim_id"`
	TrackingID string            `json:"tracking_id"`
	ReportedAt *time.Time        `json:"reported_at,omitempty"`
	Channel    string            `json:"channel,omitempty"`
	DueAt      *time.Time        `json:"due_at,omitempty"`
	Links      map[string]string `json:"links"`
}

// ClaimEvent is what a new claim is told as; at is when it came.
func ClaimEvent(c dispute.Claim, at time.Time) Event {
	return Event{ClaimOpened, c.ClaimID, at, Claim{
		ClaimID: c.ClaimID, TrackingID: c.TrackingID, ReportedAt: c.ReportedAt, Channel: c.Channel, DueAt: c.DueAt,
		Links: map[string]string{"claim": path("claims", c.ClaimID), "delivery": path("deliveries", c.TrackingID)},
	}}
}

// Packet is the data of packet.issued.
type Packet struct {
	PacketID string            `json:"packet_id"`
	ClaimID  string            `json:"claim_id"`
	IssuedAt time.Time         `json:"issued_at"`
	Links    map[string]string `json:"links"`
}

// PacketEvent is what a new packet is told as.
func PacketEvent(p dispute.FrozenPacket) Event {
	return Event{PacketIssued, p.PacketID, p.IssuedAt, Packet{
		PacketID: p.PacketID, ClaimID: p.ClaimID, IssuedAt: p.IssuedAt.UTC(),
		Links: map[string]string{
			"zip": path("packets", p.PacketID+".zip"), "json": path("packets", p.PacketID+".json"), "claim": path("claims", p.ClaimID),
		},
	}}
}

// PingEvent tries an endpoint. id is new each time.
func PingEvent(id, endpointID string, at time.Time) Event {
	return Event{Ping, id, at, map[string]string{"endpoint_id": endpointID}}
}

// path is where the API answers for something.
func path(parts ...string) string {
	p := "/api/v1"
	for _, part := range parts {
		p += "/" + url.PathEscape(part)
	}
	return p
}
