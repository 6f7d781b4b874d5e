package sqldb

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"

	"porchlight/audit"
)

const queryWebSession = `SELECT data FROM sessions WHERE hash = $1 AND expires_at > $2`

// WebSessions keeps the sessions of people who signed in, so that all servers on one
// database share them and a restart signs nobody out. Of a session's key only the
// SHA-256 is kept: who reads the database cannot take a session over.
//
// It is a github.com/alexedwards/scs/v2 CtxStore.
type WebSessions struct {
	db  *DB
	now func() time.Time
}

// WebSessions are the sessions in this database. now tells which have ended.
func (db *DB) WebSessions(now func() time.Time) *WebSessions { return &WebSessions{db, now} }

// FindCtx finds a session's data; found is false where there is none or it has ended.
// Errors: [audit.CodeUnavailable].
func (w *WebSessions) FindCtx(ctx context.Context, key string) (data []byte, found bool, err error) {
	text, err := one(ctx, w.db.on(w.db.reader), "session", scanText, queryWebSession, sessionHash(key), micros(w.now()))
	if audit.ErrorCode(err) == audit.CodeNotFound {
		return nil, false, nil
	}
	if err == nil {
		data, err = base64.StdEncoding.DecodeString(text)
	}
	return data, err == nil, err
}

// CommitCtx keeps a session, new or changed, until expiry, and deletes those that have
// ended. Errors: [audit.CodeUnavailable].
func (w *WebSessions) CommitCtx(ctx context.Context, key string, data []byte, expiry time.Time) error {
	return w.db.write(ctx, func(s session) error {
		if _, err := w.deleteEnded(ctx, s); err != nil {
			return err
		}
		_, err := s.exec(ctx, `INSERT INTO sessions (hash, data, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (hash) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at`,
			sessionHash(key), base64.StdEncoding.EncodeToString(data), micros(expiry))
		return err
	})
}

// DeleteCtx ends a session; one that is not there is no error.
// Errors: [audit.CodeUnavailable].
func (w *WebSessions) DeleteCtx(ctx context.Context, key string) error {
	return w.db.write(ctx, func(s session) error {
		_, err := s.exec(ctx, `DELETE FROM sessions WHERE hash = $1`, sessionHash(key))
		return err
	})
}

// DeleteEnded deletes the sessions that have ended and tells how many there were.
// Errors: [audit.CodeUnavailable].
func (w *WebSessions) DeleteEnded(ctx context.Context) (n int64, err error) {
	err = w.db.write(ctx, func(s session) error {
		n, err = w.deleteEnded(ctx, s)
		return err
	})
	return n, err
}

// deleteEnded takes at most a thousand, so that a signing-in person never waits for a
// night's worth of them. Rows that another transaction deletes just now are passed over:
// two servers never wait for each other in crossed order.
func (w *WebSessions) deleteEnded(ctx context.Context, s session) (int64, error) {
	return s.exec(ctx, `DELETE FROM sessions WHERE hash IN
		(SELECT hash FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000`+s.dialect.skipLocked()+`)`, micros(w.now()))
}

// Find is [WebSessions.FindCtx] without a context.
func (w *WebSessions) Find(key string) ([]byte, bool, error) {
	return w.FindCtx(context.Background(), key)
}

// Commit is [WebSessions.CommitCtx] without a context.
func (w *WebSessions) Commit(key string, data []byte, expiry time.Time) error {
	return w.CommitCtx(context.Background(), key, data, expiry)
}

// Delete is [WebSessions.DeleteCtx] without a context.
func (w *WebSessions) Delete(key string) error { return w.DeleteCtx(context.Background(), key) }

func sessionHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
