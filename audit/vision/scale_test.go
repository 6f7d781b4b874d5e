package vision

import (
	"fmt"
	"image"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/draw"
)

// noise is an image in which every pixel is another.
func noise(w, h int) *image.RGBA {
	r := rand.New(rand.NewPCG(1, 2))
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32())
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

func TestScale(t *testing.T) {
	img := noise(160, 90)
	for _, part := range []image.Rectangle{img.Rect, image.Rect(40, 10, 130, 71), image.Rect(5, 5, 6, 8)} {
		for _, size := range []image.Point{{30, 30}, {160, 90}, {133, 77}, {300, 200}, {1, 1}} {
			t.Run(fmt.Sprintf("%v to %v", part, size), func(t *testing.T) {
				want := image.NewRGBA(image.Rectangle{Max: size})
				draw.BiLinear.Scale(want, want.Rect, img, part, draw.Src, nil)
				got := Scale(img, part, size.X, size.Y)
				for i := range want.Pix {
					if d := int(want.Pix[i]) - int(got.Pix[i]); d < -2 || d > 2 {
						t.Fatalf("byte %d = %d, want %d", i, got.Pix[i], want.Pix[i])
					}
				}
			})
		}
	}
	if got := Scale(img, image.Rect(200, 200, 210, 210), 3, 3); got.Pix[0] != 0 {
		t.Error("outside of the image is something")
	}
}

func TestHalf(t *testing.T) {
	img := noise(31, 18)
	for _, part := range []image.Rectangle{img.Rect, image.Rect(3, 2, 20, 17), image.Rect(1, 1, 3, 3), image.Rect(4, 4, 5, 9)} {
		got := Half(img, part)
		if want := image.Pt(part.Dx()/2, part.Dy()/2); got.Rect.Size() != want {
			t.Fatalf("%v: %v, want %v", part, got.Rect.Size(), want)
		}
		for y := range got.Rect.Dy() {
			for x := range got.Rect.Dx() {
				for c := range 4 {
					sum := 2
					for _, at := range []image.Point{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
						sum += int(img.Pix[img.PixOffset(part.Min.X+2*x+at.X, part.Min.Y+2*y+at.Y)+c])
					}
					if got := int(got.Pix[got.PixOffset(x, y)+c]); got != sum/4 {
						t.Fatalf("%v: byte %d of (%d, %d) = %d, want %d", part, c, x, y, got, sum/4)
					}
				}
			}
		}
	}
}

// A flat colour stays what it is, at every size.
func TestScaleKeepsColours(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 97, 61))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for n := 1; n < 200; n += 7 {
		for i, v := range Scale(img, img.Rect, n, n).Pix {
			if v != 255 {
				t.Fatalf("%d px: byte %d = %d, want 255", n, i, v)
			}
		}
	}
}

func BenchmarkScale(b *testing.B) {
	img := noise(1600, 1200)
	for _, size := range []image.Point{{300, 300}, {1280, 960}} {
		b.Run(fmt.Sprint(size.X, "x", size.Y), func(b *testing.B) {
			for b.Loop() {
				Scale(img, img.Rect, size.X, size.Y)
			}
		})
	}
}
