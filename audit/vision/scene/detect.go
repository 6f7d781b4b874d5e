package scene

import (
	"cmp"
	"image"
	"math"
	"slices"

	"porchlight/audit/vision"
)

const (
	side   = 512 // longer side, pixels, at which a photo is looked at
	levels = 5   // of the pyramid
	step   = 1.3 // from one level to the next
	edge   = 20  // pixels from the border within which no feature lies: the tests reach so far
	cells  = 4   // along each side, among which features are shared out

	// Differences of grey levels from which a corner is one; the faint ones are for levels
	// that have few others, as in the dark.
	strong = 20
	faint  = 8
)

// Find finds a photo's features, at most [MaxFeatures], none within the boxes left out:
// parcels and people are not the place, and carriers' parcels look alike everywhere.
func Find(img *image.RGBA, leave []vision.Box) []Feature {
	pyramid := newPyramid(img)
	all := 0.0
	for _, p := range pyramid {
		all += float64(p.w)
	}
	var features []Feature
	wanted := 0.0
	// Each level has as many features as its side is long; what a coarse one does not have, finer ones may.
	for _, p := range slices.Backward(pyramid) {
		wanted += MaxFeatures * float64(p.w) / all
		n := int(math.Round(wanted)) - len(features)
		corners := p.corners(strong)
		if len(corners) < 2*n {
			corners = p.corners(faint)
		}
		corners = slices.DeleteFunc(corners, func(c corner) bool {
			x, y := p.share(c)
			return slices.ContainsFunc(leave, func(b vision.Box) bool { return x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3] })
		})
		smooth := p.smoothed()
		for _, c := range p.choose(corners, n) {
			x, y := p.share(c)
			unit := 65536 / float64(max(p.w, p.h))
			f := Feature{X: uint16(x * float64(p.w) * unit), Y: uint16(y * float64(p.h) * unit)}
			f.Bits = describe(p, smooth, int(c.x), int(c.y))
			features = append(features, f)
		}
	}
	return features
}

// newPyramid is the image's luma at smaller and smaller sizes, as far as there is room for
// features within the border.
func newPyramid(img *image.RGBA) (pyramid []plane) {
	w, h := float64(img.Rect.Dx()), float64(img.Rect.Dy())
	scale := min(1, side/max(w, h, 1))
	for range levels {
		lw, lh := int(math.Round(w*scale)), int(math.Round(h*scale))
		if min(lw, lh) <= 2*edge {
			break
		}
		if pyramid == nil {
			pyramid = append(pyramid, luma(img, max(int(1/scale), 1)).shrunk(lw, lh))
		} else {
			pyramid = append(pyramid, pyramid[len(pyramid)-1].shrunk(lw, lh))
		}
		scale /= step
	}
	return pyramid
}

// corner is a place in a plane.
type corner struct {
	strength float32
	x, y     int32
}

// share is where a corner lies, as shares of width and height.
func (p plane) share(c corner) (x, y float64) {
	return (float64(c.x) + .5) / float64(p.w), (float64(c.y) + .5) / float64(p.h)
}

// choose takes the n strongest corners from all over the plane: the second one of a cell
// comes after the first ones of all others.
func (p plane) choose(corners []corner, n int) []corner {
	strongest := func(a, b corner) int {
		return cmp.Or(cmp.Compare(b.strength, a.strength), cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x))
	}
	var in [cells * cells][]corner
	for _, c := range corners {
		at := int(c.y)*cells/p.h*cells + int(c.x)*cells/p.w
		in[at] = append(in[at], c)
	}
	for _, c := range in {
		slices.SortFunc(c, strongest)
	}
	var chosen []corner
	for rank := 0; len(chosen) < n; rank++ {
		var row []corner
		for _, c := range in {
			if rank < len(c) {
				row = append(row, c[rank])
			}
		}
		if len(row) == 0 {
			break
		}
		slices.SortFunc(row, strongest)
		chosen = append(chosen, row[:min(len(row), n-len(chosen))]...)
	}
	return chosen
}

// plane is grey levels.
type plane struct {
	w, h int
	pix  []byte
}

// luma is the image's luma (BT.601) at 1/n of its size: means of n x n pixels.
func luma(img *image.RGBA, n int) plane {
	p := plane{img.Rect.Dx() / n, img.Rect.Dy() / n, nil}
	p.pix = make([]byte, p.w*p.h)
	sums := make([]uint32, p.w)
	for y := range p.h {
		clear(sums)
		for dy := range n {
			row := img.Pix[(y*n+dy)*img.Stride:]
			for x := range sums {
				for range n {
					sums[x] += 19595*uint32(row[0]) + 38470*uint32(row[1]) + 7471*uint32(row[2])
					row = row[4:]
				}
			}
		}
		for x, s := range sums {
			p.pix[y*p.w+x] = byte(s / uint32(n*n) >> 16)
		}
	}
	return p
}

