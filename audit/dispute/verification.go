package dispute

import (
	"fmt"
	"time"
)

// Verification is what checking a packet's ZIP found.
type Verification struct {
	PacketID  string    `json:"packet_id,omitempty"` // as packet.json says
	ClaimID   string    `json:"claim_id,omitempty"`
	IssuedAt  time.Time `json:"issued_at,omitzero"`
	Files     []File    `json:"files"` // as the manifest lists them
	Problems  []Problem `json:"problems"`
	Signature Signature `json:"signature"`
	Timestamp Stamped   `json:"timestamp"`
}

// Problem is one thing that is wrong with a ZIP.
type Problem struct {
	Part    string `json:"part"` // the file in the ZIP, or "ZIP" for the whole
	Message string `json:"message"`
}

func (p Problem) String() string { return p.Part + ": " + p.Message }

// Signature says who vouches for a ZIP.
type Signature struct {
	State   SignatureState `json:"state"`
	KeyID   string         `json:"key_id,omitempty"`  // that the signature names
	Comment string         `json:"comment,omitempty"` // trusted, where the state is valid
}

// SignatureState is what became of checking a signature.
type SignatureState string

const (
	SignatureValid    SignatureState = "valid"    // made with the key given
	SignatureUnsigned SignatureState = "unsigned" // there is none
	SignatureNoKey    SignatureState = "no_key"   // there is one, and no key to check it with
	SignatureWrong    SignatureState = "wrong"    // of another key, or of other contents
)

// Intact tells whether the ZIP is whole and unchanged by its own manifest. Anybody can
// make such a ZIP: only [Verification.Valid] says who did.
func (v Verification) Intact() bool { return len(v.Problems) == 0 }

// Valid tells whether the ZIP is intact and signed with the key given.
func (v Verification) Valid() bool { return v.Intact() && v.Signature.State == SignatureValid }

// String is the result in a line.
func (v Verification) String() string {
	switch {
	case v.Valid():
		return fmt.Sprintf("valid: packet %s of claim %s, signed with key %s", v.PacketID, v.ClaimID, v.Signature.KeyID)
	case !v.Intact():
		return fmt.Sprintf("altered: %d problems, the first: %s", len(v.Problems), v.Problems[0])
	case v.Signature.State == SignatureUnsigned:
		return "intact but unsigned: nobody vouches for it"
	case v.Signature.State == SignatureNoKey:
		return fmt.Sprintf("intact, signed with key %s, which was not given", v.Signature.KeyID)
	}
	return "wrong signature: made with another key, or for other contents"
}
