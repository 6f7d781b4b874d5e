package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/prometheus/client_golang/prometheus"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/standing"
	"porchlight/web"
)

// Deliveries are the deliveries on record.
type Deliveries interface {
	// PutDeliveries inserts or updates rows in one transaction and says what became of
	// each. Errors: [audit.CodeInvalid], [audit.CodeUnavailable].
	PutDeliveries(ctx context.Context, rows []audit.Delivery, at time.Time) ([]audit.Change, error)
	// Delivery finds one. Errors: [audit.CodeNotFound], [audit.CodeUnavailable].
	Delivery(ctx context.Context, trackingID string) (audit.Delivery, error)
	// Deliveries lists those of a filter, the latest window first, from the one after the
	// cursor. Errors: [audit.CodeInvalid] for a bad cursor.
	Deliveries(ctx context.Context, f audit.DeliveryFilter, after string, limit int) (ds []audit.Delivery, next string, err error)
	// DriverDeliveries are a driver's deliveries whose window starts within [from, to).
	DriverDeliveries(ctx context.Context, driverID string, from, to time.Time) ([]dispute.Evidence, error)
	// Evidence is a delivery with its photos and events. Errors: [audit.CodeNotFound].
	Evidence(ctx context.Context, trackingID string) (dispute.Evidence, error)
	// AddEvents keeps events; one that is kept already is left as it is.
	AddEvents(ctx context.Context, events []dispute.Event) error
	// PutTrack keeps points of drivers' tracks; an instant that is known stays as it is.
	PutTrack(ctx context.Context, fixes []dispute.TrackPoint) ([]audit.Change, error)
}

// Photos are the uploads and reports on record.
type Photos interface {
	// PhotoUploads are all uploads of these bytes, oldest first. Errors: [audit.CodeNotFound].
	PhotoUploads(ctx context.Context, photoID string) ([]audit.JudgedUpload, error)
	// Reports are all reports on a photo, oldest first.
	Reports(ctx context.Context, photoID string) ([]audit.Report, error)
	// RecentUploads lists uploads of late, the latest first, from the one before an id.
	RecentUploads(ctx context.Context, before string, limit int) ([]audit.JudgedUpload, error)
	// RecentCases is the same with all that judging them again needs.
	RecentCases(ctx context.Context, before string, limit int) ([]audit.Case, error)
	// CasesOf are the uploads of those ids with all that judging them again needs.
	CasesOf(ctx context.Context, uploadIDs []string) ([]audit.Case, error)
}

// Claims are the claims and packets on record.
type Claims interface {
	// PutClaims inserts or updates rows in one transaction and says what became of each.
	PutClaims(ctx context.Context, rows []dispute.Claim, at time.Time) ([]audit.Change, error)
	// Claim finds one. Errors: [audit.CodeNotFound].
	Claim(ctx context.Context, claimID string) (dispute.Claim, error)
	// Claims lists those of a filter, due first, from the one after the cursor.
	Claims(ctx context.Context, f dispute.ClaimFilter, after string, limit int) (claims []dispute.Claim, next string, err error)
	// ClaimsAround lists the other claims on a stop's and a driver's last packages.
	ClaimsAround(ctx context.Context, d audit.Delivery, exceptClaim string) (dispute.Around, error)
	// ClaimedStops lists the claims that came in within [since, until), the latest first, with
	// their deliveries.
	ClaimedStops(ctx context.Context, since, until time.Time, limit int) ([]dispute.ClaimedStop, error)
	// Packet finds a packet. Errors: [audit.CodeNotFound].
	Packet(ctx context.Context, packetID string) (dispute.FrozenPacket, error)
	// Packets are a claim's packets without their JSON.
	Packets(ctx context.Context, claimID string) ([]dispute.FrozenPacket, error)
}

