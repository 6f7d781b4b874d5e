package standing

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func ptr[T any](v T) *T { return &v }

const (
	day  = 24 * time.Hour
	good = Counted | Attempted | Delivered | Timed | OnTime
)

// packages are n of a mark, a minute apart, the first one that long ago.
func packages(prefix string, n int, first time.Duration, m Mark) []Package {
	out := make([]Package, n)
	for i := range out {
		out[i] = Package{TrackingID: fmt.Sprintf("%s%05d", prefix, i), At: ago(first + time.Duration(i)*time.Minute), Mark: m}
	}
	return out
}

func claims(prefix string, ids ...int) []Missing {
	var out []Missing
	for _, i := range ids {
		out = append(out, Missing{ID: fmt.Sprint("C", i), TrackingID: fmt.Sprintf("%s%05d", prefix, i), ReportedAt: ago(day)})
	}
	return out
}

// block is one that began that long ago, checked in and cancelled so many seconds after its start.
func block(i int, began time.Duration, checkedIn, cancelled *float64) Block {
	start := ago(began)
	b := Block{BlockID: fmt.Sprintf("B%03d", i), DriverID: "D1", ScheduledStart: &start}
	for at, into := range map[*float64]**time.Time{checkedIn: &b.CheckedInAt, cancelled: &b.CancelledAt} {
		if at != nil {
			*into = ptr(start.Add(time.Duration(*at * float64(time.Second))))
		}
	}
	return b
}

func blocks(n int, checkedIn, cancelled *float64) []Block {
	var out []Block
	for i := range n {
		out = append(out, block(i, time.Duration(i+1)*day, checkedIn, cancelled))
	}
	return out
}

func ratings(stars ...int) []Feedback {
	var out []Feedback
	for i, n := range stars {
		out = append(out, Feedback{FeedbackID: fmt.Sprint("F", i), DriverID: "D1", Rating: n, At: ago(time.Hour)})
	}
	return out
}

