package web

import (
	"net/url"
	"time"

	"porchlight/audit"
)

// Review is the photo that has waited longest for a person: GET /agent/review. Its
// buttons post csrf, decision (accept, undo, or reject:REASON) and, where it was said,
// landmark (yes or no) to /agent/review/{upload_id}.
type Review struct {
	Base
	Photo    *audit.JudgedUpload // nil where none waits
	Delivery audit.Delivery      // of the photo
	Leading  *audit.Finding      // because of which it waits; nil where no finding says
	Waiting  int                 // photos that wait, counted up to a bound
	After    string              // cursor that the page was asked for with
	Next     string              // cursor of the photo behind, sent as after; empty for none
	Done     *audit.Ruling       // what was decided just now
	Message  string              // why a decision was refused
}

func (Review) template() string { return "review.html" }
func (Review) heading() string  { return "Review" }
func (Review) section() string  { return "review" }

// Deciding tells whether the reader may decide.
func (p Review) Deciding() bool { return p.Role != audit.Dispatch }

// Zone is the stop's time zone, in which the page shows times.
func (p Review) Zone() *time.Location { return p.Delivery.Zone() }

// Reasons are the nine reasons of a rejection, each with its key.
func (Review) Reasons() []audit.Reason { return audit.Reasons }

// Query is a query of names and values without the empty ones, with its question mark;
// empty where nothing is left.
func Query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// rulingWords says what a person decided.
func rulingWords(r *audit.Ruling) string {
	switch {
	case r == nil:
		return ""
	case r.Kind == audit.RuledAccept:
		return "Accepted by a person"
	case r.Kind == audit.RuledReject:
		return "Rejected by a person: " + plain(string(r.Reason))
	}
	return "Taken back: it waits again"
}

func rulingTone(r *audit.Ruling) string {
	switch {
	case r == nil || r.Kind == audit.RuledUndo:
		return "none"
	case r.Kind == audit.RuledAccept:
		return "good"
	}
	return "bad"
}
