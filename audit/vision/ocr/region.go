package ocr

import (
	"cmp"
	"math"
	"slices"
)

// point is a place in pixels.
type point struct{ x, y float64 }

func (p point) to(q point) float64 { return math.Hypot(q.x-p.x, q.y-p.y) }

// quad is a region's corners: top left, top right, bottom right, bottom left.
type quad [4]point

func (q quad) width() float64  { return max(q[0].to(q[1]), q[3].to(q[2])) }
func (q quad) height() float64 { return max(q[0].to(q[3]), q[1].to(q[2])) }

// region is a place where the detector sees text.
type region struct {
	quad
	score float64
}

// Limits of the detector's postprocessing, those of PaddleOCR's DBPostProcess but for
// the lower box score: house numbers are large and of odd make.
const (
	textFrom    = 0.3 // probability of a text pixel
	boxFrom     = 0.5 // mean probability within a region
	unclip      = 1.6 // the detector marks a shrunken core: area x unclip / outline is what it lost
	leastPixels = 9
	leastSide   = 3.0
	maxRegions  = 48 // a photo has seldom a dozen; each costs a pass of the recogniser
)

// regions finds the places with text in a probability map of w x h pixels.
func regions(p []float32, w, h int) []region {
	seen := make([]bool, w*h)
	var out []region
	var queue []int
	for start := range p {
		if p[start] <= textFrom || seen[start] {
			continue
		}
		seen[start] = true
		queue = append(queue[:0], start)
		var outline []point
		for i := 0; i < len(queue); i++ {
			x, y := queue[i]%w, queue[i]/w
			inner := true
			for ny := y - 1; ny <= y+1; ny++ {
				for nx := x - 1; nx <= x+1; nx++ {
					if nx < 0 || ny < 0 || nx >= w || ny >= h || p[ny*w+nx] <= textFrom {
						inner = false
						continue
					}
					if n := ny*w + nx; !seen[n] {
						seen[n] = true
						queue = append(queue, n)
					}
				}
			}
			if !inner {
				outline = append(outline, point{float64(x), float64(y)})
			}
		}
		if len(queue) < leastPixels {
			continue
		}
		if r, ok := bound(p, w, h, outline); ok {
			out = append(out, r)
		}
	}
	if len(out) > maxRegions {
		slices.SortFunc(out, func(a, b region) int { return cmp.Compare(b.score*b.height(), a.score*a.height()) })
		out = out[:maxRegions]
	}
	slices.SortFunc(out, func(a, b region) int {
		return cmp.Or(cmp.Compare(a.quad[0].y, b.quad[0].y), cmp.Compare(a.quad[0].x, b.quad[0].x))
	})
	return out
}

// bound fits a rectangle to an outline and grows it to the whole text.
func bound(p []float32, w, h int, outline []point) (region, bool) {
	r := smallest(hull(outline))
	if min(r.w, r.h) < leastSide {
		return region{}, false
	}
	score := r.mean(p, w, h)
	if score < boxFrom {
		return region{}, false
	}
	grow := r.w * r.h * unclip / (2 * (r.w + r.h))
	r.w, r.h = r.w+2*grow, r.h+2*grow
	q := r.corners()
	for i := range q {
		q[i] = point{min(max(q[i].x, 0), float64(w-1)), min(max(q[i].y, 0), float64(h-1))}
	}
	return region{ordered(q), score}, true
}

// rectangle is one that may be turned: u is the direction of its width.
type rectangle struct {
	centre, u point
	w, h      float64
}

func (r rectangle) corners() quad {
	var q quad
	for i, s := range [4]point{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}} {
		a, b := s.x*r.w/2, s.y*r.h/2
		q[i] = point{r.centre.x + a*r.u.x - b*r.u.y, r.centre.y + a*r.u.y + b*r.u.x}
	}
	return q
}

// mean is the map's mean within the rectangle.
func (r rectangle) mean(p []float32, w, h int) float64 {
	rx := (math.Abs(r.u.x)*r.w + math.Abs(r.u.y)*r.h) / 2
	ry := (math.Abs(r.u.y)*r.w + math.Abs(r.u.x)*r.h) / 2
	sum, n := 0.0, 0
	for y := max(0, int(r.centre.y-ry)); y <= min(h-1, int(r.centre.y+ry+1)); y++ {
		for x := max(0, int(r.centre.x-rx)); x <= min(w-1, int(r.centre.x+rx+1)); x++ {
			dx, dy := float64(x)-r.centre.x, float64(y)-r.centre.y
			if math.Abs(dx*r.u.x+dy*r.u.y) <= r.w/2 && math.Abs(dy*r.u.x-dx*r.u.y) <= r.h/2 {
				sum, n = sum+float64(p[y*w+x]), n+1
			}
		}
	}
	return sum / float64(max(n, 1))
}

// hull is the convex hull (Andrew's monotone chain).
func hull(p []point) []point {
	slices.SortFunc(p, func(a, b point) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y)) })
	p = slices.Compact(p)
	if len(p) < 3 {
		return p
	}
	half := func(p []point) []point {
		var h []point
		for _, q := range p {
			for len(h) >= 2 {
				o, a := h[len(h)-2], h[len(h)-1]
				if (a.x-o.x)*(q.y-o.y)-(a.y-o.y)*(q.x-o.x) > 0 {
					break
				}
				h = h[:len(h)-1]
			}
			h = append(h, q)
		}
		return h[:len(h)-1]
	}
	lower := half(p)
	slices.Reverse(p)
	return append(lower, half(p)...)
}

// smallest is the rectangle of the least area around a hull: one of its sides lies on a
// side of the hull.
func smallest(h []point) rectangle {
	best, area := rectangle{u: point{1, 0}}, math.Inf(1)
	for i := range h {
		a, b := h[i], h[(i+1)%len(h)]
		l := a.to(b)
		if l == 0 {
			continue
		}
		u := point{(b.x - a.x) / l, (b.y - a.y) / l}
		u0, u1, v0, v1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
		for _, q := range h {
			along, across := q.x*u.x+q.y*u.y, q.y*u.x-q.x*u.y
			u0, u1, v0, v1 = min(u0, along), max(u1, along), min(v0, across), max(v1, across)
		}
		if s := (u1 - u0) * (v1 - v0); s < area {
			mu, mv := (u0+u1)/2, (v0+v1)/2
			area = s
			best = rectangle{point{mu*u.x - mv*u.y, mu*u.y + mv*u.x}, u, u1 - u0 + 1, v1 - v0 + 1}
		}
	}
	return best
}

// ordered puts corners into the order of a quad, as the text stands upright when it is
// turned by less than 45 degrees.
func ordered(q quad) quad {
	slices.SortFunc(q[:], func(a, b point) int { return cmp.Compare(a.x, b.x) })
	if q[0].y > q[1].y {
		q[0], q[1] = q[1], q[0]
	}
	if q[2].y > q[3].y {
		q[2], q[3] = q[3], q[2]
	}
	q = quad{q[0], q[2], q[3], q[1]}
	if math.Abs(q[1].y-q[0].y) > math.Abs(q[1].x-q[0].x) { // a steep region: its width is the other side
		if q[1].y < q[0].y {
			return quad{q[1], q[2], q[3], q[0]}
		}
		return quad{q[3], q[0], q[1], q[2]}
	}
	return q
}
