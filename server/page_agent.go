package server

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
	"porchlight/web"
)

const (
	claimsOnPage  = 25   // at least, where there are as many; each with its recommendation
	claimsLooked  = 2500 // at most, for a page of those of a channel or reason
	claimsWeighed = 250  // at most, for a page of those of a recommendation
	rowsOnPage    = 50
)

// claimsPage is GET /agent.
func (s *Server) claimsPage(c *gin.Context) error {
	asked := web.Asked{Search: strings.TrimSpace(c.Query("q")), All: c.Query("all") != "", Due: web.Within(c.Query("due")),
		Answer: dispute.Answer(c.Query("answer")), Channel: c.Query("channel"), Reason: strings.TrimSpace(c.Query("reason"))}
	if len(asked.Search) > 200 || len(asked.Reason) > 200 {
		return invalid("q and reason are at most 200 bytes")
	}
	if !slices.Contains(web.Withins, asked.Due) || asked.Answer != "" && !slices.Contains(web.Agent{}.Answers(), asked.Answer) {
		return invalid("due or answer is not one of the page's choices")
	}
	page := web.Agent{Base: s.base(c), Asked: asked, Channels: slices.Sorted(maps.Keys(s.dispute.Channels.Channels))}
	if asked.Channel != "" && !slices.Contains(page.Channels, asked.Channel) {
		page.Channels = append(page.Channels, asked.Channel)
	}
	if err := s.fillQueue(c.Request.Context(), &page, c.Query("after")); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, page)
}

// fillQueue looks through the claims, due first, until a page is full. Those of a time, a
// search or a delivery are looked up; channel, reason and recommendation are looked
// through, up to a bound, from which the next page goes on.
func (s *Server) fillQueue(ctx context.Context, page *web.Agent, after string) error {
	f := dispute.ClaimFilter{Search: page.Search, Open: !page.All}
	f.DueFrom, f.DueBefore = dueSpan(page.Due, s.now())
	reason := audit.FoldText(page.Reason)
	looked, weighed := 0, 0
	for page.Next = after; ; {
		claims, next, err := s.records.Claims(ctx, f, page.Next, claimsOnPage)
		if err != nil {
			return err
		}
		page.Next = next
		for _, claim := range claims {
			looked++
			if page.Channel != "" && claim.Channel != page.Channel || reason != "" && audit.FoldText(claim.Reason) != reason {
				continue
			}
			weighed++
			file, err := s.dispute.Case(ctx, claim.ClaimID)
			if err != nil {
				return err
			}
			if page.Answer != "" && file.Recommendation.Recommendation != page.Answer {
				continue
			}
			claim.DueAt = s.dispute.Channels.Due(claim)
			page.Claims = append(page.Claims, web.ClaimRow{
				Claim: claim, Delivery: file.Evidence.Delivery,
				Answer: file.Recommendation.Recommendation, Summary: file.Recommendation.Summary,
			})
		}
		if next == "" || len(page.Claims) >= claimsOnPage {
			return nil
		}
		if looked >= claimsLooked || weighed >= claimsWeighed {
			page.Looked = looked
			return nil
		}
	}
}

// dueSpan is the times between which claims are due; a zero one is no bound.
func dueSpan(w web.Within, now time.Time) (from, before time.Time) {
	switch w {
	case web.Overdue:
		return from, now
	case web.OneDay:
		return now, now.Add(24 * time.Hour)
	case web.OneWeek:
		return now, now.AddDate(0, 0, 7)
	}
	return from, before
}

// claimPage is GET /agent/claims/{claim_id}.
func (s *Server) claimPage(c *gin.Context) error { return s.showClaim(c, "") }

