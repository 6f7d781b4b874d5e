package web

import (
	"fmt"
	"math"

	"porchlight/audit"
	"porchlight/audit/vision"
)

// MarkKind is what a mark in a photo stands for; it is the class that draws it.
type MarkKind string

const (
	MarkPackage MarkKind = "package"
	MarkPerson  MarkKind = "person"
	MarkText    MarkKind = "text"
	MarkFinding MarkKind = "finding"
)

// Mark is a box in a photo, in the units of its [Overlay].
type Mark struct {
	N                   int
	Kind                MarkKind
	X, Y, Width, Height float64
	Label               string // what it is, and how sure the model was
}

// Overlay is what is drawn over a photo's preview: a picture of the upright photo's
// shape, 1000 units wide.
type Overlay struct {
	Width, Height float64
	Marks         []Mark
}

// maxMarks bounds what is drawn over one photo: more than these hide it.
const maxMarks = 24

// overlayOf marks what the models found in a photo, and where findings point to.
func overlayOf(m *audit.Measurement, findings []audit.Finding) Overlay {
	o := Overlay{Width: 1000, Height: 750}
	if m != nil && m.Decoded() && m.Width > 0 && m.Height > 0 {
		o.Height = math.Round(1000 * float64(m.Height) / float64(m.Width))
	}
	for _, f := range findings {
		if f.Box != nil {
			label := checkWords(f.Check) + ": " + resultWords(f.Result)
			if v := measured(f); v != "" {
				label += ", " + v
			}
			o.add(MarkFinding, *f.Box, label, f.Score)
		}
	}
	if m != nil && m.Vision != nil {
		for _, b := range m.Vision.Boxes {
			kind := MarkPackage
			if b.Label == vision.Person {
				kind = MarkPerson
			}
			o.add(kind, b.Box, upper(plain(string(b.Label))), b.Score)
		}
		for _, t := range m.Vision.Texts {
			o.add(MarkText, t.Box, "Reads \u201c"+t.Text+"\u201d", t.Score)
		}
	}
	return o
}

// add draws a box as far as it lies in the photo.
func (o *Overlay) add(kind MarkKind, b vision.Box, label string, score float64) {
	for i, v := range b {
		if math.IsNaN(v) {
			return
		}
		b[i] = min(max(v, 0), 1)
	}
	if b.Area() == 0 || len(o.Marks) >= maxMarks {
		return
	}
	if score > 0 {
		label += fmt.Sprintf(", %.0f%% sure", score*100)
	}
	o.Marks = append(o.Marks, Mark{N: len(o.Marks) + 1, Kind: kind, Label: label,
		X: b[0] * o.Width, Y: b[1] * o.Height, Width: (b[2] - b[0]) * o.Width, Height: (b[3] - b[1]) * o.Height})
}
