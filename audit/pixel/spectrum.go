package pixel

import (
	"math"
	"sync"
)

// noPower is what the spectral measures say of a photo without any detail: log10 of the 1e-9 that keeps them finite.
const noPower = -9

// flatPower is the share of the largest possible power below which a photo is flat: rounding, not detail.
const flatPower = 1e-11

// plan is everything about a photo's size that its measures need and that does not depend on its pixels.
type plan struct {
	w, h       int
	hannX      []float32
	hannY      []float32
	rows, cols *fft
	// half is how many columns of the spectrum are kept (the others mirror them), stride that padded to whole batches.
	half, stride int
	runs         []run
	classes      []class
	grid         grid // PDQ's
}

// run is a stretch of one row of the spectrum that falls into the same class.
type run struct {
	len   uint16
	class uint16
}

// class is a set of frequencies that all sums treat alike.
type class struct {
	sectors uint8 // bit k: within sector k of weakestDirection
	band    band
	weight  float64 // 2 where the mirrored half is not in the spectrum
}

// band says which radii (in cycles a pixel) a class is beyond: r > .01, .15, .25 and r >= .5.
type band uint8

const (
	over01 band = 1 << iota
	over15
	over25
	from50
)

// plans keeps the plans of the sizes last seen. A fleet's phones have a handful; an attacker's have no end, so the
// cache starts anew when it is full.
var plans struct {
	sync.Mutex
	bySize map[[2]int]*plan
}

const planLimit = 32

func planFor(w, h int) *plan {
	key := [2]int{w, h}
	plans.Lock()
	p := plans.bySize[key]
	plans.Unlock()
	if p != nil {
		return p
	}
	p = newPlan(w, h)
	plans.Lock()
	defer plans.Unlock()
	if plans.bySize == nil || len(plans.bySize) >= planLimit {
		plans.bySize = make(map[[2]int]*plan)
	}
	plans.bySize[key] = p
	return p
}

func newPlan(w, h int) *plan {
	p := &plan{w: w, h: h, hannX: hann(w), hannY: hann(h), rows: newFFT(w), cols: newFFT(h), half: w/2 + 1}
	p.stride = (p.half + fftBatch - 1) / fftBatch * fftBatch
	p.grid = newGrid(w, h)
	ids := make(map[class]uint16)
	for y := range h {
		fy := frequency(y, h)
		last := -1
		for x := range p.half {
			c := classOf(frequency(x, w), fy)
			if x > 0 && 2*x != w {
				c.weight = 2
			}
			id, ok := ids[c]
			if !ok {
				id = uint16(len(p.classes))
				ids[c] = id
				p.classes = append(p.classes, c)
			}
			if last != int(id) {
				p.runs = append(p.runs, run{class: id})
				last = int(id)
			}
			p.runs[len(p.runs)-1].len++
		}
	}
	return p
}

// frequency is that of DFT coefficient k of n, in cycles a pixel, -0.5 to 0.5.
func frequency(k, n int) float64 {
	if k >= (n+1)/2 {
		k -= n
	}
	return float64(k) / float64(n)
}

func classOf(fx, fy float64) class {
	c := class{weight: 1}
	r := math.Sqrt(fx*fx + fy*fy)
	for i, over := range [3]float64{.01, .15, .25} {
		if r > over {
			c.band |= 1 << i
		}
	}
	if r >= .5 {
		c.band |= from50
	}
	theta := mod(math.Atan2(fy, fx))
	for k := range 8 {
		if math.Abs(mod(theta-float64(k)*math.Pi/8+math.Pi/2)-math.Pi/2) < math.Pi/8 {
			c.sectors |= 1 << k
		}
	}
	return c
}

// mod is a modulo pi, never negative.
func mod(a float64) float64 {
	if a = math.Mod(a, math.Pi); a < 0 {
		a += math.Pi
	}
	return a
}

// hann is the symmetric window that ends in zeros.
func hann(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = 1
		if n > 1 {
			out[i] = float32(.5 - .5*math.Cos(2*math.Pi*float64(i)/float64(n-1)))
		}
	}
	return out
}

// spectrumSums are the power sums that the measures are shares of.
type spectrumSums struct {
	floor         float64
	all, fine     float64    // r > .01; r > .25
	sector        [8]float64 // .01 < r < .5
	sectorDetails [8]float64 // .15 < r < .5
}

