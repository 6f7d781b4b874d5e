package audit

import (
	"slices"
	"time"
)

// Role is what a caller may do.
type Role string

const (
	Driver   Role = "driver"   // uploads and sees own deliveries
	Agent    Role = "agent"    // answers claims
	Dispatch Role = "dispatch" // imports deliveries and claims
	Admin    Role = "admin"    // all of it, and tokens
)

// Roles are all roles.
var Roles = []Role{Driver, Agent, Dispatch, Admin}

// Principal is who is acting: the holder of a token, or a person whom an OpenID
// provider vouches for. It has either TokenID, or Issuer and Subject.
type Principal struct {
	TokenID  string
	Issuer   string // URL of the OpenID provider
	Subject  string // the person's id with that provider, which never changes
	Name     string // the person's, for people to read; it may change
	Role     Role
	DriverID string // of a driver
}

// Actor names who is acting in records that outlive tokens and sessions: "token:ID" or
// "oidc:ISSUER|SUBJECT"; empty for nobody.
func (p Principal) Actor() string {
	switch {
	case p.Subject != "":
		return "oidc:" + p.Issuer + "|" + p.Subject
	case p.TokenID != "":
		return "token:" + p.TokenID
	}
	return ""
}

// Token is a stored credential. The secret itself is never kept, only its SHA-256.
type Token struct {
	TokenID   string     `json:"token_id"`
	Hash      string     `json:"-"` // SHA-256 of the secret, hex
	Role      Role       `json:"role"`
	DriverID  string     `json:"driver_id,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

// Validate checks a token before it is kept.
func (t Token) Validate() error {
	if !slices.Contains(Roles, t.Role) {
		return Errorf(CodeInvalid, "role %q is none of %v", t.Role, Roles)
	}
	if t.Role == Driver {
		return ValidateID("driver_id", t.DriverID)
	}
	if t.DriverID != "" {
		return Errorf(CodeInvalid, "a %s token belongs to no driver", t.Role)
	}
	return nil
}
