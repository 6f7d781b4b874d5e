package ocr

import (
	"context"
	"image"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit/vision"
)

// TestRegions draws a turned bar into a probability map and finds it again.
func TestRegions(t *testing.T) {
	const w, h = 200, 120
	p := make([]float32, w*h)
	bar := rectangle{point{100, 60}, point{math.Cos(.3), math.Sin(.3)}, 80, 20}
	for y := range h {
		for x := range w {
			dx, dy := float64(x)-bar.centre.x, float64(y)-bar.centre.y
			if math.Abs(dx*bar.u.x+dy*bar.u.y) <= bar.w/2 && math.Abs(dy*bar.u.x-dx*bar.u.y) <= bar.h/2 {
				p[y*w+x] = .9
			}
		}
	}
	p[5*w+5] = 1 // a speck
	found := regions(p, w, h)
	if len(found) != 1 {
		t.Fatalf("%d regions", len(found))
	}
	r := found[0]
	grown := 2 * bar.w * bar.h * unclip / (2 * (bar.w + bar.h))
	if math.Abs(r.width()-bar.w-grown) > 4 || math.Abs(r.height()-bar.h-grown) > 4 || r.score < .8 {
		t.Errorf("found %.1f x %.1f with %.2f, want %.1f x %.1f", r.width(), r.height(), r.score, bar.w+grown, bar.h+grown)
	}
	if math.Abs(math.Atan2(r.quad[1].y-r.quad[0].y, r.quad[1].x-r.quad[0].x)-.3) > .05 {
		t.Errorf("turned by %v", r.quad)
	}
}

// TestOrdered holds that a region stands upright however it is tilted: a column of digits
// that leans is no line.
func TestOrdered(t *testing.T) {
	for _, tilt := range []float64{-80, -65, -50, -40, -10, 0, 10, 40, 50, 65, 80} {
		a := tilt * math.Pi / 180
		q := ordered(rectangle{point{100, 100}, point{math.Cos(a), math.Sin(a)}, 80, 20}.corners())
		right, down := point{q[1].x - q[0].x, q[1].y - q[0].y}, point{q[3].x - q[0].x, q[3].y - q[0].y}
		if right.x < math.Abs(right.y)-1e-9 || down.y < math.Abs(down.x)-1e-9 {
			t.Errorf("at %g degrees the width goes along %+v and the height along %+v", tilt, right, down)
		}
		if long := math.Abs(tilt) > 45; long != (q.height() > q.width()) {
			t.Errorf("at %g degrees it is %g wide and %g high", tilt, q.width(), q.height())
		}
	}
}

// TestInput holds what the detector is shown to the scaled image, in blue, green and red.
func TestInput(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 90, 64))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i / 7)
	}
	for _, size := range []image.Point{{64, 32}, {90, 64}, {128, 96}, {1, 1}} {
		n := size.X * size.Y
		got := make([]float32, 3*n)
		input(img, size.X, size.Y, got)
		want := scaled(img, size.X, size.Y)
		for i := range n {
			for c, norm := range []struct{ mean, deviation float32 }{{0.485, 0.229}, {0.456, 0.224}, {0.406, 0.225}} {
				back := (got[c*n+i]*norm.deviation + norm.mean) * 255
				if d := back - float32(want.Pix[4*i+2-c]); d < -3 || d > 3 {
					t.Fatalf("%v: pixel %d, plane %d is %.1f, want %d", size, i, c, back, want.Pix[4*i+2-c])
				}
			}
		}
	}
}

func TestDecode(t *testing.T) {
	r := NewReader(nil, nil, []byte("0\n1\n2\n"))
	step := func(class int, p float32) []float32 {
		s := make([]float32, len(r.alphabet))
		s[class] = p
		return s
	}
	var steps []float32
	for _, s := range [][]float32{step(0, 1), step(2, .9), step(2, .8), step(0, 1), step(2, .7), step(1, .8), step(4, .6)} {
		steps = append(steps, s...)
	}
	got := r.decode(steps)
	if got.text != "110 " || math.Abs(got.score-(.9+.7+.8+.6)/4) > 1e-6 {
		t.Errorf("read %q with %g", got.text, got.score)
	}
	if got := r.decode(nil); got != (line{}) {
		t.Errorf("nothing reads as %+v", got)
	}
}

func TestJoined(t *testing.T) {
	at := func(text string, x, y float64) vision.Text {
		return vision.Text{Text: text, Score: .95, Box: vision.Box{x, y, x + .05, y + .1}}
	}
	texts := func(out []vision.Text) (s []string) {
		for _, t := range out {
			s = append(s, t.Text)
		}
		return s
	}
	faint := at("7", .26, .1)
	faint.Score = .7
	for name, tt := range map[string]struct {
		in   []vision.Text
		want []string
	}{
		"a row":         {[]vision.Text{at("4", .1, .1), at("7", .18, .11), at("02", .26, .1)}, []string{"4702"}},
		"a column":      {[]vision.Text{at("3", .5, .1), at("0", .5, .22), at("9", .5, .34)}, []string{"309"}},
		"far apart":     {[]vision.Text{at("4", .1, .1), at("7", .8, .1)}, nil},
		"other heights": {[]vision.Text{at("4", .1, .1), {Text: "7", Score: .95, Box: vision.Box{.18, .1, .3, .4}}}, nil},
		"words":         {[]vision.Text{at("AB", .1, .1), at("7", .18, .1)}, nil},
		"a faint one":   {[]vision.Text{at("4", .1, .1), at("7", .18, .1), faint}, []string{"47"}},
	} {
		if diff := cmp.Diff(tt.want, texts(joined(tt.in, 1))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestStack reads a tall crop whose cells each read as one digit.
func TestStack(t *testing.T) {
	const classes = 12 // none, ten digits, space
	calls := 0
	recognise := func(_ context.Context, in vision.Tensor) ([]vision.Tensor, error) {
		calls++
		s := make([]float32, classes)
		s[0] = 1
		if in.Shape[3] == shortLine { // a cell of a digit's shape
			s[0], s[6] = 0, .99
		}
		return []vision.Tensor{{Shape: []int64{1, 1, classes}, Data: s}}, nil
	}
	r := NewReader(nil, recognise, []byte("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"))
	img := image.NewRGBA(image.Rect(0, 0, 30, 90))
	got, err := r.stack(t.Context(), img)
	if err != nil || len(got.text) < 2 || got.text[0] != '5' {
		t.Errorf("read %+v: %v", got, err)
	}
}