// spectrum transforms the 512 pixel plane, mean removed and Hann windowed, leaves the power of its left half in
// s.power (row by row, p.stride apart) and returns the sums.
func (p *plan) spectrum(s *scratch) spectrumSums {
	p.transformRows(s)
	p.transformColumns(s)

	sums := make([]float64, len(p.classes))
	at, end := 0, p.half
	for _, r := range p.runs {
		var even, odd float32
		line := s.power[at : at+int(r.len)]
		i := 0
		for ; i+1 < len(line); i += 2 {
			even += line[i]
			odd += line[i+1]
		}
		if i < len(line) {
			even += line[i]
		}
		sums[r.class] += float64(even) + float64(odd)
		if at += int(r.len); at == end {
			at += p.stride - p.half
			end += p.stride
		}
	}
	n := float64(p.w) * float64(p.h)
	out := spectrumSums{floor: flatPower * n * n * 255 * 255}
	for i, sum := range sums {
		c := p.classes[i]
		sum *= c.weight
		if c.band&over01 == 0 {
			continue
		}
		out.all += sum
		if c.band&over25 != 0 {
			out.fine += sum
		}
		if c.band&from50 != 0 {
			continue
		}
		for k := range 8 {
			if c.sectors>>k&1 == 0 {
				continue
			}
			out.sector[k] += sum
			if c.band&over15 != 0 {
				out.sectorDetails[k] += sum
			}
		}
	}
	return out
}

// transformRows fills s.spec with the transforms of the rows: two real rows are one complex transform.
func (p *plan) transformRows(s *scratch) {
	room := max(p.rows.room(), p.cols.room())
	s.fftA, s.fftB = grow(s.fftA, room), grow(s.fftB, room)
	s.spec = grow(s.spec, p.h*p.stride)
	var sum float64
	for y := range p.h {
		var row float32
		for _, v := range s.p512.pix[y*p.w:][:p.w] {
			row += v
		}
		sum += float64(row)
	}
	mean := float32(sum / float64(p.w*p.h))

	for y0 := 0; y0 < p.h; y0 += 2 * fftBatch {
		z, other := s.fftA, s.fftB
		for b := range fftBatch {
			p.window(z[b:], s.p512.pix, y0+2*b, mean)
		}
		z, _ = p.rows.transform(z, other)
		for b := range fftBatch {
			if y := y0 + 2*b; y < p.h {
				p.separate(s.spec, z[b:], y)
			}
		}
	}
}

// window puts rows y and y+1 into the real and imaginary part of one transform of a batch.
func (p *plan) window(z []complex64, pix []float32, y int, mean float32) {
	if y >= p.h {
		for x := range p.w {
			z[x*fftBatch] = 0
		}
		return
	}
	wa := p.hannY[y]
	a, b, wb := pix[y*p.w:][:p.w], pix[y*p.w:][:p.w], float32(0)
	if y+1 < p.h {
		b, wb = pix[(y+1)*p.w:][:p.w], p.hannY[y+1]
	}
	for x, h := range p.hannX {
		z[x*fftBatch] = complex((a[x]-mean)*h*wa, (b[x]-mean)*h*wb)
	}
}

// separate takes the transforms of two real rows out of that of a + ib. Both come out doubled, which no share sees.
func (p *plan) separate(spec, z []complex64, y int) {
	a := spec[y*p.stride:][:p.stride]
	var b []complex64
	if y+1 < p.h {
		b = spec[(y+1)*p.stride:][:p.stride]
	}
	for k := range p.half {
		u, v := z[k*fftBatch], z[(p.w-k)%p.w*fftBatch]
		a[k] = complex(real(u)+real(v), imag(u)-imag(v))
		if b != nil {
			b[k] = complex(imag(u)+imag(v), real(v)-real(u))
		}
	}
	clear(a[p.half:])
	if b != nil {
		clear(b[p.half:])
	}
}

// transformColumns turns s.spec into s.power.
func (p *plan) transformColumns(s *scratch) {
	s.power = grow(s.power, p.h*p.stride)
	for x0 := 0; x0 < p.stride; x0 += fftBatch {
		z, other := s.fftA, s.fftB
		for y := range p.h {
			copy(z[y*fftBatch:][:fftBatch], s.spec[y*p.stride+x0:][:fftBatch])
		}
		z, _ = p.cols.transform(z, other)
		for y := range p.h {
			out := s.power[y*p.stride+x0:][:fftBatch]
			for b, v := range z[y*fftBatch:][:fftBatch] {
				out[b] = real(v)*real(v) + imag(v)*imag(v)
			}
		}
	}
}

// fineDetail is F512: log10 of the share of power above a quarter cycle a pixel. It falls with any blur.
func (s *spectrumSums) fineDetail() float64 {
	if s.all <= s.floor {
		return noPower
	}
	return math.Log10(s.fine/s.all + 1e-9)
}

// weakestDirection is S512: the same in the weakest of 8 overlapping sectors, 22.5 degrees to either side of each.
// It falls with motion blur, whatever its direction.
func (s *spectrumSums) weakestDirection() float64 {
	weakest := math.Inf(1)
	for k, all := range s.sector {
		share := 0.
		if all > s.floor {
			share = s.sectorDetails[k] / all
		}
		weakest = min(weakest, share)
	}
	return math.Log10(weakest + 1e-9)
}
