package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"porchlight/audit/pixel"
)

// picture is a small photo-like image.
func picture(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(8, 9))
	for y := range h {
		for x := range w {
			grain := r.IntN(17)
			m.SetNRGBA(x, y, color.NRGBA{uint8(90 + x/9*37%90 + grain), uint8(60 + y/7*53%120 + grain), uint8(80 + (x+y)/40%60 + grain), 255})
		}
	}
	return m
}

func encodeJPEG(m image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func encodePNG(m image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// pngHeader is a PNG that ends after declaring its size.
func pngHeader(w, h uint32, depth, colour byte) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	b = binary.BigEndian.AppendUint32(b, w)
	b = binary.BigEndian.AppendUint32(b, h)
	b = append(b, depth, colour, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

// jpegHeader420 is a JPEG up to its first scan's header, followed by more empty scans.
func jpegHeader420(w, h uint16, sof byte, scans int) []byte {
	b := []byte{0xff, 0xd8, 0xff, sof, 0, 17, 8}
	b = binary.BigEndian.AppendUint16(b, h)
	b = binary.BigEndian.AppendUint16(b, w)
	b = append(b, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0)
	for range scans {
		b = append(b, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x55)
	}
	return append(b, 0xff, 0xd9)
}

// box is an ISO base media box.
func box(kind string, body ...[]byte) []byte {
	joined := bytes.Join(body, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(joined))), kind...), joined...)
}

// heicHeaderOnly is an HEIC without pictures: a size, a quarter turn and, where sps is given, a decoder record.
func heicHeaderOnly(w, h uint32, sps []byte) []byte {
	full := make([]byte, 4)
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(full, w), h)
	properties := [][]byte{box("ispe", size), box("irot", []byte{1})}
	if sps != nil {
		record := append(make([]byte, 22), 1, 33, 0, 1)
		record = append(binary.BigEndian.AppendUint16(record, uint16(len(sps))), sps...)
		properties = append(properties, box("hvcC", record))
	}
	ipma := append(make([]byte, 4), 0, 0, 0, 1, 0, 7, 2, 1, 0x82)
	meta := box("meta", full, box("pitm", full, []byte{0, 7}), box("iprp", box("ipco", properties...), box("ipma", ipma)))
	return append(box("ftyp", []byte("heic\x00\x00\x00\x00mif1heic")), meta...)
}

// sps16k is a sequence parameter set of 16384 x 16384: main profile, one layer, 4:2:0.
func sps16k() []byte {
	b := []byte{0x42, 1, 1}
	b = append(b, 1, 0x60, 0, 3, 0, 0, 3, 0, 0, 3, 0, 0, 3, 0, 93) // profile and level, with emulation prevention
	// ue(0) = 1, ue(1) = 010, ue(16384) = 14 zeros and 100000000000001, twice; filled up with zeros.
	bits := "1" + "010" + "00000000000000100000000000001" + "00000000000000100000000000001"
	for len(bits)%8 != 0 {
		bits += "0"
	}
	raw := make([]byte, 0, 8)
	for i := 0; i < len(bits); i += 8 {
		var c byte
		for _, d := range bits[i : i+8] {
			c = c<<1 | byte(d-'0')
		}
		raw = append(raw, c)
	}
	return append(b, raw...)
}

// webp1x1 is one lossless pixel.
const webp1x1 = "RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"

