package pixel

import (
	"math"
	"slices"
)

// What covers a lens is so near that it is out of focus: smooth inside, and with an edge many pixels wide. Doors, walls
// and the night sky are smooth too, but end at a sharp edge. Hence three conditions, in 8 pixel tiles at 512 px:
//
//   - tiles are smooth (lensRough) and either skin-toned or dark;
//   - such tiles join into a blob that reaches a border and covers lensLeast of the frame;
//   - across the blob's rim luma changes by lensStep or more, lensWidth or more pixels wide.
//
// Measured on the labelled photos: the largest blobs with a sharp rim (painted walls, asphalt at night) are at most 16
// pixels wide, fingers drawn with a defocus of 1.5% to 5% of the frame 20 to 60.
const (
	lensTile  = 8
	lensRough = 3   // root mean square of the Laplacian, luma
	lensLeast = .05 // share of the frame
	lensStep  = 18  // luma, median along the rim
	lensWidth = 18  // pixels, median along the rim
	lensReach = 4   // tiles on either side of the rim in which the step is sought
	darkTone  = 50  // luma
	quiet     = .25 // luma a pixel: slopes below are noise
)

// skin tells whether a tone can be a finger's. Chai and Ngan (1999) found Cb 77..127, Cr 133..173 for skin of all
// colours; light shining through a finger is redder.
func skin(y float32, cb, cr byte) bool {
	return y > 40 && cb >= 80 && cb <= 122 && cr >= 136 && cr <= 195
}

type lensScratch struct {
	mean, rough, slope []float32
	cb, cr             []byte
	kind               []byte
	queue, blob, rim   []int32
	steps, widths      []float32
}

const (
	tileOther byte = iota
	tileSkin
	tileDark
	tileSeen // part of a blob already weighed
)

// lensBlob is the share of the frame under the largest blob and the inner half of its rim; 0 when there is none.
func lensBlob(s *scratch, l *Luma) float64 {
	p, t := &s.p512, &s.lens
	w, h := p.w/lensTile, p.h/lensTile
	if w < 2*lensTile || h < 2*lensTile {
		return 0
	}
	t.tiles(p, w, h)
	t.kinds(l, w, h)
	largest := 0
	for i, k := range t.kind {
		x, y := i%w, i/w
		if (k != tileSkin && k != tileDark) || (x > 0 && y > 0 && x < w-1 && y < h-1) {
			continue
		}
		t.fill(i, w, h)
		if float64(len(t.blob)) >= lensLeast*float64(w*h) && t.soft(w, h) {
			largest = max(largest, len(t.blob)+len(t.rim))
		}
	}
	return float64(largest) / float64(w*h)
}

// tiles measures each tile's mean, roughness and steepest slope (between 4 pixel cells, so that grain counts little).
func (t *lensScratch) tiles(p *plane, w, h int) {
	const cell = lensTile / 2
	t.mean, t.rough, t.slope = grow(t.mean, w*h), grow(t.rough, w*h), grow(t.slope, w*h)
	cells := grow(t.steps, 4*w*h)
	t.steps = cells
	for y := range 2 * h {
		for x := range 2 * w {
			var sum float32
			for v := range cell {
				q := p.pix[(y*cell+v)*p.w+x*cell:][:cell]
				sum += q[0] + q[1] + q[2] + q[3]
			}
			cells[y*2*w+x] = sum / (cell * cell)
		}
	}
	for y := range h {
		for x := range w {
			i := y*w + x
			c := cells[4*y*w+2*x:]
			t.mean[i] = (c[0] + c[1] + c[2*w] + c[2*w+1]) / 4
			t.rough[i] = roughness(p, x*lensTile, y*lensTile)
			var steepest float32
			for v := 2 * y; v < 2*y+2; v++ {
				for u := 2 * x; u < 2*x+2; u++ {
					gx := cells[v*2*w+min(u+1, 2*w-1)] - cells[v*2*w+max(u-1, 0)]
					gy := cells[min(v+1, 2*h-1)*2*w+u] - cells[max(v-1, 0)*2*w+u]
					steepest = max(steepest, gx*gx+gy*gy)
				}
			}
			t.slope[i] = float32(math.Sqrt(float64(steepest))) / (2 * cell)
		}
	}
}

