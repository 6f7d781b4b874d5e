package pixel

import (
	"encoding/hex"
	"math"
	"slices"
	"sync"
)

// PDQ is the perceptual hash of Meta's ThreatExchange ("The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing
// Algorithm", 2019): 256 signs of a 64x64 luma's low cosine frequencies against their median.

// boxes holds, for each of 64 samples along one side, what two box filters in a row make of that side's pixels.
type boxes [64]struct {
	from    int
	weights []float32
}

func newBoxes(n int) boxes {
	window := (n + 127) / 128
	half := (window + 2) / 2
	left, right := window-half, half-1
	var out boxes
	for i := range out {
		at := int((float64(i) + .5) * float64(n) / 64)
		lo, hi := max(at-left, 0), min(at+right, n-1)
		from := max(lo-left, 0)
		weights := make([]float32, min(hi+right, n-1)-from+1)
		for j := lo; j <= hi; j++ {
			l, h := max(j-left, 0), min(j+right, n-1)
			for k := l; k <= h; k++ {
				weights[k-from] += 1 / (float32(hi-lo+1) * float32(h-l+1))
			}
		}
		out[i].from, out[i].weights = from, weights
	}
	return out
}

var cosines = sync.OnceValue(func() *[16][64]float64 {
	var c [16][64]float64
	for i := range c {
		for j := range c[i] {
			c[i][j] = math.Sqrt(2./64) * math.Cos(math.Pi/128*float64(i+1)*float64(2*j+1))
		}
	}
	return &c
})

// mirrored are the samples of a side of n pixels that is read from its end.
func (b *boxes) mirrored(n int) (out boxes) {
	for i, box := range b {
		out[i].from = n - box.from - len(box.weights)
		out[i].weights = slices.Clone(box.weights)
		slices.Reverse(out[i].weights)
	}
	return out
}

// grid is where a picture of one size is sampled, across and down.
type grid struct {
	w, h       int
	at, mirror [2]boxes // mirror: read from the other end
}

func newGrid(w, h int) grid {
	at := [2]boxes{newBoxes(w), newBoxes(h)}
	return grid{w: w, h: h, at: at, mirror: [2]boxes{at[0].mirrored(w), at[1].mirrored(h)}}
}

// prints are a picture's hashes as it is and as if it were turned, as [Measures] has them.
type prints struct {
	upright string
	turned  [7]string
	quality int
}

// pdq hashes a picture, whose rows are stride pixels apart, as it is and as if it were turned. The filters lean to one
// side, so that a mirrored picture is sampled elsewhere: its hash is not made of the upright one's coefficients but of
// samples of its own. With rows and columns exchanged the samples are the same, exchanged.
func (g *grid) pdq(s *scratch, pix []float32, stride int) (p prints) {
	var c [4]*[256]float64 // upright, mirrored left to right, upside down, both
	for way := range c {
		b := g.sample(s, pix, stride, way&1 != 0, way&2 != 0)
		if way == 0 {
			p.quality = qualityPDQ(b)
		}
		c[way] = coefficientsPDQ(b)
	}
	p.upright = hashPDQ(c[0]).String()
	for way := range 3 {
		p.turned[way] = hashPDQ(c[way+1]).String()
	}
	// Mirroring what is exchanged left to right is exchanging what is mirrored upside down.
	for way, of := range [4]int{2, 1, 3, 0} {
		p.turned[3+way] = hashPDQ(exchanged(c[of])).String()
	}
	return p
}

// sample filters a picture and takes 64x64 samples of it, mirrored left to right, upside down or both.
func (g *grid) sample(s *scratch, pix []float32, stride int, across, down bool) *[64][64]float64 {
	columns, rows := &g.at[0], &g.at[1]
	if across {
		columns = &g.mirror[0]
	}
	if down {
		rows = &g.mirror[1]
	}
	s.pdqRow = grow(s.pdqRow, g.w)
	var b [64][64]float64
	for i, of := range rows {
		row := s.pdqRow
		clear(row)
		for k, weight := range of.weights {
			for x, v := range pix[(of.from+k)*stride:][:len(row)] {
				row[x] += weight * v
			}
		}
		for j := range b[i] {
			of := &columns[j]
			var v float32
			for k, weight := range of.weights {
				v += weight * row[of.from+k]
			}
			b[i][j] = float64(v)
		}
	}
	return &b
}

func exchanged(c *[256]float64) *[256]float64 {
	var out [256]float64
	for i := range 16 {
		for j := range 16 {
			out[16*i+j] = c[16*j+i]
		}
	}
	return &out
}

// qualityPDQ sums the steps between neighbours, in whole hundredths of the range: little of it, little to hash.
func qualityPDQ(b *[64][64]float64) int {
	steps := 0.
	for i := range 64 {
		for j := range 64 {
			if i > 0 {
				steps += math.Abs(math.Trunc((b[i-1][j] - b[i][j]) * 100 / 255))
			}
			if j > 0 {
				steps += math.Abs(math.Trunc((b[i][j-1] - b[i][j]) * 100 / 255))
			}
		}
	}
	return min(100, int(steps)/90)
}

// coefficientsPDQ are the 16x16 lowest cosine frequencies but the constant ones, those down the picture in rows.
func coefficientsPDQ(b *[64][64]float64) *[256]float64 {
	dct := cosines()
	var half [16][64]float64
	for i := range half {
		for k, c := range dct[i] {
			for j, v := range b[k] {
				half[i][j] += c * v
			}
		}
	}
	var coefficients [256]float64
	for i := range 16 {
		for j := range 16 {
			for k, c := range dct[j] {
				coefficients[16*i+j] += half[i][k] * c
			}
		}
	}
	return &coefficients
}

// hash is 256 bits: bit k is in byte 31-k/8.
type hash [32]byte

// String is the hash as 64 hex digits: bit k is in 16-bit word k/16, and the highest word is written first.
func (h hash) String() string { return hex.EncodeToString(h[:]) }

func hashPDQ(coefficients *[256]float64) (bits hash) {
	sorted := *coefficients
	slices.Sort(sorted[:])
	median := (sorted[127] + sorted[128]) / 2
	for k, c := range coefficients {
		if c > median {
			bits[31-k/8] |= 1 << (k % 8)
		}
	}
	return bits
}