func TestConfig(t *testing.T) {
	tests := []struct {
		name   string
		b      []byte
		want   MediaType
		w, h   int
		reason Reason
	}{
		{"jpeg", encodeJPEG(picture(70, 50)), JPEG, 70, 50, ""},
		{"png", encodePNG(picture(70, 50)), PNG, 70, 50, ""},
		{"webp", []byte(webp1x1), WebP, 1, 1, ""},
		{"heic, turned", heicHeaderOnly(4032, 3024, nil), HEIC, 3024, 4032, ""},
		{"empty", nil, "", 0, 0, UnsupportedType},
		{"gif", []byte("GIF89a\x01\x00\x01\x00"), "", 0, 0, UnsupportedType},
		{"html", []byte("<!doctype html><p>photo.jpg"), "", 0, 0, UnsupportedType},
		{"avif", box("ftyp", []byte("avif\x00\x00\x00\x00mif1")), "", 0, 0, UnsupportedType},
		{"three bytes of jpeg", []byte{0xff, 0xd8, 0xff}, JPEG, 0, 0, Broken},
		{"jpeg of 65535 x 65535", jpegHeader420(65535, 65535, 0xc0, 1), JPEG, 65535, 65535, TooManyPixels},
		{"jpeg without height", jpegHeader420(100, 0, 0xc0, 1), JPEG, 100, 0, Broken},
		{"jpeg, lossless", jpegHeader420(100, 100, 0xc3, 1), JPEG, 100, 100, UnsupportedType},
		{"jpeg, progressive, 10 scans", jpegHeader420(4000, 3000, 0xc2, 10), JPEG, 4000, 3000, ""},
		{"jpeg, progressive, 1000 scans", jpegHeader420(4000, 3000, 0xc2, 1000), JPEG, 4000, 3000, TooManyPixels},
		{"jpeg, progressive, 30 scans of 48 MP", jpegHeader420(8000, 6000, 0xc2, 30), JPEG, 8000, 6000, TooManyPixels},
		{"jpeg, sequential, 1000 scans", jpegHeader420(4000, 3000, 0xc0, 1000), JPEG, 4000, 3000, TooManyPixels},
		{"png of 2^31 x 2^31", pngHeader(1<<31-1, 1<<31-1, 8, 2), PNG, 0, 0, Broken}, // image/png refuses it
		{"png of 60 MP", pngHeader(10000, 6000, 8, 2), PNG, 10000, 6000, TooManyPixels},
		{"png of 50 MP, 16 bits", pngHeader(10000, 5000, 16, 6), PNG, 10000, 5000, TooManyPixels},
		{"png of 50 MP, 8 bits", pngHeader(10000, 5000, 8, 6), PNG, 10000, 5000, ""},
		{"heic of 100 MP", heicHeaderOnly(10000, 10000, nil), HEIC, 0, 0, TooManyPixels},
		{"heic coded as 268 MP", heicHeaderOnly(4032, 3024, sps16k()), HEIC, 0, 0, TooManyPixels},
		{"heic without meta", box("ftyp", []byte("heic\x00\x00\x00\x00mif1")), HEIC, 0, 0, Broken},
	}
	for _, tt := range tests {
		mt, w, h, err := Config(tt.b)
		if mt != tt.want || w != tt.w || h != tt.h || reasonOf(t, err) != tt.reason {
			t.Errorf("%s: %q %dx%d %v, want %q %dx%d %q", tt.name, mt, w, h, err, tt.want, tt.w, tt.h, tt.reason)
		}
	}
}

func reasonOf(t *testing.T, err error) Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("error %v is not an *Error", err)
		return ""
	}
	return e.Reason
}

// eachDecoder runs f with libturbojpeg, where there is one, and without.
func eachDecoder(t *testing.T, f func(t *testing.T)) {
	defer UseTurbo(true)
	for _, on := range []bool{true, false} {
		UseTurbo(on)
		if on && Decoder() != "libturbojpeg" {
			continue
		}
		t.Run(map[bool]string{true: "turbo", false: "go"}[on], f)
	}
}

func TestTruncatedJPEGIsBroken(t *testing.T) {
	whole := encodeJPEG(picture(400, 300))
	eachDecoder(t, func(t *testing.T) {
		if _, err := Photo(whole); err != nil {
			t.Fatalf("whole: %v", err)
		}
		for _, cut := range []int{3, 10, 100, 600, len(whole) / 2, len(whole) * 9 / 10, len(whole) - 3, len(whole) - 2} {
			if _, err := Photo(whole[:cut]); reasonOf(t, err) != Broken {
				t.Errorf("%d of %d bytes: %v, want broken", cut, len(whole), err)
			}
			if _, err := Image(whole[:cut], 0); reasonOf(t, err) != Broken {
				t.Errorf("%d of %d bytes as an image: %v, want broken", cut, len(whole), err)
			}
		}
		if _, err := Photo(append(bytes.Clone(whole), "a phone's trailer"...)); err != nil {
			t.Errorf("with a trailer: %v", err)
		}
	})
}

