package scene

import "math"

const (
	tries     = 1000  // samples of four matches
	tolerance = 0.012 // of the longer side, within which a matched feature agrees
)

// Agreeing counts the matched features of two photos that lie in both as they would on
// one flat thing seen from two places: the most that any homography agrees with, of those
// through four matches (RANSAC, Fischler, Bolles 1981). Samples are drawn by a fixed seed,
// so that the same photos give the same count.
func Agreeing(a, b []Feature) int {
	m := match(a, b)
	if len(m) < 5 {
		return 0
	}
	state, best := uint64(1), 0
	next := func() int {
		state ^= state << 13 // xorshift (Marsaglia 2003)
		state ^= state >> 7
		state ^= state << 17
		return int(state % uint64(len(m)))
	}
	for range tries {
		s := [4]int{next(), next(), next(), next()}
		if s[0] == s[1] || s[0] == s[2] || s[0] == s[3] || s[1] == s[2] || s[1] == s[3] || s[2] == s[3] {
			continue
		}
		h, ok := through([]matched{m[s[0]], m[s[1]], m[s[2]], m[s[3]]})
		if !ok || !h.likely() {
			continue
		}
		if agreeing := h.agree(m); len(agreeing) > best {
			best = len(agreeing)
			// All that agree give a better one than four of them do.
			if again, ok := through(agreeing); ok && again.likely() {
				best = max(best, len(again.agree(m)))
			}
		}
	}
	if best <= 4 {
		return 0 // four agree with the homography through them whatever they are
	}
	return best
}

// homography maps a point of one photo to the other, row by row; its ninth number is 1.
type homography [8]float64

// through is the homography that fits the matches best, by least squares of the linear
// equations (Hartley, Zisserman 2004, 4.1, with the last number fixed).
func through(m []matched) (h homography, ok bool) {
	var a [8][9]float64 // normal equations
	add := func(row *[9]float64) {
		for i := range 8 {
			if row[i] == 0 {
				continue
			}
			for j := range 9 {
				a[i][j] += row[i] * row[j]
			}
		}
	}
	for _, p := range m {
		add(&[9]float64{p.ax, p.ay, 1, 0, 0, 0, -p.ax * p.bx, -p.ay * p.bx, p.bx})
		add(&[9]float64{0, 0, 0, p.ax, p.ay, 1, -p.ax * p.by, -p.ay * p.by, p.by})
	}
	for i := range 8 {
		pivot := i
		for j := i + 1; j < 8; j++ {
			if math.Abs(a[j][i]) > math.Abs(a[pivot][i]) {
				pivot = j
			}
		}
		if math.Abs(a[pivot][i]) < 1e-12 {
			return h, false
		}
		a[i], a[pivot] = a[pivot], a[i]
		for j := i + 1; j < 8; j++ {
			f := a[j][i] / a[i][i]
			if f == 0 {
				continue
			}
			for k := i; k < 9; k++ {
				a[j][k] -= f * a[i][k]
			}
		}
	}
	for i := 7; i >= 0; i-- {
		v := a[i][8]
		for j := i + 1; j < 8; j++ {
			v -= a[i][j] * h[j]
		}
		h[i] = v / a[i][i]
	}
	return h, true
}

func (h *homography) at(x, y float64) (u, v, w float64) {
	w = h[6]*x + h[7]*y + 1
	return (h[0]*x + h[1]*y + h[2]) / w, (h[3]*x + h[4]*y + h[5]) / w, w
}

// likely tells whether somebody who came back could have taken the other photo: it is
// neither mirrored nor turned over, at most three times as large or small, and no part of
// it lies behind the camera.
func (h *homography) likely() bool {
	for _, c := range [][2]float64{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		if _, _, w := h.at(c[0], c[1]); w < 0.2 {
			return false
		}
	}
	for _, c := range [][2]float64{{.3, .3}, {.7, .3}, {.3, .7}, {.7, .7}} {
		u, v, w := h.at(c[0], c[1])
		// The Jacobian.
		xx, xy := (h[0]-u*h[6])/w, (h[1]-u*h[7])/w
		yx, yy := (h[3]-v*h[6])/w, (h[4]-v*h[7])/w
		area := xx*yy - xy*yx
		if area < 1.0/9 || area > 9 || xx+yy < 0 {
			return false
		}
		// Neither side is drawn out much more than the other.
		if sum := xx*xx + xy*xy + yx*yx + yy*yy; sum/area > 5 {
			return false
		}
	}
	return true
}

// agree are the matches that lie where the homography has them.
func (h *homography) agree(m []matched) []matched {
	var out []matched
	for _, p := range m {
		u, v, w := h.at(p.ax, p.ay)
		if w > 0 && (u-p.bx)*(u-p.bx)+(v-p.by)*(v-p.by) <= tolerance*tolerance {
			out = append(out, p)
		}
	}
	return out
}
