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
	hd.decoded = bounded(hd.w, hd.h, 8)
	return nil
}

func decodeWebP(b []byte) (image.Image, error) {
	return webp.Decode(bytes.NewReader(b))
}
