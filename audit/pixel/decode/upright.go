package decode

import (
	"image"
	"image/jpeg"
	"io"
	"math"

	"github.com/disintegration/imaging"
	"golang.org/x/image/draw"
)

// Upright turns an image as EXIF's orientation (1 to 8) asks. A HEIC photo's decoder has
// turned it already.
func Upright(img image.Image, orientation int) image.Image {
	switch orientation {
	case 2:
		return imaging.FlipH(img)
	case 3:
		return imaging.Rotate180(img)
	case 4:
		return imaging.FlipV(img)
	case 5:
		return imaging.Transpose(img)
	case 6:
		return imaging.Rotate270(img)
	case 7:
		return imaging.Transverse(img)
	case 8:
		return imaging.Rotate90(img)
	}
	return img
}

// Fit decodes a photo for people to look at: upright by its EXIF orientation, its longest
// side at most side pixels, or an eighth more, never enlarged. Errors: [*Error].
func Fit(b []byte, orientation, side int) (image.Image, error) {
	img, err := Image(b, side)
	if err != nil {
		return nil, err
	}
	// A decoder gives eighths of a JPEG's size. To shrink that again by so little takes as
	// long as all of the decoding.
	if size := img.Bounds().Size(); max(size.X, size.Y) > side+side/8 {
		img = fitted(img, side)
	}
	if mt, _ := Sniff(b); mt == HEIC {
		return img, nil
	}
	return Upright(img, orientation), nil
}

// fitted is an image whose longest side is at most side. To half its size or more, where
// the quick interpolation looks at every pixel, it takes that: a photo has been decoded to
// less than twice the side.
func fitted(img image.Image, side int) image.Image {
	size := img.Bounds().Size()
	long := max(size.X, size.Y)
	if long <= side {
		return img
	}
	if long > 2*side {
		return imaging.Fit(img, side, side, imaging.Linear)
	}
	scale := float64(side) / float64(long)
	out := image.NewRGBA(image.Rect(0, 0, max(int(math.Round(float64(size.X)*scale)), 1), max(int(math.Round(float64(size.Y)*scale)), 1)))
	draw.ApproxBiLinear.Scale(out, out.Rect, img, img.Bounds(), draw.Src, nil)
	return out
}

// EncodeJPEG writes an opaque image as a JPEG of that quality, 1 to 100, with chroma at
// half the size: by libturbojpeg where it is, which takes a fifth of the time.
func EncodeJPEG(w io.Writer, img image.Image, quality int) error {
	if n, ok := img.(*image.NRGBA); ok && n.Opaque() {
		// The same bytes; image/jpeg goes through an RGBA quickly, and pixel by pixel through
		// anything else.
		img = &image.RGBA{Pix: n.Pix, Stride: n.Stride, Rect: n.Rect}
	}
	if m, ok := img.(*image.RGBA); ok && !m.Rect.Empty() {
		if t := loadTurbo(); t != nil {
			if b, ok := t.encode(m.Pix, m.Stride, m.Rect.Size(), min(max(quality, 1), 100)); ok {
				_, err := w.Write(b)
				return err
			}
		}
	}
	return jpeg.Encode(w, img, &jpeg.Options{Quality: quality})
}
