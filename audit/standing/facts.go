package standing

import (
	"cmp"
	"slices"
	"time"

	"porchlight/audit"
)

// Mark is what a package counts for: bits, so that a store can keep and count them. The
// zero mark is a package without an outcome, which does not count yet.
type Mark int64

const (
	Counted   Mark = 1 << iota // it has an outcome
	Attempted                  // an attempt is on record
	Delivered
	Timed  // both its deadline and its time are on record
	OnTime // delivered or attempted by the deadline
)

// MarkOf is what a delivery counts for. An attempt is on record where it was delivered
// or attempted, and where it was scanned, whatever came of it. Its deadline is the end
// of its window, which still is on time.
func MarkOf(d audit.Delivery) Mark {
	if d.Outcome == "" {
		return 0
	}
	m := Counted
	if d.Outcome == audit.Delivered {
		m |= Delivered
	}
	if d.Outcome == audit.Delivered || d.Outcome == audit.Attempted || d.ScannedAt != nil {
		m |= Attempted
	}
	if done := cmp.Or(d.DeliveredAt, d.ScannedAt); done != nil && d.WindowEnd != nil {
		m |= Timed
		if !done.After(*d.WindowEnd) {
			m |= OnTime
		}
	}
	return m
}

// Package is what counts of one delivery.
type Package struct {
	TrackingID string
	At         time.Time // the start of its window; where there is none, when it was delivered, scanned or imported
	Mark       Mark
}

// Missing is a customer's claim, or a carrier's concession, that a delivered package was
// not received.
type Missing struct {
	ID         string // the claim's, or the concession's
	TrackingID string
	PackageAt  time.Time // the package's, see [Package]
	ReportedAt time.Time // the package's where it is not known
	Types      []string  // the reason given, or the carrier's flags
	Concession bool
}

// Facts are what one driver's figures are made of.
type Facts struct {
	DriverID string
	Packages []Package // with an outcome, in any order: all that either window may hold
	Missing  []Missing // on packages of the driver's
	Blocks   []Block
	Feedback []Feedback
	Past     []Snapshot // earlier days
	Open     int        // packages of the window by days without an outcome
}

// Without is the facts without a claim, and whether there was one: what the figures
// would be if it had not been made. The carrier's concession on the same package is the
// same word again and goes with it. A concession is named by its own id.
func (f Facts) Without(id string) (Facts, bool) {
	gone, tracking := false, ""
	for _, m := range f.Missing {
		if m.ID == id {
			gone, tracking = true, m.TrackingID
		}
	}
	f.Missing = slices.DeleteFunc(slices.Clone(f.Missing), func(m Missing) bool {
		return m.ID == id || gone && m.Concession && m.TrackingID == tracking
	})
	return f, gone
}

// Window is the packages that count.
type Window struct {
	From     time.Time `json:"from"` // of the oldest package, or of the days
	To       time.Time `json:"to"`
	Packages int       `json:"packages"`
	By       string    `json:"by"` // packages or days: what holds more

	first string // tracking id of the oldest package, where it bounds the window
}

// holds tells whether a package that counts is within the window.
func (w Window) holds(at time.Time, trackingID string) bool {
	if at.After(w.To) || at.Before(w.From) {
		return false
	}
	return w.first == "" || at.After(w.From) || trackingID >= w.first
}

// Tally is what the figures are computed from.
type Tally struct {
	Window
	Attempted, Delivered, Timed, OnTime int
	NotReceived                         int // packages, however often claimed
	Ratings, Stars                      int // how many, and their sum
	Blocks, Kept                        int // of the last ones; on time or cancelled in time
}

// Tally counts the facts as of then.
func (t *Targets) Tally(f Facts, at time.Time) Tally {
	packages := slices.DeleteFunc(slices.Clone(f.Packages), func(p Package) bool { return p.Mark&Counted == 0 || p.At.After(at) })
	slices.SortFunc(packages, func(a, b Package) int { // the latest first
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.TrackingID, a.TrackingID))
	})
	since := t.Since(at)
	days := 0
	for days < len(packages) && !packages[days].At.Before(since) {
		days++
	}
	c := Counts{Days: true}
	if n := min(len(packages), t.Window.Packages); n >= days && n > 0 {
		packages, c.Days = packages[:n], false
		c.Oldest, c.First = packages[n-1].At, packages[n-1].TrackingID
	} else {
		packages = packages[:days]
	}
	delivered := map[string]time.Time{}
	for _, p := range packages {
		c.Packages++
		c.Attempted += p.Mark.bit(Attempted)
		c.Delivered += p.Mark.bit(Delivered)
		c.Timed += p.Mark.bit(Timed)
		c.OnTime += p.Mark.bit(OnTime)
		if p.Mark&Delivered != 0 {
			delivered[p.TrackingID] = p.At
		}
	}
	var missing []Missing
	for _, m := range f.Missing {
		if on, ok := delivered[m.TrackingID]; ok {
			m.PackageAt = on
			missing = append(missing, m)
		}
	}
	return t.TallyOf(c, missing, f.Blocks, f.Feedback, at)
}

