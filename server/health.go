package server

import (
	"context"
	"crypto/subtle"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
)

// readyTime is how long a part may take to answer before it counts as not ready.
const readyTime = 3 * time.Second

// alive is GET /healthz.
func (s *Server) alive(c *gin.Context) error {
	return answer(c, http.StatusOK, gin.H{"status": "ok"})
}

// ready is GET /readyz: 200 where every part answers, else 503 with the names of those
// that do not.
func (s *Server) ready(c *gin.Context) error {
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTime)
	defer cancel()
	parts := []struct {
		name string
		ping func(context.Context) error
	}{{"records", s.records.Ping}, {"objects", s.objects.Ping}}
	errs := make([]chan error, len(parts))
	for i, p := range parts {
		errs[i] = make(chan error, 1)
		go func() { errs[i] <- p.ping(ctx) }()
	}
	status, state, word := http.StatusOK, gin.H{}, "ready"
	for i, p := range parts {
		state[p.name] = "ok"
		if err := <-errs[i]; err != nil {
			state[p.name] = "not ready"
			status, word = http.StatusServiceUnavailable, "not ready"
			s.log.WarnContext(ctx, "not ready", "part", p.name, "cause", err)
		}
	}
	return answer(c, status, gin.H{"status": word, "parts": state})
}

// scrape is GET /metrics. With a token of its own it wants that, and no other.
func (s *Server) scrape(c *gin.Context) error {
	if want := s.metricsToken; want != "" {
		if subtle.ConstantTimeCompare([]byte(c.GetHeader("Authorization")), []byte("Bearer "+want)) != 1 {
			return audit.Errorf(audit.CodeUnauthorized, "The metrics want their own token, as Authorization: Bearer TOKEN")
		}
	}
	s.metrics.handler().ServeHTTP(c.Writer, c.Request)
	return nil
}

// openAPI is GET /openapi.json.
func (s *Server) openAPI(c *gin.Context) error {
	c.Data(http.StatusOK, "application/json", s.spec)
	return nil
}
