package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gin-gonic/gin"

	"porchlight/audit"
)

// What a session holds. A token's role is looked up anew at each request, so that a
// token taken back ends its sessions at once.
const (
	sessionHash    = "token_hash"
	sessionPerson  = "person"  // JSON of a person
	sessionCSRF    = "csrf"    // of its forms
	sessionAttempt = "attempt" // JSON of an attempt to sign in with the OpenID provider
)

// sessionCookie is the cookie's name. With HTTPS it gets the prefix by which a browser
// holds it to this host alone (RFC 6265bis, section 4.1.3.2).
const sessionCookie = "porchlight_session"

// endedEvery is how often the sessions that have ended are deleted.
const endedEvery = time.Hour

// person is somebody whom the OpenID provider vouched for.
type person struct {
	Issuer  string     `json:"issuer"`
	Subject string     `json:"subject"`
	Name    string     `json:"name"`
	Role    audit.Role `json:"role"`
	Until   time.Time  `json:"until"` // the provider is asked again after it
}

// credential is what a session brings: the hash of a token, or a person.
type credential struct {
	hash   string
	person *person
}

func (c credential) none() bool { return c.hash == "" && c.person == nil }

func newSessions(c Config, l Limits) *scs.SessionManager {
	m := scs.New()
	m.Lifetime = l.SessionTime
	m.HashTokenInStore = true
	m.Cookie.Name, m.Cookie.HttpOnly, m.Cookie.SameSite, m.Cookie.Secure = sessionCookie, true, http.SameSiteLaxMode, c.Secure
	if c.Secure {
		m.Cookie.Name = "__Host-" + sessionCookie
	}
	m.Cookie.Persist = true
	if c.Sessions != nil {
		if own, ok := m.Store.(*memstore.MemStore); ok {
			own.StopCleanup()
		}
		m.Store = c.Sessions
	}
	return m
}

// deleteEnded deletes ended sessions every hour, where the store does not do it alone.
func (s *Server) deleteEnded() {
	store, ok := s.sessions.Store.(interface {
		DeleteEnded(ctx context.Context) (int64, error)
	})
	if !ok {
		return
	}
	s.background.Go(func() {
		tick := time.NewTicker(endedEvery)
		defer tick.Stop()
		for {
			if n, err := store.DeleteEnded(s.life); err != nil && s.life.Err() == nil {
				s.log.Warn("sessions that have ended cannot be deleted", "cause", err)
			} else if n > 0 {
				s.log.Debug("deleted sessions that have ended", "sessions", n)
			}
			select {
			case <-s.life.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// openSession reads the session that a request brings; one that is not there, or cannot
// be understood, is an empty one. Errors: [audit.CodeUnavailable].
func (s *Server) openSession(r *http.Request) (context.Context, error) {
	key := ""
	if cookie, err := r.Cookie(s.sessions.Cookie.Name); err == nil {
		key = cookie.Value
	}
	ctx, err := s.sessions.Load(r.Context(), key)
	if err != nil && audit.ErrorCode(err) == audit.CodeUnavailable {
		return nil, err
	}
	if err != nil { // kept by a version that wrote it otherwise
		return s.sessions.Load(r.Context(), "")
	}
	return ctx, nil
}

// credentialOf is whom an open session is of.
func (s *Server) credentialOf(ctx context.Context) credential {
	c := credential{hash: s.sessions.GetString(ctx, sessionHash)}
	if b := s.sessions.GetString(ctx, sessionPerson); b != "" {
		p := &person{}
		if json.Unmarshal([]byte(b), p) == nil {
			c.person = p
		}
	}
	return c
}

// loadSession reads the session of a person on a page. Only signing in and out change
// sessions, so that all other requests write nothing.
func (s *Server) loadSession(c *gin.Context, x *exchange) error {
	ctx, err := s.openSession(c.Request)
	if err != nil {
		return err
	}
	c.Request = c.Request.WithContext(ctx)
	x.session, x.csrf = s.credentialOf(ctx), s.sessions.GetString(ctx, sessionCSRF)
	return nil
}

// beginSession signs a person in under a new session id.
func (s *Server) beginSession(c *gin.Context, who credential) error {
	ctx := c.Request.Context()
	if err := s.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	if who.person != nil {
		b, err := json.Marshal(who.person)
		if err != nil {
			return err
		}
		s.sessions.Put(ctx, sessionPerson, string(b))
		s.sessions.SetDeadline(ctx, who.person.Until)
	} else {
		s.sessions.Put(ctx, sessionHash, who.hash)
	}
	s.sessions.Put(ctx, sessionCSRF, rand.Text())
	return s.saveSession(c)
}

// saveSession keeps the session and sends its cookie.
func (s *Server) saveSession(c *gin.Context) error {
	ctx := c.Request.Context()
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
