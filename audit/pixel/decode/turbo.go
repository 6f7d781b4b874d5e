//go:build (linux || darwin) && (amd64 || arm64)

package decode

import (
	"image"
	"math"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"porchlight/audit/pixel"
)

// The parts of the TurboJPEG API (2.0 and later, turbojpeg.h) that are used here.
const (
	tjGray = 6 // TJPF_GRAY
	tjRGBA = 7 // TJPF_RGBA

	tjStopOnWarning = 8192
	tjNoRealloc     = 1024 // the buffer is ours
	tjAccurateDCT   = 4096

	tjColourYCbCr = 1 // TJCS_YCbCr
	tjColourGray  = 2 // TJCS_GRAY
	tjColourRGB   = 0 // TJCS_RGB
)

// subsamplings are TJSAMP_444, 422, 420, GRAY, 440, 411: luma samples to a chroma sample, across and down.
var subsamplings = [...]struct {
	across, down int
	ratio        image.YCbCrSubsampleRatio
}{
	0: {1, 1, image.YCbCrSubsampleRatio444},
	1: {2, 1, image.YCbCrSubsampleRatio422},
	2: {2, 2, image.YCbCrSubsampleRatio420},
	3: {1, 1, image.YCbCrSubsampleRatio444},
	4: {1, 2, image.YCbCrSubsampleRatio440},
	5: {4, 1, image.YCbCrSubsampleRatio411},
}

const (
	subsample420  = 2
	subsampleGray = 3
)

// turboJPEG is a loaded libturbojpeg.
type turboJPEG struct {
	initDecompress     func() uintptr
	destroy            func(handle uintptr) int32
	decompressHeader3  func(handle uintptr, buf *byte, size uint64, w, h, subsampling, colour *int32) int32
	decompress2        func(handle uintptr, buf *byte, size uint64, dst *byte, w, pitch, h, format, flags int32) int32
	decompressToPlanes func(handle uintptr, buf *byte, size uint64, planes unsafe.Pointer, w int32, strides *int32, h, flags int32) int32
	initCompress       func() uintptr
	bufSize            func(w, h, subsampling int32) uint64
	compress2          func(handle uintptr, src *byte, w, pitch, h, format int32, buf unsafe.Pointer, size *uint64, subsampling, quality, flags int32) int32

	// free holds decompressors for the next photos; each keeps a few hundred kilobytes.
	free chan uintptr
}

// loadTurbo loads the library once; nil where there is none or it lacks a function.
var loadTurbo = sync.OnceValue(func() *turboJPEG {
	names := []string{"libturbojpeg.so.0", "libturbojpeg.so"}
	if runtime.GOOS == "darwin" {
		names = []string{"libturbojpeg.0.dylib", "libturbojpeg.dylib"}
	}
	for _, name := range names {
		lib, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err != nil {
			continue
		}
		t := &turboJPEG{free: make(chan uintptr, 16)}
		whole := true
		for name, fn := range map[string]any{
			"tjInitDecompress":        &t.initDecompress,
			"tjDestroy":               &t.destroy,
			"tjDecompressHeader3":     &t.decompressHeader3,
			"tjDecompress2":           &t.decompress2,
			"tjDecompressToYUVPlanes": &t.decompressToPlanes,
			"tjInitCompress":          &t.initCompress,
			"tjBufSize":               &t.bufSize,
			"tjCompress2":             &t.compress2,
		} {
			symbol, err := purego.Dlsym(lib, name)
			if err != nil {
				whole = false
				break
			}
			purego.RegisterFunc(fn, symbol)
		}
		if whole {
			return t
		}
	}
	return nil
})

func (t *turboJPEG) handle() uintptr {
	select {
	case h := <-t.free:
		return h
	default:
		return t.initDecompress()
	}
}

func (t *turboJPEG) put(h uintptr) {
	select {
	case t.free <- h:
	default:
		t.destroy(h)
	}
}

// accepts reads the header with the library and reports whether both readers agree on a file it can turn into luma.
// Buffers are sized from what it says, so a disagreement must not reach the decoder.
func (t *turboJPEG) accepts(handle uintptr, b []byte, hd *header) (subsampling, colour int32, ok bool) {
	var w, h int32
	if t.decompressHeader3(handle, &b[0], uint64(len(b)), &w, &h, &subsampling, &colour) != 0 {
		return 0, 0, false
	}
	ok = int(w) == hd.w && int(h) == hd.h && int(subsampling) < len(subsamplings) && subsampling >= 0 && colour <= tjColourGray
	return subsampling, colour, ok
}

