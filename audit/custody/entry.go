package custody

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"porchlight/audit"
)

// Format names the encoding that an entry's hash is made over.
const Format = "porchlight-custody/1"

// Genesis is the previous hash of the first entry.
var Genesis = strings.Repeat("0", hex.EncodedLen(sha256.Size))

// Action is what was done.
type Action string

const (
	PhotoUploaded      Action = "photo.uploaded"
	PhotoViewed        Action = "photo.viewed"   // a preview
	PhotoExported      Action = "photo.exported" // the original bytes
	PhotoReviewed      Action = "photo.reviewed" // a person ruled on it
	PhotoDeleted       Action = "photo.deleted"  // its bytes, past their retention
	PhotoRestored      Action = "photo.restored" // it is kept after all, or was put again
	HoldPlaced         Action = "hold.placed"    // a legal hold
	HoldReleased       Action = "hold.released"
	DeliveryChanged    Action = "delivery.changed"
	EventAdded         Action = "event.added"
	TrackAdded         Action = "track.added"
	AttachmentAdded    Action = "attachment.added"
	AttachmentExported Action = "attachment.exported"
	ClaimChanged       Action = "claim.changed"
	ClaimDecided       Action = "claim.decided"
	ClaimViewed        Action = "claim.viewed" // with the evidence on it
	PacketIssued       Action = "packet.issued"
	PacketExported     Action = "packet.exported"
	TokenCreated       Action = "token.created"
	TokenRevoked       Action = "token.revoked"
	WebhookAdded       Action = "webhook.added"
	WebhookRemoved     Action = "webhook.removed"
	SessionStarted     Action = "session.started"
	ChecklistKept      Action = "checklist.kept"
	ReauditStarted     Action = "reaudit.started"
	ReauditAdvanced    Action = "reaudit.advanced" // reports were appended
	ReauditFinished    Action = "reaudit.finished"
	ReauditPublished   Action = "reaudit.published" // its reports count from now on
	ReauditPaused      Action = "reaudit.paused"
	ReauditResumed     Action = "reaudit.resumed"
	ReauditCancelled   Action = "reaudit.cancelled"
	AddressLocated     Action = "address.located" // geocoded; reports were appended

	BlockChanged       Action = "block.changed"
	FeedbackChanged    Action = "feedback.changed"
	ConcessionChanged  Action = "concession.changed"
	PhotoReportChanged Action = "photo_report.changed"
)

// Kind is the kind of thing that something was done to.
type Kind string

const (
	Photo      Kind = "photo"
	Delivery   Kind = "delivery"
	Event      Kind = "event"
	Track      Kind = "track" // a driver's id
	Attachment Kind = "attachment"
	Claim      Kind = "claim"
	Packet     Kind = "packet"
	Token      Kind = "token"
	Person     Kind = "person"  // ISSUER|SUBJECT, whom an OpenID provider vouches for
	Webhook    Kind = "webhook" // an endpoint
	Checklist  Kind = "checklist"
	Reaudit    Kind = "reaudit"
	Address    Kind = "address" // the SHA-256 of its key
	Hold       Kind = "hold"

	Block       Kind = "block"
	Feedback    Kind = "feedback"
	Concession  Kind = "concession"
	PhotoReport Kind = "photo_report" // WEEK@DRIVER, a row of a carrier's report
)

// Kinds are all kinds.
var Kinds = []Kind{Photo, Delivery, Event, Track, Attachment, Claim, Packet, Token, Person, Webhook, Checklist, Reaudit, Address, Hold, Block, Feedback, Concession, PhotoReport}

// Subject is the thing that something was done to.
type Subject struct {
	Kind Kind   `json:"subject_kind"`
	ID   string `json:"subject_id"`
}

// Entry is one row of the log.
type Entry struct {
	Seq    int64      `json:"seq"`   // from 1, without gaps
	At     time.Time  `json:"at"`    // UTC, microseconds
	Actor  string     `json:"actor"` // token:ID, cli:USER, system, ...
	Role   audit.Role `json:"role"`  // the actor's at that time; empty for those without one
	Action Action     `json:"action"`
	Subject
	Detail   string `json:"detail"`   // a small JSON object, see [Details], or empty
	Previous string `json:"previous"` // the hash of the entry before, 64 hex digits
	Hash     string `json:"hash"`     // 64 hex digits, see the package's doc
}

// Details is a detail of names and values: JSON, the names in order.
func Details(values map[string]string) string {
	b, _ := json.Marshal(values) // texts always encode
	return string(b)
}

// digest is the hash that the entry should have.
func (e Entry) digest() string {
	b := make([]byte, 0, 512)
	field := func(s string) {
		b = strconv.AppendInt(b, int64(len(s)), 10)
		b = append(append(append(b, ':'), s...), ',')
	}
	for _, s := range []string{Format, strconv.FormatInt(e.Seq, 10), strconv.FormatInt(e.At.UnixMicro(), 10), e.Actor,
		string(e.Role), string(e.Action), string(e.Kind), e.ID, e.Detail, e.Previous} {
		field(s)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Seal makes e the entry after the head.
func Seal(previous Head, e Entry) Entry {
	if previous.Seq == 0 {
		previous.Hash = Genesis
	}
	e.Seq, e.Previous = previous.Seq+1, previous.Hash
	e.At = e.At.UTC().Truncate(time.Microsecond)
	e.Hash = e.digest()
	return e
}

// Head is the head of the log at the entry.
func (e Entry) Head() Head { return Head{e.Seq, e.Hash} }

// Head names the last entry of a log, and by its hash all before it. The zero value is
// the head of an empty log.
type Head struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"` // 64 hex digits
}

// String is SEQ:HASH.
func (h Head) String() string {
	if h.Seq == 0 {
		h.Hash = Genesis
	}
	return strconv.FormatInt(h.Seq, 10) + ":" + h.Hash
}

// ParseHead reads SEQ:HASH, as [Head.String] writes it. Errors: [audit.CodeInvalid].
func ParseHead(s string) (Head, error) {
	seq, hash, ok := strings.Cut(s, ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	hash = strings.ToLower(hash)
	b, hexErr := hex.DecodeString(hash)
	if !ok || err != nil || n < 1 || strconv.FormatInt(n, 10) != seq || hexErr != nil || len(b) != sha256.Size {
		return Head{}, audit.Errorf(audit.CodeInvalid, "a custody log head is SEQ:HASH, a number from 1 and 64 hex digits")
	}
	return Head{n, hash}, nil
}

// Actor is who acts.
type Actor struct {
	Name string // token:ID, cli:USER, ...
	Role audit.Role
}

// System is the actor where nobody asked for it.
var System = Actor{Name: "system"}

type actorKey struct{}

// WithActor makes a the actor of all that is done with the context.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf is the context's actor, [System] where it has none.
func ActorOf(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok && a.Name != "" {
		return a
	}
	return System
}

// By is the entry as done by the context's actor.
func By(ctx context.Context, e Entry) Entry {
	a := ActorOf(ctx)
	e.Actor, e.Role = a.Name, a.Role
	return e
}
