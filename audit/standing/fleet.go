package standing

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"porchlight/audit"
)

// VerdictCounts are how many photos got each verdict, a person's word going over the
// checklist's.
type VerdictCounts struct {
	Accept int
	Review int
	Retake int
}

// Photos is how many there are in all.
func (c VerdictCounts) Photos() int { return c.Accept + c.Review + c.Retake }

func (c *VerdictCounts) add(v audit.Verdict) {
	switch v {
	case audit.Accept:
		c.Accept++
	case audit.Review:
		c.Review++
	default:
		c.Retake++
	}
}

// FleetDay is one day's photos.
type FleetDay struct {
	Day Date // UTC, of receipt
	VerdictCounts
	ReasonCounts // of those that were not accepted
}

// FleetDriver is one driver's photos.
type FleetDriver struct {
	DriverID string
	VerdictCounts
}

// ReusedPhoto is an upload whose picture was seen before, elsewhere or on another day.
type ReusedPhoto struct {
	audit.Upload
	audit.Finding
}

// Fleet is what all drivers' photos of some days came to.
type Fleet struct {
	VerdictCounts
	ReasonCounts // of those that were not accepted
	Days         []FleetDay
	Drivers      []FleetDriver // those with most photos that were not accepted first
	Reused       []ReusedPhoto // the latest first, at most [MaxReused]
	ReusedCount  int

	byDay    map[Date]*FleetDay
	byDriver map[string]*FleetDriver
}

// MaxReused is how many reused photos a [Fleet] lists.
const MaxReused = 20

// NewFleet begins counting the days (UTC) of [since, until).
func NewFleet(since, until time.Time) *Fleet {
	f := &Fleet{byDay: map[Date]*FleetDay{}, byDriver: map[string]*FleetDriver{}}
	for t := since.UTC().Truncate(24 * time.Hour); t.Before(until); t = t.AddDate(0, 0, 1) {
		f.byDay[DayOf(t)] = &FleetDay{Day: DayOf(t)}
	}
	return f
}

// Add counts an upload. One of another day is left out.
func (f *Fleet) Add(u audit.JudgedUpload, checklist *audit.Checklist) {
	day := f.byDay[DayOf(u.Upload.ReceivedAt)]
	if day == nil {
		return
	}
	verdict := u.Settled()
	f.VerdictCounts.add(verdict)
	day.VerdictCounts.add(verdict)
	if id := u.Upload.DriverID; id != "" {
		if f.byDriver[id] == nil {
			f.byDriver[id] = &FleetDriver{DriverID: id}
		}
		f.byDriver[id].add(verdict)
	}
	if verdict != audit.Accept {
		reason := whyNot(u, checklist)
		*f.Of(reason)++
		*day.Of(reason)++
	}
	if found, ok := u.Report.Finding("reuse"); ok && (found.Result == audit.Fail || found.Result == audit.Warn) {
		if f.ReusedCount++; len(f.Reused) < MaxReused {
			f.Reused = append(f.Reused, ReusedPhoto{u.Upload, found})
		}
	}
}

// whyNot is the reason because of which a photo was not accepted: a person's, else the
// one of the finding that decided.
func whyNot(u audit.JudgedUpload, checklist *audit.Checklist) audit.Reason {
	if r := u.Ruling; r != nil && r.Reason != "" {
		return r.Reason
	}
	if f, ok := checklist.Leading(u.Report); ok && slices.Contains(PhotoReasons, audit.Reason(f.Reason)) {
		return audit.Reason(f.Reason)
	}
	return audit.Other
}

// Done orders what was counted.
func (f *Fleet) Done() {
	for _, day := range slices.Sorted(maps.Keys(f.byDay)) {
		f.Days = append(f.Days, *f.byDay[day])
	}
	for _, d := range f.byDriver {
		f.Drivers = append(f.Drivers, *d)
	}
	slices.SortFunc(f.Drivers, func(a, b FleetDriver) int {
		return cmp.Or(cmp.Compare(b.Review+b.Retake, a.Review+a.Retake), cmp.Compare(a.DriverID, b.DriverID))
	})
}
