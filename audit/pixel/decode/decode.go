// Package decode turns photo bytes into pixels: a luma plane for measuring, and RGB for people to look at.
//
// The type is sniffed from the bytes, never from a name. The header is checked before anything large is allocated, so
// that a few bytes cannot ask for gigabytes or minutes. Every decoder runs under recover: bytes from outside give an
// answer or an [*Error], never a panic.
//
// JPEG goes through libturbojpeg where the machine has it (loaded at run time, no cgo), else through image/jpeg; both
// give the same measures within the checklist's tolerances. PNG is image/png, WebP golang.org/x/image/webp, HEIC
// github.com/gen2brain/heic. The latter prefers a libheif.so it finds on the machine to its own sandboxed WebAssembly
// build; compile with -tags nodynamic for the same HEIC decoder everywhere. The sandboxed one is slow (seconds at
// 12 MP) and large, so that one HEIC is decoded at a time.
package decode

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"slices"

	"porchlight/audit/pixel"
)

// MediaType is what a photo's bytes are, as in Content-Type.
type MediaType string

// The media types that can be photos.
const (
	JPEG MediaType = "image/jpeg"
	PNG  MediaType = "image/png"
	WebP MediaType = "image/webp"
	HEIC MediaType = "image/heic"
)

// MaxPixels is the largest photo that is decoded, width times height.
const MaxPixels = 50_000_000

// maxBytes bounds what one decode may hold beside the file itself, by an estimate made from the header.
const maxBytes = 384 << 20

// Reason is why a photo was not decoded; its values are stable codes.
type Reason string

// The reasons for an [*Error].
const (
	// UnsupportedType: not a JPEG, PNG, WebP or HEIC, or a kind of one that no decoder here reads.
	UnsupportedType Reason = "unsupported_type"
	// TooManyPixels: over MaxPixels, or so deep, layered or many-scanned that decoding it would take too much memory
	// or time (a 16-bit PNG of 50 MP alone is 400 MB; an HEIC stops at 25 MP).
	TooManyPixels Reason = "too_many_pixels"
	// Broken: the bytes end early or contradict themselves.
	Broken Reason = "broken"
)

// Error is the only kind of error that this package returns.
type Error struct {
	Reason Reason
	Err    error
}

func (e *Error) Error() string { return string(e.Reason) + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

func fail(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Err: fmt.Errorf(format, args...)}
}

// Sniff tells a photo's type from its first bytes; false when it is none of the four.
func Sniff(b []byte) (MediaType, bool) {
	switch {
	case len(b) >= 3 && b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff:
		return JPEG, true
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return PNG, true
	case len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return WebP, true
	case len(b) >= 12 && string(b[4:8]) == "ftyp" && heicBrand(b):
		return HEIC, true
	}
	return "", false
}

// header is what a photo's first bytes say of it.
type header struct {
	media MediaType
	w, h  int
	// decoded estimates the bytes that decoding holds.
	decoded int64
	jpeg    jpegHeader
	heic    heicHeader
}

// Config reads the type and size of a photo as stored, from its header alone and without large allocations.
// The size is returned beside a TooManyPixels error too.
func Config(b []byte) (mt MediaType, w, h int, err error) {
	hd, err := parse(b)
	return hd.media, hd.w, hd.h, err
}

func parse(b []byte) (hd header, err error) {
	defer recovered(&err)
	mt, ok := Sniff(b)
	if !ok {
		return hd, fail(UnsupportedType, "not a JPEG, PNG, WebP or HEIC")
	}
	hd.media = mt
	switch mt {
	case JPEG:
		err = hd.parseJPEG(b)
	case PNG:
		err = hd.parsePNG(b)
	case WebP:
		err = hd.parseWebP(b)
	case HEIC:
		err = hd.parseHEIC(b)
	}
	if err != nil {
		return hd, err
	}
	if hd.w <= 0 || hd.h <= 0 {
		return hd, fail(Broken, "no pixels: %d x %d", hd.w, hd.h)
	}
	if int64(hd.w)*int64(hd.h) > MaxPixels {
		return hd, fail(TooManyPixels, "%d x %d is over %d megapixels", hd.w, hd.h, MaxPixels/1_000_000)
	}
	if hd.decoded > maxBytes {
		return hd, fail(TooManyPixels, "%d x %d at this depth takes %d MiB", hd.w, hd.h, hd.decoded>>20)
	}
	return hd, nil
}

