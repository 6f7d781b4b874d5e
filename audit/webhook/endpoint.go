package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"porchlight/audit"
)

// Type is a kind of event.
type Type string

const (
	PhotoAudited  Type = "photo.audited"  // a new upload was judged
	PhotoRejected Type = "photo.rejected" // the same, where the verdict is retake
	ClaimOpened   Type = "claim.opened"   // a claim that was not on record came in
	PacketIssued  Type = "packet.issued"  // a claim was answered with a packet
	Ping          Type = "ping"           // sent on request, to try an endpoint; nobody subscribes to it
)

// Types are all that an endpoint can subscribe to.
var Types = []Type{PhotoAudited, PhotoRejected, ClaimOpened, PacketIssued}

// MaxEndpoints is the most endpoints there may be: each event is written once for
// each of them, and each is sent to on its own.
const MaxEndpoints = 50

// Endpoint is an address that hears of events.
type Endpoint struct {
	EndpointID string    `json:"endpoint_id"`
	URL        string    `json:"url"`
	Events     []Type    `json:"events"`
	Secret     string    `json:"-"` // whsec_ and base64; kept as it is, since messages are signed with it
	CreatedAt  time.Time `json:"created_at"`
	// DisabledAt is when the endpoint answered 410 Gone; it is sent nothing since.
	DisabledAt *time.Time `json:"disabled_at,omitempty"`
}

const (
	secretPrefix = "whsec_"
	secretBytes  = 32
)

// NewEndpoint makes an endpoint with a secret of its own. No events stands for all of
// them. Errors: [audit.CodeInvalid] for a URL that is not https, or for one that names
// a private or reserved address, unless allowPrivate permits both, and for events that
// do not exist.
func NewEndpoint(id, url string, events []Type, now time.Time, allowPrivate bool) (Endpoint, error) {
	if err := checkURL(url, allowPrivate); err != nil {
		return Endpoint{}, err
	}
	for _, e := range events {
		if !slices.Contains(Types, e) {
			return Endpoint{}, audit.Errorf(audit.CodeInvalid, "event %q is none of %v", string(e), Types)
		}
	}
	// In the order of Types, each once.
	chosen := slices.DeleteFunc(slices.Clone(Types), func(t Type) bool { return len(events) > 0 && !slices.Contains(events, t) })
	b := make([]byte, secretBytes)
	rand.Read(b)
	return Endpoint{
		EndpointID: id, URL: url, Events: chosen, CreatedAt: now.UTC(),
		Secret: secretPrefix + base64.StdEncoding.EncodeToString(b),
	}, nil
}

// key is the secret's bytes.
func (e Endpoint) key() ([]byte, error) {
	text, ok := strings.CutPrefix(e.Secret, secretPrefix)
	b, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(b) == 0 {
		return nil, audit.Errorf(audit.CodeInternal, "the secret of webhook endpoint %s cannot be read", e.EndpointID)
	}
	return b, nil
}
