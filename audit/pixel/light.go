package pixel

import (
	"math"
	"slices"
)

// brightTile is the 90th percentile (linear between ranks) of the means of 8x8 tiles of the 512 pixel plane.
func brightTile(p *plane) float64 {
	var means [64]float64
	n := 0
	for i := range 8 {
		for j := range 8 {
			y0, y1, x0, x1 := i*p.h/8, (i+1)*p.h/8, j*p.w/8, (j+1)*p.w/8
			if y1 == y0 || x1 == x0 {
				continue // fewer than eight pixels across
			}
			var sum float64
			for y := y0; y < y1; y++ {
				var row float32
				for _, v := range p.pix[y*p.w+x0 : y*p.w+x1] {
					row += v
				}
				sum += float64(row)
			}
			means[n] = sum / float64((y1-y0)*(x1-x0))
			n++
		}
	}
	slices.Sort(means[:n])
	rank := .9 * float64(n-1)
	lo := int(rank)
	if lo+1 >= n {
		return means[lo]
	}
	return means[lo] + (rank-float64(lo))*(means[lo+1]-means[lo])
}

// light is the share of luma at or above 250 and the entropy of the rounded luma, both of the 512 pixel plane.
func light(p *plane) (blownOut, entropyBits float64) {
	// Adding 1.5 * 2^23 leaves a float32's integer part, rounded half to even, in its low bits.
	const round = 3 << 22
	// Two histograms in turn, so that runs of one level do not wait on each other's count.
	var hist [2][256]int32
	blown := 0
	for i, v := range p.pix {
		if v >= 250 {
			blown++
		}
		hist[i&1][uint8(math.Float32bits(v+round))]++
	}
	n := float64(len(p.pix))
	for i, c := range hist[0] {
		if c += hist[1][i]; c > 0 {
			share := float64(c) / n
			entropyBits -= share * math.Log2(share)
		}
	}
	return float64(blown) / n, entropyBits
}
