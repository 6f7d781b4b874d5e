package dispute

import (
	"time"

	"porchlight/audit"
)

// Decision is how a claim ended where it was decided.
type Decision string

const (
	Upheld     Decision = "upheld"     // the claim stood: the customer was refunded
	Overturned Decision = "overturned" // the claim did not stand: the delivery was taken as made
	Withdrawn  Decision = "withdrawn"  // the customer took it back
)

// Decisions are all decisions.
var Decisions = []Decision{Upheld, Overturned, Withdrawn}

// Outcome is a claim's decision, kept with what was recommended by then. Outcomes are
// appended; the latest counts.
type Outcome struct {
	ClaimID        string    `json:"claim_id"`
	Decision       Decision  `json:"decision"`
	DecidedAt      time.Time `json:"decided_at"`
	Note           string    `json:"note,omitempty"`
	Recommendation Answer    `json:"recommendation"` // of the latest packet, else as of then
	PacketID       string    `json:"packet_id,omitempty"`
	RecordedAt     time.Time `json:"recorded_at"`
}

// Validate checks an outcome that comes from outside. Errors: [audit.CodeInvalid].
func (o Outcome) Validate() error {
	switch {
	case o.Decision != Upheld && o.Decision != Overturned && o.Decision != Withdrawn:
		return audit.Errorf(audit.CodeInvalid, "decision %.40q is none of %v", o.Decision, Decisions)
	case len(o.Note) > audit.MaxFieldBytes:
		return audit.Errorf(audit.CodeInvalid, "note is longer than %d bytes", audit.MaxFieldBytes)
	}
	return nil
}

// Tally is how the claims of one recommendation ended.
type Tally struct {
	Recommendation Answer   `json:"recommendation"`
	Upheld         int      `json:"upheld"`
	Overturned     int      `json:"overturned"`
	Withdrawn      int      `json:"withdrawn"`
	Right          *float64 `json:"right,omitempty"` // share of those decided, 0..1; absent for review and without any
}

// Tallies are the counts of all recommendations, dispute first. count answers how many
// claims had that recommendation and decision.
func Tallies(count func(Answer, Decision) int) []Tally {
	var out []Tally
	for _, a := range []Answer{DisputeClaim, ReviewClaim, AcceptClaim} {
		t := Tally{Recommendation: a, Upheld: count(a, Upheld), Overturned: count(a, Overturned), Withdrawn: count(a, Withdrawn)}
		if decided := t.Upheld + t.Overturned; decided > 0 && a != ReviewClaim {
			right := float64(t.Upheld)
			if a == DisputeClaim {
				right = float64(t.Overturned)
			}
			right /= float64(decided)
			t.Right = &right
		}
		out = append(out, t)
	}
	return out
}
