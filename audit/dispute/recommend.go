package dispute

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"porchlight/audit"
	"porchlight/audit/geo"
)

// Point is one piece of evidence, for or against disputing a claim.
type Point struct {
	Rule   string `json:"rule"`   // its kind: stable, as the rules name it
	Text   string `json:"text"`   // in a sentence
	Source string `json:"source"` // the evidence that says so
	Weight int    `json:"weight"` // as the rules weigh it; 0 is printed and does not count

	short string // for the summary; absent where the summary has no use for it
}

// Recommendation is what to do about a claim, and why.
type Recommendation struct {
	Recommendation Answer  `json:"recommendation"`
	Summary        string  `json:"summary"`  // in a line
	Strength       int     `json:"strength"` // the reasons' weights less the weaknesses'
	Rules          string  `json:"rules"`    // their version
	Reasons        []Point `json:"reasons"`
	Weaknesses     []Point `json:"weaknesses"`
}

// Recommend weighs what is on record about a delivery against a claim. It is pure.
// What is unknown is never a strength: it stands among the weaknesses, in words.
// driver is the driver's record, nil where there is none.
func Recommend(c Claim, ev Evidence, driver *DriverRecord, rules *Rules) Recommendation {
	return recommend(c, ev, driver, rules, nil)
}

// recommend is Recommend with what is known of the photos' originals, by photo id.
func recommend(c Claim, ev Evidence, driver *DriverRecord, rules *Rules, originals map[string]OriginalState) Recommendation {
	w := &weighing{rules: rules, claim: c, ev: ev, driver: driver, originals: originals, reasons: []Point{}, weaknesses: []Point{}}
	if !ev.OnRecord() {
		w.speaksAgainst("delivery.unknown", "the delivery is not on record", fmt.Sprintf("no delivery %s is on record", c.TrackingID), sourceDelivery)
	} else {
		w.outcome()
		w.photos()
		w.proofs()
		w.scan()
		w.track()
		w.contacted()
		w.history()
	}
	w.claimed()
	return w.decide()
}

// Sources that are no single photo or event.
const (
	sourceDelivery = "delivery record"
	sourceScan     = "carrier scan"
	sourceClaim    = "customer's claim"
	sourcePhone    = "driver's phone"
	sourceServer   = "receiving server's clock"
	sourceDriver   = "driver's note"
	sourceTrack    = "driver's track"
	sourceEvents   = "contact events"
	sourceRecords  = "delivery and claim records"
)

func sourcePhoto(photoID string) string { return "photo " + first12(photoID) }

func sourceEvent(e Event) string {
	if e.Source == "" {
		return "event " + e.EventID + ", source not on record"
	}
	return e.Source + ", event " + e.EventID
}

func first12(photoID string) string { return photoID[:min(12, len(photoID))] }

// weighing collects points.
type weighing struct {
	rules      *Rules
	claim      Claim
	ev         Evidence
	driver     *DriverRecord
	originals  map[string]OriginalState
	reasons    []Point
	weaknesses []Point
}

func (w *weighing) speaksFor(rule, short, text, source string) {
	w.reasons = append(w.reasons, Point{Rule: rule, Text: text, Source: source, Weight: w.rules.Reasons[rule].Weight, short: short})
}

func (w *weighing) speaksAgainst(rule, short, text, source string) {
	w.weaknesses = append(w.weaknesses, Point{Rule: rule, Text: text, Source: source, Weight: w.rules.Weaknesses[rule].Weight, short: short})
}

func (w *weighing) outcome() {
	d := w.ev.Delivery
	switch {
	case d.Outcome == audit.Delivered:
		text := "recorded as delivered, time not on record"
		if at := w.ev.deliveredAt(); at != nil {
			text = "recorded as delivered at " + stamp(*at)
		}
		w.speaksFor("delivery.delivered", "", text, sourceDelivery)
	case d.Outcome == "":
		w.speaksAgainst("delivery.outcome_unknown", "outcome not on record", "how the delivery ended is not on record", sourceDelivery)
	default:
		text := "the outcome is " + string(d.Outcome)
		if d.OutcomeReason != "" {
			text += ": " + d.OutcomeReason
		}
		w.speaksAgainst("delivery.not_delivered", "recorded as "+string(d.Outcome), text, sourceDelivery)
	}
}

