package web

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// ClaimRow is a claim in the queue.
type ClaimRow struct {
	Claim    dispute.Claim
	Delivery audit.Delivery // its address, driver and zone are shown
	Answer   dispute.Answer // recommended; empty where none was made
	Summary  string         // of the recommendation
}

// Within is how soon a claim is due, as the queue can be narrowed.
type Within string

const (
	AnyTime Within = ""
	Overdue Within = "overdue"
	OneDay  Within = "day"  // within 24 hours, not overdue
	OneWeek Within = "week" // within 7 days, not overdue
)

// Withins are all choices, in the order of the page.
var Withins = []Within{AnyTime, Overdue, OneDay, OneWeek}

// Words says a choice.
func (w Within) Words() string {
	switch w {
	case Overdue:
		return "Overdue"
	case OneDay:
		return "Due within 24 hours"
	case OneWeek:
		return "Due within 7 days"
	}
	return "Any time"
}

// Inside says a choice within a sentence.
func (w Within) Inside() string { return strings.ToLower(w.Words()) }

// Asked is what the queue of claims was narrowed by; its zero value is all open claims.
type Asked struct {
	Search  string // a claim id, a tracking id, or how an address or the recipient's name begins
	All     bool   // decided claims too
	Due     Within
	Answer  dispute.Answer // recommended
	Channel string
	Reason  string // as the channel words it
}

// Narrowed tells whether anything narrows the queue but the search.
func (a Asked) Narrowed() bool {
	return a.Due != AnyTime || a.Answer != "" || a.Channel != "" || a.Reason != ""
}

// Link is the address of a page of the queue.
func (a Asked) Link(after string) string {
	q := url.Values{}
	for name, v := range map[string]string{"q": a.Search, "due": string(a.Due), "answer": string(a.Answer), "channel": a.Channel, "reason": a.Reason, "after": after} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if a.All {
		q.Set("all", "1")
	}
	if len(q) == 0 {
		return "/agent"
	}
	return "/agent?" + q.Encode()
}

// Agent is the queue of claims, those due first first: GET /agent, with the fields of
// [Asked] as q, all, due, answer, channel and reason.
type Agent struct {
	Base
	Asked
	Claims   []ClaimRow
	Next     string   // cursor of the next page, sent as after; empty on the last one
	Looked   int      // claims that were looked at in vain before the page was given up; 0 where it is complete
	Channels []string // to choose from
}

func (Agent) template() string { return "agent.html" }
func (Agent) heading() string  { return "Claims" }
func (Agent) section() string  { return "claims" }

// Withins and Answers are the choices of the page.
func (Agent) Withins() []Within { return Withins }

// Answers are the recommendations to choose from.
func (Agent) Answers() []dispute.Answer {
	return []dispute.Answer{dispute.DisputeClaim, dispute.ReviewClaim, dispute.AcceptClaim}
}

// PacketRow is a packet that was issued.
type PacketRow struct {
	PacketID string
	IssuedAt time.Time
}

// AgentClaim is one claim with all that is known about it: GET /agent/claims/{claim_id}.
// Its forms post csrf to .../packets, with decision and note to .../outcome, and as
// multipart with file and what to .../attachments.
type AgentClaim struct {
	Base
	dispute.CaseFile
	Timeline    []dispute.Line // oldest first
	Undated     []dispute.Line
	NotOnRecord []string
	Packets     []PacketRow // newest first
	Issued      string      // id of the packet that was issued just now
	Message     string      // why something was refused
	Due         *time.Time  // when an answer is due: the claim's own time, else by its channel
	Outcome     *dispute.Outcome
	Channels    []dispute.Channel // in order of name
	Around      dispute.Around    // earlier claims at the stop and on the driver's packages
	Tiles       *Tiles            // under the map; nil for none
}

func (AgentClaim) template() string  { return "agent_claim.html" }
func (p AgentClaim) heading() string { return "Claim " + p.Claim.ClaimID }
func (AgentClaim) section() string   { return "claims" }

// Zone is the stop's time zone, in which the page shows times.
func (p AgentClaim) Zone() *time.Location { return p.Evidence.Delivery.Zone() }

// Map is the case's positions drawn in [MapWidth] by [MapHeight]; nil without any.
func (p AgentClaim) Map() *Map { return p.Tiles.drawn(p.Sketch) }

// The size of a drawn map, in its own unit.
const (
	MapWidth  = 170
	MapHeight = 96
)

// AgentPacket is an issued packet as it is frozen, to be read: GET
// /agent/packets/{packet_id}.
type AgentPacket struct {
	Base
	dispute.Packet
	Channels []dispute.Channel // in order of name
	Tiles    *Tiles            // under the map; nil for none
}

func (AgentPacket) template() string  { return "agent_packet.html" }
func (p AgentPacket) heading() string { return "Packet on claim " + p.ClaimID }
func (AgentPacket) section() string   { return "claims" }

// Zone is the stop's time zone, in which the page shows times.
func (p AgentPacket) Zone() *time.Location { return p.Delivery.Zone() }

// Map is the packet's positions, drawn; nil without any.
func (p AgentPacket) Map() *Map { return p.Tiles.drawn(p.Packet.Sketch) }

// Shown tells whether a photo's original was intact, so that there is a preview.
func (AgentPacket) Shown(photo dispute.Photo) bool { return photo.Original == dispute.Intact }

// AgentPhoto is a photo alone, with all uploads of its bytes: GET
// /agent/photos/{photo_id}, with zoom.
type AgentPhoto struct {
	Base
	PhotoID string
	Uploads []audit.JudgedUpload // oldest first
	Reports []audit.Report       // all, oldest first
	Zoom    int                  // 1, 2 or 4 times the page's width
}

func (AgentPhoto) template() string  { return "agent_photo.html" }
func (p AgentPhoto) heading() string { return "Photo " + p.PhotoID[:min(12, len(p.PhotoID))] }
func (AgentPhoto) section() string   { return "claims" }

// Zooms are the sizes to choose from.
func (AgentPhoto) Zooms() []int { return []int{1, 2, 4} }

// Latest is the upload whose findings are marked in the photo.
func (p AgentPhoto) Latest() *audit.JudgedUpload {
	if len(p.Uploads) == 0 {
		return nil
	}
	return &p.Uploads[len(p.Uploads)-1]
}

// Earlier are the reports that no longer count, the latest first.
func (p AgentPhoto) Earlier() []audit.Report {
	now := map[string]bool{}
	for _, u := range p.Uploads {
		now[u.Report.ReportID] = true
	}
	out := slices.DeleteFunc(slices.Clone(p.Reports), func(r audit.Report) bool { return now[r.ReportID] })
	slices.Reverse(out)
	return out
}
