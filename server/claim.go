package server

import (
	"context"
	"slices"
	"strings"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

// Paging is how lists are asked for.
type Paging struct {
	Cursor string `query:"cursor" maxLength:"512" doc:"Where to go on: next of the answer before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"The most items to answer"`
}

// List is a page of a list.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"` // the cursor of the next page; empty at the end
}

func listOf[T any](items []T, next string, err error) (*body[List[T]], error) {
	if err != nil {
		return nil, err
	}
	if items == nil {
		items = []T{}
	}
	return &body[List[T]]{List[T]{items, next}}, nil
}

// pageOf is a page of a list that is short enough to be read whole; the cursor is the id
// of the last item given. Errors: [audit.CodeInvalid] for a cursor that is none.
func pageOf[T any](all []T, id func(T) string, in Paging) (page []T, next string, err error) {
	if in.Cursor != "" {
		last := slices.IndexFunc(all, func(v T) bool { return id(v) == in.Cursor })
		if last < 0 {
			return nil, "", invalid("the cursor is not one that was given out")
		}
		all = all[last+1:]
	}
	if len(all) > in.Limit {
		all = all[:in.Limit]
		next = id(all[in.Limit-1])
	}
	return all, next, nil
}

type claimsInput struct {
	Paging
	TrackingID string    `query:"tracking_id" maxLength:"128" doc:"On that delivery alone"`
	DueBefore  time.Time `query:"due_before" doc:"Due before that time; leaves out those without one"`
	Open       bool      `query:"open" doc:"Only those that are not decided"`
	Search     string    `query:"q" maxLength:"200" doc:"A claim id, a tracking id, or how an address or the recipient's name begins"`
}

// claims is GET /api/v1/claims.
func (s *Server) claims(ctx context.Context, in *claimsInput) (*body[List[dispute.Claim]], error) {
	f := dispute.ClaimFilter{TrackingID: in.TrackingID, DueBefore: in.DueBefore, Open: in.Open, Search: strings.TrimSpace(in.Search)}
	return listOf(s.records.Claims(ctx, f, in.Cursor, in.Limit))
}

// ClaimPath names a claim.
type ClaimPath struct {
	ClaimID string `path:"claim_id" doc:"The claim's id, as it was imported"`
}

// PacketRef names an issued packet.
type PacketRef struct {
	PacketID string    `json:"packet_id"`
	ClaimID  string    `json:"claim_id"`
	IssuedAt time.Time `json:"issued_at"`
}

// ClaimOnRecord is a claim with what would answer it by now.
type ClaimOnRecord struct {
	dispute.Claim
	Evidence       dispute.Evidence       `json:"evidence"`
	Recommendation dispute.Recommendation `json:"recommendation"`
	Driver         *dispute.DriverRecord  `json:"driver_record,omitempty"`
	DueAnswer      *time.Time             `json:"answer_due_at,omitempty"` // the claim's own time, else by its channel
	Outcome        *dispute.Outcome       `json:"outcome,omitempty"`       // absent while it is open
	Packets        []PacketRef            `json:"packets"`
}

// claim is GET /api/v1/claims/{claim_id}.
func (s *Server) claim(ctx context.Context, in *ClaimPath) (*body[ClaimOnRecord], error) {
	file, packets, err := s.caseOf(ctx, in.ClaimID)
	if err != nil {
		return nil, err
	}
	if err := s.custody.look(ctx, custody.ClaimViewed, custody.Claim, file.Claim.ClaimID); err != nil {
		return nil, err
	}
	if file.Evidence.Photos == nil {
		file.Evidence.Photos = []audit.JudgedUpload{}
	}
	if file.Evidence.Events == nil {
		file.Evidence.Events = []dispute.Event{}
	}
	outcome, err := s.records.Outcome(ctx, file.Claim.ClaimID)
	if err != nil {
		return nil, err
	}
	return &body[ClaimOnRecord]{ClaimOnRecord{Claim: file.Claim, Evidence: file.Evidence, Recommendation: file.Recommendation,
		Driver: file.Driver, DueAnswer: s.dispute.Channels.Due(file.Claim), Outcome: outcome, Packets: packets}}, nil
}

// caseOf is a claim's case with the packets issued on it.
func (s *Server) caseOf(ctx context.Context, claimID string) (dispute.CaseFile, []PacketRef, error) {
	if err := audit.ValidateID("claim_id", claimID); err != nil {
		return dispute.CaseFile{}, nil, err
	}
	file, err := s.dispute.Case(ctx, claimID)
	if err != nil {
		return dispute.CaseFile{}, nil, err
	}
	packets, err := s.packetsOf(ctx, claimID)
	return file, packets, err
}