// Counts are the packages of a window, counted. A window by days holds all packages since
// [Targets.Since]; the other one the last ones, the Window.Packages of the targets at most.
type Counts struct {
	Packages, Attempted, Delivered, Timed, OnTime int

	Days   bool      // the window by days holds more
	Oldest time.Time // package, of the window by packages
	First  string    // its tracking id; only a window that is full needs it
}

// TallyOf counts the rest to packages that were counted already. missing is on delivered
// packages alone.
func (t *Targets) TallyOf(c Counts, missing []Missing, blocks []Block, feedback []Feedback, at time.Time) Tally {
	w := Window{From: t.Since(at), To: at, Packages: c.Packages, By: "days"}
	if !c.Days {
		w.By = "packages"
		w.bound(t, c.Oldest, c.First, c.Packages)
	}
	out := Tally{Window: w, Attempted: c.Attempted, Delivered: c.Delivered, Timed: c.Timed, OnTime: c.OnTime}
	claimed := map[string]bool{}
	for _, m := range missing {
		if w.holds(m.PackageAt, m.TrackingID) && !m.ReportedAt.After(at) {
			claimed[m.TrackingID] = true
		}
	}
	out.NotReceived = len(claimed)
	t.rate(&out, feedback)
	t.keep(&out, blocks)
	return out
}

// bound sets where a window by packages begins. One that is not full reaches back over
// its days, for what is counted by time.
func (w *Window) bound(t *Targets, oldest time.Time, trackingID string, n int) {
	switch {
	case n == t.Window.Packages:
		w.From, w.first = oldest, trackingID
	case oldest.Before(w.From):
		w.From = oldest
	}
}

// bit is 1 where the mark has it.
func (m Mark) bit(of Mark) int {
	if m&of != 0 {
		return 1
	}
	return 0
}

// rate counts the ratings of the window's time.
func (t *Targets) rate(y *Tally, feedback []Feedback) {
	for _, f := range feedback {
		if f.Rating > 0 && !f.Moment().Before(y.From) && !f.Moment().After(y.To) {
			y.Ratings++
			y.Stars += f.Rating
		}
	}
}

// keep counts the last blocks that have begun.
func (t *Targets) keep(y *Tally, blocks []Block) {
	for _, b := range t.lastBlocks(blocks, y.To) {
		y.Blocks++
		if t.blockFault(b) == "" {
			y.Kept++
		}
	}
}

// lastBlocks are the last blocks as of then, the latest first.
func (t *Targets) lastBlocks(blocks []Block, at time.Time) []Block {
	until := t.BlocksUntil(at)
	begun := slices.DeleteFunc(slices.Clone(blocks), func(b Block) bool { return b.ScheduledStart == nil || b.ScheduledStart.After(until) })
	slices.SortFunc(begun, func(a, b Block) int {
		return cmp.Or(b.ScheduledStart.Compare(*a.ScheduledStart), cmp.Compare(b.BlockID, a.BlockID))
	})
	return begun[:min(len(begun), t.Blocks.Last)]
}

// Kinds of events that count against a driver.
const (
	BlockLate      = "block_late"
	BlockCancelled = "block_cancelled_late"
	BlockMissed    = "block_missed"
	PackageMissing = "not_received"
	PackageLate    = "late"
	PackageBack    = "not_delivered"
	NoAttempt      = "not_attempted"
	LowRating      = "low_rating"
)

// blockFault is how a block counts against its driver; "" where it does not. Who checked
// in is held to the check-in, whatever else is on record.
func (t *Targets) blockFault(b Block) string {
	switch {
	case b.CheckedInAt != nil:
		if b.CheckedInAt.After(b.ScheduledStart.Add(minutes(t.Blocks.OnTimeMinutes))) {
			return BlockLate
		}
	case b.CancelledAt != nil:
		if b.CancelledAt.After(b.ScheduledStart.Add(-minutes(t.Blocks.CancelMinutes))) {
			return BlockCancelled
		}
	default:
		return BlockMissed
	}
	return ""
}