func TestFigures(t *testing.T) {
	join := slices.Concat[[]Package]
	type want struct {
		figure   string
		value    float64 // -1: unknown
		of       int
		standing Standing
	}
	tests := map[string]struct {
		facts Facts
		want  []want
	}{
		// 485 of 500 are exactly 97%: the guide's minimum is met.
		"delivered 97%": {Facts{Packages: join(packages("A", 485, 0, good), packages("B", 15, 8*time.Hour+6*time.Minute, Counted|Attempted))},
			[]want{{DeliveredRate, 0.97, 500, Fair}, {AttemptedRate, 1, 500, Fantastic}}},
		// 484 of 500 are 96.8%.
		"delivered 96.8%": {Facts{Packages: join(packages("A", 484, 0, good), packages("B", 16, 9*time.Hour, Counted|Attempted))},
			[]want{{DeliveredRate, 0.968, 500, AtRisk}}},
		// 495 of 500 are 99%, 490 are 98%.
		"delivered 99%": {Facts{Packages: join(packages("A", 495, 0, good), packages("B", 5, 9*time.Hour, Counted))},
			[]want{{DeliveredRate, 0.99, 500, Fantastic}, {AttemptedRate, 0.99, 500, Fantastic}}},
		"delivered 98%": {Facts{Packages: join(packages("A", 490, 0, good), packages("B", 10, 9*time.Hour, Counted|Attempted))},
			[]want{{DeliveredRate, 0.98, 500, Great}}},
		// 380 of the 400 that have a deadline and a time are 95%; 100 without do not count.
		"on time 95%": {Facts{Packages: join(packages("A", 380, 0, good), packages("B", 20, 7*time.Hour, good&^OnTime), packages("C", 100, 9*time.Hour, good&^(Timed|OnTime)))},
			[]want{{OnTimeRate, 0.95, 400, Fair}, {DeliveredRate, 1, 500, Fantastic}}},
		// 379 of 400 are 94.75%.
		"on time 94.75%": {Facts{Packages: join(packages("A", 379, 0, good), packages("B", 21, 7*time.Hour, good&^OnTime))},
			[]want{{OnTimeRate, 0.9475, 400, AtRisk}}},
		// 50 packages are the least; 49 of them timed are not enough for on_time.
		"50 packages": {Facts{Packages: join(packages("A", 49, 0, good), packages("B", 1, 7*time.Hour, good&^(Timed|OnTime)))},
			[]want{{DeliveredRate, 1, 50, Fantastic}, {OnTimeRate, -1, 49, Unknown}, {NotReceived, 0, 50, Fantastic}, {PerMillion, -1, 50, Unknown}}},
		"49 packages": {Facts{Packages: packages("A", 49, 0, good), Missing: claims("A", 1)},
			[]want{{DeliveredRate, -1, 49, Unknown}, {AttemptedRate, -1, 49, Unknown}, {NotReceived, -1, 49, Unknown}}},
		"nothing": {Facts{}, []want{{DeliveredRate, -1, 0, Unknown}, {Reliability, -1, 0, Unknown}, {FeedbackRating, -1, 0, Unknown}}},
		// 1 in 500 is 2,000 per million: great. 2 are 4,000: fair. 3 are 6,000: at risk.
		"no DNR":  {Facts{Packages: packages("A", 500, 0, good)}, []want{{NotReceived, 0, 500, Fantastic}, {PerMillion, 0, 500, Fantastic}}},
		"one DNR": {Facts{Packages: packages("A", 500, 0, good), Missing: claims("A", 7)}, []want{{NotReceived, 1, 500, Great}, {PerMillion, 2000, 500, Great}}},
		"two DNR": {Facts{Packages: packages("A", 500, 0, good), Missing: claims("A", 7, 8)}, []want{{NotReceived, 2, 500, Fair}, {PerMillion, 4000, 500, Fair}}},
		"three DNR": {Facts{Packages: packages("A", 500, 0, good), Missing: claims("A", 7, 8, 9)}, []want{{NotReceived, 3, 500, AtRisk},
			{PerMillion, 6000, 500, AtRisk}}},
		// 3 in 3,000 are 1,000 per million; the limit of 0.5 for 500 is 3 for 3,000.
		"three DNR in 3,000": {Facts{Packages: packages("A", 3000, 0, good), Missing: claims("A", 7, 8, 9)},
			[]want{{NotReceived, 3, 3000, Fantastic}, {PerMillion, 1000, 3000, Fantastic}}},
		// Two claims and a concession on one package are one package.
		"claimed thrice": {Facts{Packages: packages("A", 500, 0, good), Missing: append(claims("A", 7, 7), Missing{ID: "X", TrackingID: "A00007", ReportedAt: ago(day), Concession: true})},
			[]want{{NotReceived, 1, 500, Great}}},
		// A claim on a package that was not delivered, on another's, and one of tomorrow do not count.
		"claims that do not count": {Facts{Packages: join(packages("A", 499, 0, good), packages("B", 1, 9*time.Hour, Counted|Attempted)),
			Missing: append(append(claims("B", 0), claims("Z", 3)...), Missing{ID: "C9", TrackingID: "A00001", ReportedAt: now.Add(time.Second)})},
			[]want{{NotReceived, 0, 499, Fantastic}}},
		// (5+5+5+5+4)/5 = 4.8; (5+4+4+5+4)/5 = 4.4; 9 stars in 2 ratings are too few.
		"4.8 stars": {Facts{Packages: packages("A", 500, 0, good), Feedback: ratings(5, 5, 5, 5, 4)}, []want{{FeedbackRating, 4.8, 5, Fantastic}}},
		"4.5 stars": {Facts{Packages: packages("A", 500, 0, good), Feedback: ratings(5, 4, 5, 4, 5, 4)}, []want{{FeedbackRating, 4.5, 6, Fair}}},
		"4.4 stars": {Facts{Packages: packages("A", 500, 0, good), Feedback: ratings(5, 4, 4, 5, 4)}, []want{{FeedbackRating, 4.4, 5, AtRisk}}},
		"2 ratings": {Facts{Packages: packages("A", 500, 0, good), Feedback: ratings(5, 4)}, []want{{FeedbackRating, -1, 2, Unknown}}},
		// Complaints without a rating are no zero stars.
		"complaints": {Facts{Packages: packages("A", 500, 0, good), Feedback: append(ratings(5, 5, 5, 5, 5), Feedback{FeedbackID: "G", At: ago(1), WrongItem: true})},
			[]want{{FeedbackRating, 5, 5, Fantastic}}},
		// 19 of 20 are 95%, 18 90%, 16 80%, 15 75%.
		"20 blocks": {Facts{Blocks: blocks(20, ptr(0.0), nil)}, []want{{Reliability, 1, 20, Fantastic}}},
		"16 of 20":  {Facts{Blocks: append(blocks(16, ptr(0.0), nil), blocks(4, nil, nil)...)}, []want{{Reliability, 0.8, 20, Fair}}},
		"15 of 20":  {Facts{Blocks: append(blocks(15, ptr(0.0), nil), blocks(5, nil, nil)...)}, []want{{Reliability, 0.75, 20, AtRisk}}},
		"4 blocks":  {Facts{Blocks: blocks(4, ptr(0.0), nil)}, []want{{Reliability, -1, 4, Unknown}}},
		// The 21st block, which was missed, is no longer among the last 20.
		"21 blocks": {Facts{Blocks: append(blocks(20, ptr(0.0), nil), block(99, 30*day, nil, nil))}, []want{{Reliability, 1, 20, Fantastic}}},
		// Five minutes to the second are on time, 300.001 s are not.
		"5 min exactly":     {Facts{Blocks: blocks(10, ptr(300.0), nil)}, []want{{Reliability, 1, 10, Fantastic}}},
		"past 5 min":        {Facts{Blocks: blocks(10, ptr(300.001), nil)}, []want{{Reliability, 0, 10, AtRisk}}},
		"an hour early":     {Facts{Blocks: blocks(10, ptr(-3600.0), nil)}, []want{{Reliability, 1, 10, Fantastic}}},
		"45 min exactly":    {Facts{Blocks: blocks(10, nil, ptr(-2700.0))}, []want{{Reliability, 1, 10, Fantastic}}},
		"44:59.999 before":  {Facts{Blocks: blocks(10, nil, ptr(-2699.999))}, []want{{Reliability, 0, 10, AtRisk}}},
		"cancelled, came":   {Facts{Blocks: blocks(10, ptr(0.0), ptr(-60.0))}, []want{{Reliability, 1, 10, Fantastic}}},
		"missed":            {Facts{Blocks: blocks(10, nil, nil)}, []want{{Reliability, 0, 10, AtRisk}}},
		"begun 4:59 ago":    {Facts{Blocks: append(blocks(10, ptr(0.0), nil), block(99, 299*time.Second, nil, nil))}, []want{{Reliability, 1, 10, Fantastic}}},
		"begun 5 min ago":   {Facts{Blocks: append(blocks(9, ptr(0.0), nil), block(99, 300*time.Second, nil, nil))}, []want{{Reliability, 0.9, 10, Great}}},
		"without a start":   {Facts{Blocks: append(blocks(9, ptr(0.0), nil), Block{BlockID: "X"})}, []want{{Reliability, 1, 9, Fantastic}}},
		"blocks to be done": {Facts{Blocks: append(blocks(9, ptr(0.0), nil), block(99, -day, nil, nil))}, []want{{Reliability, 1, 9, Fantastic}}},
	}
	targets := Targets2026()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := targets.Judge(test.facts, now).Assessment
			for _, w := range test.want {
				f := a.Figure(w.figure)
				value := -1.0
				if f.Value != nil {
					value = *f.Value
				}
				if value != w.value || f.Of != w.of || f.Standing != w.standing {
					t.Errorf("%s = %v of %d, %s; want %v of %d, %s (%s)", w.figure, value, f.Of, f.Standing, w.value, w.of, w.standing, f.Counted)
				}
				if slices.Contains(a.Unknown, w.figure) != (w.standing == Unknown) {
					t.Errorf("unknown are %v", a.Unknown)
				}
			}
		})
	}
}

