package decode

import (
	"bytes"
	"image"

	"golang.org/x/image/webp"
)

func (hd *header) parseWebP(b []byte) error {
	cfg, err := webp.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return err
	}
	hd.w, hd.h = cfg.Width, cfg.Height
	// Lossless files are decoded through two RGBA images, and the luma beside them.
	perPixel := int64(9)
	if len(b) >= 16 && string(b[12:16]) == "VP8 " {
		perPixel = 3
	}
	hd.decoded = bounded(hd.w, hd.h, perPixel)
	return nil
}

func decodeWebP(b []byte) (image.Image, error) {
	img, err := webp.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	switch m := img.(type) {
	case *image.YCbCr:
		fullRange(m)
	case *image.NYCbCrA:
		fullRange(&m.YCbCr)
	}
	return img, nil
}

// fullRange stretches BT.601 video levels (luma 16..235, chroma 16..240; RFC 6386, section 9.2) to the full range that
// Go's YCbCr means. The decoder hands the planes out as they are coded.
func fullRange(m *image.YCbCr) {
	var luma, chroma [256]byte
	for i := range 256 {
		luma[i] = clamp(((i-16)*255*2 + 219) / (2 * 219))
		chroma[i] = clamp(128 + (i-128)*255/224)
	}
	stretch := func(plane []byte, levels *[256]byte) {
		for i, v := range plane {
			plane[i] = levels[v]
		}
	}
	stretch(m.Y, &luma)
	stretch(m.Cb, &chroma)
	stretch(m.Cr, &chroma)
}

func clamp(v int) byte { return byte(max(0, min(255, v))) }
