//go:build !js

package decode

import (
	"bytes"
	"image"
	"runtime"
	"sync"

	"github.com/gen2brain/heic"
)

// heicTurn lets one HEIC through at a time: each takes hundreds of megabytes, where others take tens.
var heicTurn sync.Mutex

func decodeHEIC(b []byte, hd *header) (image.Image, error) {
	heicTurn.Lock()
	defer heicTurn.Unlock()
	runtime.GC() // the last one's memory, before asking for as much again
	img, err := heic.Decode(bytes.NewReader(b))
	if m, ok := img.(*image.YCbCr); ok && hd.heic.videoRange {
		fullRange(m)
	}
	return img, err
}
