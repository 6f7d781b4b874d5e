package web

import (
	"time"
)

// moment is an instant as a machine and as a person reads it.
type moment struct {
	Machine, Human string
}

func at(t time.Time, zone *time.Location, layout string) moment {
	if zone == nil {
		zone = time.UTC
	}
	t = t.In(zone)
	return moment{t.Format(time.RFC3339), t.Format(layout)}
}

// newMoment is a day and time in a zone. t is a time.Time or a *time.Time; a nil or
// zero one is nil.
func newMoment(t any, zone *time.Location) *moment {
	return momentOf(t, zone, "Jan 2, 2006, 3:04 PM MST")
}

// newClock is the same without the year, to the second: for timelines.
func newClock(t any, zone *time.Location) *moment { return momentOf(t, zone, "Jan 2, 3:04:05 PM MST") }

// newDay is the day alone.
func newDay(t any, zone *time.Location) *moment { return momentOf(t, zone, "Jan 2, 2006") }

func momentOf(t any, zone *time.Location, layout string) *moment {
	var v time.Time
	switch t := t.(type) {
	case time.Time:
		v = t
	case *time.Time:
		if t != nil {
			v = *t
		}
	}
	if v.IsZero() {
		return nil
	}
	m := at(v, zone, layout)
	return &m
}

// interval is a delivery window.
type interval struct {
	From, To *moment
}

// newWindow is a window in a zone; nil where neither end is known. The day is named
// where it is not now's.
func newWindow(from, to *time.Time, zone *time.Location, now time.Time) *interval {
	if from == nil && to == nil {
		return nil
	}
	day := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.In(zone).Format(time.DateOnly)
	}
	today := day(&now)
	var w interval
	if from != nil {
		layout := "3:04 PM"
		if to == nil || day(to) != day(from) {
			layout += " MST"
		}
		if day(from) != today {
			layout = "Mon, Jan 2, " + layout
		}
		w.From = momentOf(from, zone, layout)
	}
	if to != nil {
		layout := "3:04 PM MST"
		if from == nil && day(to) != today || from != nil && day(to) != day(from) {
			layout = "Mon, Jan 2, " + layout
		}
		w.To = momentOf(to, zone, layout)
	}
	return &w
}

// deadline is how far off a due time is, in words.
type deadline struct {
	Words   string
	Overdue bool
}

func dueWords(due *time.Time, now time.Time) *deadline {
	if due == nil {
		return nil
	}
	left := due.Sub(now)
	if left < 0 {
		return &deadline{"Overdue by " + span(-left), true}
	}
	return &deadline{"Due in " + span(left), false}
}

// span is a duration in its largest unit, rounded down.
func span(d time.Duration) string {
	n, unit := int(d/(24*time.Hour)), "day"
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		n, unit = int(d/time.Minute), "minute"
	case d < 48*time.Hour:
		n, unit = int(d/time.Hour), "hour"
	}
	return count(n, unit)
}
