package decode

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

// slope is an image that gets brighter to the right and redder downwards.
func slope(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{byte(255 * y / h), byte(255 * x / w), 90, 255})
		}
	}
	return img
}

func TestEncodeJPEG(t *testing.T) {
	whole := slope(160, 96)
	for name, img := range map[string]image.Image{
		"rgba":   whole,
		"nrgba":  &image.NRGBA{Pix: whole.Pix, Stride: whole.Stride, Rect: whole.Rect},
		"part":   whole.SubImage(image.Rect(17, 9, 130, 80)),
		"pixel":  whole.SubImage(image.Rect(40, 40, 41, 41)),
		"others": image.NewGray(image.Rect(0, 0, 20, 10)),
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := EncodeJPEG(&b, img, 90); err != nil {
				t.Fatal(err)
			}
			got, err := jpeg.Decode(&b)
			if err != nil {
				t.Fatal(err)
			}
			from := img.Bounds()
			if got.Bounds().Size() != from.Size() {
				t.Fatalf("%v px, want %v", got.Bounds().Size(), from.Size())
			}
			for y := range from.Dy() {
				for x := range from.Dx() {
					r, g, b, _ := got.At(x, y).RGBA()
					wr, wg, wb, _ := img.At(from.Min.X+x, from.Min.Y+y).RGBA()
					for _, d := range []int{int(r>>8) - int(wr>>8), int(g>>8) - int(wg>>8), int(b>>8) - int(wb>>8)} {
						if d < -12 || d > 12 {
							t.Fatalf("pixel %d, %d is %d off", x, y, d)
						}
					}
				}
			}
		})
	}
}

func TestFit(t *testing.T) {
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, slope(1600, 1200), nil); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		side, orientation, least, most int
	}{
		{1600, 1, 1600, 1600},
		{5000, 1, 1600, 1600}, // never enlarged
		{700, 1, 700, 787},
		{500, 6, 500, 562},
		{33, 1, 33, 37},
	} {
		t.Run(fmt.Sprint(test.side), func(t *testing.T) {
			img, err := Fit(photo.Bytes(), test.orientation, test.side)
			if err != nil {
				t.Fatal(err)
			}
			size := img.Bounds().Size()
			if test.orientation == 6 {
				size.X, size.Y = size.Y, size.X
			}
			if size.X < test.least || size.X > test.most || size.Y*4 < size.X*3-4 || size.Y*4 > size.X*3+4 {
				t.Errorf("%v px, want %d to %d wide, 4 to 3", size, test.least, test.most)
			}
		})
	}
}
