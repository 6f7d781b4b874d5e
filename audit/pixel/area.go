package pixel

import (
	"encoding/binary"
	"math"
	"sync"
)

// plane is an upright area-averaged luma plane, row by row without gaps.
type plane struct {
	pix  []float32
	w, h int
}

func (p *plane) resize(w, h int) {
	p.w, p.h = w, h
	p.pix = grow(p.pix, w*h)
}

// scratch is everything that measuring one photo needs beside the photo, kept for the next.
type scratch struct {
	p1024, p512 plane
	turned      plane
	even, odd   []uint64
	prefix      []uint32
	cols        []edge
	perWidth    []float32

	spec, fftA, fftB []complex64
	haar             [2][]float32
	extents          [3][]float32
	power, pdqRow    []float32
	lens             lensScratch
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// grow returns a slice of n elements, reusing s where it is large enough. Its content is undefined.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// fitSize is the size at which a w x h photo's long side is side pixels; never enlarged. It rounds half to even, as
// the numbers that the limits were fitted on did.
func fitSize(w, h, side int) (int, int) {
	long := max(w, h)
	if side >= long {
		return w, h
	}
	s := float64(side) / float64(long)
	return max(1, int(math.RoundToEven(float64(w)*s))), max(1, int(math.RoundToEven(float64(h)*s)))
}

// fit fills the 1024 and 512 pixel planes of l and turns them upright.
func (s *scratch) fit(l *Luma) {
	w, h := fitSize(l.Width, l.Height, 1024)
	s.reduce(&s.p1024, l, w, h)
	w, h = fitSize(l.Width, l.Height, 512)
	// Averages of averages are exact where the sizes halve exactly, as they do for 4:3, 1:1 and 16:9.
	if s.p1024.w == 2*w && s.p1024.h == 2*h {
		halve(&s.p512, &s.p1024, w, h)
	} else {
		s.reduce(&s.p512, l, w, h)
	}
	s.upright(&s.p1024, l.Orientation)
	s.upright(&s.p512, l.Orientation)
}

func halve(dst, src *plane, w, h int) {
	dst.resize(w, h)
	for y := range h {
		a := src.pix[2*y*src.w:][:2*w]
		b := src.pix[(2*y+1)*src.w:][:2*w]
		out := dst.pix[y*w:][:w]
		for x := range out {
			out[x] = (a[2*x] + a[2*x+1] + b[2*x] + b[2*x+1]) * .25
		}
	}
}

// reduce fills dst with l averaged over the areas that w x h pixels cover.
func (s *scratch) reduce(dst *plane, l *Luma, w, h int) {
	dst.resize(w, h)
	switch {
	case w == l.Width && h == l.Height:
		for y := range h {
			out := dst.pix[y*w:][:w]
			for x, v := range l.Pix[y*l.Stride:][:w] {
				out[x] = float32(v)
			}
		}
	case l.Height > 64*h || l.Width > 256*w:
		reduceExact(dst, l)
	default:
		s.reduceFast(dst, l)
	}
}

// edge is where an output pixel begins: frac of the grid's steps into source pixel at.
type edge struct {
	at, frac uint32
}

// edges lays the n+1 borders of n output pixels over size source pixels, on a grid of unit steps a source pixel.
func edges(dst []edge, size, n, unit int) []edge {
	dst = grow(dst, n+1)
	for i := range dst {
		pos := uint64(math.Round(float64(i) * float64(size) * float64(unit) / float64(n)))
		dst[i] = edge{uint32(pos / uint64(unit)), uint32(pos % uint64(unit))}
	}
	return dst
}

const lanes = 0x00ff00ff00ff00ff

// across is the grid along a row, in steps a source pixel.
const across = 64

// reduceFast averages in integers: eight bytes at a time down the columns (two words of four 16-bit lanes), then along
// the row through prefix sums. Borders of the areas are rounded to a grid of 1/32 pixel or finer, at phone sizes 1/64,
// which moves a mean by under a hundredth of the contrast across that border.
func (s *scratch) reduceFast(dst *plane, l *Luma) {
	// A lane holds 255 times the weights of the rows under one output row: they may sum to 257.
	unit := max(1, min(64, 255*dst.h/l.Height-1))
	s.cols = edges(s.cols, l.Width, dst.w, across)
	s.perWidth = grow(s.perWidth, dst.w)
	for i := range s.perWidth {
		from, to := s.cols[i], s.cols[i+1]
		s.perWidth[i] = 1 / float32((to.at-from.at)*across+to.frac-from.frac)
	}
	words := (l.Width + 7) / 8
	s.even, s.odd = grow(s.even, words), grow(s.odd, words)
	s.prefix = grow(s.prefix, 8*words+2)
	border := func(i int) (row int, frac uint64) {
		pos := int(math.Round(float64(i) * float64(l.Height) * float64(unit) / float64(dst.h)))
		return pos / unit, uint64(pos % unit)
	}
	top, topFrac := border(0)
	for y := range dst.h {
		end, endFrac := border(y + 1)
		clear(s.even)
		clear(s.odd)
		row, weights := top, uint64(0)
		if topFrac > 0 && row < end {
			weights += uint64(unit) - topFrac
			s.addRow(l, row, uint64(unit)-topFrac)
			row++
		}
		weights += uint64(end-row) * uint64(unit)
		for ; row+1 < end; row += 2 {
			s.addRows(l, row, uint64(unit))
		}
		if row < end {
			s.addRow(l, row, uint64(unit))
		}
		if endFrac > 0 {
			weights += endFrac
			s.addRow(l, end, endFrac)
		}
		s.sumRow()
		s.cells(dst.pix[y*dst.w:][:dst.w], float32(weights))
		top, topFrac = end, endFrac
	}
}

// addRow adds weight times a row to the column sums.
func (s *scratch) addRow(l *Luma, y int, weight uint64) {
	row := l.Pix[y*l.Stride:][:l.Width]
	even, odd := s.even, s.odd
	whole := len(row) / 8
	even, odd = even[:len(even):len(even)], odd[:len(even)]
	for k := 0; k < whole; k++ {
		v := binary.LittleEndian.Uint64(row[8*k:])
		even[k] += (v & lanes) * weight
		odd[k] += (v >> 8 & lanes) * weight
	}
	if whole < len(even) {
		v := tail(row[8*whole:])
		even[whole] += (v & lanes) * weight
		odd[whole] += (v >> 8 & lanes) * weight
	}
}

// addRows adds weight times rows y and y+1: one trip to the sums instead of two.
func (s *scratch) addRows(l *Luma, y int, weight uint64) {
	a := l.Pix[y*l.Stride:][:l.Width]
	b := l.Pix[(y+1)*l.Stride:][:l.Width]
	even := s.even
	odd := s.odd[:len(even)]
	whole := len(a) / 8
	for k := 0; k < whole; k++ {
		v, u := binary.LittleEndian.Uint64(a[8*k:]), binary.LittleEndian.Uint64(b[8*k:])
		even[k] += (v&lanes + u&lanes) * weight
		odd[k] += (v>>8&lanes + u>>8&lanes) * weight
	}
	if whole < len(even) {
		v, u := tail(a[8*whole:]), tail(b[8*whole:])
		even[whole] += (v&lanes + u&lanes) * weight
		odd[whole] += (v>>8&lanes + u>>8&lanes) * weight
	}
}

// tail reads the last 1 to 7 bytes of a row as a word.
func tail(b []byte) (v uint64) {
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	return v
}

// sumRow turns the column sums into prefix sums along the row. They may wrap: only differences of them are used.
func (s *scratch) sumRow() {
	var c uint32
	p := s.prefix
	odd := s.odd[:len(s.even)]
	p[0] = 0
	p = p[1:]
	for k, e := range s.even {
		o := odd[k]
		q := p[8*k : 8*k+8 : 8*k+8]
		c += uint32(e & 0xffff)
		q[0] = c
		c += uint32(o & 0xffff)
		q[1] = c
		c += uint32(e >> 16 & 0xffff)
		q[2] = c
		c += uint32(o >> 16 & 0xffff)
		q[3] = c
		c += uint32(e >> 32 & 0xffff)
		q[4] = c
		c += uint32(o >> 32 & 0xffff)
		q[5] = c
		c += uint32(e >> 48)
		q[6] = c
		c += uint32(o >> 48)
		q[7] = c
	}
	s.prefix[len(s.prefix)-1] = c
}

// cells divides the row's sums among the output pixels; weight is the sum of the row weights.
func (s *scratch) cells(out []float32, weight float32) {
	p := s.prefix
	cols, perWidth := s.cols[1:], s.perWidth
	cols, perWidth = cols[:len(out)], perWidth[:len(out)]
	perWeight := 1 / weight
	var before uint32
	for i := range out {
		e := cols[i]
		sum := p[e.at]*(across-e.frac) + p[e.at+1]*e.frac
		out[i] = float32(sum-before) * (perWeight * perWidth[i])
		before = sum
	}
}

// reduceExact averages in floating point, for shapes whose sums the integers cannot hold.
func reduceExact(dst *plane, l *Luma) {
	sums := make([]float64, dst.w*dst.h)
	sy, sx := float64(l.Height)/float64(dst.h), float64(l.Width)/float64(dst.w)
	for y := range l.Height {
		row := l.Pix[y*l.Stride:][:l.Width]
		for oy := min(dst.h-1, int(float64(y)/sy)); oy < dst.h && float64(oy)*sy < float64(y+1); oy++ {
			wy := overlap(float64(y), float64(oy)*sy, sy)
			if wy <= 0 {
				continue
			}
			out := sums[oy*dst.w:][:dst.w]
			for x, v := range row {
				for ox := min(dst.w-1, int(float64(x)/sx)); ox < dst.w && float64(ox)*sx < float64(x+1); ox++ {
					if wx := overlap(float64(x), float64(ox)*sx, sx); wx > 0 {
						out[ox] += wy * wx * float64(v)
					}
				}
			}
		}
	}
	for i, v := range sums {
		dst.pix[i] = float32(v / (sx * sy))
	}
}

// overlap is how much of source pixel at lies in the output pixel from start, scale pixels long.
func overlap(at, start, scale float64) float64 {
	return min(at+1, start+scale) - max(at, start)
}