// TestWindows holds the windows at their edges: package 500 and 501, day 30 and 31.
func TestWindows(t *testing.T) {
	bad := Counted | Attempted
	tests := map[string]struct {
		packages []Package
		by       string
		n        int
		out      int // of them not delivered
	}{
		// 499 good ones newer than a bad one: that is the 500th, within.
		"the 500th": {slices.Concat(packages("A", 499, 40*day, good), packages("B", 1, 50*day, bad)), "packages", 500, 1},
		"the 501st": {slices.Concat(packages("A", 500, 40*day, good), packages("B", 1, 50*day, bad)), "packages", 500, 0},
		// All of one moment: the higher tracking ids are the later ones, so that B00000, the bad one, is left out of Z's.
		"ties": {func() []Package {
			all := slices.Concat(packages("Z", 500, 0, good), packages("B", 1, 0, bad))
			for i := range all {
				all[i].At = ago(40 * day)
			}
			return all
		}(), "packages", 500, 0},
		// 600 packages in 30 days are more than 500; one 30 days old to the second is within, 30 days and a second is not.
		"day 30":     {slices.Concat(packages("A", 599, 0, good), []Package{{"B", ago(30 * day), bad}}), "days", 600, 1},
		"past 30":    {slices.Concat(packages("A", 599, 0, good), []Package{{"B", ago(30*day + time.Second), bad}}), "days", 599, 0},
		"day 31":     {slices.Concat(packages("A", 599, 0, good), []Package{{"B", ago(31 * day), bad}}), "days", 599, 0},
		"few":        {slices.Concat(packages("A", 10, 0, good), packages("B", 5, 400*day, bad)), "packages", 15, 5},
		"tie of two": {packages("A", 500, 0, good), "packages", 500, 0},
		"none":       {nil, "days", 0, 0},
		"to come":    {slices.Concat(packages("A", 10, 0, good), []Package{{"B", now.Add(time.Second), bad}}), "packages", 10, 0},
		"open":       {slices.Concat(packages("A", 10, 0, good), []Package{{"B", ago(day), 0}}), "packages", 10, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			slices.Reverse(test.packages) // any order
			y := Targets2026().Tally(Facts{Packages: test.packages}, now)
			if y.By != test.by || y.Packages != test.n || y.Packages-y.Delivered != test.out || !y.To.Equal(now) {
				t.Errorf("by %s: %d packages, %d out; want %s, %d, %d", y.By, y.Packages, y.Packages-y.Delivered, test.by, test.n, test.out)
			}
		})
	}
}