func TestDecodersAgree(t *testing.T) {
	if loadTurbo() == nil {
		t.Skip("no libturbojpeg on this machine")
	}
	defer UseTurbo(true)
	grey := image.NewGray(image.Rect(0, 0, 901, 677))
	for i := range grey.Pix {
		grey.Pix[i] = byte(i/7*i/901) | 8
	}
	for name, b := range map[string][]byte{
		"colour": encodeJPEG(picture(1601, 1203)),
		"grey":   encodeJPEG(grey),
		"small":  encodeJPEG(picture(33, 17)),
		"pixel":  encodeJPEG(picture(1, 1)),
	} {
		var got [2]pixel.Measures
		for i, on := range []bool{true, false} {
			UseTurbo(on)
			f, err := Photo(b)
			if err != nil {
				t.Fatalf("%s with %s: %v", name, Decoder(), err)
			}
			got[i] = pixel.Measure(&f.Luma)
			f.Release()
		}
		opts := cmp.Options{cmpopts.EquateApprox(0, .05), cmpopts.IgnoreFields(pixel.Measures{}, "Fingerprint", "Turned")}
		if diff := cmp.Diff(got[0], got[1], opts); diff != "" {
			t.Errorf("%s (-libturbojpeg +image/jpeg):\n%s", name, diff)
		}
	}
}

// What is measured must not depend on the container: PNG holds the JPEG's own pixels.
func TestPNGMeasuresAsTheSameJPEG(t *testing.T) {
	b := encodeJPEG(picture(800, 600))
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	rgb := image.NewNRGBA(img.Bounds())
	for y := range 600 {
		for x := range 800 {
			rgb.Set(x, y, img.At(x, y))
		}
	}
	var got []pixel.Measures
	for _, b := range [][]byte{b, encodePNG(rgb)} {
		f, err := Photo(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, pixel.Measure(&f.Luma))
		f.Release()
	}
	opts := cmp.Options{cmpopts.EquateApprox(0, .05), cmpopts.IgnoreFields(pixel.Measures{}, "Fingerprint", "Turned")}
	if diff := cmp.Diff(got[0], got[1], opts); diff != "" {
		t.Errorf("(-jpeg +png):\n%s", diff)
	}
}

func TestImageCoversMaxSide(t *testing.T) {
	b := encodeJPEG(picture(1600, 1200))
	eachDecoder(t, func(t *testing.T) {
		for _, maxSide := range []int{0, 150, 200, 800, 801, 5000} {
			img, err := Image(b, maxSide)
			if err != nil {
				t.Fatal(err)
			}
			size := img.Bounds().Size()
			if long := max(size.X, size.Y); long < min(1600, maxSide) || 3*size.X != 4*size.Y {
				t.Errorf("maxSide %d: %v", maxSide, size)
			}
			if Decoder() == "libturbojpeg" && maxSide == 200 && size.X != 200 {
				t.Errorf("maxSide 200: %v, want an eighth", size)
			}
			r, g, _, _ := img.At(size.X/2, size.Y/2).RGBA()
			if r == 0 || g == 0 {
				t.Errorf("maxSide %d: black in the middle", maxSide)
			}
		}
	})
}

func TestFullRange(t *testing.T) {
	m := image.NewYCbCr(image.Rect(0, 0, 3, 1), image.YCbCrSubsampleRatio444)
	m.Y, m.Cb, m.Cr = []byte{16, 126, 235}, []byte{16, 128, 240}, []byte{0, 128, 255}
	fullRange(m)
	want := [][]byte{{0, 128, 255}, {1, 128, 255}, {0, 128, 255}}
	if diff := cmp.Diff(want, [][]byte{m.Y, m.Cb, m.Cr}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A thousand photos in a row must not grow the heap: buffers come back.
func TestReleaseGivesBuffersBack(t *testing.T) {
	if loadTurbo() == nil {
		t.Skip("image/jpeg allocates its own planes")
	}
	b := encodeJPEG(picture(1600, 1200))
	photo := func() {
		f, err := Photo(b)
		if err != nil {
			t.Fatal(err)
		}
		pixel.Measure(&f.Luma)
		f.Release()
	}
	photo()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	const photos = 10
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range photos {
		photo()
	}
	runtime.ReadMemStats(&after)
	// A luma plane a photo would be 1.9 MB, the measures' own planes 8 MB; under the race detector pools drop some.
	if got := (after.TotalAlloc - before.TotalAlloc) / photos; got > 1_500_000 {
		t.Errorf("%d bytes a photo, want under 1,500,000", got)
	}
}
