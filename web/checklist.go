package web

import (
	"fmt"
	"strings"

	"porchlight/audit"
)

// Checklist is a checklist with the stored measurements behind its limits, and what would
// change if it were used: GET /agent/checklist, with version. Its form posts csrf, text
// and do (try or keep) there.
type Checklist struct {
	Base
	Text     string // YAML, as it was kept or typed
	Version  string // of it; empty where it cannot be read
	InUse    string // version that new photos are judged by
	Versions []audit.KeptChecklist
	Trial    *Trial
	Tried    bool   // the text came from the form
	Kept     bool   // it is on record by now
	Message  string // what is wrong with it, a line a fault
}

func (Checklist) template() string { return "checklist.html" }
func (p Checklist) heading() string {
	if p.Version == "" {
		return "Checklist"
	}
	return "Checklist " + p.Version
}
func (Checklist) section() string { return "checklist" }

// Faults are the message's lines.
func (p Checklist) Faults() []string {
	if p.Message == "" {
		return nil
	}
	return strings.Split(p.Message, "\n")
}

// Keeping tells whether the reader may keep a checklist.
func (p Checklist) Keeping() bool { return p.Role == audit.Admin }

// Trial is what a checklist makes of photos on record.
type Trial struct {
	Photos  int
	Flipped int
	Flips   []audit.Flip
	Moves   []Move // how many verdicts go from what to what, in the order of verdicts

	limits []audit.Limit
	values map[string][]float64 // by check
	units  map[string]string
}

// Move is how many verdicts a checklist would change from one to another.
type Move struct {
	From, To audit.Verdict
	Photos   int
}

// NewTrial begins one.
func NewTrial(c *audit.Checklist) *Trial {
	t := &Trial{values: map[string][]float64{}, units: map[string]string{}}
	for _, l := range c.Limits() {
		if isLine(l) {
			t.limits = append(t.limits, l)
		}
	}
	return t
}

// isLine tells whether a limit is in the unit of what its check measures.
func isLine(l audit.Limit) bool {
	switch l.Check {
	case "readable", "brightness", "exposure", "blur", "detail", "lens", "time":
		return strings.HasPrefix(l.Key, "fail_") || strings.HasPrefix(l.Key, "warn_")
	case "location":
		return l.Key == "radius_m" || l.Key == "warn_within_m"
	case "framing":
		return l.Key == "max_package_area"
	}
	return false
}

// Add tries the checklist on an upload; at most so many flips are listed.
func (t *Trial) Add(c *audit.Checklist, k audit.Case, flips int) {
	t.Photos++
	r := c.Judge(k.Measurement, audit.Subject{Upload: k.Upload, Known: k.Known})
	for _, f := range r.Findings {
		var v float64
		switch n := f.Value.(type) {
		case float64:
			v = n
		case int:
			v = float64(n)
		default:
			continue
		}
		t.values[f.Check], t.units[f.Check] = append(t.values[f.Check], v), f.Unit
	}
	f, flipped := c.Try(k, r)
	if !flipped {
		return
	}
	if t.Flipped++; len(t.Flips) < flips {
		t.Flips = append(t.Flips, f)
	}
	for i := range t.Moves {
		if t.Moves[i].From == f.Before && t.Moves[i].To == f.After {
			t.Moves[i].Photos++
			return
		}
	}
	t.Moves = append(t.Moves, Move{f.Before, f.After, 1})
}

// Histograms draw what was measured, a chart a check, with the checklist's limits.
func (t *Trial) Histograms() []Chart {
	var out []Chart
	if t == nil {
		return nil
	}
	for i := 0; i < len(t.limits); {
		check := t.limits[i].Check
		unit, scale := scaled(t.units[check])
		values := make([]float64, len(t.values[check]))
		for k, v := range t.values[check] {
			values[k] = v * scale
		}
		var lines []Line
		for ; i < len(t.limits) && t.limits[i].Check == check; i++ {
			word, _, _ := strings.Cut(t.limits[i].Key, "_")
			lines = append(lines, Line{t.limits[i].Value * scale, map[string]string{"radius": "pass", "max": "most"}[word] + map[string]string{"fail": "fail", "warn": "warn"}[word]})
		}
		title := checkWords(check)
		if unit != "" {
			title += fmt.Sprintf(" (%s)", unit)
		}
		out = append(out, Histogram("h-"+idWord(check), title, unit, values, lines))
	}
	return out
}

// scaled is the unit that a histogram has for a finding's, and what values are multiplied by.
func scaled(unit string) (words string, by float64) {
	if of, ok := strings.CutPrefix(unit, "share of "); ok {
		return "% of " + of, 100
	}
	return strings.Replace(unit, "luma 0-255", "of 255", 1), 1
}

// idWord is a name as part of an element's id: letters, digits and hyphens.
func idWord(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
}