// Tokens are the credentials on record.
type Tokens interface {
	// AddToken keeps a token. Errors: [audit.CodeConflict].
	AddToken(ctx context.Context, t audit.Token) error
	// Tokens lists a driver's, or all of them for "", revoked and expired ones too, oldest
	// first, from the one after the cursor.
	Tokens(ctx context.Context, driverID, after string, limit int) (tokens []audit.Token, next string, err error)
	// RevokeToken ends a token; one that is revoked already keeps its time.
	// Errors: [audit.CodeNotFound].
	RevokeToken(ctx context.Context, tokenID string, at time.Time) error
	// TokenByHash finds a token by the SHA-256 of its secret, in hex. Errors: [audit.CodeNotFound].
	TokenByHash(ctx context.Context, hash string) (audit.Token, error)
}

// Reaudits are the re-audits on record.
type Reaudits interface {
	// Run finds one. Errors: [audit.CodeNotFound].
	Run(ctx context.Context, runID string) (audit.Run, error)
	// Runs lists them, newest first, from the one after the cursor.
	Runs(ctx context.Context, after string, limit int) (runs []audit.Run, next string, err error)
	// OpenRuns lists those that are running, the oldest first.
	OpenRuns(ctx context.Context) ([]audit.Run, error)
	// Flips lists the verdicts a run changed, from the one after the cursor.
	Flips(ctx context.Context, runID, after string, limit int) (flips []audit.Flip, next string, err error)
	// RunReport finds the report that a run made of an upload, whether it counts or not.
	RunReport(ctx context.Context, runID, uploadID string) (r audit.Report, ok bool, err error)
	// Failures lists the uploads that a run could not judge, from the one after the cursor.
	Failures(ctx context.Context, runID, after string, limit int) (failures []audit.Failure, next string, err error)
	// ChangeRun brings a run into another state. Errors: [audit.CodeNotFound], [audit.CodeConflict].
	ChangeRun(ctx context.Context, runID string, to audit.RunState, at time.Time) (audit.Run, error)
	// Checklist is the text kept under a version. Errors: [audit.CodeNotFound].
	Checklist(ctx context.Context, version string) (text string, err error)
	// Checklists lists them, the latest first, from the one after the cursor.
	Checklists(ctx context.Context, after string, limit int) (all []audit.KeptChecklist, next string, err error)
}

// Standings are what drivers' standings are made of, and those on record.
type Standings interface {
	// PutBlocks, PutFeedback, PutConcessions and PutPhotoWeeks insert or update rows in one
	// transaction and say what became of each.
	PutBlocks(ctx context.Context, rows []standing.Block, at time.Time) ([]audit.Change, error)
	PutFeedback(ctx context.Context, rows []standing.Feedback, at time.Time) ([]audit.Change, error)
	PutConcessions(ctx context.Context, rows []standing.Concession, at time.Time) ([]audit.Change, error)
	PutPhotoWeeks(ctx context.Context, rows []standing.PhotoWeek, at time.Time) ([]audit.Change, error)
	// PhotoWeeks are the rows of a carrier's photo report of a week, by driver.
	PhotoWeeks(ctx context.Context, week string) ([]standing.PhotoWeek, error)
	// DriverFacts is what a driver's figures are made of as of then.
	DriverFacts(ctx context.Context, t *standing.Targets, driverID string, at time.Time) (standing.Facts, error)
	// Standings lists those kept for a day by driver, from the one after the cursor.
	Standings(ctx context.Context, day standing.Date, level standing.Standing, after string, limit int) (all []standing.Snapshot, next string, err error)
	// LatestStandings is the last day with standings, and when they were computed.
	LatestStandings(ctx context.Context) (standing.Date, time.Time, error)
}

// Records is all that the server reads and writes of the records.
type Records interface {
	Standings
	Deliveries
	Photos
	Claims
	Outcomes
	Attachments
	Rulings
	Clusters
	Holds
	Tokens
	Reaudits
	Webhooks
	Custody
	// Ping tells whether the records answer.
	Ping(ctx context.Context) error
}

// Objects are the stored photos; their bytes come through [audit.Service].
type Objects interface {
	// Ping tells whether the objects answer.
	Ping(ctx context.Context) error
}