func TestMarkOf(t *testing.T) {
	end := now
	for name, test := range map[string]struct {
		d    audit.Delivery
		want Mark
	}{
		"no outcome":       {audit.Delivery{DeliveredAt: &end}, 0},
		"to the second":    {audit.Delivery{Outcome: audit.Delivered, WindowEnd: &end, DeliveredAt: &end}, good},
		"a second late":    {audit.Delivery{Outcome: audit.Delivered, WindowEnd: &end, DeliveredAt: ptr(end.Add(time.Second))}, good &^ OnTime},
		"by its scan":      {audit.Delivery{Outcome: audit.Delivered, WindowEnd: &end, ScannedAt: &end}, good},
		"no deadline":      {audit.Delivery{Outcome: audit.Delivered, DeliveredAt: &end}, Counted | Attempted | Delivered},
		"no time":          {audit.Delivery{Outcome: audit.Delivered, WindowEnd: &end}, Counted | Attempted | Delivered},
		"attempted":        {audit.Delivery{Outcome: audit.Attempted}, Counted | Attempted},
		"attempted, timed": {audit.Delivery{Outcome: audit.Attempted, WindowEnd: &end, ScannedAt: &end}, good &^ Delivered},
		"undeliverable":    {audit.Delivery{Outcome: audit.Undeliverable, OutcomeReason: "out of time"}, Counted},
		"scanned, no safe": {audit.Delivery{Outcome: audit.Undeliverable, ScannedAt: &end}, Counted | Attempted},
		"returned":         {audit.Delivery{Outcome: audit.Returned, WindowEnd: &end}, Counted},
	} {
		if got := MarkOf(test.d); got != test.want {
			t.Errorf("%s: %b, want %b", name, got, test.want)
		}
	}
}