// roughness is the root mean square of the Laplacian over a tile, without the frame's outermost pixels.
func roughness(p *plane, x0, y0 int) float32 {
	var sum float32
	for y := max(y0, 1); y < min(y0+lensTile, p.h-1); y++ {
		up, row, down := p.pix[(y-1)*p.w:][:p.w], p.pix[y*p.w:][:p.w], p.pix[(y+1)*p.w:][:p.w]
		for x := max(x0, 1); x < min(x0+lensTile, p.w-1); x++ {
			d := up[x] + down[x] + row[x-1] + row[x+1] - 4*row[x]
			sum += d * d
		}
	}
	return float32(math.Sqrt(float64(sum / (lensTile * lensTile))))
}

// kinds sorts the tiles into skin-toned, dark and other; colour is turned upright as the luma was.
func (t *lensScratch) kinds(l *Luma, w, h int) {
	c := l.Chroma
	colour := c.Width > 0 && c.Height > 0 && len(c.Cb) >= c.Width*c.Height && len(c.Cr) >= c.Width*c.Height
	if colour {
		n := c.Width * c.Height
		t.cb, t.cr = grow(t.cb, n), grow(t.cr, n)
		turn(t.cb, c.Cb[:n], c.Width, c.Height, l.Orientation)
		turn(t.cr, c.Cr[:n], c.Width, c.Height, l.Orientation)
		if l.Orientation >= 5 && l.Orientation <= 8 {
			c.Width, c.Height = c.Height, c.Width
		}
	}
	t.kind = grow(t.kind, w*h)
	for i := range t.kind {
		t.kind[i] = tileOther
		if t.rough[i] >= lensRough {
			continue
		}
		if t.mean[i] < darkTone {
			t.kind[i] = tileDark
		}
		if colour {
			at := i/w*c.Height/h*c.Width + i%w*c.Width/w
			if skin(t.mean[i], t.cb[at], t.cr[at]) {
				t.kind[i] = tileSkin
			}
		}
	}
}

// fill gathers into t.blob the tiles of one kind that join tile i, and into t.rim those around them.
func (t *lensScratch) fill(i, w, h int) {
	kind := t.kind[i]
	t.blob, t.rim = append(t.blob[:0], int32(i)), t.rim[:0]
	t.kind[i] = tileSeen
	for at := 0; at < len(t.blob); at++ {
		neighbours(int(t.blob[at]), w, h, func(j int) {
			switch {
			case t.kind[j] == kind:
				t.kind[j] = tileSeen
				t.blob = append(t.blob, int32(j))
			case t.kind[j] != tileSeen:
				t.rim = append(t.rim, int32(j))
			}
		})
	}
	slices.Sort(t.rim)
	t.rim = slices.Compact(t.rim)
}

func neighbours(i, w, h int, visit func(int)) {
	x, y := i%w, i/w
	if x > 0 {
		visit(i - 1)
	}
	if x < w-1 {
		visit(i + 1)
	}
	if y > 0 {
		visit(i - w)
	}
	if y < h-1 {
		visit(i + w)
	}
}

// soft tells whether the rim is an edge, and a wide one: the step within reach over the slope at the rim.
func (t *lensScratch) soft(w, h int) bool {
	if len(t.rim) == 0 {
		return false
	}
	t.steps, t.widths = t.steps[:0], t.widths[:0]
	for _, r := range t.rim {
		x, y := int(r)%w, int(r)/w
		low, high := t.mean[r], t.mean[r]
		for v := max(y-lensReach, 0); v <= min(y+lensReach, h-1); v++ {
			for _, m := range t.mean[v*w+max(x-lensReach, 0) : v*w+min(x+lensReach, w-1)+1] {
				low, high = min(low, m), max(high, m)
			}
		}
		t.steps = append(t.steps, high-low)
		t.widths = append(t.widths, (high-low)/(t.slope[r]+quiet))
	}
	return median(t.steps) >= lensStep && median(t.widths) >= lensWidth
}

func median(v []float32) float32 {
	slices.Sort(v)
	return v[len(v)/2]
}
