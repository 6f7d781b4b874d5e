package exif

import (
	"bytes"
	"encoding/binary"
)

var (
	exifHeader   = []byte("Exif\x00\x00")
	pngSignature = []byte("\x89PNG\r\n\x1a\n")
)

// find returns the EXIF block (the TIFF file, without "Exif\0\0") of a photo,
// nil where there is none. An error with a block says that its end is missing.
func find(b []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xd8}):
		return findJPEG(b[2:])
	case bytes.HasPrefix(b, pngSignature):
		return findPNG(b[len(pngSignature):])
	case len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return findWebP(b[12:])
	case len(b) >= 12 && string(b[4:8]) == "ftyp":
		return findHEIF(b)
	}
	return nil, nil
}

// cut returns the first n bytes of b, or what there is of them.
func cut(b []byte, n uint64) ([]byte, error) {
	if n > uint64(len(b)) {
		return b, &Error{Reason: ReasonTruncated}
	}
	return b[:n], nil
}

// findJPEG walks marker segments (ITU-T T.81, B.1.1) up to the scan.
func findJPEG(b []byte) ([]byte, error) {
	for {
		// Bytes between segments are skipped, as decoders skip them.
		start := bytes.IndexByte(b, 0xff)
		if start < 0 {
			return nil, nil
		}
		b = b[start:]
		for len(b) > 0 && b[0] == 0xff {
			b = b[1:]
		}
		if len(b) == 0 {
			return nil, nil
		}
		marker := b[0]
		b = b[1:]
		switch {
		case marker == 0xda || marker == 0xd9: // start of scan, end of image
			return nil, nil
		case marker == 0 || marker == 1 || marker >= 0xd0 && marker <= 0xd8:
			continue // no length follows
		}
		if len(b) < 2 {
			return nil, nil
		}
		length := int(binary.BigEndian.Uint16(b))
		if length < 2 {
			return nil, nil
		}
		segment, err := cut(b[2:], uint64(length-2))
		if marker == 0xe1 && bytes.HasPrefix(segment, exifHeader) {
			return segment[len(exifHeader):], err
		}
		if err != nil {
			return nil, nil
		}
		b = b[length:]
	}
}

// findPNG walks chunks (W3C PNG, 5.3; eXIf is 11.3.4.5).
func findPNG(b []byte) ([]byte, error) {
	for len(b) >= 8 {
		length := binary.BigEndian.Uint32(b)
		kind := string(b[4:8])
		data, err := cut(b[8:], uint64(length))
		switch {
		case kind == "eXIf":
			return bytes.TrimPrefix(data, exifHeader), err
		case kind == "IEND" || err != nil || len(b)-8-len(data) < 4:
			return nil, nil
		}
		b = b[8+len(data)+4:] // a checksum follows the data
	}
	return nil, nil
}

// findWebP walks RIFF chunks (RFC 9649, 2.7). Some writers keep the JPEG
// prefix in the EXIF chunk.
func findWebP(b []byte) ([]byte, error) {
	for len(b) >= 8 {
		length := uint64(binary.LittleEndian.Uint32(b[4:]))
		kind := string(b[:4])
		data, err := cut(b[8:], length)
		if kind == "EXIF" {
			return bytes.TrimPrefix(data, exifHeader), err
		}
		if err != nil {
			return nil, nil
		}
		next := 8 + length + length%2 // chunks begin at even offsets
		if next > uint64(len(b)) {
			return nil, nil
		}
		b = b[next:]
	}
	return nil, nil
}
