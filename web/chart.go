package web

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A chart is drawn in these units, so that its text is as large as the page's where two
// stand side by side.
const (
	chartWidth  = 440.0
	chartHeight = 220.0
	chartLeft   = 40.0
	chartRight  = 8.0
	chartTop    = 16.0
	chartBottom = 28.0
)

// Series is one of the things that a chart shows of each column. Its place among the
// series is its pattern, so that none is told by its colour alone.
type Series struct {
	Name string
	Tone string // good, look, bad or none: the class that colours it
}

// Column is one place along a chart.
type Column struct {
	Label  string
	Values []float64 // one for each series
}

// Line is a limit in a histogram.
type Line struct {
	At    float64 // share of the chart's width, 0..1
	Label string
}

// Chart is columns drawn as SVG, with a table of the same figures below.
type Chart struct {
	ID      string // of the page's element, a word of letters
	Title   string
	Says    string // in a sentence, for who does not see it
	Unit    string // of the values: photos, claims, ...
	Of      string // what the columns are: day, reason, ...
	Series  []Series
	Columns []Column
	Side    bool // series stand side by side; else one on the other
	Lines   []Line
}

// Bar is a rectangle of a chart.
type Bar struct {
	X, Y, Width, Height float64
	Series              int
	Tone                string
	Words               string
}

// Tick is a line of the scale.
type Tick struct {
	X, Y  float64
	Label string
}

// top is the scale's end: the least of 1, 2 and 5 times a power of ten that reaches over
// all, and how many steps lead there.
func (c Chart) top() (top float64, steps int) {
	most := 0.0
	for _, col := range c.Columns {
		sum := 0.0
		for _, v := range col.Values {
			if c.Side {
				sum = max(sum, v)
			} else {
				sum += v
			}
		}
		most = max(most, sum)
	}
	if most < 4 {
		return max(math.Ceil(most), 1), int(max(math.Ceil(most), 1))
	}
	power := math.Pow(10, math.Floor(math.Log10(most)))
	for _, step := range []float64{0.2, 0.5, 1, 2, 5} {
		if n := math.Ceil(most / (step * power)); n <= 5 {
			return n * step * power, int(n)
		}
	}
	return 10 * power, 5
}

// Empty tells that there is nothing to draw.
func (c Chart) Empty() bool {
	for _, col := range c.Columns {
		for _, v := range col.Values {
			if v > 0 {
				return false
			}
		}
	}
	return true
}

// Bars are what is drawn.
func (c Chart) Bars() []Bar {
	top, _ := c.top()
	width := (chartWidth - chartLeft - chartRight) / float64(max(len(c.Columns), 1))
	gap := min(width*0.2, 8)
	if len(c.Lines) > 0 {
		gap = min(width*0.08, 1)
	}
	var out []Bar
	for i, col := range c.Columns {
		y := chartHeight - chartBottom
		for k, v := range col.Values {
			h := v / top * (chartHeight - chartTop - chartBottom)
			if h <= 0 || k >= len(c.Series) {
				continue
			}
			b := Bar{X: chartLeft + float64(i)*width + gap/2, Y: y - h, Width: width - gap, Height: h, Series: k, Tone: c.Series[k].Tone,
				Words: fmt.Sprintf("%s, %s: %s", col.Label, c.Series[k].Name, c.Value(v))}
			if c.Side {
				b.Width /= float64(len(c.Series))
				b.X += float64(k) * b.Width
			} else {
				y -= h
			}
			out = append(out, b)
		}
	}
	return out
}

// Value is a figure with the chart's unit.
func (c Chart) Value(v float64) string {
	s := number(v)
	if v >= 1000 {
		s = strconv.FormatFloat(v, 'f', 0, 64)
	}
	if c.Unit == "" {
		return s
	}
	unit := c.Unit
	if v == 1 {
		unit = strings.TrimSuffix(strings.Replace(unit, "ies", "ys", 1), "s")
	}
	return s + "\u00a0" + unit
}

