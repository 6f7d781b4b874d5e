package decode

import (
	"image"

	"github.com/disintegration/imaging"
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
// side at most side pixels, never enlarged. Errors: [*Error].
func Fit(b []byte, orientation, side int) (image.Image, error) {
	img, err := Image(b, side)
	if err != nil {
		return nil, err
	}
	if size := img.Bounds().Size(); size.X > side || size.Y > side {
		img = imaging.Fit(img, side, side, imaging.Linear)
	}
	if mt, _ := Sniff(b); mt == HEIC {
		return img, nil
	}
	return Upright(img, orientation), nil
}