// photo decodes luma and chroma in one pass: the chroma costs a few hundredths more than luma alone.
func (t *turboJPEG) photo(b []byte, hd *header) (*Frame, error) {
	handle := t.handle()
	if handle == 0 {
		return nil, errPassed
	}
	defer t.put(handle)
	subsampling, colour, ok := t.accepts(handle, b, hd)
	if !ok {
		return nil, errPassed
	}
	f := &Frame{MediaType: JPEG}
	f.Width, f.Height, f.Orientation = hd.w, hd.h, 1
	s := subsamplings[subsampling]
	stride, rows := up(hd.w, s.across), up(hd.h, s.down)
	f.pooled[0] = lumaBuffers.take(stride * rows)
	f.Pix, f.Stride = f.pooled[0], stride

	var status int32
	if colour == tjColourRGB {
		// Stored as RGB: the library weighs it into luma, without chroma.
		status = t.decompress2(handle, &b[0], uint64(len(b)), &f.Pix[0], int32(hd.w), int32(stride), int32(hd.h), tjGray, tjStopOnWarning)
	} else {
		cw, ch := stride/s.across, rows/s.down
		var pins runtime.Pinner
		defer pins.Unpin()
		planes, strides := [3]*byte{&f.Pix[0]}, [3]int32{int32(stride), int32(cw), int32(cw)}
		if subsampling != subsampleGray {
			f.pooled[1], f.pooled[2] = chromaBuffers.take(cw*ch), chromaBuffers.take(cw*ch)
			planes[1], planes[2] = &f.pooled[1][0], &f.pooled[2][0]
			pins.Pin(planes[1])
			pins.Pin(planes[2])
		}
		pins.Pin(planes[0])
		status = t.decompressToPlanes(handle, &b[0], uint64(len(b)), unsafe.Pointer(&planes), int32(hd.w), &strides[0], int32(hd.h), tjStopOnWarning)
		if status == 0 && subsampling != subsampleGray {
			f.Chroma = pixel.NewChroma(f.pooled[1], f.pooled[2], cw, (hd.w+s.across-1)/s.across, (hd.h+s.down-1)/s.down)
			chromaBuffers.put(f.pooled[1])
			chromaBuffers.put(f.pooled[2])
			f.pooled[1], f.pooled[2] = nil, nil
		}
	}
	if status != 0 {
		f.Release()
		return nil, errPassed
	}
	return f, nil
}

// up rounds n up to a multiple of m.
func up(n, m int) int { return (n + m - 1) / m * m }

// scaledBy is TJSCALED: a side at so many eighths, rounded up.
func scaledBy(side, eighths int) int { return (side*eighths + 7) / 8 }

// image decodes to RGBA, scaled down in the DCT.
func (t *turboJPEG) image(b []byte, hd *header, maxSide int) (image.Image, error) {
	handle := t.handle()
	if handle == 0 {
		return nil, errPassed
	}
	defer t.put(handle)
	if _, _, ok := t.accepts(handle, b, hd); !ok {
		return nil, errPassed
	}
	eighths := 8
	for eighths > 1 && maxSide > 0 && scaledBy(max(hd.w, hd.h), eighths-1) >= maxSide {
		eighths--
	}
	img := image.NewRGBA(image.Rect(0, 0, scaledBy(hd.w, eighths), scaledBy(hd.h, eighths)))
	size := img.Rect.Size()
	if t.decompress2(handle, &b[0], uint64(len(b)), &img.Pix[0], int32(size.X), int32(img.Stride), int32(size.Y), tjRGBA, tjStopOnWarning) != 0 {
		return nil, errPassed
	}
	return img, nil
}

// encode writes pixels of four bytes, the last of which is not looked at, as a JPEG. ok is
// false where the library cannot.
func (t *turboJPEG) encode(pix []byte, stride int, size image.Point, quality int) (b []byte, ok bool) {
	if size.X <= 0 || size.Y <= 0 || size.X > maxJPEGSide || size.Y > maxJPEGSide {
		return nil, false
	}
	handle := t.initCompress()
	if handle == 0 {
		return nil, false
	}
	defer t.destroy(handle)
	n := t.bufSize(int32(size.X), int32(size.Y), subsample420)
	if n == 0 || n > math.MaxInt32 {
		return nil, false
	}
	b = make([]byte, n)
	var pins runtime.Pinner
	defer pins.Unpin()
	to := &b[0]
	pins.Pin(to)
	if t.compress2(handle, &pix[0], int32(size.X), int32(stride), int32(size.Y), tjRGBA, unsafe.Pointer(&to), &n, subsample420, int32(quality), tjNoRealloc|tjAccurateDCT) != 0 || n > uint64(len(b)) {
		return nil, false
	}
	return b[:n], true
}

// maxJPEGSide is the longest side that a JPEG can have.
const maxJPEGSide = 65_535
