package web

import (
	"encoding/json"
	"slices"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// Happening is a button of a stop's page that records an event.
type Happening struct {
	Name   string // the form's what
	Kind   string // of the event
	Detail string
	Words  string // on the button
}

// Contacts and Obstacles are the buttons, in the order of the guides: text, wait, call.
var (
	Contacts = []Happening{
		{"texted", "contact_text", "", "I texted"},
		{"called", "contact_call", "", "I called"},
		{"answered", "contact_answer", "", "They answered"},
		{"left", "departure", "", "I left"},
	}
	Obstacles = []Happening{
		{"code", "access_problem", "the code did not work", "Code did not work"},
		{"locked", "access_problem", "the gate or door was locked", "Gate or door locked"},
		{"closed", "closure", "", "Closed"},
		{"unsafe", "access_problem", "not safe to go on", "Not safe"},
		{"not_found", "access_problem", "the address could not be found", "Address not found"},
	}
)

// FindHappening finds a button by its name.
func FindHappening(name string) (Happening, bool) {
	for _, h := range slices.Concat(Contacts, Obstacles) {
		if h.Name == name {
			return h, true
		}
	}
	return Happening{}, false
}

// Contacts and Obstacles are the page's buttons.
func (DriverStop) Contacts() []Happening  { return Contacts }
func (DriverStop) Obstacles() []Happening { return Obstacles }

// contactWithin is how long an attempt to reach the customer counts as the one under way.
const contactWithin = time.Hour

// Contact is when the customer was first texted or called within the last hour, from when
// on to call, and when the five minutes are over; nil where nobody tried.
func (p DriverStop) Contact() *ContactTimes {
	var c *ContactTimes
	for _, e := range p.Events {
		if (e.Kind == "contact_text" || e.Kind == "contact_call") && p.Now.Sub(e.At).Abs() <= contactWithin {
			if c == nil {
				c = &ContactTimes{From: e.At, CallFrom: e.At.Add(p.Pause), Until: e.At.Add(p.InAll)}
			}
			c.Called = c.Called || e.Kind == "contact_call"
		}
	}
	return c
}

// ContactTimes are the times of the guides' rule: text, wait two to three minutes, call,
// five minutes in all.
type ContactTimes struct {
	From, CallFrom, Until time.Time
	Called                bool
}

// stopFacts is what a stop page's script knows about the stop.
type stopFacts struct {
	Delivery audit.Delivery    `json:"delivery"`
	Driver   string            `json:"driver"`
	Required []audit.PhotoRole `json:"required"`
	Photos   []photoFact       `json:"photos"` // on record
	Texted   []time.Time       `json:"tried"`  // attempts to reach the customer on record, oldest first
	PauseS   float64           `json:"pause_s"`
	InAllS   float64           `json:"in_all_s"`
}

type photoFact struct {
	PhotoID string          `json:"photo_id"`
	Role    audit.PhotoRole `json:"role"`
	Verdict audit.Verdict   `json:"verdict"`
}

// Facts is what the page's script knows about the stop, as JSON.
func (p DriverStop) Facts() (string, error) {
	f := stopFacts{Delivery: p.Delivery, Driver: p.DriverID, Required: p.Required, Photos: []photoFact{}, Texted: []time.Time{}, PauseS: p.Pause.Seconds(), InAllS: p.InAll.Seconds()}
	for _, ph := range p.Photos {
		f.Photos = append(f.Photos, photoFact{ph.Upload.PhotoID, ph.Upload.Role, ph.Report.Verdict})
	}
	for _, e := range p.Events {
		if e.Kind == "contact_text" || e.Kind == "contact_call" {
			f.Texted = append(f.Texted, e.At)
		}
	}
	b, err := json.Marshal(f)
	return string(b), err
}

// Reject is a photo that did not pass.
type Reject struct {
	Stop
	Photo Photo
	Made  bool // the stop has what it needs by now
}

// DriverRejects lists a driver's photos that did not pass: GET /driver/rejects.
type DriverRejects struct {
	Base
	Days    int // that are looked at
	Photos  int // of them, all
	Rejects []Reject
}

func (DriverRejects) template() string { return "driver_rejects.html" }
func (DriverRejects) heading() string  { return "Your rejects" }
func (DriverRejects) section() string  { return "rejects" }

// Latest is the rejects, the latest first.
func (p DriverRejects) Latest() []Reject {
	out := slices.Clone(p.Rejects)
	slices.SortStableFunc(out, func(a, b Reject) int { return b.Photo.Upload.ReceivedAt.Compare(a.Photo.Upload.ReceivedAt) })
	return out
}

// DisputeRow is a claim on one of a driver's deliveries.
type DisputeRow struct {
	Claim    dispute.Claim
	Delivery audit.Delivery
	Due      *time.Time
	Outcome  *dispute.Outcome // nil while it is open
}

// DriverDisputes lists the claims on a driver's deliveries: GET /driver/disputes.
type DriverDisputes struct {
	Base
	Claims []DisputeRow
	Next   string // cursor of the next page, sent as after
}

func (DriverDisputes) template() string { return "driver_disputes.html" }
func (DriverDisputes) heading() string  { return "Your disputes" }
func (DriverDisputes) section() string  { return "disputes" }

// DriverDispute is a driver's own answer to a claim: GET /driver/disputes/{claim_id}. The
// message with its photos is at the same address followed by /email.
type DriverDispute struct {
	Base
	DisputeRow
	Draft dispute.Draft
}

func (DriverDispute) template() string  { return "driver_dispute.html" }
func (DriverDispute) section() string   { return "disputes" }
func (p DriverDispute) heading() string { return "Dispute of claim " + p.Claim.ClaimID }
