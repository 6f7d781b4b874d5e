package pixel

import (
	"image"
	"slices"
)

// Copies of a photo come with borders: bars of another shape's screen, a frame, a caption below. What follows finds bars
// that are of one tone, with or without something written on them, and hashes the picture within.

const (
	barTone     = 2.5 // how far a bar's pixels may be from its tone, luma
	barEven     = .9  // the share of a line that has the bar's tone, where nothing is written
	barWritten  = .2  // where something is
	innerSide   = 64  // pixels of the 512 that a picture must keep
	innerShare  = .12 // of the frame that it must keep
	captionMost = .2  // of the frame's height that a bar may take which lies over the picture
)

func (p *plane) bounds() image.Rectangle { return image.Rect(0, 0, p.w, p.h) }

// inner is the picture within bars of one tone: all of the plane where there are none, or where nothing would be left.
// Bars may lie within bars, so that it looks again until no side has one.
func (p *plane) inner() image.Rectangle {
	in := p.bounds()
	for changed := true; changed; {
		changed = false
		for side := range 4 {
			depth := p.bar(in, side)
			if depth == 0 {
				continue
			}
			changed = true
			switch side {
			case 0:
				in.Min.Y += depth
			case 1:
				in.Max.Y -= depth
			case 2:
				in.Min.X += depth
			case 3:
				in.Max.X -= depth
			}
			if in.Dx() < innerSide || in.Dy() < innerSide || float64(in.Dx()*in.Dy()) < innerShare*float64(p.w*p.h) {
				return p.bounds()
			}
		}
	}
	return in
}

// bar is how many lines of in belong to a bar at its top, bottom, left or right side (0 to 3). A bar begins and ends with a
// line of one tone; between them something may be written on it.
func (p *plane) bar(in image.Rectangle, side int) (depth int) {
	first, out, along := in.Min.Y*p.w+in.Min.X, p.w, 1
	lines, n := in.Dy(), in.Dx()
	switch side {
	case 1:
		first, out = (in.Max.Y-1)*p.w+in.Min.X, -p.w
	case 2:
		out, along, lines, n = 1, p.w, n, lines
	case 3:
		first, out, along, lines, n = first+in.Dx()-1, -1, p.w, n, lines
	}
	tone := p.lineTone(first, along, n)
	for i := range lines {
		share := p.toneShare(first+i*out, along, n, tone)
		if share < barWritten || i == 0 && share < barEven {
			break
		}
		if share >= barEven {
			depth = i + 1
		}
	}
	return depth
}

// lineTone is the tone that most of a line has, if any: the one in the middle of a sample of it.
func (p *plane) lineTone(from, along, n int) float32 {
	var sample [31]float32
	for i := range sample {
		sample[i] = p.pix[from+(2*i+1)*n/(2*len(sample))*along]
	}
	slices.Sort(sample[:])
	return sample[len(sample)/2]
}

// toneShare is the share of a line's pixels that have the tone.
func (p *plane) toneShare(from, along, n int, tone float32) float64 {
	like := 0
	for i := range n {
		if v := p.pix[from+i*along] - tone; v <= barTone && v >= -barTone {
			like++
		}
	}
	return float64(like) / float64(n)
}

// hashTrimmed hashes a part of the 512 pixel plane.
func hashTrimmed(s *scratch, in image.Rectangle) prints {
	g := newGrid(in.Dx(), in.Dy())
	return g.pdq(s, s.p512.pix[in.Min.Y*s.p512.w+in.Min.X:], s.p512.w)
}

// uncovered hashes the plane as it may have been before bars were laid over its upper and lower edge, around in. What
// was there is not known, so several guesses are made: the hash is the first one's, and certain are the bits that all agree
// on. Both are empty where the bars are no caption's.
func (g *grid) uncovered(s *scratch, in image.Rectangle) (print, certain string) {
	p, t := &s.p512, &s.turned
	top, bottom := in.Min.Y, p.h-in.Max.Y
	if in.Dx() != p.w || float64(max(top, bottom)) > captionMost*float64(p.h) {
		return "", ""
	}
	t.resize(p.w, p.h)
	copy(t.pix, p.pix)
	var first, differ hash
	for guess := range guesses {
		t.fill(covered{in.Min.Y, -1, top, in.Dy()}, guess)
		t.fill(covered{in.Max.Y - 1, 1, bottom, in.Dy()}, guess)
		h := hashPDQ(coefficientsPDQ(g.sample(s, t.pix, t.w, false, false)))
		if guess == 0 {
			first = h
		}
		for k := range h {
			differ[k] |= h[k] ^ first[k]
		}
	}
	for k := range differ {
		differ[k] = ^differ[k]
	}
	return first.String(), differ.String()
}

// covered is where a picture ends and a bar of n rows begins.
type covered struct {
	at   int // the picture's last row
	step int // from there into the bar: 1 downwards, -1 upwards
	n    int
	rows int // of the picture
}

const (
	guesses  = 5
	edgeRows = 8 // of a picture, that say how it goes on
)

// fill puts a guess where a bar is: the picture's edge going on, its mean, one fading into the other, the mean of as much
// beside it as twice the bar, or the picture as in a mirror.
func (p *plane) fill(c covered, guess int) {
	if c.n == 0 {
		return
	}
	row := func(i int) []float32 { return p.pix[(c.at+i*c.step)*p.w:][:p.w] } // 0 is the picture's last, 1 the bar's first
	mean := func(rows int) []float32 {
		sum := make([]float32, p.w)
		rows = min(rows, c.rows)
		for i := range rows {
			for x, v := range row(-i) {
				sum[x] += v / float32(rows)
			}
		}
		return sum
	}
	tone := func() []float32 {
		columns, all := mean(c.rows), float32(0)
		for _, v := range columns {
			all += v / float32(p.w)
		}
		return slices.Repeat([]float32{all}, p.w)
	}
	var begin, end []float32
	switch guess {
	case 0:
		begin = mean(edgeRows)
		end = begin
	case 1:
		begin = tone()
		end = begin
	case 2:
		begin, end = mean(edgeRows), tone()
	case 3:
		begin = mean(2 * c.n)
		end = begin
	default:
		for i := 1; i <= c.n; i++ {
			copy(row(i), row(1-i))
		}
		return
	}
	for i := 1; i <= c.n; i++ {
		share := (float32(i) - .5) / float32(c.n)
		for x, out := 0, row(i); x < len(out); x++ {
			out[x] = begin[x] + share*(end[x]-begin[x])
		}
	}
}
