package server

import (
	"bytes"
	"context"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

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

// packetFile is GET /api/v1/packets/{packet_id}.zip, .pdf and .json. The router knows
// whole segments of a path alone, so that they are one route.
func (s *Server) packetFile(c *gin.Context) error {
	ctx := c.Request.Context()
	name := c.Param("packet_id")
	kind := path.Ext(name)
	id := strings.TrimSuffix(name, kind)
	mediaType, ok := packetTypes[kind]
	if !ok {
		return audit.Errorf(audit.CodeNotFound, "There is no packet %s", name)
	}
	p, err := s.packet(ctx, id)
	if err != nil {
		return err
	}
	logged := func() error { return s.custody.log(ctx, custody.PacketExported, custody.Packet, id) }
	a := &attachment{c: c, name: "porchlight-" + name, mediaType: mediaType, log: logged}
	if kind == ".json" {
		c.Header("Content-Length", strconv.Itoa(len(p.JSON)))
		_, err = a.Write(p.JSON)
		return err
	}
	release, err := s.draw(ctx)
	if err != nil {
		return err
	}
	defer release()
	if kind == ".pdf" {
		if c.Query("show") != "" {
			a.disposition = "inline"
		}
		return lost(s.dispute.PDF(ctx, id, a))
	}
	// The ZIP's first byte comes once all originals are known to be whole: until then an
	// error can still be answered as one.
	return lost(s.dispute.WriteZIP(ctx, a, id))
}

var packetTypes = map[string]string{".zip": "application/zip", ".pdf": "application/pdf", ".json": "application/json"}

// packet finds a packet that a path names.
func (s *Server) packet(ctx context.Context, id string) (dispute.FrozenPacket, error) {
	p, err := s.records.Packet(ctx, id)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		err = audit.Errorf(audit.CodeNotFound, "There is no packet %s", id, err)
	}
	return p, err
}

// draw waits for one of the places in which pictures are drawn.
func (s *Server) draw(ctx context.Context) (release func(), err error) {
	select {
	case s.drawing <- struct{}{}:
		return func() { <-s.drawing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// PacketPath names a packet in a path.
type PacketPath struct {
	PacketID string `path:"packet_id" maxLength:"128" doc:"The packet's id"`
}

type preflightsInput struct {
	PacketPath
	Paging
}

// preflights is GET /api/v1/packets/{packet_id}/channels.
func (s *Server) preflights(ctx context.Context, in *preflightsInput) (*body[List[dispute.Preflight]], error) {
	if _, err := s.packet(ctx, in.PacketID); err != nil {
		return nil, err
	}
	release, err := s.draw(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	all, err := s.dispute.Preflights(ctx, in.PacketID)
	if err != nil {
		return nil, lost(err)
	}
	return listOf(pageOf(all, func(p dispute.Preflight) string { return p.Name }, in.Paging))
}

// submission is GET /api/v1/packets/{packet_id}/channels/{channel}.
func (s *Server) submission(c *gin.Context) error {
	ctx := c.Request.Context()
	id := c.Param("packet_id")
	if _, err := s.packet(ctx, id); err != nil {
		return err
	}
	release, err := s.draw(ctx)
	if err != nil {
		return err
	}
	defer release()
	sub, err := s.dispute.Submit(ctx, id, c.Param("channel"))
	if err != nil {
		return lost(err)
	}
	c.Header("Content-Length", strconv.Itoa(len(sub.Body)))
	_, err = bytes.NewReader(sub.Body).WriteTo(&attachment{c: c, name: sub.Name, mediaType: sub.MediaType, log: func() error {
		return s.custody.log(ctx, custody.PacketExported, custody.Packet, id)
	}})
	return err
}

// bulk is POST /api/v1/packets: the packets of all open claims of a filter in one ZIP.
func (s *Server) bulk(c *gin.Context) error {
	f := dispute.ClaimFilter{Open: true}
	var err error
	if due := c.Query("due_before"); due != "" {
		if f.DueBefore, err = instant("due_before", due); err != nil {
			return err
		}
	}
	return s.writeBulk(c, f, c.Query("channel"))
}

// writeBulk streams the packets of claims, ready for a channel where one is named.
func (s *Server) writeBulk(c *gin.Context, f dispute.ClaimFilter, channel string) error {
	if channel != "" {
		if _, err := s.dispute.Channels.Find(channel); err != nil {
			return err
		}
	}
	ctx := c.Request.Context()
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
		for claim, err := range dispute.EachClaim(ctx, s.records.Claims, f) {
			control.SetWriteDeadline(time.Now().Add(answerTime)) // as long as it goes on
			if !yield(claim, err) {
				return
			}
		}
	}, channel)
}

// attachment logs a download and sets its headers at its first byte.
type attachment struct {
	c           *gin.Context
	name        string // holds neither quotes nor control characters
	mediaType   string
	disposition string // attachment where empty
	log         func() error
	begun       bool
}

func (a *attachment) Write(p []byte) (int, error) {
	if !a.begun {
		if err := a.log(); err != nil {
			return 0, err
		}
		a.begun = true
		if a.disposition == "" {
			a.disposition = "attachment"
		}
		a.c.Header("Content-Disposition", a.disposition+`; filename="`+a.name+`"`)
		a.c.Header("Cache-Control", immutable)
		a.c.Header("Content-Type", a.mediaType)
		a.c.Status(http.StatusOK)
	}
	return a.c.Writer.Write(p)
}

// publicKey is GET /porchlight.pub: what packets' signatures are checked with.
func (s *Server) publicKey(c *gin.Context) error {
	if s.dispute.Signer == nil {
		return audit.Errorf(audit.CodeNotFound, "Packets are not signed here")
	}
	c.Data(http.StatusOK, "text/plain; charset=utf-8", s.dispute.Signer.PublicKey().Text())
	return nil
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