func TestStanding(t *testing.T) {
	whole := Facts{Packages: packages("A", 500, 0, good), Blocks: blocks(20, ptr(0.0), nil), Feedback: ratings(5, 5, 5, 5, 5)}
	with := func(change func(*Facts)) Facts { f := whole; change(&f); return f }
	for name, test := range map[string]struct {
		facts                     Facts
		all, quality, reliability Standing
		unknown                   string
	}{
		"all well":            {whole, Fantastic, Fantastic, Fantastic, ""},
		"one figure decides":  {with(func(f *Facts) { f.Feedback = ratings(4, 4, 4, 4, 4) }), AtRisk, AtRisk, Fantastic, ""},
		"blocks decide":       {with(func(f *Facts) { f.Blocks = blocks(20, ptr(301.0), nil) }), AtRisk, Fantastic, AtRisk, ""},
		"no blocks":           {with(func(f *Facts) { f.Blocks = nil }), Fantastic, Fantastic, Unknown, "reliability"},
		"blocks alone":        {Facts{Blocks: blocks(20, ptr(0.0), nil)}, Unknown, Unknown, Fantastic, "attempted delivered on_time not_received not_received_per_million feedback"},
		"nothing":             {Facts{}, Unknown, Unknown, Unknown, "attempted delivered on_time not_received not_received_per_million feedback reliability"},
		"too few, many stars": {Facts{Packages: packages("A", 49, 0, good), Feedback: ratings(5, 5, 5, 5, 5)}, Unknown, Unknown, Unknown, "attempted delivered on_time not_received not_received_per_million reliability"},
	} {
		t.Run(name, func(t *testing.T) {
			a := Targets2026().Judge(test.facts, now)
			if a.Standing != test.all || a.Quality != test.quality || a.Blocks != test.reliability || strings.Join(a.Unknown, " ") != test.unknown {
				t.Errorf("%s, %s, %s, unknown %v", a.Standing, a.Quality, a.Blocks, a.Unknown)
			}
		})
	}
}

func TestWithout(t *testing.T) {
	f := Facts{Packages: packages("A", 500, 0, good), Missing: claims("A", 7, 8)}
	f.Missing = append(f.Missing, Missing{ID: "A00007@2026-11-01", TrackingID: "A00007", ReportedAt: ago(day), Concession: true})
	if got := Targets2026().Judge(f, now); got.Standing != Fair {
		t.Errorf("with two claims %s", got.Standing) // 2 in 500
	}
	without, ok := f.Without("C7")
	if got := Targets2026().Judge(without, now); !ok || got.Standing != Great { // 1 in 500
		t.Errorf("without C7: %v, %s", ok, got.Standing)
	}
	if len(f.Missing) != 3 || len(without.Missing) != 1 {
		t.Errorf("%d of %d claims are left", len(without.Missing), len(f.Missing))
	}
	if _, ok := f.Without("C9"); ok {
		t.Error("a claim that is not there was taken out")
	}
}

