package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"porchlight/audit"
	"porchlight/server"
	"porchlight/server/sender"
	"porchlight/web"
)

// serveSettings are the flags of `porchlight serve`.
type serveSettings struct {
	storeSettings
	signInSettings
	geocoderSettings
	visionSettings
	workSettings
	work                        bool
	listen, logFormat, logLevel string
	uploads, judging            int
	secure, healthy             bool
	webhookPrivate              bool
	metricsToken                string
	mapTiles, mapCredit         string
}

func serveCommand() *cobra.Command {
	var s serveSettings
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service: API, drivers' and agents' pages",
		Long: `Run the service. By default records are kept in an SQLite file and photos in a folder,
both in --data; any number of services may share a Postgres database and an S3 store.

Make tokens with "porchlight token create" and sign in at /signin. Agents and admins may
sign in with their organisation's OpenID provider instead: register Porchlight there with
the redirect URI PUBLIC-URL/signin/callback, and set --public-url, --oidc-issuer,
--oidc-client-id and PORCHLIGHT_OIDC_CLIENT_SECRET. The API is described at
/openapi.json; /healthz, /readyz and /metrics are for the ones who watch it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.healthy {
				return probe(cmd.Context(), s.listen)
			}
			return serve(cmd.Context(), &s, nil)
		},
	}
	s.flags(cmd.Flags())
	return cmd
}

func (s *serveSettings) flags(f *pflag.FlagSet) {
	s.storeSettings.flags(f)
	s.signInSettings.flags(f)
	s.geocoderSettings.flags(f)
	s.visionSettings.flags(f)
	f.StringVar(&s.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to listen on")
	f.StringVar(&s.logFormat, "log-format", "text", "text or json")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.IntVar(&s.uploads, "uploads", 0, "photos held in memory at once; one more waits, and after 5 seconds is answered 503 with Retry-After; default 32")
	f.IntVar(&s.judging, "judging", 0, "threads that decode and measure photos; default one for each core")
	f.BoolVar(&s.work, "work", true, "work on re-audits; --work=false leaves that to porchlight work")
	f.IntVar(&s.rate, "work-rate", 0, "photos judged a second at most by re-audits here; 0: as many as can be")
	f.BoolVar(&s.secure, "secure", false, "mark cookies for HTTPS alone; set it wherever a proxy in front speaks HTTPS; a --public-url of https sets it")
	webhookFlag(f, &s.webhookPrivate)
	f.StringVar(&s.metricsToken, "metrics-token", "", "what a program must send as Authorization: Bearer `TOKEN` to read /metrics; set PORCHLIGHT_METRICS_TOKEN, where other users cannot see it")
	f.BoolVar(&s.healthy, "healthy", false, "only ask the service at --listen whether it is ready (exit status 0), for container health checks")
	f.StringVar(&s.mapTiles, "map-tiles", "", "`URL` of a map tile server to draw claims' maps over, such as https://tiles.example/{z}/{x}/{y}.png; agents' browsers then ask it for the tiles around a stop; default none")
	f.StringVar(&s.mapCredit, "map-credit", "", "who made that map, in the `WORDS` that its licence asks for")
	setting("map-tiles", "map-credit")
	setting("listen", "log-format", "log-level", "uploads", "judging", "secure", "work", "work-rate", "metrics-token")
}

// tiles is the tile server that was asked for; nil for none.
func (s *serveSettings) tiles() (*web.Tiles, error) {
	if s.mapTiles == "" {
		if s.mapCredit != "" {
			return nil, errors.New("--map-tiles is missing: --map-credit is of no use without it")
		}
		return nil, nil
	}
	t, err := web.NewTiles(s.mapTiles, s.mapCredit)
	if err != nil {
		return nil, fmt.Errorf("--map-tiles %q %w", s.mapTiles, err)
	}
	return t, nil
}

// uploadVisionTime is what looking at one upload may take: a driver waits at the door.
const uploadVisionTime = 20 * time.Second

// serve runs the service until the context ends. ready, if any, is called with the
// opened stores and the address once connections are accepted.
func serve(ctx context.Context, s *serveSettings, ready func(*stores, net.Addr) error) error {
	log, err := s.logger()
	provider, public, proxies, faults := s.signInSettings.read()
	client, fault := s.geocoderSettings.read()
	tiles, unfit := s.tiles()
	if err := errors.Join(err, faults, fault, unfit); err != nil {
		return err
	}
	st, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	st.db.Warm(ctx)
	s.adviseScheduling(log)
	eyes, closeEyes, err := s.openVision(uploadVisionTime, log)
	if err != nil {
		return err
	}
	defer closeEyes()
	st.audit.Vision = eyes
	if own, ok := eyes.(*supervisor); ok {
		own.Start()
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // photos fill the heap, and there is nothing in them to look through
	}
	measuring := s.startMeasuring()
	defer measuring.Close()
	st.audit.Measure = measuring.Measurer(st.audit.Measure)
	pages, err := web.New()
	if err != nil {
		return err
	}
	webhooks := sender.New(sender.Config{Outbox: st.db, AllowPrivate: s.webhookPrivate, UserAgent: "Porchlight/" + version, Log: log})
	watched := append(st.collectors(), webhooks, measuring)
	work := []func(context.Context){webhooks.Run, func(ctx context.Context) { keepStandings(ctx, st.db, log) }}
	var here *audit.WorkOptions
	if s.work {
		here = &audit.WorkOptions{Pace: s.pace()}
		work = append(work, func(ctx context.Context) { st.audit.KeepWorking(ctx, log, workEvery, *here) })
	}
	if client != nil {
		places := newGeocoder(st, client, log)
		watched, work = append(watched, places), append(work, places.Run)
	}
	srv, err := server.New(server.Config{
		Audit: st.audit, Dispute: st.dispute, Records: st.db, Objects: st.objects, Pages: pages, Tiles: tiles, Log: log, NewID: newID,
		Limits:   server.Limits{Uploads: s.uploads},
		Sessions: st.db.WebSessions(time.Now), OIDC: provider, PublicURL: public, TrustedProxies: proxies,
		Secure: s.secure || strings.HasPrefix(public, "https://"), Version: version,
		WebhookPrivate: s.webhookPrivate, MetricsToken: s.metricsToken, Collectors: watched, Work: here,
	})
	if err != nil {
		return err
	}
	if here != nil {
		here.GiveWay = srv.GiveWay
	}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	log.Info("listening", "address", "http://"+listener.Addr().String(), "checklist", st.audit.Checklist().Version, "version", version)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var working sync.WaitGroup
	for _, run := range work {
		working.Go(func() { run(ctx) })
	}
	if ready != nil {
		go func() {
			if err := ready(st, listener.Addr()); err != nil {
				cancel(err)
			}
		}()
	}
	err = srv.Serve(ctx, listener)
	cause := context.Cause(ctx)
	cancel(nil) // where the server ended by itself
	working.Wait()
	if cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// startMeasuring starts the threads that measure photos, and lets as many others run
// beside them: the scheduler would have a page wait for a photo otherwise.
func (s *serveSettings) startMeasuring() *server.Measuring {
	threads := s.judging
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + threads)
	}
	return server.StartMeasuring(threads)
}

// adviseScheduling tells who runs Postgres on the same machine what keeps pages waiting
// there. Linux shares the processors among sessions first (sched(7), autogroup), and every
// Postgres connection is one: that measuring gives way to pages is then not seen by them.
func (s *serveSettings) adviseScheduling(log *slog.Logger) {
	const file = "/proc/sys/kernel/sched_autogroup_enabled"
	on, err := os.ReadFile(file)
	if err != nil || strings.TrimSpace(string(on)) != "1" {
		return
	}
	if u, err := url.Parse(s.database); err == nil && strings.HasPrefix(u.Scheme, "postgres") && isLoopback(u.Hostname()) {
		log.Info("Postgres runs on this machine: set kernel.sched_autogroup_enabled=0 (sysctl), or pages wait longer while photos arrive")
	}
}

// isLoopback tells whether a database's host is this machine; none is a local socket.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *serveSettings) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", s.logLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	switch s.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, o)), nil
	}
	return nil, fmt.Errorf("--log-format %q is neither text nor json", s.logFormat)
}

// probe asks a running service whether it is ready.
func probe(ctx context.Context, listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", res.Status)
	}
	return nil
}
