package standing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"porchlight/audit"
)

// Standing is a level, of a figure or of a driver.
type Standing string

const (
	Fantastic Standing = "fantastic"
	Great     Standing = "great"
	Fair      Standing = "fair"
	AtRisk    Standing = "at_risk"
	Unknown   Standing = "unknown" // too little data; never a pass
)

// Standings are all standings, the best first.
var Standings = []Standing{Fantastic, Great, Fair, AtRisk, Unknown}

// Below tells whether s is a worse level than o; nothing is below or above unknown.
func (s Standing) Below(o Standing) bool {
	return s != Unknown && o != Unknown && slices.Index(Standings, s) > slices.Index(Standings, o)
}

// Figure is one measure with its limit and how it was counted.
type Figure struct {
	Name     string   `json:"name"`
	Value    *float64 `json:"value,omitempty"` // absent where unknown
	Unit     string   `json:"unit"`
	Count    int      `json:"count"` // the cases that the value counts
	Of       int      `json:"of"`    // among these
	Limit    float64  `json:"limit"` // of fair: beyond it the figure is at_risk
	Limits   Limits   `json:"limits"`
	Standing Standing `json:"standing"`
	Counted  string   `json:"counted"` // in words
}

// Assessment is a driver's standing with the figures it was made of.
type Assessment struct {
	Standing Standing `json:"standing"` // the worse of the two below; unknown without the first
	Quality  Standing `json:"quality"`  // of the packages
	Blocks   Standing `json:"reliability"`
	Window   Window   `json:"window"`
	Figures  []Figure `json:"figures"`
	Unknown  []string `json:"unknown"` // figures with too little data
}

// Figure finds a figure by its name; the zero figure where there is none.
func (a Assessment) Figure(name string) Figure {
	for _, f := range a.Figures {
		if f.Name == name {
			return f
		}
	}
	return Figure{}
}

// Snapshot is what was assessed for a day.
type Snapshot struct {
	DriverID   string    `json:"driver_id"`
	Day        Date      `json:"day"` // in UTC
	ComputedAt time.Time `json:"computed_at"`
	Targets    string    `json:"targets"` // version
	Assessment
}

// Warning is a sign that a standing is about to fall.
type Warning struct {
	Kind string `json:"kind"` // standing_dropped, repeated, not_received_rising
	Text string `json:"text"`
}