// shrunk is the plane at a somewhat smaller size, by linear interpolation.
func (p plane) shrunk(w, h int) plane {
	if w == p.w && h == p.h {
		return p
	}
	out := plane{w, h, make([]byte, w*h)}
	type tap struct{ at, part int }
	columns := make([]tap, w)
	place := func(i, from, to int) tap {
		v := max(((2*i+1)*from*128)/to-128, 0) // 256ths of a pixel
		at := min(v>>8, from-2)
		return tap{at, min(v-at<<8, 256)}
	}
	for x := range columns {
		columns[x] = place(x, p.w, w)
	}
	for y := range h {
		r := place(y, p.h, h)
		top, bottom := p.pix[r.at*p.w:][:p.w], p.pix[(r.at+1)*p.w:][:p.w]
		to := out.pix[y*w:][:w]
		for x, c := range columns {
			a := int(top[c.at])*(256-c.part) + int(top[c.at+1])*c.part
			b := int(bottom[c.at])*(256-c.part) + int(bottom[c.at+1])*c.part
			to[x] = byte((a*(256-r.part) + b*r.part + 1<<15) >> 16)
		}
	}
	return out
}

// smoothed is the means of 5 x 5 pixels, as the tests compare them. Borders, where no
// feature lies, stay as they are.
func (p plane) smoothed() plane {
	out := plane{p.w, p.h, slices.Clone(p.pix)}
	sums := make([]uint32, p.w)
	for y := range 5 {
		for x, v := range p.pix[y*p.w:][:p.w] {
			sums[x] += uint32(v)
		}
	}
	for y := 2; y < p.h-2; y++ {
		s := sums[0] + sums[1] + sums[2] + sums[3]
		to := out.pix[y*p.w:][:p.w]
		for x := 2; x < p.w-2; x++ {
			s += sums[x+2]
			to[x] = byte((s*5243 + 1<<16) >> 17) // a 25th
			s -= sums[x-2]
		}
		if y+3 < p.h {
			old, next := p.pix[(y-2)*p.w:][:p.w], p.pix[(y+3)*p.w:][:p.w]
			for x := range sums {
				sums[x] += uint32(next[x]) - uint32(old[x])
			}
		}
	}
	return out
}

// ring are the 16 pixels of FAST's circle of radius 3, clockwise from the top.
var ring = [16][2]int{{0, -3}, {1, -3}, {2, -2}, {3, -1}, {3, 0}, {3, 1}, {2, 2}, {1, 3}, {0, 3}, {-1, 3}, {-2, 2}, {-3, 1}, {-3, 0}, {-3, -1}, {-2, -2}, {-1, -3}}

// runs tells of each pattern of 16 bits whether nine in a row, around the end, are set.
var runs = func() *[1 << 16]bool {
	var t [1 << 16]bool
	for v := range t {
		twice := uint32(v) | uint32(v)<<16
		all := twice
		for range 8 {
			all &= all >> 1
			// all has a bit where that one and those after it are set
		}
		t[v] = all&0xffff != 0
	}
	return &t
}()

// corners are the plane's FAST corners (nine pixels in a row on the circle all brighter or
// all darker than its middle by a contrast) that are the strongest among their neighbours.
func (p plane) corners(contrast int) []corner {
	var offset [16]int
	for i, r := range ring {
		offset[i] = r[1]*p.w + r[0]
	}
	strength := make([]float32, p.w*p.h)
	var found []corner
	for y := edge; y < p.h-edge; y++ {
		for x := edge; x < p.w-edge; x++ {
			at := y*p.w + x
			v := int(p.pix[at])
			// Of nine in a row two of the four at right angles are among them.
			n, e, s, w := int(p.pix[at+offset[0]])-v, int(p.pix[at+offset[4]])-v, int(p.pix[at+offset[8]])-v, int(p.pix[at+offset[12]])-v
			if beyond(n, e, s, w, contrast) < 2 && beyond(-n, -e, -s, -w, contrast) < 2 {
				continue
			}
			var bright, dark int
			for i, o := range offset {
				d := int(p.pix[at+o]) - v
				bright |= (contrast - d) >> 63 & 1 << i
				dark |= (contrast + d) >> 63 & 1 << i
			}
			if !runs[bright] && !runs[dark] {
				continue
			}
			if h := p.harris(x, y); h > 0 {
				strength[at] = h
				found = append(found, corner{h, int32(x), int32(y)})
			}
		}
	}
	return slices.DeleteFunc(found, func(c corner) bool {
		for dy := -1; dy <= 1; dy++ {
			for _, s := range strength[(int(c.y)+dy)*p.w+int(c.x)-1:][:3] {
				if s > c.strength {
					return true
				}
			}
		}
		return false
	})
}

// beyond counts those of four differences that are above the contrast.
func beyond(a, b, c, d, contrast int) int {
	return (contrast-a)>>63&1 + (contrast-b)>>63&1 + (contrast-c)>>63&1 + (contrast-d)>>63&1
}

// harris is Harris' measure of a corner over 7 x 7 pixels: large where grey levels change
// in both directions (Harris, Stephens 1988).
func (p plane) harris(x, y int) float32 {
	var xx, yy, xy int
	for j := y - 3; j <= y+3; j++ {
		up, row, down := p.pix[(j-1)*p.w+x-4:][:9], p.pix[j*p.w+x-4:][:9], p.pix[(j+1)*p.w+x-4:][:9]
		for i := 1; i < 8; i++ {
			gx, gy := int(row[i+1])-int(row[i-1]), int(down[i])-int(up[i])
			xx += gx * gx
			yy += gy * gy
			xy += gx * gy
		}
	}
	a, b, c := float32(xx), float32(yy), float32(xy)
	return a*b - c*c - 0.04*(a+b)*(a+b)
}
