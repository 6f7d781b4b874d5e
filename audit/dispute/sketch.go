package dispute

import (
	"math"
	"slices"

	"porchlight/audit/geo"
)

// Sketch is a map drawn from positions alone, north up, in the unit of its width and
// height. Its origin is the top left corner.
type Sketch struct {
	Width, Height float64
	PerMetre      float64 // units a metre
	ScaleM        float64 // metres that the scale bar stands for: 1, 2 or 5 times a power of ten
	Marks         []Mark
	Track         []XY // the driver's way, oldest first
}

// XY is a position in a sketch.
type XY struct{ X, Y float64 }

// Mark is a place in a sketch.
type Mark struct {
	Place
	XY
	Radius float64 // of its circle; 0 for none
	Label  XY      // the middle of its label
}

// Sizes in a sketch, in its unit (millimetres on paper).
const (
	sketchMargin = 8.0
	labelAway    = 4.2 // from a mark to its label
	leastShownM  = 40.0
)

// NewSketch draws places and a track; false where there is no place.
func NewSketch(places []Place, track []geo.Point, width, height float64) (Sketch, bool) {
	if len(places) == 0 {
		return Sketch{}, false
	}
	origin := places[0].Point
	// East and north in metres: within a few kilometres the plane is as good as the ellipsoid.
	plane := func(p geo.Point) XY {
		d, b := geo.Distance(origin, p), geo.Bearing(origin, p)*math.Pi/180
		return XY{d * math.Sin(b), d * math.Cos(b)}
	}
	low, high := XY{}, XY{}
	cover := func(p XY, r float64) {
		low = XY{min(low.X, p.X-r), min(low.Y, p.Y-r)}
		high = XY{max(high.X, p.X+r), max(high.Y, p.Y+r)}
	}
	at := make([]XY, len(places))
	for i, p := range places {
		at[i] = plane(p.Point)
		cover(at[i], p.RadiusM)
	}
	// The track is the background: it is cut off where it leaves the picture.
	middle := XY{(low.X + high.X) / 2, (low.Y + high.Y) / 2}
	spanX, spanY := max(high.X-low.X, leastShownM), max(high.Y-low.Y, leastShownM)
	s := Sketch{Width: width, Height: height}
	s.PerMetre = min((width-2*sketchMargin)/spanX, (height-2*sketchMargin)/spanY)
	s.ScaleM = niceLength(width / 4 / s.PerMetre)
	draw := func(p XY) XY {
		return XY{width/2 + (p.X-middle.X)*s.PerMetre, height/2 - (p.Y-middle.Y)*s.PerMetre}
	}
	for i, p := range places {
		s.Marks = append(s.Marks, Mark{Place: p, XY: draw(at[i]), Radius: p.RadiusM * s.PerMetre})
	}
	for _, p := range track {
		s.Track = append(s.Track, draw(plane(p)))
	}
	s.label()
	return s, true
}

// points are a track's positions.
func points(track []TrackPoint) []geo.Point {
	var out []geo.Point
	for _, f := range track {
		out = append(out, f.Point)
	}
	return out
}

// Sketch draws the packet's positions as a map of that width and height; false where there
// is none.
func (p Packet) Sketch(width, height float64) (Sketch, bool) {
	return NewSketch(p.Places, points(p.Track), width, height)
}

// label puts each label beside its mark, where it is farthest from what is there already.
func (s *Sketch) label() {
	var taken []XY
	for _, m := range s.Marks {
		taken = append(taken, m.XY)
	}
	for i := range s.Marks {
		m := &s.Marks[i]
		best := -1.0
		for k := range 8 {
			sin, cos := math.Sincos(float64(k) * math.Pi / 4)
			p := XY{m.X + labelAway*cos, m.Y + labelAway*sin}
			if p.X < 3 || p.Y < 3 || p.X > s.Width-3 || p.Y > s.Height-3 {
				continue
			}
			nearest := math.Inf(1)
			for j, q := range taken {
				if j != i {
					nearest = min(nearest, math.Hypot(p.X-q.X, p.Y-q.Y))
				}
			}
			if nearest > best+1e-9 {
				best, m.Label = nearest, p
			}
		}
		taken = append(taken, m.Label)
	}
}

// niceLength is the largest of 1, 2 and 5 times a power of ten that is no longer than m.
func niceLength(m float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(m)))
	steps := []float64{5, 2, 1}
	return power * steps[max(slices.IndexFunc(steps, func(n float64) bool { return n*power <= m }), 0)]
}
