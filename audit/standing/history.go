package standing

import (
	"cmp"
	"slices"
)

// Day is one day of a driver's history: the standing that was kept for it, what of the
// figures is other than on the day before, and what happened.
type Day struct {
	Day      Date     `json:"day"`
	Standing Standing `json:"standing"`
	Changes  []Change `json:"changes"`
	Events   []Event  `json:"events"`
}

// Change is a figure that is other than on the day before.
type Change struct {
	Figure string   `json:"figure"`
	Before *float64 `json:"before,omitempty"`
	After  *float64 `json:"after,omitempty"`
	From   Standing `json:"from"`
	To     Standing `json:"to"`
}

// History lists the days that a standing was kept for, the latest first. A figure may
// also change because packages left the window: then there are changes without events.
func History(past []Snapshot, events []Event) []Day {
	past = slices.Clone(past)
	slices.SortFunc(past, func(a, b Snapshot) int { return cmp.Compare(a.Day, b.Day) })
	days := make([]Day, 0, len(past))
	for i, s := range past {
		d := Day{Day: s.Day, Standing: s.Standing, Changes: []Change{}, Events: []Event{}}
		if i > 0 {
			d.Changes = changes(past[i-1].Assessment, s.Assessment)
		}
		for _, e := range events {
			if DayOf(e.At) == s.Day {
				d.Events = append(d.Events, e)
			}
		}
		days = append(days, d)
	}
	slices.Reverse(days)
	return days
}

func changes(before, after Assessment) []Change {
	out := []Change{}
	for _, f := range after.Figures {
		b := before.Figure(f.Name)
		same := (b.Value == nil) == (f.Value == nil) && (b.Value == nil || *b.Value == *f.Value) && cmp.Or(b.Standing, Unknown) == f.Standing
		if !same {
			out = append(out, Change{Figure: f.Name, Before: b.Value, After: f.Value, From: cmp.Or(b.Standing, Unknown), To: f.Standing})
		}
	}
	return out
}
