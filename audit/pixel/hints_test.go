package pixel

import (
	"math"
	"testing"
)

// tint gives l chroma of a tone under the opacity and grey elsewhere.
func tint(l *Luma, opacity []float64, cb, cr byte) {
	n := l.Width * l.Height
	b, r := make([]byte, n), make([]byte, n)
	for i, a := range opacity {
		b[i] = byte(128 + a*(float64(cb)-128))
		r[i] = byte(128 + a*(float64(cr)-128))
	}
	l.Chroma = NewChroma(b, r, l.Width, l.Width, l.Height)
}

func TestLensBlob(t *testing.T) {
	c := scene(1024, 768)
	tests := []struct {
		name         string
		tone         float64
		cb, cr       byte
		share, sigma float64
		least, most  float64
	}{
		{"a bare scene", 0, 128, 128, 0, 1, 0, 0},
		{"a finger", 165, 108, 152, .15, 26, .10, .2},
		{"a large finger", 165, 108, 152, .30, 26, .2, .4},
		{"a finger nearly in focus", 165, 108, 152, .20, 15, .15, .3},
		{"light through a finger", 110, 100, 185, .20, 30, .1, .3},
		{"a dark edge of a case", 20, 128, 128, .20, 26, .1, .3},
		{"a painted wall: skin tone, sharp edge", 165, 108, 152, .25, .7, 0, 0},
		{"a dark doorway: sharp edge", 20, 128, 128, .25, .7, 0, 0},
		{"a grey wall out of focus", 150, 128, 128, .25, 26, 0, 0},
	}
	for _, tt := range tests {
		covered, opacity := c.cover(tt.tone, tt.share, tt.sigma)
		l := covered.luma()
		tint(l, opacity, tt.cb, tt.cr)
		for _, o := range []int{1, 6} {
			l.Orientation = o
			if got := Measure(l).LensBlob; got < tt.least || got > tt.most {
				t.Errorf("%s, orientation %d: lens blob = %.3f, want %.2f to %.2f", tt.name, o, got, tt.least, tt.most)
			}
		}
	}
}

func TestFlatShare(t *testing.T) {
	screen := newCanvas(1080, 1920, func(x, y int) float64 {
		switch {
		case y < 200:
			return 40
		case y%300 < 60 && x > 80 && x < 700 && (x/9+y/13)%3 == 0:
			return 20 // lines of text
		}
		return 250
	})
	if got := Measure(screen.luma()).FlatShare; got < .5 {
		t.Errorf("drawn screen: flat share = %.3f, want .5 or more", got)
	}
	if got := Measure(scene(1080, 1920).luma()).FlatShare; got != 0 {
		t.Errorf("scene: flat share = %.3f, want 0", got)
	}
}

func TestMoire(t *testing.T) {
	c := scene(1024, 768)
	if got := Measure(c.luma()).Moire; got != 0 {
		t.Errorf("scene: moire = %.4f, want 0", got)
	}
	for _, amplitude := range []float64{4, 8} {
		grid := newCanvas(c.w, c.h, func(x, y int) float64 {
			u, v := float64(x)*.11+float64(y)*.031, float64(y)*.12-float64(x)*.029
			return c.pix[y*c.w+x] + amplitude*(math.Cos(2*math.Pi*u)+math.Cos(2*math.Pi*v))
		})
		if got := Measure(grid.luma()).Moire; got < .005 {
			t.Errorf("grid of %v levels: moire = %.4f, want .005 or more", amplitude, got)
		}
	}
}