func (s *Server) showClaim(c *gin.Context, message string) error {
	ctx := c.Request.Context()
	file, refs, err := s.caseOf(ctx, c.Param("claim_id"))
	if err != nil {
		return err
	}
	if err := s.custody.look(ctx, custody.ClaimViewed, custody.Claim, file.Claim.ClaimID); err != nil {
		return err
	}
	page := web.AgentClaim{Base: s.base(c), CaseFile: file, Tiles: s.tiles, Message: message, NotOnRecord: file.NotOnRecord()}
	c.Header("Content-Security-Policy", s.tiles.Policy())
	page.Timeline, page.Undated = file.Timeline()
	page.Due = s.dispute.Channels.Due(file.Claim)
	if page.Outcome, err = s.records.Outcome(ctx, file.Claim.ClaimID); err != nil {
		return err
	}
	page.Channels = s.channelsByName()
	if page.Around, err = s.records.ClaimsAround(ctx, file.Evidence.Delivery, file.Claim.ClaimID); err != nil {
		return err
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

// bulkFromPage is POST /agent/packets: the packets of all open claims, or of those that are
// due when the form says, in one ZIP, ready for a channel where the form names one.
func (s *Server) bulkFromPage(c *gin.Context) error {
	f, err := s.smallForm(c)
	if err != nil {
		return err
	}
	if err := s.checkCSRF(c, f.Get("csrf")); err != nil {
		return err
	}
	due := web.Within(f.Get("due"))
	if !slices.Contains(web.Withins, due) {
		return invalid("due is not one of the page's choices")
	}
	open := dispute.ClaimFilter{Open: true}
	open.DueFrom, open.DueBefore = dueSpan(due, s.now())
	return s.writeBulk(c, open, f.Get("channel"))
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

// channelsByName are the channels that packets can be made ready for.
func (s *Server) channelsByName() []dispute.Channel {
	var out []dispute.Channel
	for _, name := range slices.Sorted(maps.Keys(s.dispute.Channels.Channels)) {
		out = append(out, s.dispute.Channels.Channels[name])
	}
	return out
}

// attachFromPage is POST /agent/claims/{claim_id}/attachments, as multipart.
func (s *Server) attachFromPage(c *gin.Context) (err error) {
	ctx := c.Request.Context()
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	f, err := s.fileForm(c, "what")
	defer func() { f.done(err) }()
	if err != nil {
		return err
	}
	claim, err := s.records.Claim(ctx, c.Param("claim_id"))
	if err != nil {
		return err
	}
	var d audit.Delivery
	if d, err = s.delivery(ctx, claim.TrackingID); err == nil {
		_, err = s.attach(ctx, s.newAttachment(ctx, d, "", strings.Join(f.fields["what"], "")), f.bytes())
	}
	switch audit.ErrorCode(err) {
	case "":
		return s.seeOther(c, at("agent", "claims", claim.ClaimID)+"#attached")
	case audit.CodeInvalid, audit.CodeEmpty, audit.CodeNotAPhoto, audit.CodeConflict, audit.CodeDelivery:
		return s.showClaim(c, audit.ErrorMessage(err))
	}
	return err
}

// packetPage is GET /agent/packets/{packet_id}.
func (s *Server) packetPage(c *gin.Context) error {
	ctx := c.Request.Context()
	frozen, err := s.packet(ctx, c.Param("packet_id"))
	if err != nil {
		return err
	}
	p, err := dispute.DecodePacket(frozen.JSON)
	if err != nil {
		return err
	}
	if err := s.custody.log(ctx, custody.PacketExported, custody.Packet, p.PacketID); err != nil {
		return err
	}
	c.Header("Content-Security-Policy", s.tiles.Policy())
	return s.render(c, http.StatusOK, web.AgentPacket{Base: s.base(c), Packet: p, Channels: s.channelsByName(), Tiles: s.tiles})
}

// photoPage is GET /agent/photos/{photo_id}.
func (s *Server) photoPage(c *gin.Context) error {
	ctx := c.Request.Context()
	uploads, err := s.photo(ctx, c.Param("photo_id"))
	if err != nil {
		return err
	}
	page := web.AgentPhoto{Base: s.base(c), PhotoID: c.Param("photo_id"), Uploads: uploads, Zoom: 1}
	if v := c.Query("zoom"); v != "" {
		if page.Zoom, err = strconv.Atoi(v); err != nil || !slices.Contains(page.Zooms(), page.Zoom) {
			return invalid("zoom is one of %v", page.Zooms())
		}
	}
	if page.Reports, err = s.records.Reports(ctx, page.PhotoID); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, page)
}
