package pixel

// Limits of moire. A peak must stand 20 times over its surroundings: noise reaches 8 and the straight edges, bricks
// and mats of the labelled photos 16, while a grid of 2 luma levels reaches 23 even when the screen is warped.
const (
	moireProminence = 20
	moireMinSide    = 200 // pixels of the measured photo: with fewer the surroundings say nothing
)

// moire is the share of spectral power (r > .08 cycles a pixel at 512 px) in isolated peaks off the axes: what is left
// of a screen's own pixel grid when a camera samples it. It reads s.power as spectrum left it.
func (p *plan) moire(s *scratch) float64 {
	if p.w < moireMinSide || p.h < moireMinSide {
		return 0
	}
	total := p.powerBeyond(s, .08)
	if total <= flatPower*float64(p.w*p.h)*float64(p.w*p.h)*255*255 {
		return 0
	}
	var peaks float64
	const tile, reach, axis = 8, 4, 5
	for ty := 0; ty+tile <= p.h; ty += tile {
		for tx := tile; tx+tile+reach <= p.half; tx += tile {
			y, x, top := 0, 0, float32(-1)
			for v := ty; v < ty+tile; v++ {
				for u, power := range s.power[v*p.stride+tx:][:tile] {
					if power > top {
						y, x, top = v, tx+u, power
					}
				}
			}
			fx, fy := frequency(x, p.w), frequency(y, p.h)
			if r := fx*fx + fy*fy; r < .08*.08 || r > .48*.48 || min(y, p.h-y) < axis {
				continue
			}
			peaks += p.peak(s, x, y, top)
		}
	}
	return peaks / total
}

// peak is the power of the peak at x, y, or 0 where it is none: a 3x3 patch (the Hann window spreads a line that far)
// against the mean of the 9x9 around it without the inner 5x5.
func (p *plan) peak(s *scratch, x, y int, top float32) float64 {
	var patch, around float32
	for dy := -4; dy <= 4; dy++ {
		v := (y + dy + p.h) % p.h
		for dx, power := range s.power[v*p.stride+x-4:][:9] {
			dx -= 4
			switch {
			case power > top:
				return 0
			case max(dx, -dx, dy, -dy) <= 1:
				patch += power
			case max(dx, -dx, dy, -dy) > 2:
				around += power
			}
		}
	}
	if patch/9 <= moireProminence*around/56 {
		return 0
	}
	return 2 * float64(patch) // and its mirror image
}

// powerBeyond sums the power at radii over r, both halves of the spectrum.
func (p *plan) powerBeyond(s *scratch, r float64) float64 {
	var total float64
	for y := range p.h {
		// Columns from the first beyond r on.
		from := 0
		if fy := frequency(y, p.h); fy*fy <= r*r {
			for from < p.half && frequency(from, p.w)*frequency(from, p.w)+fy*fy <= r*r {
				from++
			}
		}
		var row float32
		for _, power := range s.power[y*p.stride+from : y*p.stride+p.half] {
			row += power
		}
		total += 2 * float64(row)
	}
	return total
}
