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

// pdq hashes the 512 pixel plane.
func (p *plan) pdq(s *scratch) (fingerprint string, quality int) {
	s.pdqRow = grow(s.pdqRow, p.w)
	var b [64][64]float64
	for i, down := range p.sample[1] {
		row := s.pdqRow
		clear(row)
		for k, weight := range down.weights {
			for x, v := range s.p512.pix[(down.from+k)*p.w:][:len(row)] {
				row[x] += weight * v
			}
		}
		for j := range b[i] {
			across := &p.sample[0][j]
			var v float32
			for k, weight := range across.weights {
				v += weight * row[across.from+k]
			}
			b[i][j] = float64(v)
		}
	}
	return hashPDQ(&b), qualityPDQ(&b)
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

// hashPDQ is the hash as 64 hex digits: bit k is in 16-bit word k/16, and the highest word is written first.
func hashPDQ(b *[64][64]float64) string {
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
	sorted := coefficients
	slices.Sort(sorted[:])
	median := (sorted[127] + sorted[128]) / 2
	var bits [32]byte
	for k, c := range coefficients {
		if c > median {
			bits[31-k/8] |= 1 << (k % 8)
		}
	}
	return hex.EncodeToString(bits[:])
}
