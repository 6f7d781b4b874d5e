package server

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
	"porchlight/web"
)

const (
	claimsOnPage = 25 // each with its recommendation
	rowsOnPage   = 50
)

// claimsPage is GET /agent.
func (s *Server) claimsPage(c *gin.Context) error {
	ctx := c.Request.Context()
	search, all := strings.TrimSpace(c.Query("q")), c.Query("all") != ""
	if len(search) > 200 {
		return invalid("q is longer than 200 bytes")
	}
	claims, next, err := s.records.Claims(ctx, dispute.ClaimFilter{Search: search, Open: !all}, c.Query("after"), claimsOnPage)
	if err != nil {
		return err
	}
	page := web.Agent{Base: s.base(c), Next: next, Search: search, All: all}
	for _, claim := range claims {
		claim.DueAt = s.dispute.Channels.Due(claim)
		file, err := s.dispute.Case(ctx, claim.ClaimID)
		if err != nil {
			return err
		}
		page.Claims = append(page.Claims, web.ClaimRow{
			Claim: claim, Delivery: file.Evidence.Delivery,
			Answer: file.Recommendation.Recommendation, Summary: file.Recommendation.Summary,
		})
	}
	return s.render(c, http.StatusOK, page)
}

// claimPage is GET /agent/claims/{claim_id}.
func (s *Server) claimPage(c *gin.Context) error { return s.showClaim(c, "") }

func (s *Server) showClaim(c *gin.Context, message string) error {
	ctx := c.Request.Context()
	file, refs, err := s.caseOf(ctx, c.Param("claim_id"))
	if err != nil {
		return err
	}
	if err := s.custody.log(ctx, custody.ClaimViewed, custody.Claim, file.Claim.ClaimID); err != nil {
		return err
	}
	page := web.AgentClaim{Base: s.base(c), CaseFile: file, Message: message, NotOnRecord: file.NotOnRecord()}
	page.Timeline, page.Undated = file.Timeline()
	page.Due = s.dispute.Channels.Due(file.Claim)
	if page.Outcome, err = s.records.Outcome(ctx, file.Claim.ClaimID); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.dispute.Channels.Channels)) {
		page.Channels = append(page.Channels, s.dispute.Channels.Channels[name])
	}
	for _, r := range refs {
		page.Packets = append(page.Packets, web.PacketRow{PacketID: r.PacketID, IssuedAt: r.IssuedAt})
	}
	slices.SortStableFunc(page.Packets, func(a, b web.PacketRow) int { return b.IssuedAt.Compare(a.IssuedAt) })
	return s.render(c, http.StatusOK, page)
}

// issueFromPage is POST /agent/claims/{claim_id}/packets.
func (s *Server) issueFromPage(c *gin.Context) error {
	if err := s.checkedForm(c); err != nil {
		return err
	}
	p, err := s.dispute.Issue(c.Request.Context(), c.Param("claim_id"))
	if err != nil {
		if audit.ErrorCode(err) == audit.CodeInvalid {
			return s.showClaim(c, audit.ErrorMessage(err))
		}
		return err
	}
	s.metrics.packets.Inc()
	return s.seeOther(c, at("agent", "claims", p.ClaimID)+"#packets")
}

// decideFromPage is POST /agent/claims/{claim_id}/outcome.
func (s *Server) decideFromPage(c *gin.Context) error {
	if err := s.checkedForm(c); err != nil {
		return err
	}
	o, err := s.decide(c.Request.Context(), c.Param("claim_id"), OutcomeIn{Decision: dispute.Decision(c.PostForm("decision")), Note: c.PostForm("note")})
	if audit.ErrorCode(err) == audit.CodeInvalid {
		return s.showClaim(c, audit.ErrorMessage(err))
	}
	if err != nil {
		return err
	}
	return s.seeOther(c, at("agent", "claims", o.ClaimID))
}

// reauditsPage is GET /agent/reaudits.
func (s *Server) reauditsPage(c *gin.Context) error {
	runs, next, err := s.records.Runs(c.Request.Context(), c.Query("after"), rowsOnPage)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, web.Reaudits{Base: s.base(c), Runs: runs, Next: next})
}

// reauditPage is GET /agent/reaudits/{run_id}.
func (s *Server) reauditPage(c *gin.Context) error {
	ctx := c.Request.Context()
	run, err := s.records.Run(ctx, c.Param("run_id"))
	if err != nil {
		return err
	}
	flips, next, err := s.records.Flips(ctx, run.RunID, c.Query("after"), rowsOnPage)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, web.Reaudit{Base: s.base(c), Run: run, Flips: flips, Next: next})
}
