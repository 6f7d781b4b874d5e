package scene

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"testing"

	"porchlight/audit/vision"
	"porchlight/fixtures"
)

// enough is what the built-in checklist asks for.
const enough = 20

// door draws a doorstep and finds its features.
func door(place, shot uint64) []Feature {
	s := fixtures.Scene{Place: place, Shot: shot, Number: fmt.Sprint(100 + place), Width: 960, Height: 720}
	return Find(s.Image(), []vision.Box{s.ParcelBox()})
}

// TestDoors holds that photos of one door from other visits agree, and of two doors do not.
func TestDoors(t *testing.T) {
	const places, shots = 5, 3
	var all [places][shots][]Feature
	for p := range all {
		for s := range all[p] {
			all[p][s] = door(uint64(p+1), uint64(10*p+s+1))
		}
	}
	found, pairs := 0, 0
	for i := range places * shots {
		for j := range i {
			a, b := all[i/shots][i%shots], all[j/shots][j%shots]
			n := Agreeing(a, b)
			switch {
			case i/shots != j/shots && n >= enough:
				t.Errorf("places %d and %d: %d points agree", i/shots, j/shots, n)
			case i/shots == j/shots:
				pairs++
				if n >= enough {
					found++
				}
				t.Logf("place %d, shots %d and %d: %d points agree", i/shots, j%shots, i%shots, n)
			}
		}
	}
	if 2*found < pairs {
		t.Errorf("%d of %d pairs of one door are recognised, want half of them", found, pairs)
	}
}

// TestCountIsTheSame holds that photos are compared alike each time: what is on record
// must come out again.
func TestCountIsTheSame(t *testing.T) {
	a, b := door(1, 1), door(1, 2)
	want := Agreeing(a, b)
	if again := Agreeing(door(1, 1), door(1, 2)); again != want {
		t.Errorf("%d points agree, then %d", want, again)
	}
	if same := Agreeing(a, a); same < len(a)/2 {
		t.Errorf("%d of %d points agree with themselves", same, len(a))
	}
}

func TestFindLeavesBoxesOut(t *testing.T) {
	box := vision.Box{.2, .3, .7, .9}
	img := fixtures.Scene{Place: 1, Shot: 1, Width: 960, Height: 720}.Image()
	inside := func(features []Feature) (n int) {
		for _, f := range features {
			if x, y := float64(f.X)/65536, float64(f.Y)/65536*960/720; x > box[0]+.001 && x < box[2]-.001 && y > box[1]+.001 && y < box[3]-.001 {
				n++
			}
		}
		return n
	}
	whole, left := Find(img, nil), Find(img, []vision.Box{box})
	if inside(whole) == 0 || len(left) == 0 || inside(left) > 0 {
		t.Errorf("%d features in the box, %d of %d where it is left out", inside(whole), inside(left), len(left))
	}
	if len(whole) > MaxFeatures || len(whole) < MaxFeatures*3/4 {
		t.Errorf("%d features, want up to %d", len(whole), MaxFeatures)
	}
}

// TestFindAnything holds that photos of any shape and content give an answer within bounds.
func TestFindAnything(t *testing.T) {
	noise := image.NewRGBA(image.Rect(0, 0, 1300, 1000))
	state := uint32(1)
	for i := range noise.Pix {
		state = state*1664525 + 1013904223
		noise.Pix[i] = byte(state >> 24)
	}
	for name, img := range map[string]*image.RGBA{
		"nothing": image.NewRGBA(image.Rectangle{}), "a pixel": image.NewRGBA(image.Rect(0, 0, 1, 1)), "black": image.NewRGBA(image.Rect(0, 0, 640, 480)),
		"a strip": image.NewRGBA(image.Rect(0, 0, 1, 10000)), "a broad strip": image.NewRGBA(image.Rect(0, 0, 10000, 50)),
	} {
		if f := Find(img, nil); len(f) != 0 {
			t.Errorf("%s has %d features", name, len(f))
		}
	}
	if f := Find(noise, nil); len(f) != MaxFeatures || len(Encode(f)) > MaxBytes {
		t.Errorf("noise has %d features, want %d", len(f), MaxFeatures)
	}
	if f := Find(noise, []vision.Box{{0, 0, 1, 1}}); len(f) != 0 {
		t.Errorf("%d features where everything is left out", len(f))
	}
}

// TestThrough holds that a homography is found again from points that it moved.
func TestThrough(t *testing.T) {
	want := homography{.9, -.1, .05, .12, 1.1, -.02, .05, -.08}
	var m []matched
	for i := range 12 {
		x, y := float64(i%4)/4+.1, float64(i/4)/3+.1
		u, v, _ := want.at(x, y)
		m = append(m, matched{x, y, u, v})
	}
	for _, points := range [][]matched{m, {m[0], m[3], m[8], m[10]}} {
		got, ok := through(points)
		if !ok {
			t.Fatal("no homography")
		}
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-6 {
				t.Errorf("from %d points: %v, want %v", len(points), got, want)
				break
			}
		}
	}
	if _, ok := through([]matched{m[0], m[0], m[0], m[0]}); ok {
		t.Error("a homography through one point")
	}
	mirrored := homography{-1, 0, 1, 0, 1, 0, 0, 0}
	if !want.likely() || mirrored.likely() {
		t.Error("a photo may be taken from the side and not through a mirror")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Encode(door(1, 1)))
	f.Add([]byte{})
	f.Add(make([]byte, 5*featureBytes))
	other := door(1, 2)
	f.Fuzz(func(t *testing.T, b []byte) {
		features, err := Parse(b)
		if err != nil {
			return
		}
		if again := Encode(features); !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
		if n := Agreeing(features, other); n < 0 || n > len(features) {
			t.Errorf("%d of %d points agree", n, len(features))
		}
	})
}

// BenchmarkFind and BenchmarkAgreeing are what a photo costs where it is read, and each
// earlier one of its stop where it is compared.
func BenchmarkFind(b *testing.B) {
	img := fixtures.Scene{Place: 1, Shot: 1, Width: 1280, Height: 960}.Image()
	b.ReportAllocs()
	for b.Loop() {
		Find(img, nil)
	}
}

func BenchmarkAgreeing(b *testing.B) {
	one, two := door(1, 1), door(1, 2)
	b.ReportAllocs()
	for b.Loop() {
		Agreeing(one, two)
	}
}