func TestWarnings(t *testing.T) {
	kept := func(ago int, s Standing) Snapshot {
		return Snapshot{Day: DayOf(now.AddDate(0, 0, -ago)), Assessment: Assessment{Standing: s}}
	}
	missing := func(days ...int) []Missing {
		var out []Missing
		for i, d := range days {
			out = append(out, Missing{ID: fmt.Sprint("C", i), TrackingID: fmt.Sprintf("A%05d", i), ReportedAt: ago(time.Duration(d) * day), Types: []string{"no_pod"}})
		}
		return out
	}
	for name, test := range map[string]struct {
		facts Facts
		want  []string
	}{
		"none":            {Facts{Past: []Snapshot{kept(1, Great), kept(2, Unknown)}}, nil},
		"dropped":         {Facts{Missing: missing(20), Past: []Snapshot{kept(1, Great), kept(3, Fantastic), kept(5, Fantastic)}}, []string{"standing_dropped the standing was fantastic on 2026-11-17 and is great now"}},
		"long ago":        {Facts{Missing: missing(20), Past: []Snapshot{kept(9, Fantastic)}}, nil},
		"unknown before":  {Facts{Missing: missing(20), Past: []Snapshot{kept(1, Unknown)}}, nil},
		"twice":           {Facts{Missing: missing(20, 29)}, nil},
		"thrice":          {Facts{Missing: missing(20, 21, 29)}, []string{"repeated no_pod: 3 times in 30 days"}},
		"thrice, too old": {Facts{Missing: missing(20, 21, 30)}, nil},
		// Two in the last 14 days after one in the 14 before; two after two do not rise; one is too few.
		"rising":     {Facts{Missing: missing(1, 13, 14)[:3]}, []string{"repeated no_pod: 3 times in 30 days", "not_received_rising 2 packages reported as not received in the last 14 days, 1 in the 14 before"}},
		"not rising": {Facts{Missing: missing(1, 13, 14, 27)}, []string{"repeated no_pod: 4 times in 30 days"}},
		"one":        {Facts{Missing: missing(1)}, nil},
		"complaints": {Facts{Feedback: []Feedback{{At: ago(day), WrongAddress: true}, {At: ago(2 * day), WrongAddress: true, WrongItem: true}, {Date: "2026-11-01", WrongAddress: true}}},
			[]string{"repeated wrong_address: 3 times in 30 days"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.facts.Packages = packages("A", 500, 0, good)
			var got []string
			for _, w := range Targets2026().Judge(test.facts, now).Warnings {
				got = append(got, w.Kind+" "+w.Text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventsAndHistory(t *testing.T) {
	f := Facts{Blocks: []Block{block(1, day, ptr(360.0), nil), block(2, 2*day, nil, ptr(-60.0)), block(3, 3*day, nil, nil), block(4, 4*day, ptr(0.0), nil)},
		Packages: slices.Concat(packages("A", 500, 5*day, good), packages("L", 1, time.Hour, good&^OnTime), packages("R", 1, 2*time.Hour, Counted|Attempted), packages("N", 1, 3*time.Hour, Counted),
			packages("O", 1, 90*day, Counted)),
		Missing:  []Missing{{ID: "C1", TrackingID: "A00001", ReportedAt: ago(4 * day), Types: []string{"delivered_not_received"}}, {ID: "C2", TrackingID: "O00000", ReportedAt: ago(4 * day)}},
		Feedback: []Feedback{{FeedbackID: "F1", At: ago(6 * time.Hour), Rating: 2, Mishandled: true}, {FeedbackID: "F2", At: ago(6 * time.Hour), Rating: 5}}}
	report := Targets2026().Judge(f, now)
	var got []string
	for _, e := range report.Events {
		got = append(got, e.Kind+" "+e.ID+" "+e.Text)
	}
	want := []string{
		"late L00000 delivered or attempted after its deadline", "not_delivered R00000 attempted, not delivered", "not_attempted N00000 no attempt to deliver is on record",
		"low_rating F1 rated 2 of 5: mishandled", "block_late B001 checked in 6 min 00 s after the start", "block_cancelled_late B002 cancelled 1 min 00 s before the start",
		"block_missed B003 neither checked in nor cancelled", "not_received C1 claim C1: package A00001 not received (delivered_not_received)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if report.EventCount != len(want) || !report.SettledUntil.Equal(ago(2*day)) || report.AppealDays != 10 || report.Label != "operator targets" {
		t.Errorf("%d events, settled until %s, %d days, %q", report.EventCount, report.SettledUntil, report.AppealDays, report.Label)
	}

	figure := func(v float64, s Standing) Assessment {
		return Assessment{Standing: s, Figures: []Figure{{Name: DeliveredRate, Value: &v, Standing: s}}}
	}
	days := History([]Snapshot{{Day: "2026-11-19", Assessment: figure(0.98, Great)}, {Day: "2026-11-20", Assessment: figure(0.96, AtRisk)}, {Day: "2026-11-18", Assessment: figure(0.98, Great)}}, report.Events)
	var told []string
	for _, d := range days {
		told = append(told, fmt.Sprint(d.Day, " ", d.Standing, " ", len(d.Changes), " changes, ", len(d.Events), " events"))
	}
	if diff := cmp.Diff([]string{"2026-11-20 at_risk 1 changes, 4 events", "2026-11-19 great 0 changes, 1 events", "2026-11-18 great 0 changes, 1 events"}, told); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestTargetsAreChecked(t *testing.T) {
	text := string(targets2026)
	for old, want := range map[string][2]string{
		"packages: 500":           {"packages: 0", "window.packages is 0, not within 1..10000"},
		"fair: 0.95,":             {"fair: 0.98,", "figures.on_time: fantastic, great and fair are not in order"},
		"fantastic: 0.5,":         {"fantastic: 1.5,", "figures.not_received: fantastic, great and fair are not in order"},
		"label: operator tar":     {"label: \"\" # tar", "label is missing"},
		"source: guide}      # t": {"source: amazon}      # t", "figures.feedback.source"},
		"  feedback: ":            {"  feeling: ", "figures.feedback is missing"},
		"lag_days: 2":             {"lag: 2", "cannot be read"},
		"version: t":              {"---\nversion: t", ""},
		"cancel_minutes: 45":      {"cancel_minutes: -1", "blocks.cancel_minutes is -1"},
		"times: 3":                {"times: 1", "warnings.repeated.times is 1"},
	} {
		changed := strings.Replace(text, old, want[0], 1)
		if changed == text {
			t.Errorf("%q is not in the targets", old)
		}
		_, err := ParseTargets([]byte(changed))
		if want[1] == "" && err != nil || want[1] != "" && (audit.ErrorCode(err) != audit.CodeInvalid || !strings.Contains(err.Error(), want[1])) {
			t.Errorf("%q: %v, want %q", want[0], err, want[1])
		}
	}
	for _, bad := range []string{text + "\n---\nversion: x\n", strings.Repeat("#", MaxTargetsBytes+1), ""} {
		if _, err := ParseTargets([]byte(bad)); audit.ErrorCode(err) != audit.CodeInvalid {
			t.Errorf("targets of %d bytes: %v", len(bad), err)
		}
	}
}

func TestRowsAreChecked(t *testing.T) {
	good := map[string]interface{ Validate() error }{
		"block": Block{BlockID: "B1"}, "feedback": Feedback{FeedbackID: "F", DriverID: "D", Date: "2026-11-01"},
		"concession": Concession{TrackingID: "T", ConcessionDate: "2026-11-01"},
	}
	for name, row := range good {
		if err := row.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, row := range map[string]interface{ Validate() error }{
		"block_id is missing":         Block{},
		"driver_id is missing":        Feedback{FeedbackID: "F", At: now},
		"rating 6 is not within 1..5": Feedback{FeedbackID: "F", DriverID: "D", At: now, Rating: 6},
		"at is missing":               Feedback{FeedbackID: "F", DriverID: "D"},
		"date: \"1/2/2026\" is not":   Feedback{FeedbackID: "F", DriverID: "D", Date: "1/2/2026"},
		"concession_date is missing":  Concession{TrackingID: "T"},
		"delivery_date: \"x\"":        Concession{TrackingID: "T", ConcessionDate: "2026-11-01", DeliveryDate: "x"},
		"tracking_id is missing":      Concession{ConcessionDate: "2026-11-01"},
	} {
		if err := row.Validate(); audit.ErrorCode(err) != audit.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	start := now
	for want, b := range map[string]Block{"driver_id": {BlockID: "B", ScheduledStart: &start}, "scheduled_start is missing": {BlockID: "B", DriverID: "D"},
		"scheduled_end": {BlockID: "B", DriverID: "D", ScheduledStart: &start, ScheduledEnd: ptr(ago(1))}} {
		if err := b.Whole(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	c := Concession{TrackingID: "T", ConcessionDate: "2026-11-01", Far: true, NoProof: true, NotReturned: true}
	if c.ID() != "T@2026-11-01" || !c.Counts() || strings.Join(c.Types(), " ") != "delivered_over_50_m no_pod scanned_not_delivered_not_returned" {
		t.Errorf("%s, %v, %v", c.ID(), c.Counts(), c.Types())
	}
	if c.ImpactsScorecard = " No"; c.Counts() {
		t.Error("a concession that has no impact counts")
	}
}

func TestWeekStart(t *testing.T) {
	for week, want := range map[string]string{"2026-W47": "2026-11-16", "2026-W01": "2025-12-29", "2026-W53": "2026-12-28", "2027-W01": "2027-01-04", "2024-W01": "2024-01-01", "2021-W01": "2021-01-04"} {
		if got, err := WeekStart(week); err != nil || got.Format(time.DateOnly) != want {
			t.Errorf("%s begins on %s, %v; want %s", week, got.Format(time.DateOnly), err, want)
		}
	}
	for _, week := range []string{"", "2025-W53", "2026-W00", "2026-W54", "2026-47", "2026-W7", "2026-W47x"} {
		if got, err := WeekStart(week); audit.ErrorCode(err) != audit.CodeInvalid {
			t.Errorf("%q begins on %s, %v", week, got, err)
		}
	}
}

// TestColumnsNameFields holds the carriers' columns to fields that there are.
func TestColumnsNameFields(t *testing.T) {
	for name, test := range map[string]struct {
		columns map[string]string
		row     any
	}{"concessions": {Concession{}.Columns(), Concession{}}, "feedback": {Feedback{}.Columns(), Feedback{}}, "photo reports": {PhotoWeek{}.Columns(), PhotoWeek{}}} {
		fields := map[string]bool{"": true}
		for _, f := range reflect.VisibleFields(reflect.TypeOf(test.row)) {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields[tag] = true
		}
		if len(test.columns) < 10 {
			t.Errorf("%s: %d columns", name, len(test.columns))
		}
		for column, field := range test.columns {
			if !fields[field] {
				t.Errorf("%s: column %q names the field %q, which is not there", name, column, field)
			}
		}
	}
}
