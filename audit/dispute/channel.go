package dispute

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"porchlight/audit"
)

//go:embed channels-2026.yaml
var channels2026 []byte

// ChannelKind is the form in which a channel takes an answer.
type ChannelKind string

const (
	ChannelPDF   ChannelKind = "pdf"
	ChannelEmail ChannelKind = "email"
)

// Channel is where claims are answered, with what is taken there.
type Channel struct {
	Name         string      `yaml:"-" json:"channel"`
	Title        string      `yaml:"title" json:"title"`
	Kind         ChannelKind `yaml:"kind" json:"kind"`
	MaxFileBytes int64       `yaml:"max_file_bytes" json:"max_file_bytes"`
	MaxBytes     int64       `yaml:"max_bytes" json:"max_bytes"`
	MaxPages     int         `yaml:"max_pages" json:"max_pages,omitempty"`
	MaxText      int         `yaml:"max_text" json:"max_text,omitempty"`
	Slot         string      `yaml:"slot" json:"slot,omitempty"` // the processor's name for the document
	Photos       int         `yaml:"photos" json:"photos,omitempty"`
	AnswerDays   int         `yaml:"answer_days" json:"answer_days"`
	Source       string      `yaml:"source" json:"source"`
}

// Channels are the known channels by name, with their version.
type Channels struct {
	Version  string             `yaml:"version"`
	Channels map[string]Channel `yaml:"channels"`
}

// DefaultChannel is the one whose answer fits all others.
const DefaultChannel = "default"

// Channels2026 are the built-in channels.
func Channels2026() *Channels {
	c, err := ParseChannels(channels2026)
	if err != nil {
		panic("dispute: the built-in channels are invalid: " + err.Error())
	}
	return c
}

