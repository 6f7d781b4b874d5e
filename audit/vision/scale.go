package vision

import (
	"encoding/binary"
	"image"
	"math"
)

// Scale draws a part of an opaque image at another size: linear interpolation, over as
// many pixels as fall into one where it gets smaller. It is what golang.org/x/image/draw's
// BiLinear does, within rounding, in less than half the time; networks wait for it.
func Scale(img *image.RGBA, part image.Rectangle, w, h int) *image.RGBA {
	part = part.Intersect(img.Rect)
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	if part.Empty() || out.Rect.Empty() {
		return out
	}
	columns, rows := newTaps(part.Dx(), w), newTaps(part.Dy(), h)
	// Rows first: 8 bits behind the point of each of three colours.
	wide := make([]uint16, part.Dy()*3*w)
	for y := range part.Dy() {
		from := img.Pix[img.PixOffset(part.Min.X, part.Min.Y+y):][: 4*part.Dx() : 4*part.Dx()]
		to := wide[y*3*w:][:3*w]
		for x := range w {
			first, weights := columns.at(x)
			p := from[4*first:][:4*len(weights)]
			var r, g, b uint32
			for i, weight := range weights {
				r += weight * uint32(p[4*i])
				g += weight * uint32(p[4*i+1])
				b += weight * uint32(p[4*i+2])
			}
			to[3*x], to[3*x+1], to[3*x+2] = uint16(r>>8), uint16(g>>8), uint16(b>>8)
		}
	}
	sums := make([]uint32, 3*w)
	for y := range h {
		first, weights := rows.at(y)
		clear(sums)
		for i, weight := range weights {
			row := wide[(first+i)*3*w:][:len(sums)]
			for x, v := range row {
				sums[x] += weight * uint32(v) >> 8
			}
		}
		to := out.Pix[y*out.Stride:][:4*w]
		for x := range w {
			to[4*x], to[4*x+1], to[4*x+2], to[4*x+3] = byte(min((sums[3*x]+1<<15)>>16, 255)), byte(min((sums[3*x+1]+1<<15)>>16, 255)), byte(min((sums[3*x+2]+1<<15)>>16, 255)), 255
		}
	}
	return out
}

// Half draws a part of an opaque image at half its size: means of 2 x 2 pixels. A last odd
// row or column is left out.
func Half(img *image.RGBA, part image.Rectangle) *image.RGBA {
	part = part.Intersect(img.Rect)
	out := image.NewRGBA(image.Rect(0, 0, part.Dx()/2, part.Dy()/2))
	const even = 0x00ff00ff // two of the four bytes, with room above each
	for y := range out.Rect.Dy() {
		above := img.Pix[img.PixOffset(part.Min.X, part.Min.Y+2*y):][:8*out.Rect.Dx()]
		below := img.Pix[img.PixOffset(part.Min.X, part.Min.Y+2*y+1):][:8*out.Rect.Dx()]
		to := out.Pix[y*out.Stride:][:4*out.Rect.Dx()]
		for len(to) >= 4 && len(above) >= 8 && len(below) >= 8 {
			a, b := binary.LittleEndian.Uint64(above), binary.LittleEndian.Uint64(below)
			p, q, r, s := uint32(a), uint32(a>>32), uint32(b), uint32(b>>32)
			low := (p&even + q&even + r&even + s&even + 0x00020002) >> 2 & even
			high := (p>>8&even + q>>8&even + r>>8&even + s>>8&even + 0x00020002) >> 2 & even
			binary.LittleEndian.PutUint32(to, low|high<<8)
			above, below, to = above[8:], below[8:], to[4:]
		}
	}
	return out
}

// taps are which pixels of a row come into each pixel of the scaled one.
type taps struct {
	first   []int
	end     []int // in weights
	weights []uint32
}

// one is the sum of a pixel's weights.
const one = 1 << 16

func newTaps(from, to int) taps {
	t := taps{first: make([]int, to), end: make([]int, to)}
	scale := float64(from) / float64(to)
	reach := max(scale, 1)
	for i := range to {
		centre := (float64(i) + 0.5) * scale
		first, last := max(int(math.Floor(centre-reach)), 0), min(int(math.Ceil(centre+reach)), from)
		var shares []float64
		sum := 0.0
		for p := first; p < last; p++ {
			share := max(1-math.Abs(float64(p)+0.5-centre)/reach, 0)
			if share == 0 && len(shares) == 0 {
				first++
				continue
			}
			shares = append(shares, share)
			sum += share
		}
		rest := uint32(one)
		for _, s := range shares {
			weight := uint32(math.Round(s / sum * one))
			t.weights = append(t.weights, min(weight, rest))
			rest -= min(weight, rest)
		}
		t.weights[len(t.weights)-len(shares)/2-1] += rest // what rounding left
		t.first[i], t.end[i] = first, len(t.weights)
	}
	return t
}

func (t taps) at(i int) (first int, weights []uint32) {
	start := 0
	if i > 0 {
		start = t.end[i-1]
	}
	return t.first[i], t.weights[start:t.end[i]]
}
