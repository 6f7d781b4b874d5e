package server

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gin-gonic/gin"
)

// What a session holds. Roles are looked up anew at each request, so that a token
// taken back ends its sessions at once.
const (
	sessionHash = "token_hash"
	sessionCSRF = "csrf"
)

const sessionCookie = "porchlight_session"

func newSessions(c Config, l Limits) *scs.SessionManager {
	m := scs.New()
	m.Lifetime = l.SessionTime
	m.HashTokenInStore = true
	m.Cookie.Name, m.Cookie.HttpOnly, m.Cookie.SameSite, m.Cookie.Secure = sessionCookie, true, http.SameSiteLaxMode, c.Secure
	m.Cookie.Persist = true
	if c.Sessions != nil {
		if own, ok := m.Store.(*memstore.MemStore); ok {
			own.StopCleanup()
		}
		m.Store = c.Sessions
	}
	return m
}

// loadSession reads the session of a person on a page. Only signing in and out change
// sessions, so that all other requests leave the store alone.
func (s *Server) loadSession(c *gin.Context, x *exchange) {
	cookie, err := c.Request.Cookie(sessionCookie)
	if err != nil {
		cookie = &http.Cookie{}
	}
	ctx, err := s.sessions.Load(c.Request.Context(), cookie.Value)
	if err != nil {
		x.err = err // as good as signed out
		return
	}
	c.Request = c.Request.WithContext(ctx)
	x.token, x.csrf = s.sessions.GetString(ctx, sessionHash), s.sessions.GetString(ctx, sessionCSRF)
}

// sessionToken is the token hash of the session that a request to the API brings: the
// pages' own photos come that way.
func (s *Server) sessionToken(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	ctx, err := s.sessions.Load(r.Context(), cookie.Value)
	if err != nil {
		return ""
	}
	return s.sessions.GetString(ctx, sessionHash)
}

// beginSession signs a person in under a new session id.
func (s *Server) beginSession(c *gin.Context, hash string) error {
	ctx := c.Request.Context()
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.sessions.Put(ctx, sessionHash, hash)
	s.sessions.Put(ctx, sessionCSRF, rand.Text())
	token, expiry, err := s.sessions.Commit(ctx)
	if err != nil {
		return err
	}
	s.sessions.WriteSessionCookie(ctx, c.Writer, token, expiry)
	return nil
}

// endSession signs a person out.
func (s *Server) endSession(c *gin.Context) error {
	ctx := c.Request.Context()
	if err := s.sessions.Destroy(ctx); err != nil {
		return err
	}
	s.sessions.WriteSessionCookie(ctx, c.Writer, "", time.Time{})
	return nil
}