// recovered turns a decoder's panic into an error, and any error into an [*Error].
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fail(Broken, "decoder: %v", r)
	}
	var e *Error
	if *err != nil && !errors.As(*err, &e) {
		*err = &Error{Reason: Broken, Err: *err}
	}
}

// Frame is a photo decoded for measuring. Its Orientation is 1: set it from EXIF before measuring unless Upright.
type Frame struct {
	pixel.Luma
	MediaType MediaType
	// Upright says that the decoder has already turned the photo (HEIC does), whatever EXIF says.
	Upright bool

	pooled [3][]byte
}

// Release gives the frame's memory back for the next photo; the frame must not be used afterwards.
func (f *Frame) Release() {
	lumaBuffers.put(f.pooled[0])
	chromaBuffers.put(f.pooled[1])
	chromaBuffers.put(f.pooled[2])
	f.pooled = [3][]byte{}
	f.Pix = nil
}

// Photo decodes a whole photo for measuring. What cannot be decoded to its end is Broken: a truncated photo may lack
// the very part that proves the delivery.
func Photo(b []byte) (f *Frame, err error) {
	defer recovered(&err)
	hd, err := parse(b)
	if err != nil {
		return nil, err
	}
	if hd.media == JPEG {
		return photoJPEG(b, &hd)
	}
	f = &Frame{MediaType: hd.media, Upright: hd.media == HEIC}
	img, err := decodeOther(b, &hd)
	if err != nil {
		return nil, err
	}
	if size := img.Bounds().Size(); size.X <= 0 || size.Y <= 0 || size.X*size.Y > MaxPixels {
		return nil, fail(Broken, "decoded to %d x %d, its header says %d x %d", size.X, size.Y, hd.w, hd.h)
	}
	_, shared := img.(*image.YCbCr)
	if !shared || hd.media == HEIC {
		f.pooled[0] = lumaBuffers.take(hd.w * hd.h)
	}
	f.Luma = *pixel.FromImage(img, f.pooled[0])
	if shared && hd.media == HEIC {
		// The plane lies in the decoder's own memory, all of which it would keep alive.
		f.Pix, f.Stride = compact(f.pooled[0], &f.Luma), f.Width
	}
	return f, nil
}

// compact copies a plane's rows one after the other.
func compact(dst []byte, l *pixel.Luma) []byte {
	dst = slices.Grow(dst[:0], l.Width*l.Height)
	for y := range l.Height {
		dst = append(dst, l.Pix[y*l.Stride:][:l.Width]...)
	}
	return dst
}

// Image decodes a photo for people to look at, unturned (except HEIC, see [Frame]). A JPEG whose long side is at least
// twice maxSide is decoded at an eighth, a quarter or half its size, as small as still covers maxSide; the caller
// resizes to what it needs. maxSide 0 means whole.
func Image(b []byte, maxSide int) (img image.Image, err error) {
	defer recovered(&err)
	hd, err := parse(b)
	if err != nil {
		return nil, err
	}
	if hd.media == JPEG {
		return imageJPEG(b, &hd, maxSide)
	}
	return decodeOther(b, &hd)
}

func decodeOther(b []byte, hd *header) (image.Image, error) {
	switch hd.media {
	case PNG:
		return png.Decode(bytes.NewReader(b))
	case WebP:
		return decodeWebP(b)
	case HEIC:
		return decodeHEIC(b, hd)
	}
	return nil, fail(UnsupportedType, "no decoder for %q", hd.media)
}

func (hd *header) parsePNG(b []byte) error {
	cfg, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return err
	}
	hd.w, hd.h = cfg.Width, cfg.Height
	const ihdrDepth, ihdrColour, ihdrInterlace = 24, 25, 28
	if len(b) <= ihdrInterlace {
		return fail(Broken, "PNG ends in its header")
	}
	// image/png holds the image as its colour type asks, at least a byte a sample; one more while it deinterlaces.
	samples := map[byte]int64{0: 1, 2: 4, 3: 1, 4: 4, 6: 4}[b[ihdrColour]]
	if b[ihdrDepth] == 16 {
		samples *= 2
	}
	if b[ihdrInterlace] != 0 {
		samples *= 2
	}
	hd.decoded = bounded(hd.w, hd.h, samples+1)
	return nil
}

// bounded is w*h*perPixel without overflow.
func bounded(w, h int, perPixel int64) int64 {
	f := float64(w) * float64(h) * float64(perPixel)
	return int64(math.Min(f, math.MaxInt64/2))
}