func (w *weighing) proofs() {
	d := w.ev.Delivery
	for _, p := range attendedProofs {
		name := proofWords[p]
		best, of := unrelated, Event{}
		for _, e := range w.ev.Events {
			if o := w.rules.proofOutcome(p, e); o > best {
				best, of = o, e
			}
		}
		switch best {
		case succeeded:
			w.speaksFor("proof."+string(p), name.done, fmt.Sprintf("%s at %s", name.done, stamp(of.At)), sourceEvent(of))
		case failed:
			w.speaksAgainst("proof.failed", name.noun+" failed", fmt.Sprintf("%s failed at %s and did not succeed later", name.noun, stamp(of.At)), sourceEvent(of))
		case unstated:
			w.speaksAgainst("proof.missing", name.noun+" not on record", fmt.Sprintf("%s attempted at %s, its result is not on record", name.noun, stamp(of.At)), sourceEvent(of))
		default:
			if slices.Contains(d.Proofs, p) {
				w.speaksAgainst("proof.missing", name.noun+" not on record", name.noun+" was required and is not on record", sourceDelivery)
			}
		}
	}
}

var proofWords = map[audit.Proof]struct{ noun, done string }{
	audit.ProofOneTimePassword: {"one-time password", "one-time password entered"},
	audit.ProofSignature:       {"signature", "signature taken"},
	audit.ProofIDCheck:         {"ID check", "ID checked"},
}

func (w *weighing) scan() {
	d := w.ev.Delivery
	at, scanned := d.Scan()
	stop, placed := d.Point()
	limit := w.rules.ScanWithinM
	if d.RadiusM != nil {
		limit = max(limit, *d.RadiusM)
	}
	switch {
	case !scanned:
		w.speaksAgainst("scan.unknown", "scan position not on record", "where the package was scanned is not on record", sourceScan)
	case !placed:
		w.speaksAgainst("scan.unknown", "stop's position not on record", "the stop's position is not on record, so the scan's distance is unknown", sourceDelivery)
	default:
		m := geo.Distance(at, stop)
		text := fmt.Sprintf("scanned %s m from the stop (limit %s m)", metres(m), metres(limit))
		if m <= limit {
			w.speaksFor("scan.near", "scanned at "+metres(m)+" m", text, sourceScan)
		} else {
			w.speaksAgainst("scan.far", "scanned "+metres(m)+" m away", text, sourceScan)
		}
	}
	if d.ScannedAt == nil {
		return
	}
	for _, e := range w.ev.Events {
		if e.Kind == "arrival" && e.At.After(*d.ScannedAt) {
			w.speaksAgainst("scan.before_arrival", "scanned before arrival", fmt.Sprintf("scanned at %s, before the arrival at %s", stamp(*d.ScannedAt), stamp(e.At)), sourceEvent(e))
			return
		}
	}
}

// track holds the driver's way against the stop at the time of the delivery.
func (w *weighing) track() {
	place, ok := trackPlace(w.ev)
	if !ok || place.AwayM == nil {
		return
	}
	limit := w.rules.ScanWithinM
	if r := w.ev.Delivery.RadiusM; r != nil {
		limit = max(limit, *r)
	}
	text := fmt.Sprintf("%s, %s m from the stop (limit %s m)", place.What, metres(*place.AwayM), metres(limit))
	if *place.AwayM <= limit {
		w.speaksFor("track.near", "tracked to "+metres(*place.AwayM)+" m", text, place.Source)
	} else {
		w.speaksAgainst("track.far", "tracked "+metres(*place.AwayM)+" m away", text, place.Source)
	}
}

func (w *weighing) contacted() {
	c, tried := contact(w.ev, w.rules)
	switch {
	case !tried:
	case c.Kept:
		w.speaksFor("contact.kept", "", "contact was tried as the guide asks: "+c.Words, sourceEvents)
	default:
		w.speaksAgainst("contact.short", "", "contact was not tried as the guide asks: "+c.Words, sourceEvents)
	}
}

