package decode

import (
	"bytes"
	"image"

	"github.com/gen2brain/heic"
)

type heicHeader struct{}

func heicBrand(b []byte) bool {
	switch string(b[8:12]) {
	case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
		return true
	}
	return false
}

func (hd *header) parseHEIC(b []byte) error {
	cfg, err := heic.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return err
	}
	hd.w, hd.h = cfg.Width, cfg.Height
	return nil
}

func decodeHEIC(b []byte, _ *header) (image.Image, error) {
	return heic.Decode(bytes.NewReader(b))
}
