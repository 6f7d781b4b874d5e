package server

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"golang.org/x/oauth2"

	"porchlight/audit"
	"porchlight/web"
)

// signInPage is GET /signin. A token in the address only fills in the form: following
// a link signs nobody in.
func (s *Server) signInPage(c *gin.Context) error {
	return s.askToSignIn(c, http.StatusOK, web.SignIn{Token: c.Query("token"), Next: localPath(c.Query("next"))})
}

func (s *Server) askToSignIn(c *gin.Context, status int, p web.SignIn) error {
	p.Base, p.Organisation = s.base(c), s.provider != nil
	return s.render(c, status, p)
}

// signInAgain shows the sign-in page with what went wrong.
func (s *Server) signInAgain(c *gin.Context, err error, next string) error {
	x, code := exchangeOf(c.Request.Context()), audit.ErrorCode(err)
	status := Status(code)
	x.code, x.err = code, err
	if status == http.StatusServiceUnavailable {
		c.Header("Retry-After", retryAfterSecs)
	}
	return s.askToSignIn(c, status, web.SignIn{Next: next, Message: audit.ErrorMessage(err)})
}

// signIn is POST /signin, with a token.
func (s *Server) signIn(c *gin.Context) error {
	if err := s.signIns.take(clientKey(c), s.now()); err != nil {
		return err
	}
	f, err := s.smallForm(c)
	if err != nil {
		return err
	}
	next, who := localPath(f.Get("next")), credential{hash: tokenHash(strings.TrimSpace(f.Get("token")))}
	p, err := s.principal(c.Request.Context(), who)
	if err != nil {
		if Status(audit.ErrorCode(err)) != http.StatusUnauthorized {
			return err
		}
		return s.signInAgain(c, err, next)
	}
	return s.letIn(c, who, p, next)
}

// letIn begins the session and sends the person on.
func (s *Server) letIn(c *gin.Context, who credential, p audit.Principal, next string) error {
	if err := s.custody.signedIn(c.Request.Context(), p); err != nil {
		return err
	}
	if err := s.beginSession(c, who); err != nil {
		return err
	}
	exchangeOf(c.Request.Context()).principal = p
	if next == "" {
		next = "/"
	}
	return s.seeOther(c, next)
}

// signOut is POST /signout.
func (s *Server) signOut(c *gin.Context) error {
	if err := s.checkedForm(c); err != nil {
		return err
	}
	if err := s.endSession(c); err != nil {
		return err
	}
	return s.seeOther(c, "/signin")
}

// toProvider is GET /signin/oidc: it sends a person to the OpenID provider and keeps in
// the session what its answer must fit.
func (s *Server) toProvider(c *gin.Context) error {
	if s.provider == nil {
		return audit.Errorf(audit.CodeNotFound, "There is nothing at this address")
	}
	if err := s.signIns.take(clientKey(c), s.now()); err != nil {
		return err
	}
	next := localPath(c.Query("next"))
	if _, err := s.provider.discover(); err != nil {
		s.logSignIn(c, err)
		return s.signInAgain(c, err, next)
	}
	a := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next, At: s.now()}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	s.sessions.Put(ctx, sessionAttempt, string(b))
	if exchangeOf(ctx).session.none() {
		s.sessions.SetDeadline(ctx, a.At.Add(attemptTime))
	}
	if err := s.saveSession(c); err != nil {
		return err
	}
	return s.seeOther(c, s.provider.address(a))
}

// fromProvider is GET /signin/callback: the OpenID provider's answer, by way of the
// person's browser.
func (s *Server) fromProvider(c *gin.Context) error {
	if s.provider == nil {
		return audit.Errorf(audit.CodeNotFound, "There is nothing at this address")
	}
	if err := s.signIns.take(clientKey(c), s.now()); err != nil {
		return err
	}
	a, err := s.answeredAttempt(c)
	if err != nil {
		s.logSignIn(c, err)
		return s.signInAgain(c, err, a.Next)
	}
	found, err := s.provider.discover()
	var who person
	if err == nil {
		who, err = s.provider.person(c.Request.Context(), found, c.Query("code"), a)
	}
	switch {
	case audit.ErrorCode(err) == CodeNoRole:
		s.logSignIn(c, err)
		return err
	case err != nil:
		s.logSignIn(c, err)
		return s.signInAgain(c, err, a.Next)
	}
	who.Until = s.now().Add(s.limits.SessionTime).UTC()
	in := credential{person: &who}
	p, err := s.principal(c.Request.Context(), in)
	if err != nil {
		return err
	}
	return s.letIn(c, in, p, a.Next)
}

// answeredAttempt is the attempt that a provider's answer belongs to. It is good for one
// answer: it is gone before the answer is looked at. An answer with another state leaves
// it, so that no other site can end it. Errors: [CodeSignIn].
func (s *Server) answeredAttempt(c *gin.Context) (attempt, error) {
	ctx := c.Request.Context()
	var a attempt
	kept := s.sessions.GetString(ctx, sessionAttempt)
	if kept == "" || json.Unmarshal([]byte(kept), &a) != nil {
		return attempt{}, signInFailed(errors.New("no sign-in was begun in this browser, or it was answered already"))
	}
	if subtle.ConstantTimeCompare([]byte(c.Query("state")), []byte(a.State)) != 1 {
		return attempt{}, signInFailed(errors.New("the answer's state is another one"))
	}
	s.sessions.Remove(ctx, sessionAttempt)
	if _, _, err := s.sessions.Commit(ctx); err != nil {
		return a, err
	}
	switch {
	case s.now().Sub(a.At) > attemptTime:
		return a, audit.Errorf(CodeSignIn, "That took too long: sign in once more")
	case c.Query("iss") != "" && c.Query("iss") != s.provider.Issuer: // RFC 9207
		return a, signInFailed(errors.New("another issuer answered"))
	case c.Query("error") == "access_denied":
		return a, audit.Errorf(CodeSignIn, "Your organisation did not sign you in, or you changed your mind")
	case c.Query("error") != "":
		return a, signInFailed(errors.New("the provider answered the error " + strconv.Quote(c.Query("error"))))
	case c.Query("code") == "":
		return a, signInFailed(errors.New("the answer has no code"))
	}
	return a, nil
}

// logSignIn logs why a sign-in with the provider did not work: the person is told little.
func (s *Server) logSignIn(c *gin.Context, err error) {
	cause := err
	if inner := errors.Unwrap(err); inner != nil {
		cause = inner
	}
	s.log.WarnContext(c.Request.Context(), "sign-in with the OpenID provider failed",
		"request_id", exchangeOf(c.Request.Context()).id, "code", audit.ErrorCode(err), "cause", cause)
}
