package dispute

import (
	"reflect"
	"time"

	"porchlight/audit"
)

// Claim is a customer's word that a delivered package was not received.
type Claim struct {
	ClaimID    string     `json:"claim_id"`
	TrackingID string     `json:"tracking_id"`
	ReportedAt *time.Time `json:"reported_at,omitempty"`
	Reason     string     `json:"reason,omitempty"`    // the customer's, as the channel words it: delivered_not_received, ...
	Statement  string     `json:"statement,omitempty"` // in the customer's words
	Channel    string     `json:"channel,omitempty"`   // where an answer goes: stripe, paypal, email, ...
	DueAt      *time.Time `json:"due_at,omitempty"`    // when the answer is due
}

// ClaimFilter chooses claims; its zero value means all.
type ClaimFilter struct {
	TrackingID string
	DueFrom    time.Time // due then or later
	DueBefore  time.Time // leaves out those without a time
	Open       bool      // leaves out those that are decided
	DriverID   string    // on that driver's deliveries
	Search     string    // a claim id, a tracking id, or how an address or the recipient's name begins
}

// Validate checks the claim as a row of an import. The error is an [audit.Error] with
// [audit.CodeInvalid] whose message names the field.
func (c Claim) Validate() error {
	if err := audit.ValidateID("claim_id", c.ClaimID); err != nil {
		return err
	}
	if err := audit.ValidateID("tracking_id", c.TrackingID); err != nil {
		return err
	}
	for name, v := range map[string]string{"reason": c.Reason, "statement": c.Statement, "channel": c.Channel} {
		if len(v) > audit.MaxFieldBytes {
			return audit.Errorf(audit.CodeInvalid, "%s is longer than %d bytes", name, audit.MaxFieldBytes)
		}
	}
	return nil
}

// Evidence is all that is on record about one delivery.
type Evidence struct {
	Delivery audit.Delivery       `json:"delivery"`
	Photos   []audit.JudgedUpload `json:"photos"` // oldest first
	Events   []Event              `json:"events"` // oldest first
	History  History              `json:"history"`
	Track    []TrackPoint         `json:"track,omitempty"`       // the driver's, around the delivery, oldest first
	Attached []Attachment         `json:"attachments,omitempty"` // oldest first
}

// History is what is on record around a delivery.
type History struct {
	// NearScans are scans by the same driver at other stops within [NearScanWithin].
	NearScans []NearScan `json:"near_scans,omitempty"`
	// StopClaims counts the claims on the other of the stop's last [StopHistory] packages.
	StopClaims   int `json:"stop_claims"`
	StopPackages int `json:"stop_packages"` // the other ones, at most [StopHistory]
}

// Bounds of a [History].
const (
	NearScanWithin = time.Minute
	StopHistory    = 200
)

// NearScan is a package that was scanned elsewhere at almost the same time.
type NearScan struct {
	TrackingID string    `json:"tracking_id"`
	At         time.Time `json:"at"`
}

// FrozenPacket is a packet as the records keep it: its JSON, never changed once issued.
type FrozenPacket struct {
	PacketID string
	ClaimID  string
	IssuedAt time.Time
	JSON     []byte
	// Timestamp is what a time-stamp authority answered for JSON (RFC 3161, DER); nil
	// where there is none.
	Timestamp []byte
	// Originals are the photos that it says are not deleted. They are asked about when the
	// packet is kept, and are not a part of it.
	Originals []string
}

// OnRecord tells whether anything but the tracking id is known about the delivery.
func (ev Evidence) OnRecord() bool {
	bare := ev.Delivery
	if len(bare.Proofs) == 0 {
		bare.Proofs = nil
	}
	return len(ev.Photos)+len(ev.Events) > 0 || !reflect.DeepEqual(bare, audit.Delivery{TrackingID: bare.TrackingID})
}

// deliveredAt is when the package was delivered as far as is known: the delivery
// record's time, else the scan's.
func (ev Evidence) deliveredAt() *time.Time {
	if ev.Delivery.DeliveredAt != nil {
		return ev.Delivery.DeliveredAt
	}
	return ev.Delivery.ScannedAt
}
