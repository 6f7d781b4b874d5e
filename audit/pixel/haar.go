package pixel

// Tong, Li, Zhang, Zhang: Blur detection for digital images using wavelet transform (ICME 2004): a Haar pyramid of
// three levels; in each 16 pixel block the strongest edge of each level; edges that grow with the level are ramps, and
// a ramp whose finest level stays under the threshold has lost its sharpness.
const edgeThreshold = 35

// blurExtent is the share of ramps that have lost their sharpness, of the 1024 pixel plane.
func blurExtent(s *scratch, p *plane) float64 {
	w, h := p.w/16*16, p.h/16*16
	n := (w / 16) * (h / 16)
	if n == 0 {
		return 0
	}
	src, stride := p.pix, p.w
	for level, window := range [3]int{8, 4, 2} {
		e := grow(s.extents[level], n)
		clear(e)
		s.extents[level] = e
		s.haar[level&1] = grow(s.haar[level&1], w/2*(h/2))
		next := s.haar[level&1]
		haarLevel(next, e, src, stride, w/2, h/2, window)
		w, h = w/2, h/2
		src, stride = next, w
	}
	ramps, lost := 0, 0
	e1, e2, e3 := s.extents[0], s.extents[1], s.extents[2]
	const t = 4 * edgeThreshold * edgeThreshold // as haarLevel leaves them
	for i, a := range e1 {
		b, c := e2[i], e3[i]
		if a <= t && b <= t && c <= t {
			continue
		}
		if a < b && b < c || b > a && b > c {
			ramps++
			if a < t {
				lost++
			}
		}
	}
	return float64(lost) / float64(max(ramps, 1))
}

// haarLevel halves src into next (w x h, sums of four halved) and keeps, four times squared, the largest edge of each
// window.
func haarLevel(next, strongest, src []float32, stride, w, h, window int) {
	blocks := w / window
	for y := range h {
		a := src[2*y*stride:][:2*w]
		b := src[(2*y+1)*stride:][:2*w]
		out := next[y*w:][:w]
		best := strongest[y/window*blocks:][:blocks]
		for k := range best {
			m := best[k]
			aw, bw, ow := a[2*k*window:][:2*window], b[2*k*window:][:2*window], out[k*window:][:window]
			for x := range ow {
				p, q, r, t := aw[2*x], aw[2*x+1], bw[2*x], bw[2*x+1]
				top, bottom, left, right := p+q, r+t, p-q, r-t
				ow[x] = (top + bottom) * .5
				i, j, d := left+right, top-bottom, left-right
				if e := i*i + j*j + d*d; e > m { // the builtin max minds NaN, which costs
					m = e
				}
			}
			best[k] = m
		}
	}
}
