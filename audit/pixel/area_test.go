package pixel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestFitSize(t *testing.T) {
	tests := []struct{ w, h, side, wantW, wantH int }{
		{4000, 3000, 1024, 1024, 768},
		{3000, 4000, 512, 384, 512},
		{2048, 1365, 1024, 1024, 682}, // 682.5 rounds to even
		{300, 200, 512, 300, 200},
		{512, 512, 512, 512, 512},
		{90000, 2, 512, 512, 1},
	}
	for _, tt := range tests {
		if w, h := fitSize(tt.w, tt.h, tt.side); w != tt.wantW || h != tt.wantH {
			t.Errorf("fitSize(%d, %d, %d) = %d, %d, want %d, %d", tt.w, tt.h, tt.side, w, h, tt.wantW, tt.wantH)
		}
	}
}

func randomLuma(w, h, stride int) *Luma {
	r := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	l := &Luma{Pix: make([]byte, h*stride), Stride: stride, Width: w, Height: h}
	for i := range l.Pix {
		l.Pix[i] = byte(r.UintN(256))
	}
	return l
}

// White noise is the worst case for borders rounded to a grid; photos are far smoother.
func TestReduceAgreesWithExactAreas(t *testing.T) {
	tests := []struct {
		w, h, stride int
		dw, dh       int
		want         float64
	}{
		{4000, 300, 4000, 1024, 77, 2},
		{1001, 701, 1016, 500, 350, 4},
		{1023, 1025, 1024, 511, 512, 4},
		{333, 64 * 40, 333, 100, 40, 2},
		{256 * 11, 17, 256 * 11, 11, 5, 4},
		{600, 600, 600, 300, 300, .01},
	}
	var s scratch
	for _, tt := range tests {
		l := randomLuma(tt.w, tt.h, tt.stride)
		var got, want plane
		s.reduce(&got, l, tt.dw, tt.dh)
		want.resize(tt.dw, tt.dh)
		reduceExact(&want, l)
		worst := 0.
		for i := range want.pix {
			worst = max(worst, math.Abs(float64(got.pix[i]-want.pix[i])))
		}
		if !(worst <= tt.want) {
			t.Errorf("%dx%d to %dx%d: off by %.3f, want at most %.3f", tt.w, tt.h, tt.dw, tt.dh, worst, tt.want)
		}
	}
}

func TestReduceExactKnownMeans(t *testing.T) {
	// Three pixels to two: each takes one and a half.
	l := &Luma{Pix: []byte{0, 90, 240}, Stride: 3, Width: 3, Height: 1}
	var got plane
	got.resize(2, 1)
	reduceExact(&got, l)
	if want := [2]float32{30, 190}; got.pix[0] != want[0] || got.pix[1] != want[1] {
		t.Errorf("means = %v, want %v", got.pix, want)
	}
}

func TestReduceKeepsAFlatPhotoFlat(t *testing.T) {
	for _, v := range []byte{0, 77, 255} {
		l := randomLuma(2999, 2001, 2999)
		for i := range l.Pix {
			l.Pix[i] = v
		}
		var s scratch
		s.fit(l)
		for _, p := range []plane{s.p1024, s.p512} {
			for i, got := range p.pix {
				if math.Abs(float64(got)-float64(v)) > 1e-4 {
					t.Fatalf("%dx%d at %d = %v, want %d", p.w, p.h, i, got, v)
				}
			}
		}
	}
}
