package sqldb

import (
	"context"
	"math"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
)

const (
	queryTokens    = `SELECT token_id, hash, role, driver_id, created_at, expires_at, revoked_at FROM tokens`
	queryTokenPage = queryTokens + ` WHERE (created_at, token_id) > ($1, $2) ORDER BY created_at, token_id LIMIT $3`
	// queryDriverTokens is the same for one driver.
	queryDriverTokens = queryTokens + ` WHERE (created_at, token_id) > ($1, $2) AND driver_id = $3 ORDER BY created_at, token_id LIMIT $4`
)

// AddToken keeps a token. Errors: [audit.CodeConflict] where its id or hash is taken.
func (db *DB) AddToken(ctx context.Context, t audit.Token) error {
	var expires, revoked int64
	if t.ExpiresAt != nil {
		expires = micros(*t.ExpiresAt)
	}
	if t.RevokedAt != nil {
		revoked = micros(*t.RevokedAt)
	}
	return db.write(ctx, func(s session) error {
		_, err := s.exec(ctx, `INSERT INTO tokens (token_id, hash, role, driver_id, created_at, expires_at, revoked_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, t.TokenID, t.Hash, string(t.Role), t.DriverID, micros(t.CreatedAt), expires, revoked)
		if err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.TokenCreated, Subject: custody.Subject{Kind: custody.Token, ID: t.TokenID},
			Detail: custody.Details(map[string]string{"role": string(t.Role), "driver_id": t.DriverID})})
	})
}

// TokenByHash finds a token by the SHA-256 of its secret, revoked and expired ones
// too. Errors: [audit.CodeNotFound].
func (db *DB) TokenByHash(ctx context.Context, hash string) (audit.Token, error) {
	return one(ctx, db.on(db.reader), "token", scanToken, queryTokens+` WHERE hash = $1`, hash)
}

// Tokens lists a driver's tokens, or all of them where driverID is "", revoked and
// expired ones too, oldest first, from the one after the cursor. Errors:
// [audit.CodeInvalid] for a cursor that was not given out.
func (db *DB) Tokens(ctx context.Context, driverID, after string, limit int) (tokens []audit.Token, next string, err error) {
	from, err := parseCursor(after, cursor{N: math.MinInt64})
	if err != nil {
		return nil, "", err
	}
	query, args := queryTokenPage, []any{from.N, from.ID}
	if driverID != "" {
		query, args = queryDriverTokens, append(args, driverID)
	}
	return page(ctx, db, limit, scanToken, func(t audit.Token) (audit.Token, string) {
		return t, cursor{micros(t.CreatedAt), t.TokenID}.String()
	}, query, args...)
}

// RevokeToken ends a token. One that is revoked already keeps its time. Errors:
// [audit.CodeNotFound].
func (db *DB) RevokeToken(ctx context.Context, tokenID string, at time.Time) error {
	return db.write(ctx, func(s session) error {
		n, err := s.exec(ctx, `UPDATE tokens SET revoked_at = $1 WHERE token_id = $2 AND revoked_at = 0`, micros(at), tokenID)
		if err != nil {
			return err
		}
		if n == 0 {
			_, err := one(ctx, s, "token", scanText, `SELECT token_id FROM tokens WHERE token_id = $1`, tokenID)
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.TokenRevoked, Subject: custody.Subject{Kind: custody.Token, ID: tokenID}})
	})
}

func scanToken(scan func(...any) error) (t audit.Token, err error) {
	var created, expires, revoked int64
	err = scan(&t.TokenID, &t.Hash, &t.Role, &t.DriverID, &created, &expires, &revoked)
	t.CreatedAt = time.UnixMicro(created).UTC()
	t.ExpiresAt, t.RevokedAt = fromMicros(expires), fromMicros(revoked)
	return t, err
}