// Limits bound what the server takes in. A zero field stands for its default.
type Limits struct {
	// Uploads is how many photos are held in memory at once, being read, measured or
	// stored. Default 32.
	Uploads int
	// QueueTime is how long one more waits for a place before it is answered 503 with
	// Retry-After; default 5 seconds.
	QueueTime time.Duration
	// ImportBytes is the most that one import may weigh; default 512 MiB. Imports are
	// streamed, not held.
	ImportBytes int64
	// UploadTime is how long a photo's body may take to arrive; default 2 minutes.
	UploadTime time.Duration
	// IdleTime is how long an import may send nothing, and how long a connection may
	// stay open between requests; default 60 seconds.
	IdleTime time.Duration
	// HeaderTime is how long a request's header may take; default 10 seconds.
	HeaderTime time.Duration
	// ShutdownTime is how long requests may take to end when the server stops; default 30 seconds.
	ShutdownTime time.Duration
	// SessionTime is how long a person stays signed in; default 12 hours.
	SessionTime time.Duration
	// SignIns is how many attempts to sign in one address may make a minute, going to the
	// OpenID provider and coming back counted as two; default 120, since a depot's
	// drivers share an address.
	SignIns int
	// FailedTokens is how many bearer tokens that are no good one address may send a
	// minute; default 120.
	FailedTokens int
}

func (l Limits) withDefaults() Limits {
	for _, n := range []struct {
		v *int
		d int
	}{{&l.Uploads, 32}, {&l.SignIns, 120}, {&l.FailedTokens, 120}} {
		if *n.v <= 0 {
			*n.v = n.d
		}
	}
	if l.ImportBytes <= 0 {
		l.ImportBytes = 512 << 20
	}
	for _, t := range []struct {
		v *time.Duration
		d time.Duration
	}{
		{&l.UploadTime, 2 * time.Minute}, {&l.IdleTime, time.Minute}, {&l.QueueTime, 5 * time.Second}, {&l.HeaderTime, 10 * time.Second},
		{&l.ShutdownTime, 30 * time.Second}, {&l.SessionTime, 12 * time.Hour},
	} {
		if *t.v <= 0 {
			*t.v = t.d
		}
	}
	return l
}

// Config is what a [Server] is made of.
type Config struct {
	Audit   *audit.Service
	Dispute *dispute.Service
	Records Records
	Objects Objects
	Tiles   *web.Tiles // under maps; nil for none
	Pages   *web.Pages
	Log     *slog.Logger     // default [slog.Default]
	Now     func() time.Time // default [time.Now]
	NewID   func() string    // ids of events and requests; required
	Limits  Limits
	// Work says how re-audits are worked on here; nil leaves that to others.
	Work *audit.WorkOptions
	// Targets are what drivers' figures are held against; default [standing.Targets2026].
	Targets *standing.Targets
	// Sessions keeps the sessions of people who signed in; nil keeps them in memory, so
	// that a restart signs everyone out. It must be shared where several servers answer
	// under one name.
	Sessions scs.Store
	// OIDC is the OpenID provider that agents and admins sign in with; nil for none.
	OIDC *OIDC
	// PublicURL is where people reach the server, such as https://porchlight.example;
	// needed with OIDC.
	PublicURL string
	// TrustedProxies are the proxies, by address or CIDR, whose X-Forwarded-For is
	// believed; none by default.
	TrustedProxies []string
	// Secure marks cookies for HTTPS alone. Only a server on a loopback address may go without.
	Secure bool
	// WebhookPrivate lets webhook endpoints be on private and loopback addresses, and
	// without https.
	WebhookPrivate bool
	// MetricsToken is what a program must send to read /metrics; open to all where empty.
	MetricsToken string
	// Collectors are figures of others that /metrics shows too.
	Collectors []prometheus.Collector
	// Version is the program's, for the OpenAPI document and the metrics; default dev.
	Version string
}

func (c Config) validate() error {
	var errs []error
	for name, missing := range map[string]bool{
		"Audit": c.Audit == nil, "Dispute": c.Dispute == nil, "Records": c.Records == nil,
		"Objects": c.Objects == nil, "Pages": c.Pages == nil, "NewID": c.NewID == nil,
	} {
		if missing {
			errs = append(errs, errors.New("server: Config."+name+" is missing"))
		}
	}
	if c.OIDC != nil {
		errs = append(errs, c.OIDC.validate(c.PublicURL))
	}
	return errors.Join(errs...)
}
