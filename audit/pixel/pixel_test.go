package pixel

import (
	"encoding/hex"
	"image"
	"image/color"
	"math"
	"math/bits"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func hamming(t *testing.T, a, b string) (n int) {
	t.Helper()
	x, err := hex.DecodeString(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := hex.DecodeString(b)
	if err != nil || len(x) != 32 || len(y) != 32 {
		t.Fatalf("fingerprints %q and %q", a, b)
	}
	for i := range x {
		n += bits.OnesCount8(x[i] ^ y[i])
	}
	return n
}

func TestBlurRisesWithDefocus(t *testing.T) {
	c := scene(1024, 768)
	last := math.Inf(-1)
	for _, sigma := range []float64{0, 1, 2, 4, 8} {
		m := Measure(c.blurred(sigma).luma())
		if m.Blur <= last {
			t.Errorf("sigma %v: blur = %.2f, want over %.2f", sigma, m.Blur, last)
		}
		last = m.Blur
		if sigma == 0 && m.Blur > 0 {
			t.Errorf("sharp scene: blur = %.2f, want below 0", m.Blur)
		}
		if sigma == 8 && m.Blur < 1 {
			t.Errorf("sigma 8: blur = %.2f, want over 1", m.Blur)
		}
	}
}

func TestMotionBlurShowsInTheWeakestDirection(t *testing.T) {
	c := scene(1024, 768)
	sharp := Measure(c.luma()).WeakestDirection
	for _, d := range [][2]int{{1, 0}, {0, 1}, {1, 1}} {
		moved := newCanvas(c.w, c.h, func(x, y int) (v float64) {
			for i := range 24 {
				v += c.pix[min(c.h-1, y+i*d[1])*c.w+min(c.w-1, x+i*d[0])] / 24
			}
			return v
		})
		if got := Measure(moved.luma()).WeakestDirection; got > sharp-.5 {
			t.Errorf("moved along %v: weakest direction = %.2f, want under %.2f", d, got, sharp-.5)
		}
	}
}

// Turning the stored pixels and saying so in EXIF must not change what is measured.
func TestOrientation(t *testing.T) {
	upright := scene(1200, 820).luma()
	want := Measure(upright)
	// stored[o] is how a camera stores the scene under orientation o: the inverse of o's turn.
	inverse := []int{0, 1, 2, 3, 4, 5, 8, 7, 6}
	for o := 1; o <= 8; o++ {
		l := *upright
		l.Orientation = o
		l.Pix = make([]byte, len(upright.Pix))
		turn(l.Pix, upright.Pix, upright.Width, upright.Height, inverse[o])
		if o >= 5 {
			l.Width, l.Height, l.Stride = upright.Height, upright.Width, upright.Height
		}
		got := Measure(&l)
		opts := cmp.Options{cmpopts.EquateApprox(0, .01), cmpopts.IgnoreFields(Measures{}, "Fingerprint", "Turned", "FlatShare")}
		if diff := cmp.Diff(want, got, opts); diff != "" {
			t.Errorf("orientation %d (-want +got):\n%s", o, diff)
		}
		if d := hamming(t, want.Fingerprint, got.Fingerprint); d > 4 {
			t.Errorf("orientation %d: fingerprint %d bits away, want at most 4", o, d)
		}
	}
}

func TestTurn(t *testing.T) {
	src := []byte("abcdef") // abc over def
	want := map[int]string{1: "abcdef", 2: "cbafed", 3: "fedcba", 4: "defabc", 5: "adbecf", 6: "daebfc", 7: "fcebda", 8: "cfbead"}
	for o, w := range want {
		dst := make([]byte, len(src))
		turn(dst, src, 3, 2, o)
		if string(dst) != w {
			t.Errorf("orientation %d: %s, want %s", o, dst, w)
		}
	}
}

func TestLight(t *testing.T) {
	half := newCanvas(512, 512, func(x, _ int) float64 { return map[bool]float64{true: 255, false: 10}[x < 128] })
	tests := []struct {
		name                     string
		c                        *canvas
		tile, blown, entropyBits float64
	}{
		{"black", newCanvas(600, 400, func(int, int) float64 { return 0 }), 0, 0, 0},
		{"white", newCanvas(600, 400, func(int, int) float64 { return 255 }), 255, 1, 0},
		{"a quarter white", half, 255, .25, .25*2 + .75*math.Log2(4./3)},
		{"all levels alike", newCanvas(512, 256, func(x, _ int) float64 { return float64(x / 2) }), 239.5, 6. / 256, 8},
	}
	for _, tt := range tests {
		m := Measure(tt.c.luma())
		got := []float64{m.BrightTile, m.BlownOut, m.EntropyBits}
		want := []float64{tt.tile, tt.blown, tt.entropyBits}
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-3)); diff != "" {
			t.Errorf("%s: bright tile, blown out, entropy (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestFingerprint(t *testing.T) {
	c := scene(1600, 1200)
	a := Measure(c.luma())
	if a.FingerprintQuality < 50 {
		t.Errorf("quality of a textured scene = %d, want 50 or more", a.FingerprintQuality)
	}
	smaller := newCanvas(800, 600, func(x, y int) float64 { return .9*c.pix[2*y*c.w+2*x] + 12 })
	if d := hamming(t, a.Fingerprint, Measure(smaller.luma()).Fingerprint); d > 31 {
		t.Errorf("halved and paler: %d bits away, want at most 31", d)
	}
	mirrored := newCanvas(c.w, c.h, func(x, y int) float64 { return c.pix[y*c.w+c.w-1-x] })
	if d := hamming(t, a.Fingerprint, Measure(mirrored.luma()).Fingerprint); d < 80 {
		t.Errorf("mirrored: %d bits away, want 80 or more", d)
	}
	flat := Measure(newCanvas(700, 500, func(int, int) float64 { return 90 }).luma())
	if flat.FingerprintQuality != 0 {
		t.Errorf("quality of a flat photo = %d, want 0", flat.FingerprintQuality)
	}
}

func TestExtremeShapesMeasureFinite(t *testing.T) {
	sizes := [][2]int{{1, 1}, {2, 1}, {1, 3}, {7, 5}, {16, 16}, {17, 9}, {1, 5000}, {70000, 1}, {300_000, 3}, {9, 40_000}, {1021, 1019}}
	for _, size := range sizes {
		for _, l := range []*Luma{randomLuma(size[0], size[1], size[0]), {Pix: make([]byte, size[0]*size[1]), Stride: size[0], Width: size[0], Height: size[1]}} {
			m := Measure(l)
			v := reflect.ValueOf(m)
			for i := range v.NumField() {
				if f := v.Field(i); f.Kind() == reflect.Float64 && (math.IsNaN(f.Float()) || math.IsInf(f.Float(), 0)) {
					t.Errorf("%v: %s = %v", size, v.Type().Field(i).Name, f.Float())
				}
			}
			if m.Width != size[0] || m.Height != size[1] {
				t.Errorf("size = %dx%d, want %v", m.Width, m.Height, size)
			}
		}
	}
	for _, l := range []*Luma{{}, {Width: 4, Height: 4, Stride: 4, Pix: make([]byte, 15)}, {Width: 4, Height: 1, Stride: 3, Pix: make([]byte, 4)}} {
		if m := Measure(l); m.Width != 0 || math.IsNaN(m.Blur) {
			t.Errorf("Measure of %dx%d without its pixels = %+v", l.Width, l.Height, m)
		}
	}
}

func TestFromImage(t *testing.T) {
	r := image.Rect(3, 5, 203, 155)
	fill := func(set func(x, y int, c color.Color)) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				set(x, y, color.NRGBA{200, uint8(x), uint8(y), 255})
			}
		}
	}
	nrgba, rgba, wide, deep := image.NewNRGBA(r), image.NewRGBA(r), image.NewNRGBA64(r), image.NewRGBA64(r)
	ycc := image.NewYCbCr(r, image.YCbCrSubsampleRatio444)
	fill(func(x, y int, c color.Color) {
		nrgba.Set(x, y, c)
		rgba.Set(x, y, c)
		wide.Set(x, y, c)
		deep.Set(x, y, c)
		n := c.(color.NRGBA)
		ycc.Y[ycc.YOffset(x, y)], ycc.Cb[ycc.COffset(x, y)], ycc.Cr[ycc.COffset(x, y)] = color.RGBToYCbCr(n.R, n.G, n.B)
	})
	want := FromImage(ycc, nil)
	for _, img := range []image.Image{nrgba, rgba, wide, deep, nrgba.SubImage(r)} {
		got := FromImage(img, nil)
		for y := range want.Height {
			for x := range want.Width {
				g, w := int(got.Pix[y*got.Stride+x]), int(want.Pix[y*want.Stride+x])
				if g-w > 1 || w-g > 1 {
					t.Fatalf("%T: luma at %d, %d = %d, want %d", img, x, y, g, w)
				}
			}
		}
		for i := range want.Chroma.Cb {
			if d := int(got.Chroma.Cb[i]) - int(want.Chroma.Cb[i]); d > 2 || d < -2 {
				t.Fatalf("%T: blue difference at %d = %d, want %d", img, i, got.Chroma.Cb[i], want.Chroma.Cb[i])
			}
		}
	}
	grey := image.NewGray16(r)
	grey.SetGray16(4, 6, color.Gray16{0x8123})
	if got := FromImage(grey, nil).Pix[1*200+1]; got != 0x81 {
		t.Errorf("16-bit grey = %#x, want 0x81", got)
	}
	if got := FromImage(image.NewCMYK(r), nil).Pix[0]; got != 255 {
		t.Errorf("no ink = %d, want 255", got)
	}
}
