package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/custody"
)

// NewToken makes a credential. The secret is shown once and never kept; the token that
// goes into the records holds its SHA-256. A ttl of zero never expires.
// Errors: [audit.CodeInvalid].
func NewToken(role audit.Role, driverID string, ttl time.Duration, now time.Time, newID func() string) (secret string, t audit.Token, err error) {
	b := make([]byte, 32)
	rand.Read(b)
	secret = "pl_" + base64.RawURLEncoding.EncodeToString(b)
	t = audit.Token{TokenID: newID(), Hash: tokenHash(secret), Role: role, DriverID: driverID, CreatedAt: now}
	if ttl > 0 {
		end := now.Add(ttl)
		t.ExpiresAt = &end
	}
	if err := t.Validate(); err != nil {
		return "", audit.Token{}, err
	}
	return secret, t, nil
}

// tokenHash is what the records keep of a secret. A secret has 256 random bits, so a
// plain hash is enough: there is nothing to guess.
func tokenHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// guard lets a request through to its route when the route serves the caller's role.
// A path that is not in the table is refused: it was registered past it.
func (s *Server) guard(c *gin.Context) {
	x := exchangeOf(c.Request.Context())
	if c.FullPath() == "" {
		c.Next()
		return
	}
	if x.route == nil {
		s.fail(c, audit.Errorf(audit.CodeInternal, "route %s %s is not in the table", c.Request.Method, c.FullPath()))
		return
	}
	if x.route.page {
		if err := s.crossOrigin.Check(c.Request); err != nil {
			s.fail(c, audit.Errorf(CodeCrossSite, "This form was sent from another site", err))
			return
		}
		if !x.route.bare {
			if err := s.loadSession(c, x); err != nil {
				s.fail(c, err)
				return
			}
		}
	}
	if x.route.roles != nil {
		if err := s.authenticate(c, x); err != nil {
			if s.wantsPage(c) && Status(audit.ErrorCode(err)) == http.StatusUnauthorized {
				s.sendToSignIn(c)
				return
			}
			s.fail(c, err)
			return
		}
		if !slices.Contains(x.route.roles, x.principal.Role) {
			s.fail(c, audit.Errorf(audit.CodeForbidden, "The role %s may not do this", x.principal.Role))
			return
		}
		c.Request = c.Request.WithContext(custody.WithActor(c.Request.Context(), actorOf(x.principal)))
	}
	c.Next()
}

// authenticate finds out who is acting: by bearer token, or on pages and for reading
// by the session that signing in began.
func (s *Server) authenticate(c *gin.Context, x *exchange) (err error) {
	h := c.GetHeader("Authorization")
	if h != "" && !x.route.page {
		x.principal, err = s.bearer(c, h)
		return err
	}
	who := x.session
	if !x.route.page && c.Request.Method == http.MethodGet {
		ctx, err := s.openSession(c.Request) // the pages' own photos come that way
		if err != nil {
			return err
		}
		who = s.credentialOf(ctx)
	}
	x.principal, err = s.principal(c.Request.Context(), who)
	return err
}

// bearer is who sends an Authorization header. Those that are no good are counted by
// client address.
func (s *Server) bearer(c *gin.Context, header string) (p audit.Principal, err error) {
	scheme, secret, _ := strings.Cut(header, " ")
	secret = strings.TrimSpace(secret)
	client, hash := clientKey(c), tokenHash(secret)
	if err := s.bearers.before(client, hash, s.now()); err != nil {
		return audit.Principal{}, err
	}
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		err = audit.Errorf(audit.CodeUnauthorized, "Authorization must be: Bearer TOKEN")
	} else {
		p, err = s.tokenHolder(c.Request.Context(), hash)
	}
	s.bearers.after(client, hash, s.now(), err)
	return p, err
}

// principal is who a session is of, as long as what it was begun with is good.
func (s *Server) principal(ctx context.Context, who credential) (audit.Principal, error) {
	switch p := who.person; {
	case p != nil && (s.provider == nil || s.provider.Issuer != p.Issuer):
		return audit.Principal{}, audit.Errorf(audit.CodeExpired, "Signing in works differently by now: sign in again")
	case p != nil && !s.now().Before(p.Until):
		return audit.Principal{}, audit.Errorf(audit.CodeExpired, "You were signed in for long enough: sign in again")
	case p != nil:
		return audit.Principal{Issuer: p.Issuer, Subject: p.Subject, Name: p.Name, Role: p.Role}, nil
	case who.none():
		return audit.Principal{}, audit.Errorf(audit.CodeUnauthorized, "Sign in first: Authorization: Bearer TOKEN is missing")
	}
	return s.tokenHolder(ctx, who.hash)
}

// tokenHolder is who holds the token of that hash, as long as it is good.
func (s *Server) tokenHolder(ctx context.Context, hash string) (audit.Principal, error) {
	t, err := s.records.TokenByHash(ctx, hash)
	switch {
	case audit.ErrorCode(err) == audit.CodeNotFound:
		return audit.Principal{}, audit.Errorf(audit.CodeUnauthorized, "The token is not known")
	case err != nil:
		return audit.Principal{}, err
	case t.RevokedAt != nil:
		return audit.Principal{}, audit.Errorf(CodeRevoked, "The token was revoked")
	case t.ExpiresAt != nil && !s.now().Before(*t.ExpiresAt):
		return audit.Principal{}, audit.Errorf(audit.CodeExpired, "The token has expired")
	}
	return audit.Principal{TokenID: t.TokenID, Role: t.Role, DriverID: t.DriverID}, nil
}

// mayTouch tells whether the caller may see and add to a delivery: drivers only
// their own.
func mayTouch(p audit.Principal, d audit.Delivery) error {
	if p.Role == audit.Driver && (d.DriverID == "" || d.DriverID != p.DriverID) {
		return audit.Errorf(audit.CodeNotYours, "This delivery is another driver's")
	}
	return nil
}
