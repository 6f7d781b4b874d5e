package server

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

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
}

// claims is GET /api/v1/claims.
func (s *Server) claims(ctx context.Context, in *claimsInput) (*body[List[dispute.Claim]], error) {
	f := dispute.ClaimFilter{TrackingID: in.TrackingID, DueBefore: in.DueBefore}
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
	Packets        []PacketRef            `json:"packets"`
}

// claim is GET /api/v1/claims/{claim_id}.
func (s *Server) claim(ctx context.Context, in *ClaimPath) (*body[ClaimOnRecord], error) {
	file, packets, err := s.caseOf(ctx, in.ClaimID)
	if err != nil {
		return nil, err
	}
	if err := s.custody.log(ctx, custody.ClaimViewed, custody.Claim, file.Claim.ClaimID); err != nil {
		return nil, err
	}
	if file.Evidence.Photos == nil {
		file.Evidence.Photos = []audit.JudgedUpload{}
	}
	if file.Evidence.Events == nil {
		file.Evidence.Events = []dispute.Event{}
	}
	return &body[ClaimOnRecord]{ClaimOnRecord{file.Claim, file.Evidence, file.Recommendation, packets}}, nil
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

func (s *Server) packetsOf(ctx context.Context, claimID string) ([]PacketRef, error) {
	all, err := s.records.Packets(ctx, claimID)
	refs := []PacketRef{}
	for _, p := range all {
		refs = append(refs, PacketRef{p.PacketID, p.ClaimID, p.IssuedAt})
	}
	return refs, err
}

type packetsInput struct {
	ClaimPath
	Paging
}

// packets is GET /api/v1/claims/{claim_id}/packets.
func (s *Server) packets(ctx context.Context, in *packetsInput) (*body[List[PacketRef]], error) {
	if _, err := s.records.Claim(ctx, in.ClaimID); err != nil {
		return nil, err
	}
	refs, err := s.packetsOf(ctx, in.ClaimID)
	if err != nil {
		return nil, err
	}
	return listOf(pageOf(refs, func(p PacketRef) string { return p.PacketID }, in.Paging))
}

type issued struct {
	Location string `header:"Location"`
	Body     PacketRef
}

// issuePacket is POST /api/v1/claims/{claim_id}/packets.
func (s *Server) issuePacket(ctx context.Context, in *ClaimPath) (*issued, error) {
	p, err := s.dispute.Issue(ctx, in.ClaimID)
	if err != nil {
		return nil, err
	}
	s.metrics.packets.Inc()
	return &issued{"/api/v1/packets/" + p.PacketID + ".zip", PacketRef{p.PacketID, p.ClaimID, p.IssuedAt}}, nil
}

// packetFile is GET /api/v1/packets/{packet_id}.zip and .json. The router knows whole
// segments of a path alone, so that both are one route.
func (s *Server) packetFile(c *gin.Context) error {
	ctx := c.Request.Context()
	name := c.Param("packet_file")
	missing := audit.Errorf(audit.CodeNotFound, "There is no packet %s", name)
	if id, ok := strings.CutSuffix(name, ".json"); ok {
		p, err := s.records.Packet(ctx, id)
		if audit.ErrorCode(err) == audit.CodeNotFound {
			return missing
		}
		if err != nil {
			return err
		}
		if err := s.custody.log(ctx, custody.PacketExported, custody.Packet, id); err != nil {
			return err
		}
		attach(c, name)
		c.Header("Content-Length", strconv.Itoa(len(p.JSON)))
		c.Data(http.StatusOK, "application/json", p.JSON)
		return nil
	}
	id, ok := strings.CutSuffix(name, ".zip")
	if !ok {
		return missing
	}
	if _, err := s.records.Packet(ctx, id); audit.ErrorCode(err) == audit.CodeNotFound {
		return missing
	} else if err != nil {
		return err
	}
	// The ZIP's first byte comes once all originals are known to be whole: until then an
	// error can still be answered as one.
	return lost(s.dispute.WriteZIP(ctx, &attachment{c: c, name: name, log: func() error {
		return s.custody.log(ctx, custody.PacketExported, custody.Packet, id)
	}}, id))
}

// attachment logs a download and sets its headers at its first byte.
type attachment struct {
	c     *gin.Context
	name  string
	log   func() error
	begun bool
}

func (a *attachment) Write(p []byte) (int, error) {
	if !a.begun {
		if err := a.log(); err != nil {
			return 0, err
		}
		a.begun = true
		attach(a.c, a.name)
		a.c.Header("Content-Type", "application/zip")
		a.c.Status(http.StatusOK)
	}
	return a.c.Writer.Write(p)
}

// attach names a download. Packet ids hold neither quotes nor control characters.
func attach(c *gin.Context, name string) {
	c.Header("Content-Disposition", `attachment; filename="porchlight-`+name+`"`)
	c.Header("Cache-Control", immutable)
}
