package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/web"
)

// exchange is what the server knows of one request and its answer.
type exchange struct {
	id        string
	route     *route
	principal audit.Principal
	session   credential // what the session brings, of a person on a page
	csrf      string     // the session's own, of a person on a page
	code      audit.Code
	err       error // the cause, for the log alone
	body      io.Reader
	control   *http.ResponseController
}

type exchangeKey struct{}

// exchangeOf is the request's exchange; outside a request an empty one.
func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{}
}

// principalOf is who is acting.
func principalOf(ctx context.Context) audit.Principal { return exchangeOf(ctx).principal }

// observe wraps every request: it gives it an id, recovers from panics, logs and counts.
func (s *Server) observe(c *gin.Context) {
	start := time.Now()
	s.metrics.answered.Inc()
	defer s.metrics.answered.Dec()
	x := &exchange{
		id:      requestID(c.GetHeader("X-Request-Id"), s.newID),
		body:    c.Request.Body,
		control: http.NewResponseController(c.Writer),
		route:   s.table[c.Request.Method+" "+c.FullPath()],
	}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), exchangeKey{}, x))
	h := c.Writer.Header()
	h.Set("X-Request-Id", x.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", web.ContentSecurityPolicy)
	defer func() {
		v := recover()
		aborted := v == http.ErrAbortHandler
		if v != nil && !aborted {
			s.log.ErrorContext(c.Request.Context(), "panic", "request_id", x.id, "panic", v, "stack", string(debug.Stack()))
			s.metrics.panics.Inc()
			if !c.Writer.Written() {
				s.fail(c, audit.Errorf(audit.CodeInternal, "panic"))
			} else {
				aborted = true
			}
		}
		s.account(c, x, time.Since(start))
		if aborted {
			panic(http.ErrAbortHandler)
		}
	}()
	c.Next()
}

// account logs and counts a finished request. Neither query strings (they may carry a
// token to the sign-in form) nor messages of client errors (they may quote a
// coordinate) are logged.
func (s *Server) account(c *gin.Context, x *exchange, took time.Duration) {
	path, status := c.FullPath(), c.Writer.Status()
	s.metrics.request(c.Request.Method, path, status, took)
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("request_id", x.id), slog.String("method", c.Request.Method), slog.String("path", c.Request.URL.Path),
		slog.Int("status", status), slog.Int("bytes", max(0, c.Writer.Size())), slog.Duration("took", took),
	}
	if actor := x.principal.Actor(); actor != "" {
		attrs = append(attrs, slog.String("role", string(x.principal.Role)), slog.String("actor", actor))
	}
	if x.code != "" {
		attrs = append(attrs, slog.String("code", string(x.code)))
	}
	if status >= 500 {
		level = slog.LevelError
		if x.err != nil {
			attrs = append(attrs, slog.String("cause", x.err.Error()))
		}
	} else if path == "/healthz" || path == "/readyz" || path == "/metrics" {
		level = slog.LevelDebug
	}
	s.log.LogAttrs(c.Request.Context(), level, "request", attrs...)
}

// requestID is the client's own id where it is sane (1 to 64 letters, digits, - _ . :),
// else a new one.
func requestID(given string, newID func() string) string {
	if given == "" || len(given) > 64 {
		return newID()
	}
	for _, r := range given {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:", r)) {
			return newID()
		}
	}
	return given
}
