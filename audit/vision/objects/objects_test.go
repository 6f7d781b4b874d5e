package objects

import (
	"context"
	"errors"
	"image"
	"math"
	"testing"

	"porchlight/audit/vision"
)

func TestAnchors(t *testing.T) {
	all := anchors()
	if len(all) != 1917 { // the model's own number
		t.Fatalf("%d anchors", len(all))
	}
	last := all[len(all)-1]
	if last.cx != .5 || last.cy != .5 || math.Abs(last.w-math.Sqrt(.95)) > 1e-9 {
		t.Errorf("the last anchor is %+v", last)
	}
	x0, y0, x1, y1 := anchor{.5, .5, .2, .4}.at([]float32{0, 0, 0, 0})
	if got, want := (vision.Box{x0, y0, x1, y1}), (vision.Box{.4, .3, .6, .7}); got.IoU(want) < 1-1e-9 {
		t.Errorf("the plain anchor is at %v, want %v", got, want)
	}
}

// answers makes a network that finds one thing at one anchor in each pass.
func answers(passes *int, class, at int, logit func(pass int) float32) vision.Network {
	return func(_ context.Context, in vision.Tensor) ([]vision.Tensor, error) {
		n := len(anchors())
		scores := make([]float32, n*classes)
		for i := range scores {
			scores[i] = -20
		}
		scores[at*classes+class] = logit(*passes)
		*passes++
		return []vision.Tensor{{Data: make([]float32, 4*n)}, {Data: scores}}, nil
	}
}

func TestTiles(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 40, 30))
	sureOf, unsure := float32(3), float32(-1.2) // 0.95, 0.23
	small := 30                                 // an anchor of the first map: a tenth of the frame
	for name, tt := range map[string]struct {
		class, at, passes int
		logit             func(int) float32
		found             int
	}{
		"found at once":               {11, small, 1, func(int) float32 { return sureOf }, 1},
		"unsure, then found in tiles": {11, small, 6, func(pass int) float32 { return map[bool]float32{true: unsure, false: sureOf}[pass == 0] }, 6},
		"nothing":                     {11, small, 6, func(int) float32 { return -20 }, 0},
		"a person is no package":      {4, small, 6, func(int) float32 { return sureOf }, 6},
	} {
		passes := 0
		found, _, err := NewDetector(answers(&passes, tt.class, tt.at, tt.logit)).Detect(t.Context(), img)
		if err != nil || passes != tt.passes {
			t.Errorf("%s: %d passes, want %d: %v", name, passes, tt.passes, err)
		}
		if len(found) > tt.found || (tt.found > 0 && len(found) == 0) {
			t.Errorf("%s: %d found, want up to %d", name, len(found), tt.found)
		}
	}
}

// TestFrameIsNoPackage: a box that is all the model was shown is left out, in the whole
// photo and in a tile.
func TestFrameIsNoPackage(t *testing.T) {
	passes := 0
	n := answers(&passes, 11, 1911, func(int) float32 { return 3 })
	wide := func(ctx context.Context, in vision.Tensor) ([]vision.Tensor, error) {
		out, err := n(ctx, in)
		out[0].Data[4*1911+2], out[0].Data[4*1911+3] = 5, 5 // e times the anchor's sides
		return out, err
	}
	found, _, err := NewDetector(wide).Detect(t.Context(), image.NewRGBA(image.Rect(0, 0, 40, 30)))
	if err != nil || len(found) != 0 {
		t.Errorf("found %v: %v", found, err)
	}
}

func TestWrongShapesAreErrors(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for _, n := range []vision.Network{
		func(context.Context, vision.Tensor) ([]vision.Tensor, error) { return nil, errors.New("no") },
		func(context.Context, vision.Tensor) ([]vision.Tensor, error) { return []vision.Tensor{{}, {}}, nil },
	} {
		if _, _, err := NewDetector(n).Detect(t.Context(), img); err == nil {
			t.Error("no error")
		}
	}
}
