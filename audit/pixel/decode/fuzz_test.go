package decode

import (
	"errors"
	"testing"

	"porchlight/audit/pixel"
)

func seed(f *testing.F) {
	small := encodeJPEG(picture(40, 30))
	f.Add(small)
	f.Add(small[:len(small)/2])
	f.Add(encodePNG(picture(20, 10)))
	f.Add(pngHeader(10000, 5000, 16, 6))
	f.Add([]byte(webp1x1))
	f.Add(jpegHeader420(4000, 3000, 0xc2, 70))
	f.Add(heicHeaderOnly(64, 64, sps16k()))
}

func FuzzConfig(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		mt, w, h, err := Config(b)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("untyped error %v", err)
		}
		if err == nil && (mt == "" || w <= 0 || h <= 0 || w*h > MaxPixels) {
			t.Errorf("%q %dx%d without an error", mt, w, h)
		}
	})
}

func FuzzPhoto(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if mt, w, h, err := Config(b); err == nil && (mt == HEIC || w*h > 1<<20) {
			t.Skip("large photos, and the sandbox that HEIC is decoded in, are too slow to fuzz")
		}
		p, err := Photo(b)
		var e *Error
		switch {
		case err == nil:
			if m := pixel.Measure(&p.Luma); m.Width != p.Width || len(m.Fingerprint) != 64 {
				t.Errorf("%dx%d measured as %+v", p.Width, p.Height, m)
			}
			p.Release()
		case !errors.As(err, &e):
			t.Errorf("untyped error %v", err)
		}
	})
}