// history weighs what is on record around the delivery.
func (w *weighing) history() {
	var near []string
	for _, n := range w.ev.History.NearScans {
		if d := n.At.Sub(*cmp.Or(w.ev.Delivery.ScannedAt, &n.At)); d.Abs().Seconds() <= w.rules.SimultaneousS {
			near = append(near, n.TrackingID)
		}
	}
	if len(near) > 0 {
		w.speaksAgainst("scan.simultaneous", "scanned with packages of other stops",
			fmt.Sprintf("scanned within %g s of %s for other stops: %s", w.rules.SimultaneousS, plural(len(near), "package"), strings.Join(near[:min(len(near), 5)], ", ")), sourceScan)
	}
	if h := w.ev.History; h.StopClaims >= w.rules.StopClaims {
		w.speaksFor("stop.claims", plural(h.StopClaims, "other claim")+" at this address",
			fmt.Sprintf("%s on the stop's other %d packages", plural(h.StopClaims, "claim"), h.StopPackages), sourceRecords)
	}
	if d := w.driver; d != nil && d.Packages >= w.rules.DriverPackages {
		per := float64(d.NotReceived) / float64(d.Packages)
		text := fmt.Sprintf("%d of the driver's last %d packages claimed as not received (limit 1 in %g)", d.NotReceived, d.Packages, 1/w.rules.DriverShare)
		if per <= w.rules.DriverShare {
			w.speaksFor("driver.reliable", "", text, sourceRecords)
		} else {
			w.speaksAgainst("driver.claims", "driver has other claims", text, sourceRecords)
		}
	}
}

func (w *weighing) claimed() {
	at, delivered := w.claim.ReportedAt, w.ev.deliveredAt()
	switch {
	case at == nil:
		w.speaksAgainst("claim.time_unknown", "", "when the claim was reported is not on record", sourceClaim)
	case delivered == nil:
	case at.Before(*delivered):
		w.speaksAgainst("claim.early", "claim reported before the delivery",
			fmt.Sprintf("reported at %s, before the delivery at %s: ask whether the package has arrived since", stamp(*at), stamp(*delivered)), sourceClaim)
	case at.Sub(*delivered).Hours()/24 > w.rules.ClaimLateDays:
		days := int(at.Sub(*delivered).Hours() / 24)
		w.speaksFor("claim.late", fmt.Sprintf("claim reported %d days later", days),
			fmt.Sprintf("reported %d days after the delivery (limit %g days)", days, w.rules.ClaimLateDays), sourceClaim)
	}
}

// decide sums the weights, each kind of evidence once.
func (w *weighing) decide() Recommendation {
	r := Recommendation{Rules: w.rules.Version, Reasons: w.reasons, Weaknesses: w.weaknesses}
	least, most := AcceptClaim, DisputeClaim
	count := func(points []Point, rules map[string]Rule, sign int) {
		seen := map[string]bool{}
		for _, p := range points {
			if seen[p.Rule] {
				continue
			}
			seen[p.Rule] = true
			rule := rules[p.Rule]
			r.Strength += sign * rule.Weight
			if rule.AtLeast.rank() > least.rank() {
				least = rule.AtLeast
			}
			if rule.AtMost != "" && rule.AtMost.rank() < most.rank() {
				most = rule.AtMost
			}
		}
	}
	count(w.reasons, w.rules.Reasons, 1)
	count(w.weaknesses, w.rules.Weaknesses, -1)
	answer := AcceptClaim
	switch {
	case r.Strength >= w.rules.DisputeFrom:
		answer = DisputeClaim
	case r.Strength >= w.rules.ReviewFrom:
		answer = ReviewClaim
	}
	if answer.rank() < least.rank() {
		answer = least
	}
	if answer.rank() > most.rank() {
		answer = most
	}
	heaviest := func(a, b Point) int { return b.Weight - a.Weight }
	slices.SortStableFunc(r.Reasons, heaviest)
	slices.SortStableFunc(r.Weaknesses, heaviest)
	r.Recommendation, r.Summary = answer, summary(answer, r)
	return r
}

// summary is the answer in a line: what carries it, in at most four phrases.
func summary(answer Answer, r Recommendation) string {
	phrases := func(points []Point, n int) []string {
		var out []string
		for _, p := range points {
			if p.short != "" && len(out) < n && !slices.Contains(out, p.short) {
				out = append(out, p.short)
			}
		}
		return out
	}
	var said []string
	switch answer {
	case DisputeClaim:
		said = phrases(r.Reasons, 4)
	case ReviewClaim:
		said = phrases(r.Reasons, 2)
		if against := phrases(r.Weaknesses, 2); len(against) > 0 {
			against[0] = strings.TrimSpace(map[bool]string{true: "but "}[len(said) > 0] + against[0])
			said = append(said, against...)
		}
	default:
		said = phrases(r.Weaknesses, 3)
	}
	if len(said) == 0 {
		said = []string{"nothing on record decides it"}
	}
	return string(answer) + ": " + strings.Join(said, ", ")
}

// stamp is an instant in words, in UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func metres(m float64) string { return fmt.Sprintf("%.0f", math.Round(m)) }
