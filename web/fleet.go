package web

import (
	"fmt"
	"slices"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/standing"
)

// Fleet is what all drivers' photos and claims of some days came to: GET /agent/fleet,
// with days.
type Fleet struct {
	Base
	Days      int // that were asked for
	Counted   *standing.Fleet
	Cut       bool // there were more photos than are counted: only the latest are
	Buildings []dispute.Building
	Claims    int // that the buildings were found among
}

func (Fleet) template() string { return "fleet.html" }
func (Fleet) heading() string  { return "Fleet" }
func (Fleet) section() string  { return "fleet" }

// Periods are the numbers of days to choose from.
func (Fleet) Periods() []int { return []int{7, 14, 28} }

// verdictSeries are the verdicts, as charts show them.
var verdictSeries = []Series{{"accept", "good"}, {"review", "look"}, {"retake", "bad"}}

// Verdicts draws the verdicts by day.
func (p Fleet) Verdicts() Chart {
	c := Chart{ID: "verdicts", Title: "Verdicts by day", Unit: "photos", Of: "day (UTC)", Series: verdictSeries}
	if p.Counted == nil {
		return c
	}
	n := p.Counted.VerdictCounts
	c.Says = fmt.Sprintf("Of %d photos %s, %s to be looked at, %s to be taken again; a person's word goes over the checklist's", n.Photos(),
		share(n.Accept, n.Photos())+" accepted", share(n.Review, n.Photos()), share(n.Retake, n.Photos()))
	for _, d := range p.Counted.Days {
		c.Columns = append(c.Columns, Column{shortDay(d.Day), []float64{float64(d.Accept), float64(d.Review), float64(d.Retake)}})
	}
	return c
}

// Reasons draws why photos were not accepted.
func (p Fleet) Reasons() Chart {
	c := Chart{ID: "reasons", Title: "Why photos were not accepted", Unit: "photos", Of: "reason", Series: []Series{{"photos", "bad"}}}
	if p.Counted == nil {
		return c
	}
	for i, r := range standing.PhotoReasons {
		n := *p.Counted.Of(r)
		c.Columns = append(c.Columns, Column{fmt.Sprint(i + 1), []float64{float64(n)}})
	}
	return c
}

// ReasonRow is a reason's photos by day.
type ReasonRow struct {
	N      int
	Reason audit.Reason
	Days   []int
	All    int
}

// ReasonsByDay are the counts of the reasons, one row a reason.
func (p Fleet) ReasonsByDay() []ReasonRow {
	var out []ReasonRow
	if p.Counted == nil {
		return nil
	}
	for i, r := range standing.PhotoReasons {
		row := ReasonRow{N: i + 1, Reason: r, All: *p.Counted.Of(r)}
		for _, d := range p.Counted.Days {
			row.Days = append(row.Days, *d.Of(r))
		}
		out = append(out, row)
	}
	return out
}

// Watched are the drivers with most photos that were not accepted.
func (p Fleet) Watched() []standing.FleetDriver {
	if p.Counted == nil {
		return nil
	}
	all := slices.DeleteFunc(slices.Clone(p.Counted.Drivers), func(d standing.FleetDriver) bool { return d.Review+d.Retake == 0 })
	return all[:min(len(all), 15)]
}

// share is n of all in percent.
func share(n, all int) string {
	if all == 0 {
		return "0%"
	}
	return number(100*float64(n)/float64(all)) + "%"
}

// shortDay is a day without its year.
func shortDay(d standing.Date) string {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return string(d)
	}
	return t.Format("Jan 2")
}

// CarrierWeek holds our count of a week's photos against the carrier's: GET
// /agent/fleet/carrier, with week.
type CarrierWeek struct {
	Base
	Week    string // as it was asked for
	Message string // why there is nothing to show
	Carrier []standing.PhotoWeek
	Ours    []standing.PhotoCounts
	Differ  []standing.PhotoDifference
}

func (CarrierWeek) template() string  { return "fleet_carrier.html" }
func (p CarrierWeek) heading() string { return "Ours against the carrier's" }
func (CarrierWeek) section() string   { return "fleet" }

// Chart draws the figures of both.
func (p CarrierWeek) Chart() Chart {
	c := Chart{ID: "carrier", Title: "Reasons in " + p.Week, Unit: "deliveries", Of: "reason", Side: true, Series: []Series{{"the carrier", "none"}, {"ours", "look"}}}
	var theirs, ours standing.ReasonCounts
	for _, r := range standing.PhotoReasons {
		for i := range p.Carrier {
			*theirs.Of(r) += *p.Carrier[i].Of(r)
		}
		for i := range p.Ours {
			*ours.Of(r) += *p.Ours[i].Of(r)
		}
	}
	for i, r := range standing.PhotoReasons {
		c.Columns = append(c.Columns, Column{fmt.Sprint(i + 1), []float64{float64(*theirs.Of(r)), float64(*ours.Of(r))}})
	}
	c.Says = fmt.Sprintf("%d drivers in the carrier's report, %d in ours; %d counted otherwise", len(p.Carrier), len(p.Ours), len(p.Differ))
	return c
}

// Reasons are the nine reasons in the order of the chart's columns.
func (CarrierWeek) Reasons() []audit.Reason { return standing.PhotoReasons }