// Event is something that counts against a driver, or is said to.
type Event struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`
	Figure string    `json:"figure"` // that it moves
	ID     string    `json:"id"`     // of the package, block, claim or feedback
	Text   string    `json:"text"`
}

// Report is a driver's standing with what moved it.
type Report struct {
	DriverID string    `json:"driver_id"`
	At       time.Time `json:"at"`
	Targets  string    `json:"targets"` // version
	Label    string    `json:"label"`   // whose targets
	Assessment
	// SettledUntil: a carrier's own figures may not yet show what happened later.
	SettledUntil time.Time `json:"settled_until"`
	AppealDays   int       `json:"appeal_days"` // for the appeal of a deactivated driver
	Open         int       `json:"open"`        // packages of the last days without an outcome: they count nowhere yet
	Warnings     []Warning `json:"warnings"`
	Events       []Event   `json:"events"` // within the window, the latest first, at most MaxEvents
	EventCount   int       `json:"event_count"`
}

// MaxEvents is the most events that a report lists; it counts them all.
const MaxEvents = 200

// Judge assesses a driver as of then.
func (t *Targets) Judge(f Facts, at time.Time) Report {
	y := t.Tally(f, at)
	a := t.Assess(y)
	events := t.events(f, y)
	return Report{DriverID: f.DriverID, At: at, Targets: t.Version, Label: t.Label, Assessment: a, SettledUntil: at.AddDate(0, 0, -t.LagDays),
		AppealDays: t.AppealDays, Open: f.Open, Warnings: t.warnings(f, a, at), Events: events[:min(len(events), MaxEvents)], EventCount: len(events)}
}

// Snapshot is a tally's assessment as it is kept for a day.
func (t *Targets) Snapshot(driverID string, y Tally, day Date, at time.Time) Snapshot {
	return Snapshot{DriverID: driverID, Day: day, ComputedAt: at, Targets: t.Version, Assessment: t.Assess(y)}
}

// Assess holds a tally against the targets.
func (t *Targets) Assess(y Tally) Assessment {
	a := Assessment{Window: y.Window, Unknown: []string{}, Quality: Unknown, Blocks: Unknown}
	share := func(name string, n, of, least int, what string) Figure {
		f := t.figure(name, "share", n, of)
		f.Counted = fmt.Sprintf("%d of %d %s", n, of, what)
		if of < least {
			f.Counted += fmt.Sprintf("; needed are at least %d", least)
			return f
		}
		return f.at(float64(n) / float64(of))
	}
	a.Figures = []Figure{
		share(AttemptedRate, y.Attempted, y.Packages, t.AtLeast.Packages, "packages with an attempt on record"),
		share(DeliveredRate, y.Delivered, y.Packages, t.AtLeast.Packages, "packages delivered"),
		share(OnTimeRate, y.OnTime, y.Timed, t.AtLeast.Packages, "packages with a deadline and a time, delivered or attempted by the deadline"),
		t.notReceived(y), t.perMillion(y), t.rating(y),
		share(Reliability, y.Kept, y.Blocks, t.AtLeast.Blocks, fmt.Sprintf("blocks, the last %d: checked in within %g minutes, or cancelled at least %g minutes before",
			t.Blocks.Last, t.Blocks.OnTimeMinutes, t.Blocks.CancelMinutes)),
	}
	for _, f := range a.Figures {
		into := &a.Quality
		if f.Name == Reliability {
			into = &a.Blocks
		}
		switch {
		case f.Standing == Unknown:
			a.Unknown = append(a.Unknown, f.Name)
		case *into == Unknown || f.Standing.Below(*into):
			*into = f.Standing
		}
	}
	if a.Figure(DeliveredRate).Standing == Unknown {
		a.Quality = Unknown
	}
	a.Standing = a.Quality
	if a.Blocks.Below(a.Quality) {
		a.Standing = a.Blocks
	}
	return a
}

func (t *Targets) figure(name, unit string, count, of int) Figure {
	l := t.Figures[name]
	return Figure{Name: name, Unit: unit, Count: count, Of: of, Limit: l.Fair, Limits: l, Standing: Unknown}
}

// at is the figure with a value that is the better the higher it is.
func (f Figure) at(value float64) Figure {
	f.Value, f.Standing = &value, AtRisk
	switch {
	case value >= f.Limits.Fantastic:
		f.Standing = Fantastic
	case value >= f.Limits.Great:
		f.Standing = Great
	case value >= f.Limits.Fair:
		f.Standing = Fair
	}
	return f
}

// level is the level of a count that is the better the lower it is.
func (l Limits) level(value float64) Standing {
	switch {
	case value <= l.Fantastic:
		return Fantastic
	case value <= l.Great:
		return Great
	case value <= l.Fair:
		return Fair
	}
	return AtRisk
}

// notReceived holds packages that were claimed as not received against limits that grow
// with the window: for every 500 delivered packages, 500 at least.
func (t *Targets) notReceived(y Tally) Figure {
	f := t.figure(NotReceived, "packages", y.NotReceived, y.Delivered)
	scale := float64(max(y.Delivered, t.Window.Packages)) / float64(t.Window.Packages)
	for _, l := range []*float64{&f.Limits.Fantastic, &f.Limits.Great, &f.Limits.Fair} {
		*l *= scale
	}
	f.Limit = f.Limits.Fair
	f.Counted = fmt.Sprintf("%d of %d delivered packages claimed or conceded as not received, each once", y.NotReceived, y.Delivered)
	if y.Packages < t.AtLeast.Packages {
		f.Counted += fmt.Sprintf("; needed are at least %d packages", t.AtLeast.Packages)
		return f
	}
	value := float64(y.NotReceived)
	f.Value, f.Standing = &value, f.Limits.level(value)
	return f
}

// perMillion is the same as a rate, which fewer packages than the window's say nothing
// about.
func (t *Targets) perMillion(y Tally) Figure {
	f := t.figure(NotReceived, "per million", y.NotReceived, y.Delivered)
	f.Name = PerMillion
	for _, l := range []*float64{&f.Limits.Fantastic, &f.Limits.Great, &f.Limits.Fair} {
		*l *= 1e6 / float64(t.Window.Packages)
	}
	f.Limit = f.Limits.Fair
	f.Counted = fmt.Sprintf("%d of %d delivered packages, for a million", y.NotReceived, y.Delivered)
	if y.Packages < t.Window.Packages || y.Delivered == 0 {
		f.Counted += fmt.Sprintf("; needed are at least %d packages", t.Window.Packages)
		return f
	}
	value := float64(y.NotReceived) * 1e6 / float64(y.Delivered)
	// Held against the count's limits: returned packages must not turn one claim into two levels.
	f.Value, f.Standing = &value, t.notReceived(y).Standing
	return f
}

func (t *Targets) rating(y Tally) Figure {
	f := t.figure(FeedbackRating, "stars", y.Stars, y.Ratings)
	f.Counted = fmt.Sprintf("%d stars in %d ratings of the window's time", y.Stars, y.Ratings)
	if y.Ratings < t.AtLeast.Ratings {
		f.Counted += fmt.Sprintf("; needed are at least %d", t.AtLeast.Ratings)
		return f
	}
	return f.at(float64(y.Stars) / float64(y.Ratings))
}

// events are what counts against the driver within the tally, the latest first.
func (t *Targets) events(f Facts, y Tally) []Event {
	all := []Event{}
	delivered := map[string]bool{}
	for _, p := range f.Packages {
		if p.Mark&Counted == 0 || !y.holds(p.At, p.TrackingID) {
			continue
		}
		delivered[p.TrackingID] = p.Mark&Delivered != 0
		add := func(kind, figure, text string) {
			all = append(all, Event{At: p.At, Kind: kind, Figure: figure, ID: p.TrackingID, Text: text})
		}
		switch {
		case p.Mark&Attempted == 0:
			add(NoAttempt, AttemptedRate, "no attempt to deliver is on record")
		case p.Mark&Delivered == 0:
			add(PackageBack, DeliveredRate, "attempted, not delivered")
		}
		if p.Mark&Timed != 0 && p.Mark&OnTime == 0 {
			add(PackageLate, OnTimeRate, "delivered or attempted after its deadline")
		}
	}
	for _, m := range f.Missing {
		if !delivered[m.TrackingID] || m.ReportedAt.After(y.To) {
			continue
		}
		what := "claim " + m.ID
		if m.Concession {
			what = "the carrier's report"
		}
		text := what + ": package " + m.TrackingID + " not received"
		if len(m.Types) > 0 {
			text += " (" + strings.Join(m.Types, ", ") + ")"
		}
		all = append(all, Event{At: m.ReportedAt, Kind: PackageMissing, Figure: NotReceived, ID: m.ID, Text: text})
	}
	for _, b := range t.lastBlocks(f.Blocks, y.To) {
		if kind := t.blockFault(b); kind != "" {
			text := map[string]string{BlockMissed: "neither checked in nor cancelled"}[kind]
			switch kind {
			case BlockLate:
				text = fmt.Sprintf("checked in %s after the start", audit.Lasting(b.CheckedInAt.Sub(*b.ScheduledStart)))
			case BlockCancelled:
				text = fmt.Sprintf("cancelled %s before the start", audit.Lasting(b.ScheduledStart.Sub(*b.CancelledAt)))
			}
			all = append(all, Event{At: *b.ScheduledStart, Kind: kind, Figure: Reliability, ID: b.BlockID, Text: text})
		}
	}
	for _, r := range f.Feedback {
		at := r.Moment()
		if at.Before(y.From) || at.After(y.To) {
			continue
		}
		low := r.Rating > 0 && float64(r.Rating) < t.Figures[FeedbackRating].Fair
		if types := r.Types(); low || len(types) > 0 {
			text := "complaint"
			if r.Rating > 0 {
				text = fmt.Sprintf("rated %d of 5", r.Rating)
			}
			if len(types) > 0 {
				text += ": " + strings.Join(types, ", ")
			}
			all = append(all, Event{At: at, Kind: LowRating, Figure: FeedbackRating, ID: r.FeedbackID, Text: text})
		}
	}
	slices.SortFunc(all, func(a, b Event) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// warnings are the signs that the guides name: a standing that dropped, repeated
// contacts or claims of one type, more packages reported as not received.
func (t *Targets) warnings(f Facts, a Assessment, at time.Time) []Warning {
	out := []Warning{}
	w := t.Warnings
	best := Snapshot{}
	for _, s := range f.Past {
		age := at.Sub(s.Day.Start())
		if age > 0 && age <= time.Duration(w.Dropped.Days+1)*24*time.Hour && s.Day < DayOf(at) && a.Standing.Below(s.Standing) &&
			(best.Day == "" || best.Standing.Below(s.Standing) || s.Standing == best.Standing && s.Day > best.Day) {
			best = s
		}
	}
	if best.Day != "" {
		out = append(out, Warning{"standing_dropped", fmt.Sprintf("the standing was %s on %s and is %s now", best.Standing, best.Day, a.Standing)})
	}
	within := func(when time.Time, from, to int) bool { // days ago
		return !when.After(at.AddDate(0, 0, -from)) && when.After(at.AddDate(0, 0, -to))
	}
	times := map[string]int{}
	for _, m := range f.Missing {
		if within(m.ReportedAt, 0, w.Repeated.Days) {
			for _, kind := range m.Types {
				times[kind]++
			}
		}
	}
	for _, r := range f.Feedback {
		if within(r.Moment(), 0, w.Repeated.Days) {
			for _, kind := range r.Types() {
				times[kind]++
			}
		}
	}
	var kinds []string
	for kind, n := range times {
		if n >= w.Repeated.Times {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		out = append(out, Warning{"repeated", fmt.Sprintf("%s: %d times in %d days", kind, times[kind], w.Repeated.Days)})
	}
	now, before := map[string]bool{}, map[string]bool{}
	for _, m := range f.Missing {
		if within(m.ReportedAt, 0, w.Rising.Days) {
			now[m.TrackingID] = true
		} else if within(m.ReportedAt, w.Rising.Days, 2*w.Rising.Days) {
			before[m.TrackingID] = true
		}
	}
	if len(now) >= w.Rising.AtLeast && len(now) > len(before) {
		out = append(out, Warning{"not_received_rising", fmt.Sprintf("%d packages reported as not received in the last %d days, %d in the %d before",
			len(now), w.Rising.Days, len(before), w.Rising.Days)})
	}
	return out
}