// ParseChannels reads channels and checks them whole: the error names every fault.
func ParseChannels(text []byte) (*Channels, error) {
	if len(text) > MaxRulesBytes {
		return nil, audit.Errorf(audit.CodeInvalid, "The channels have %d bytes, %d are the most", len(text), MaxRulesBytes)
	}
	var c Channels
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil {
		return nil, audit.Errorf(audit.CodeInvalid, "The channels cannot be read: %v", err)
	}
	var faults []error
	if c.Version == "" {
		faults = append(faults, errors.New("version is missing"))
	}
	if _, ok := c.Channels[DefaultChannel]; !ok {
		faults = append(faults, errors.New("channels.default is missing"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Channels)) {
		ch := c.Channels[name]
		ch.Name = name
		c.Channels[name] = ch
		if ch.Kind != ChannelPDF && ch.Kind != ChannelEmail {
			faults = append(faults, fmt.Errorf("channels.%s.kind is %q, not pdf or email", name, ch.Kind))
		}
		if ch.MaxFileBytes < 10_000 || ch.MaxBytes < ch.MaxFileBytes || ch.MaxPages < 0 || ch.AnswerDays < 1 {
			faults = append(faults, fmt.Errorf("channels.%s: its limits cannot be", name))
		}
	}
	if len(faults) > 0 {
		return nil, audit.Errorf(audit.CodeInvalid, "The channels are invalid: %v", errors.Join(faults...))
	}
	return &c, nil
}

// Find is the channel of a name, in whatever case. Errors: [audit.CodeInvalid].
func (c *Channels) Find(name string) (Channel, error) {
	ch, ok := c.Channels[strings.ToLower(strings.TrimSpace(name))]
	if !ok {
		return Channel{}, audit.Errorf(audit.CodeInvalid, "There is no channel %.40q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(c.Channels)), ", "))
	}
	return ch, nil
}

// Due is when an answer to a claim is due: its own time, else the channel's days after it
// was reported; nil where neither is known.
func (c *Channels) Due(claim Claim) *time.Time {
	if claim.DueAt != nil || claim.ReportedAt == nil {
		return claim.DueAt
	}
	ch, err := c.Find(claim.Channel)
	if err != nil {
		ch = c.Channels[DefaultChannel]
	}
	due := claim.ReportedAt.AddDate(0, 0, ch.AnswerDays)
	return &due
}

// Document renders packets for people.
type Document interface {
	// Looks is how many finenesses there are to show photos in, 0 the finest.
	Looks() int
	// Write renders a packet as PDF in one of them and answers its pages. For the same
	// packet and look it writes the same bytes.
	Write(ctx context.Context, p Packet, look int, w io.Writer) (pages int, err error)
	// Photo is a photo as a JPEG of at most that many bytes. Errors: [audit.CodeNotFound],
	// [audit.CodeCorrupted], [audit.CodeUndecodable], [audit.CodeTooLarge] where even its
	// smallest is larger, [audit.CodeUnavailable].
	Photo(ctx context.Context, p Photo, maxBytes int64) ([]byte, error)
}

// CodeChannelLimit is the code of an answer that does not fit its channel.
const CodeChannelLimit audit.Code = "channel_limit"

// Preflight says whether a packet fits a channel, and as what.
type Preflight struct {
	Channel
	Fits  bool  `json:"fits"`
	Bytes int64 `json:"bytes"`
	Pages int   `json:"pages,omitempty"`
	// Look is how finely the photos are shown, 0 the finest; above it they were made
	// smaller to fit.
	Look     int      `json:"look"`
	Problems []string `json:"problems,omitempty"` // why it does not fit
	Notes    []string `json:"notes,omitempty"`    // what to know before it is sent
}

// Submission is a packet made ready for a channel.
type Submission struct {
	Preflight
	Name      string // of the file
	MediaType string
	Body      []byte
}

// Submit makes a packet ready for a channel: photos are shown smaller until it fits.
// Errors: [CodeChannelLimit] where it does not at the smallest, and those of the document.
func (s *Service) Submit(ctx context.Context, packetID, channel string) (Submission, error) {
	p, err := s.packet(ctx, packetID)
	if err != nil {
		return Submission{}, err
	}
	ch, err := s.Channels.Find(channel)
	if err != nil {
		return Submission{}, err
	}
	out, err := s.submission(ctx, p, ch, map[int]rendered{})
	if err == nil && !out.Fits {
		err = audit.Errorf(CodeChannelLimit, "The packet does not fit %s: %s", ch.Title, strings.Join(out.Problems, "; "))
	}
	return out, err
}

// Preflights tells of every channel whether a packet fits it, in order of name.
func (s *Service) Preflights(ctx context.Context, packetID string) ([]Preflight, error) {
	p, err := s.packet(ctx, packetID)
	if err != nil {
		return nil, err
	}
	var out []Preflight
	drawn := map[int]rendered{}
	for _, name := range slices.Sorted(maps.Keys(s.Channels.Channels)) {
		sub, err := s.submission(ctx, p, s.Channels.Channels[name], drawn)
		if err != nil {
			return nil, err
		}
		out = append(out, sub.Preflight)
	}
	return out, nil
}

// PDF writes a packet's document as it is in its ZIP. Errors: [audit.CodeNotFound], those
// of the document.
func (s *Service) PDF(ctx context.Context, packetID string, w io.Writer) error {
	p, err := s.packet(ctx, packetID)
	if err != nil {
		return err
	}
	_, err = s.Document.Write(ctx, p, 0, w)
	return err
}

func (s *Service) packet(ctx context.Context, packetID string) (Packet, error) {
	frozen, err := s.Records.Packet(ctx, packetID)
	if err != nil {
		return Packet{}, err
	}
	return DecodePacket(frozen.JSON)
}

// rendered is a document in one look.
type rendered struct {
	body  []byte
	pages int
}

// submission makes a packet ready for a channel, fit or not. drawn keeps documents between
// calls for the same packet, by look.
func (s *Service) submission(ctx context.Context, p Packet, ch Channel, drawn map[int]rendered) (Submission, error) {
	out := Submission{Preflight: Preflight{Channel: ch}}
	if p.Recommendation.Recommendation != DisputeClaim {
		out.Notes = append(out.Notes, "the recommendation is to "+string(p.Recommendation.Recommendation)+" the claim, not to dispute it")
	}
	if due := s.Channels.Due(p.Claim); due != nil && p.IssuedAt.After(*due) {
		out.Notes = append(out.Notes, "the packet was issued after the claim's answer was due, "+stamp(*due))
	}
	if ch.Kind == ChannelEmail {
		return s.email(ctx, p, out)
	}
	out.Name, out.MediaType = "claim-"+safeName(p.ClaimID)+"-"+ch.Name+".pdf", "application/pdf"
	for look := range s.Document.Looks() {
		r, ok := drawn[look]
		if !ok {
			var b bytes.Buffer
			pages, err := s.Document.Write(ctx, p, look, &b)
			if err != nil {
				return out, err
			}
			r = rendered{b.Bytes(), pages}
			drawn[look] = r
		}
		out.Body, out.Pages, out.Bytes, out.Look = r.body, r.pages, int64(len(r.body)), look
		if out.Bytes <= ch.MaxFileBytes {
			break
		}
	}
	if out.Bytes > ch.MaxFileBytes {
		out.Problems = append(out.Problems, fmt.Sprintf("%d bytes even with the photos at their smallest, %d are taken", out.Bytes, ch.MaxFileBytes))
	}
	if ch.MaxPages > 0 && out.Pages > ch.MaxPages {
		out.Problems = append(out.Problems, fmt.Sprintf("%d pages, %d are taken", out.Pages, ch.MaxPages))
	}
	if n := len([]rune(p.Fields.CustomerCommunication)); ch.MaxText > 0 && n > ch.MaxText {
		out.Problems = append(out.Problems, fmt.Sprintf("%d characters of text, %d are taken", n, ch.MaxText))
	}
	out.Fits = len(out.Problems) == 0
	return out, nil
}

// Fields are what card processors ask for in fields of their own, named as Stripe's
// dispute evidence is (https://docs.stripe.com/api/disputes/evidence_object).
type Fields struct {
	CustomerName           string `json:"customer_name,omitempty"` // absent where it is not on record
	ShippingTrackingNumber string `json:"shipping_tracking_number"`
	ShippingCarrier        string `json:"shipping_carrier,omitempty"` // absent where it is not on record
	ShippingDate           string `json:"shipping_date,omitempty"`    // of the delivery, in the stop's zone: 2006-01-02
	ShippingAddress        string `json:"shipping_address,omitempty"`
	ServiceDate            string `json:"service_date,omitempty"` // as the shipping date
	CustomerCommunication  string `json:"customer_communication,omitempty"`
	UncategorizedText      string `json:"uncategorized_text"`
}

// fields are the packet's, for a processor's own form.
func fields(p Packet) Fields {
	d := p.Delivery
	f := Fields{CustomerName: d.Recipient, ShippingTrackingNumber: p.Claim.TrackingID, ShippingCarrier: d.Carrier, ShippingAddress: d.Line(), UncategorizedText: p.Recommendation.Summary}
	if d.DeliveredAt != nil {
		f.ShippingDate = d.DeliveredAt.In(d.Zone()).Format(time.DateOnly)
		f.ServiceDate = f.ShippingDate
	}
	var told []string
	for _, e := range p.Events {
		if strings.HasPrefix(e.Kind, "customer_told_") || strings.HasPrefix(e.Kind, "contact_") || e.Kind == "conversation" {
			told = append(told, stamp(e.At)+" "+e.words()+" ("+sourceEvent(e)+")")
		}
	}
	f.CustomerCommunication = strings.Join(told, "\n")
	return f
}

// safeName is an id as part of a file's name.
func safeName(id string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '_'
	}, id)
}
