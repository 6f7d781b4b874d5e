package server

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

// Outcomes are how claims ended.
type Outcomes interface {
	// AddOutcome keeps an outcome with the recommendation of the claim's latest packet, or
	// else the one given. Errors: [audit.CodeNotFound] without the claim.
	AddOutcome(ctx context.Context, o dispute.Outcome) (dispute.Outcome, error)
	// Outcome is a claim's latest; nil while it is open.
	Outcome(ctx context.Context, claimID string) (*dispute.Outcome, error)
	// Tallies counts the claims decided within [since, until) by recommendation; a zero time
	// is no bound.
	Tallies(ctx context.Context, since, until time.Time) ([]dispute.Tally, error)
}

// OutcomeIn is how a claim ended, as a client tells it.
type OutcomeIn struct {
	Decision  dispute.Decision `json:"decision" enum:"upheld,overturned,withdrawn" doc:"upheld: the customer was refunded; overturned: the delivery was taken as made"`
	DecidedAt time.Time        `json:"decided_at,omitzero" required:"false" doc:"Now where absent"`
	Note      string           `json:"note,omitempty" maxLength:"4096"`
}

type outcomeInput struct {
	ClaimPath
	Body OutcomeIn
}

// addOutcome is POST /api/v1/claims/{claim_id}/outcome.
func (s *Server) addOutcome(ctx context.Context, in *outcomeInput) (*body[dispute.Outcome], error) {
	o, err := s.decide(ctx, in.ClaimID, in.Body)
	return &body[dispute.Outcome]{o}, err
}

// decide records how a claim ended.
func (s *Server) decide(ctx context.Context, claimID string, in OutcomeIn) (dispute.Outcome, error) {
	now := s.now().UTC().Truncate(time.Microsecond)
	o := dispute.Outcome{ClaimID: claimID, Decision: in.Decision, DecidedAt: in.DecidedAt.UTC(), Note: in.Note, RecordedAt: now}
	if in.DecidedAt.IsZero() {
		o.DecidedAt = now
	}
	if err := o.Validate(); err != nil {
		return o, err
	}
	file, err := s.dispute.Case(ctx, claimID)
	if err != nil {
		return o, err
	}
	o.Recommendation = file.Recommendation.Recommendation
	return s.records.AddOutcome(ctx, o)
}

type talliesInput struct {
	Paging
	Since time.Time `query:"since" doc:"Decided at or after"`
	Until time.Time `query:"until" doc:"Decided before"`
}

// tallies is GET /api/v1/outcomes.
func (s *Server) tallies(ctx context.Context, in *talliesInput) (*body[List[dispute.Tally]], error) {
	all, err := s.records.Tallies(ctx, in.Since, in.Until)
	if err != nil {
		return nil, err
	}
	return listOf(pageOf(all, func(t dispute.Tally) string { return string(t.Recommendation) }, in.Paging))
}

// bulk is POST /api/v1/packets: the packets of all open claims of a filter in one ZIP.
func (s *Server) bulk(c *gin.Context) error {
	ctx := c.Request.Context()
	due := c.Query("due_before")
	f := dispute.ClaimFilter{Open: true}
	if due != "" {
		t, err := time.Parse(time.RFC3339, due)
		if err != nil {
			return invalid("due_before is no time as in RFC 3339: 2006-01-02T15:04:05Z")
		}
		f.DueBefore = t
	}
	channel := c.Query("channel")
	if channel != "" {
		if _, err := s.dispute.Channels.Find(channel); err != nil {
			return err
		}
	}
	release, err := s.draw(ctx)
	if err != nil {
		return err
	}
	defer release()
	control := exchangeOf(ctx).control
	out := &attachment{c: c, name: "porchlight-packets.zip", mediaType: "application/zip", log: func() error {
		return s.custody.log(ctx, custody.PacketExported, custody.Packet, "bulk")
	}}
	return s.dispute.WriteBulk(ctx, out, func(yield func(dispute.Claim, error) bool) {
		for claim, err := range s.allClaims(ctx, f) {
			control.SetWriteDeadline(time.Now().Add(answerTime)) // as long as it goes on
			if !yield(claim, err) {
				return
			}
		}
	}, channel)
}

