package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/standing"
	"porchlight/web"
)

const (
	maxHeaderBytes = 64 << 10         // of a request
	answerTime     = 10 * time.Minute // for a request with its answer; imports have theirs anew with each read
)

// Server answers HTTP requests. It is an [http.Handler]; [Server.Serve] runs it on a
// listener with all its time limits.
type Server struct {
	audit       *audit.Service
	dispute     *dispute.Service
	records     Records
	objects     Objects
	pages       *web.Pages
	log         *slog.Logger
	now         func() time.Time
	newID       func() string
	limits      Limits
	secure      bool
	engine      *gin.Engine
	table       map[string]*route // by method and path as the router has it
	spec        []byte            // the OpenAPI document
	metrics     *metrics
	sessions    *scs.SessionManager
	provider    *provider // nil where none is configured
	signIns     *throttle
	bearers     *tokenGuard
	crossOrigin *http.CrossOriginProtection
	custody     *disclosures
	targets     *standing.Targets
	tiles       *web.Tiles // nil for none

	uploads    chan struct{} // a place for each photo held
	receiving  atomic.Int32  // photos that are measured, judged and stored right now
	drawing    chan struct{} // a place for each preview drawn
	reauditing sync.Mutex    // held by the run that is worked on here
	work       *audit.WorkOptions

	webhookPrivate bool // endpoints may be on private addresses
	metricsToken   string

	life       context.Context // ends when the server does
	end        context.CancelFunc
	background sync.WaitGroup
	closing    sync.Once
}

// New makes a server. Close it when done.
func New(c Config) (*Server, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	limits := c.Limits.withDefaults()
	s := &Server{
		audit: c.Audit, dispute: c.Dispute, records: c.Records, objects: c.Objects, pages: c.Pages,
		log: c.Log, now: c.Now, newID: c.NewID, limits: limits, secure: c.Secure, webhookPrivate: c.WebhookPrivate, metricsToken: c.MetricsToken, targets: cmp.Or(c.Targets, standing.Targets2026()), tiles: c.Tiles,
		metrics: newMetrics(c.Version, append(slices.Clip(c.Collectors), newReauditFigures(c.Records, c.Log))...), sessions: newSessions(c, limits), crossOrigin: http.NewCrossOriginProtection(),
		custody: newDisclosures(c.Records, c.Now),
		signIns: newThrottle(limits.SignIns), bearers: newTokenGuard(limits.FailedTokens),
		uploads: make(chan struct{}, limits.Uploads), drawing: make(chan struct{}, previewsAtOnce), work: c.Work,
	}
	s.life, s.end = context.WithCancel(context.Background())
	if c.OIDC != nil {
		s.provider = newProvider(c)
	}
	if c.PublicURL != "" {
		// Where a proxy changes Host, older browsers' forms are known by it.
		if err := s.crossOrigin.AddTrustedOrigin(strings.TrimRight(c.PublicURL, "/")); err != nil {
			return nil, fmt.Errorf("server: Config.PublicURL: %w", err)
		}
	}
	if err := s.register(c.Version, c.TrustedProxies); err != nil {
		return nil, err
	}
	s.deleteEnded()
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// Close stops what the server does beside answering and waits for it. Closing it again
// does nothing.
func (s *Server) Close() {
	s.closing.Do(func() {
		s.end()
		s.background.Wait()
		if m, ok := s.sessions.Store.(*memstore.MemStore); ok {
			m.StopCleanup() // blocks for ever the second time
		}
	})
}

// Serve answers requests on the listener until ctx ends; then it takes no more, lets
// those under way finish within Limits.ShutdownTime, and closes the server. It returns
// nil after an orderly end.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: s.limits.HeaderTime,
		ReadTimeout:       s.limits.UploadTime + s.limits.HeaderTime, // uploads and imports set their own per request
		WriteTimeout:      answerTime,
		IdleTimeout:       s.limits.IdleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(l) }()
	defer s.Close()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.end() // long work in the background ends with the chunk it is at
	// ctx has ended: the requests under way are given time of their own.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.ShutdownTime)
	defer cancel()
	if err := h.Shutdown(grace); err != nil {
		return errors.Join(err, h.Close())
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
