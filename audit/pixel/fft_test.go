package pixel

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

func TestTransformAgreesWithTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{1, 2, 3, 4, 5, 6, 8, 12, 31, 34, 37, 64, 97, 120, 341, 383, 384, 512} {
		f := newFFT(n)
		x, y := make([]complex64, f.room()), make([]complex64, f.room())
		in := make([]complex64, n*fftBatch)
		for i := range in {
			in[i] = complex(r.Float32()-.5, r.Float32()-.5)
		}
		copy(x, in)
		got, _ := f.transform(x, y)
		for _, b := range []int{0, fftBatch - 1} {
			for k := range n {
				var want complex128
				for i := range n {
					want += complex128(in[i*fftBatch+b]) * cmplx.Rect(1, -2*math.Pi*float64(i*k%n)/float64(n))
				}
				if d := cmplx.Abs(complex128(got[k*fftBatch+b]) - want); d > 2e-4 {
					t.Fatalf("size %d, transform %d, coefficient %d = %v, want %v", n, b, k, got[k*fftBatch+b], want)
				}
			}
		}
	}
}

// sums by the definition: every coefficient, one by one, in float64.
func slowSums(p *plane) (fine, weakest float64) {
	var mean float64
	for _, v := range p.pix {
		mean += float64(v) / float64(len(p.pix))
	}
	window := func(i, n int) float64 { return .5 - .5*math.Cos(2*math.Pi*float64(i)/float64(n-1)) }
	var all, over25 float64
	var sector, details [8]float64
	for ky := range p.h {
		for kx := range p.w {
			fx, fy := frequency(kx, p.w), frequency(ky, p.h)
			var c complex128
			for y := range p.h {
				for x := range p.w {
					v := (float64(p.pix[y*p.w+x]) - mean) * window(x, p.w) * window(y, p.h)
					c += complex(v, 0) * cmplx.Rect(1, -2*math.Pi*(fx*float64(x)+fy*float64(y)))
				}
			}
			power, r := real(c)*real(c)+imag(c)*imag(c), math.Hypot(fx, fy)
			if r <= .01 {
				continue
			}
			all += power
			if r > .25 {
				over25 += power
			}
			for k := range 8 {
				angle := math.Abs(math.Mod(math.Atan2(fy, fx)-float64(k)*math.Pi/8+2.5*math.Pi, math.Pi) - math.Pi/2)
				if r < .5 && angle < math.Pi/8 {
					sector[k] += power
					if r > .15 {
						details[k] += power
					}
				}
			}
		}
	}
	weakest = math.Inf(1)
	for k := range sector {
		weakest = min(weakest, math.Log10(details[k]/sector[k]+1e-9))
	}
	return math.Log10(over25/all + 1e-9), weakest
}

func TestSpectralMeasuresAgreeWithTheDefinition(t *testing.T) {
	for _, size := range [][2]int{{33, 26}, {20, 37}} {
		l := scene(size[0], size[1]).blurred(.7).luma()
		var s scratch
		s.fit(l)
		sums := planFor(size[0], size[1]).spectrum(&s)
		fine, weakest := slowSums(&s.p512)
		if got := sums.fineDetail(); math.Abs(got-fine) > 1e-4 {
			t.Errorf("%v: fine detail = %v, want %v", size, got, fine)
		}
		// The sectors' borders fall differently by a rounding on the axes and diagonals.
		if got := sums.weakestDirection(); math.Abs(got-weakest) > .03 {
			t.Errorf("%v: weakest direction = %v, want %v", size, got, weakest)
		}
	}
}

func TestPlansAreBounded(t *testing.T) {
	for w := 10; w < 10+2*planLimit; w++ {
		planFor(w, 9)
	}
	plans.Lock()
	defer plans.Unlock()
	if got := len(plans.bySize); got > planLimit {
		t.Errorf("%d plans kept, want at most %d", got, planLimit)
	}
}
