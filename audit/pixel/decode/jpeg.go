package decode

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"sync/atomic"

	"porchlight/audit/pixel"
)

// noTurbo turns libturbojpeg off; the zero value leaves it on.
var noTurbo atomic.Bool

// UseTurbo says whether JPEG may go through libturbojpeg; it does by default, where the machine has it.
func UseTurbo(on bool) { noTurbo.Store(!on) }

// Decoder names the JPEG decoder in use: "libturbojpeg" or "image/jpeg".
func Decoder() string {
	if turbo() != nil {
		return "libturbojpeg"
	}
	return "image/jpeg"
}

func turbo() *turboJPEG {
	if noTurbo.Load() {
		return nil
	}
	return loadTurbo()
}

// errPassed says that libturbojpeg will not judge a file: it warned, or the file is of a kind it does not turn into
// luma. image/jpeg then decides, so that both ways call the same files broken.
var errPassed = errors.New("left to image/jpeg")

func photoJPEG(b []byte, hd *header) (*Frame, error) {
	if t := turbo(); t != nil {
		f, err := t.photo(b, hd)
		if err == nil || !errors.Is(err, errPassed) {
			return f, err
		}
	}
	img, err := decodeJPEG(b)
	if err != nil {
		return nil, err
	}
	return &Frame{MediaType: JPEG, Luma: *pixel.FromImage(img, nil)}, nil
}

func imageJPEG(b []byte, hd *header, maxSide int) (image.Image, error) {
	if t := turbo(); t != nil {
		img, err := t.image(b, hd, maxSide)
		if err == nil || !errors.Is(err, errPassed) {
			return img, err
		}
	}
	return decodeJPEG(b)
}

func decodeJPEG(b []byte) (image.Image, error) {
	img, err := jpeg.Decode(bytes.NewReader(b))
	var unsupported jpeg.UnsupportedError
	if errors.As(err, &unsupported) {
		return nil, &Error{Reason: UnsupportedType, Err: err}
	}
	return img, err
}
