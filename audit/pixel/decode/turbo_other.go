//go:build !((linux || darwin) && (amd64 || arm64))

package decode

import "image"

// turboJPEG does not exist on this platform.
type turboJPEG struct{}

func loadTurbo() *turboJPEG { return nil }

func (*turboJPEG) photo([]byte, *header) (*Frame, error) { return nil, errPassed }

func (*turboJPEG) encode([]byte, int, image.Point, int) ([]byte, bool) { return nil, false }

func (*turboJPEG) image([]byte, *header, int) (image.Image, error) { return nil, errPassed }
