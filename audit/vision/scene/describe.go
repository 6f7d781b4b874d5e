package scene

import "math"

const (
	reach  = 13 // of a test's points from the feature, pixels, before it is turned
	spread = 31.0 / 5
	circle = 15 // radius over which the centroid is taken
)

// pair is two points around a feature.
type pair struct{ ax, ay, bx, by float64 }

// pairs are the 256 tests: both points drawn from a normal distribution around the
// feature, its deviation a fifth of the patch of 31 pixels, as BRIEF found to be best
// ("G II"). They are this code's own: drawn by SplitMix64 (Steele, Lea, Flood 2014) from
// seed 1, points beyond the reach drawn again.
var pairs = func() (all [256]pair) {
	state := uint64(1)
	uniform := func() float64 {
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return (float64((z^z>>31)>>11) + .5) / (1 << 53)
	}
	point := func() (x, y float64) {
		for {
			r, turn := spread*math.Sqrt(-2*math.Log(uniform())), 2*math.Pi*uniform()
			if r <= reach {
				return r * math.Cos(turn), r * math.Sin(turn)
			}
		}
	}
	for i := range all {
		p := &all[i]
		p.ax, p.ay = point()
		p.bx, p.by = point()
	}
	return all
}()

// widths is half the width of the circle's rows.
var widths = func() (w [circle + 1]int) {
	for y := range w {
		w[y] = int(math.Sqrt(circle*circle - float64(y*y)))
	}
	return w
}()

// direction is the cosine and the sine of the direction in which the centroid of
// intensity lies from the point.
func (p plane) direction(x, y int) (c, s float64) {
	mx, my := 0, 0
	for dy := -circle; dy <= circle; dy++ {
		half := widths[max(dy, -dy)]
		row := p.pix[(y+dy)*p.w+x-half:][:2*half+1]
		sum := 0
		for i, v := range row {
			sum += int(v)
			mx += (i - half) * int(v)
		}
		my += dy * sum
	}
	length := math.Hypot(float64(mx), float64(my))
	if length == 0 {
		return 1, 0
	}
	return float64(mx) / length, float64(my) / length
}

// describe makes a feature's bits: which of each pair's points is darker, in the
// feature's own direction.
func describe(p, smooth plane, x, y int) (bits [4]uint64) {
	c, s := p.direction(x, y)
	at := func(px, py float64) byte {
		return smooth.pix[(y+int(math.Floor(s*px+c*py+.5)))*p.w+x+int(math.Floor(c*px-s*py+.5))]
	}
	for i, t := range &pairs {
		if at(t.ax, t.ay) < at(t.bx, t.by) {
			bits[i/64] |= 1 << (i % 64)
		}
	}
	return bits
}