// allClaims goes through all claims of a filter, page by page.
func (s *Server) allClaims(ctx context.Context, f dispute.ClaimFilter) iter.Seq2[dispute.Claim, error] {
	return func(yield func(dispute.Claim, error) bool) {
		for after := ""; ; {
			claims, next, err := s.records.Claims(ctx, f, after, 200)
			if err != nil {
				yield(dispute.Claim{}, err)
				return
			}
			for _, claim := range claims {
				if !yield(claim, nil) {
					return
				}
			}
			if after = next; next == "" {
				return
			}
		}
	}
}

var outcomeDoc = operation{
	id: "decide-claim", tag: "claims", summary: "Record how a claim ended", errors: []int{404, 413, 415, 422},
	text: "Outcomes are appended; the latest counts. The recommendation of the claim's latest packet, or else of now, is kept with it.",
}

var talliesDoc = operation{
	id: "list-outcomes", tag: "claims", summary: "How often each recommendation was right", errors: []int{422},
	text: "dispute was right where the claim was overturned, accept where it was upheld; review recommends neither.",
}

var bulkDoc = operation{
	id: "issue-packets", tag: "claims", summary: "Issue the packets of all open claims, in one ZIP",
	text:   "Streamed: each claim's packet as packets/CLAIM.zip, or made ready for a channel, and index.csv with a row a claim; a claim whose packet cannot be made stands there with the reason.",
	errors: []int{422},
	params: []*huma.Param{
		{Name: "due_before", In: "query", Description: "Only claims due before that time", Schema: moment},
		{Name: "channel", In: "query", Description: "Make each packet ready for that channel", Schema: text},
	},
	answers: func(huma.Registry, string) map[string]*huma.Response {
		return map[string]*huma.Response{"200": binaryAnswer("The packets", "application/zip")}
	},
}

// trackRows imports points of tracks.
func (s *Server) trackRows(ctx context.Context, fixes []dispute.TrackPoint, _ time.Time) ([]audit.Change, error) {
	return s.records.PutTrack(ctx, fixes)
}

// importTrack is POST /api/v1/tracks: rows of points, or with driver_id a GPX or GeoJSON file.
func (s *Server) importTrack(c *gin.Context) error {
	driver := c.Query("driver_id")
	if driver == "" {
		return importRows(s, s.trackRows)(c)
	}
	if err := audit.ValidateID("driver_id", driver); err != nil {
		return err
	}
	ctx := c.Request.Context()
	body := &steady{r: http.MaxBytesReader(c.Writer, c.Request.Body, s.limits.ImportBytes), control: exchangeOf(ctx).control, idle: s.limits.IdleTime}
	fixes, untimed, err := dispute.ParseTrack(body, driver)
	if err != nil {
		if worded := bodyError(err); worded != nil {
			err = worded
		}
		return err
	}
	sum := TrackSummary{Untimed: untimed}
	for len(fixes) > 0 {
		n := min(len(fixes), importBatch)
		changes, err := s.records.PutTrack(context.WithoutCancel(ctx), fixes[:n])
		if err != nil {
			return err
		}
		for _, change := range changes {
			if change == audit.Created {
				sum.Created++
			} else {
				sum.Unchanged++
			}
		}
		fixes = fixes[n:]
	}
	return answer(c, http.StatusOK, sum)
}

// TrackSummary says what became of a track's points.
type TrackSummary struct {
	Created   int `json:"created"`
	Unchanged int `json:"unchanged"` // of instants that were known
	Untimed   int `json:"untimed"`   // without a time or a position that can be: left out
}

var trackDoc = operation{
	id: "import-track", tag: "deliveries", summary: "Import where drivers were",
	text: "Rows of driver_id, at, latitude, longitude and accuracy_m; or, with driver_id in the query, a GPX or GeoJSON file. " +
		"A delivery's evidence holds the driver's track around it, and where that has the driver at the time of the delivery.",
	errors:  []int{400, 408, 413, 415, 422},
	params:  []*huma.Param{{Name: "driver_id", In: "query", Description: "Whose GPX or GeoJSON file the body is", Schema: text}},
	request: importBody[dispute.TrackPoint](), answers: importAnswers,
}
