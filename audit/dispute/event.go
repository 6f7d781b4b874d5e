package dispute

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"porchlight/audit"
	"porchlight/audit/geo"
)

// Event is anything else that happened on a delivery: a scan, a contact attempt, a
// password attempt, a note, a location fix.
type Event struct {
	EventID    string    `json:"event_id"`
	TrackingID string    `json:"tracking_id"`
	Kind       string    `json:"kind"` // one of [EventKinds], or the sender's own
	At         time.Time `json:"at"`
	Source     string    `json:"source,omitempty"` // who says so: driver, carrier, phone, ...
	Detail     string    `json:"detail,omitempty"`
	Latitude   *float64  `json:"latitude,omitempty"`
	Longitude  *float64  `json:"longitude,omitempty"`
	// PhotoIDs are photos of the delivery that show it: a closed gate, the next safe place.
	PhotoIDs   []string  `json:"photo_ids,omitempty"`
	RecordedAt time.Time `json:"recorded_at"`
}

// EventKind is a kind of event that Porchlight knows the meaning of.
type EventKind struct {
	Kind  string
	Words string // in a timeline
}

// EventKinds are the kinds with a meaning, in the order of a delivery. Others are kept and
// shown as they are.
var EventKinds = []EventKind{
	{"customer_told_ordered", "customer told: ordered"},
	{"customer_told_shipped", "customer told: shipped"},
	{"customer_told_out_for_delivery", "customer told: out for delivery"},
	{"arrival", "driver arrived"},
	{"scan", "package scanned"},
	{"location", "position"},
	{"access_problem", "no access"},
	{"closure", "closed"},
	{"contact_text", "customer texted"},
	{"contact_call", "customer called"},
	{"contact_answer", "customer answered"},
	{"instruction_conflict", "instruction could not be followed"},
	{"next_safe_place", "left at the next safe place"},
	{"password_entered", "one-time password entered"},
	{"password_failed", "one-time password failed"},
	{"password_fallback", "digits of the phone number asked for instead of the password"},
	{"signature", "signature taken"},
	{"signature_refused", "signature refused"},
	{"id_check", "ID checked"},
	{"id_check_failed", "ID check failed"},
	{"note", "driver's note"},
	{"departure", "driver left"},
	{"customer_told_delivered", "customer told: delivered"},
	{"conversation", "conversation"},
}

// words is the event in a line, without its position.
func (e Event) words() string {
	what := strings.ReplaceAll(e.Kind, "_", " ")
	if i := slices.IndexFunc(EventKinds, func(k EventKind) bool { return k.Kind == e.Kind }); i >= 0 {
		what = EventKinds[i].Words
	}
	if e.Detail != "" {
		what += ": " + e.Detail
	}
	if n := len(e.PhotoIDs); n > 0 {
		what += fmt.Sprintf(" (%s)", plural(n, "photo"))
	}
	return what
}

// point is where the event was, and whether that is known.
func (e Event) point() (geo.Point, bool) {
	if e.Latitude == nil || e.Longitude == nil {
		return geo.Point{}, false
	}
	p := geo.Point{Latitude: *e.Latitude, Longitude: *e.Longitude}
	return p, p.Valid()
}

// digits are four digits or more, with spaces and dashes between them or without.
var digits = regexp.MustCompile(`[0-9](?:[ \-.]?[0-9]){3,}`)

// Redacted is the event without what must not be kept: the digits of a password or of a
// phone number that were asked for in its place.
func (e Event) Redacted() Event {
	kind := strings.ToLower(e.Kind)
	for _, secret := range []string{"password", "otp", "pin"} {
		if strings.Contains(kind, secret) {
			e.Detail = digits.ReplaceAllString(e.Detail, "(digits not kept)")
		}
	}
	return e
}

// Contact is how the driver tried to reach the customer, held against the guide's rule:
// text, wait two to three minutes, call, five minutes in all (seed guide, section 4).
type Contact struct {
	TextAt   *time.Time `json:"text_at,omitempty"`
	CallAt   *time.Time `json:"call_at,omitempty"`
	UntilAt  *time.Time `json:"until_at,omitempty"` // when the driver left, or the delivery ended
	Answered bool       `json:"answered"`
	Kept     bool       `json:"kept"` // the rule
	Words    string     `json:"words"`
}

// contact reads the contact attempts; false where there was none.
func contact(ev Evidence, rules *Rules) (Contact, bool) {
	var c Contact
	first := func(kind string) *time.Time {
		for _, e := range ev.Events {
			if e.Kind == kind {
				return &e.At
			}
		}
		return nil
	}
	c.TextAt, c.CallAt, c.UntilAt = first("contact_text"), first("contact_call"), first("departure")
	c.Answered = first("contact_answer") != nil
	if c.TextAt == nil && c.CallAt == nil {
		return c, false
	}
	if c.UntilAt == nil {
		c.UntilAt = ev.deliveredAt()
	}
	begun := c.TextAt
	if begun == nil {
		begun = c.CallAt
	}
	var said []string
	if c.TextAt != nil {
		said = append(said, "texted at "+stamp(*c.TextAt))
	} else {
		said = append(said, "not texted")
	}
	paused := false
	switch {
	case c.CallAt == nil:
		said = append(said, "not called")
	case c.TextAt == nil:
		said = append(said, "called at "+stamp(*c.CallAt))
	default:
		wait := c.CallAt.Sub(*c.TextAt)
		paused = wait >= rules.contactPause()
		said = append(said, "called "+audit.Lasting(wait)+" later")
	}
	stayed := false
	if c.UntilAt != nil && !c.UntilAt.Before(*begun) {
		all := c.UntilAt.Sub(*begun)
		stayed = all >= rules.contactInAll()
		said = append(said, audit.Lasting(all)+" in all")
	} else {
		said = append(said, "how long in all is not on record")
	}
	if c.Answered {
		said = append(said, "the customer answered")
	}
	c.Kept = c.Answered || paused && stayed
	c.Words = strings.Join(said, ", ")
	return c, true
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Validate checks an event as it comes from outside. The error is an [audit.Error] with
// [audit.CodeInvalid] whose message names the field.
func (e Event) Validate() error {
	if e.Kind == "" {
		return audit.Errorf(audit.CodeInvalid, "kind is missing")
	}
	for name, v := range map[string]string{"kind": e.Kind, "source": e.Source, "detail": e.Detail} {
		if len(v) > audit.MaxFieldBytes {
			return audit.Errorf(audit.CodeInvalid, "%s is longer than %d bytes", name, audit.MaxFieldBytes)
		}
	}
	if e.At.IsZero() {
		return audit.Errorf(audit.CodeInvalid, "at is missing")
	}
	if (e.Latitude == nil) != (e.Longitude == nil) {
		return audit.Errorf(audit.CodeInvalid, "latitude and longitude go together")
	}
	if p, ok := e.point(); e.Latitude != nil && !ok {
		return audit.Errorf(audit.CodeInvalid, "%s is no position", p)
	}
	if len(e.PhotoIDs) > MaxPacketPhotos {
		return audit.Errorf(audit.CodeInvalid, "photo_ids names %d photos, %d are the most", len(e.PhotoIDs), MaxPacketPhotos)
	}
	for _, id := range e.PhotoIDs {
		if !isDigest(id) {
			return audit.Errorf(audit.CodeInvalid, "photo_ids: %.80q is no photo's SHA-256", id)
		}
	}
	return nil
}

func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
