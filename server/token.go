package server

import (
	"context"
	"time"

	"porchlight/audit"
)

// maxTokenTime is the longest that a token may be asked to last, ten years; for longer,
// one that does not expire is meant.
const maxTokenTime = 10 * 365 * 24 * time.Hour

// TokenIn says which token to make.
type TokenIn struct {
	Role      audit.Role `json:"role" enum:"driver,agent,dispatch,admin"`
	DriverID  string     `json:"driver_id,omitempty" maxLength:"128" doc:"Of a driver, and of a driver alone"`
	ExpiresIn int64      `json:"expires_in,omitempty" minimum:"1" maximum:"315360000" doc:"Seconds that it is good for; for good where absent"`
}

type tokenInput struct{ Body TokenIn }

// TokenMade is a new token with its secret.
type TokenMade struct {
	audit.Token
	Secret string `json:"token" doc:"Sent as Authorization: Bearer TOKEN. It is shown this once"`
}

// TokenPath names a token.
type TokenPath struct {
	TokenID string `path:"token_id" maxLength:"128" doc:"The token's id, as making it answered; not its secret"`
}

type tokensInput struct {
	Paging
	DriverID string `query:"driver_id" maxLength:"128" doc:"That driver's alone"`
}

// tokens is GET /api/v1/tokens.
func (s *Server) tokens(ctx context.Context, in *tokensInput) (*body[List[audit.Token]], error) {
	return listOf(s.records.Tokens(ctx, in.DriverID, in.Cursor, in.Limit))
}

// makeToken is POST /api/v1/tokens.
func (s *Server) makeToken(ctx context.Context, in *tokenInput) (*body[TokenMade], error) {
	ttl := min(time.Duration(in.Body.ExpiresIn)*time.Second, maxTokenTime)
	secret, t, err := NewToken(in.Body.Role, in.Body.DriverID, ttl, s.now().UTC(), s.newID)
	if err != nil {
		return nil, err
	}
	if err := s.records.AddToken(ctx, t); err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "token made", "request_id", exchangeOf(ctx).id, "actor", principalOf(ctx).Actor(), "token_id", t.TokenID, "token_role", t.Role)
	return &body[TokenMade]{TokenMade{t, secret}}, nil
}

// revokeToken is DELETE /api/v1/tokens/{token_id}.
func (s *Server) revokeToken(ctx context.Context, in *TokenPath) (*struct{}, error) {
	if err := s.records.RevokeToken(ctx, in.TokenID, s.now()); err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "token revoked", "request_id", exchangeOf(ctx).id, "actor", principalOf(ctx).Actor(), "token_id", in.TokenID)
	return nil, nil
}
