package server

import (
	"context"
	"time"

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

var outcomeDoc = operation{
	id: "decide-claim", tag: "claims", summary: "Record how a claim ended", errors: []int{404, 413, 415, 422},
	text: "Outcomes are appended; the latest counts. The recommendation of the claim's latest packet, or else of now, is kept with it.",
}

var talliesDoc = operation{
	id: "list-outcomes", tag: "claims", summary: "How often each recommendation was right", errors: []int{422},
	text: "dispute was right where the claim was overturned, accept where it was upheld; review recommends neither.",
}