// Scale is the lines of the scale with their figures.
func (c Chart) Scale() []Tick {
	top, steps := c.top()
	var out []Tick
	for i := range steps + 1 {
		v := top * float64(i) / float64(steps)
		out = append(out, Tick{X: chartLeft - 6, Y: chartHeight - chartBottom - v/top*(chartHeight-chartTop-chartBottom), Label: number(v)})
	}
	return out
}

// labelLetters is how many letters, with a gap each, stand side by side below a chart.
const labelLetters = 56

// Labels are the columns' labels, as many as find room.
func (c Chart) Labels() []Tick {
	n := len(c.Columns)
	if n == 0 {
		return nil
	}
	width := (chartWidth - chartLeft - chartRight) / float64(n)
	longest := 0
	for _, col := range c.Columns {
		longest = max(longest, utf8.RuneCountInString(col.Label))
	}
	room := max(1, labelLetters/(longest+2))
	every := (n + room - 1) / room
	var out []Tick
	for i := 0; i < n; i += every {
		middle := 0.5
		if c.Of == "from" { // a histogram's column begins at its label
			middle = 0
		}
		out = append(out, Tick{X: chartLeft + (float64(i)+middle)*width, Y: chartHeight - 8, Label: c.Columns[i].Label})
	}
	return out
}

// Limits are the lines, placed from left to right. Lines too near each other for a label each
// share the first one's.
func (c Chart) Limits() []Tick {
	const labelWidth = 34
	var out []Tick
	named := 0 // the last with a label
	for i, l := range slices.SortedStableFunc(slices.Values(c.Lines), func(a, b Line) int { return cmp.Compare(a.At, b.At) }) {
		t := Tick{X: chartLeft + min(max(l.At, 0), 1)*(chartWidth-chartLeft-chartRight), Y: chartTop - 7, Label: l.Label}
		if i > 0 && t.X-out[named].X < labelWidth {
			out[named].Label += ", " + t.Label
			t.Label = ""
		} else {
			named = i
		}
		out = append(out, t)
	}
	return out
}

// histogramBins is how many columns a histogram has at most.
const histogramBins = 24

// Histogram draws how often values occur, with the limits that they are held against. The
// range is that of nearly all values and of the limits; the first and the last column
// take in what lies beyond.
func Histogram(id, title, unit string, values []float64, limits []Line) Chart {
	c := Chart{ID: id, Title: title, Unit: "photos", Of: "from", Series: []Series{{Name: "photos", Tone: "none"}}}
	if len(values) == 0 {
		return c
	}
	least, most := middle(values)
	low, high := least, most
	for _, l := range limits {
		low, high = min(low, l.At), max(high, l.At)
	}
	if high <= low {
		high = low + 1
	}
	// Columns begin at round numbers, and one more than is needed keeps the last limit off the edge.
	step := roundStep((high - low) / (histogramBins - 2))
	low = math.Floor(low/step) * step
	bins := int((high-low)/step) + 2
	high = low + float64(bins)*step
	for i := range bins {
		c.Columns = append(c.Columns, Column{Label: number(low + float64(i)*step), Values: []float64{0}})
	}
	for _, v := range values {
		i := int((v - low) / step)
		c.Columns[min(max(i, 0), bins-1)].Values[0]++
	}
	if !strings.HasPrefix(unit, "%") {
		unit = " " + unit
	}
	c.Says = fmt.Sprintf("%s, from %s to %s%s", count(len(values), "photo"), number(least), number(most), unit)
	if least == most {
		c.Says = fmt.Sprintf("%s, all at %s%s", count(len(values), "photo"), number(least), unit)
	}
	for _, l := range limits {
		c.Says += "; " + l.Label + " " + number(l.At)
		c.Lines = append(c.Lines, Line{At: (l.At - low) / (high - low), Label: l.Label})
	}
	return c
}

// roundStep is the least of 1, 2 and 5 times a power of ten that is no smaller.
func roundStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, n := range []float64{1, 2, 5} {
		if n*power >= least*(1-1e-9) {
			return n * power
		}
	}
	return 10 * power
}

// middle is the range of all values but for the lowest and the highest of a hundred.
func middle(values []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return sorted[n/100], sorted[n-1-n/100]
}
