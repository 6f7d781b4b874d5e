package decode

import "bytes"

// jpegHeader is what the markers before a JPEG's first scan say (ITU-T T.81, annex B).
type jpegHeader struct {
	components  int
	progressive bool
	scans       int // counted where there may be more than one, else 1
}

// Limits on a JPEG's scans. libjpeg's own script for progressive files has ten; each further one costs a pass over the
// whole photo, so a small file of many empty scans could keep a core for minutes.
const (
	maxScans      = 64
	maxScanPixels = 1_000_000_000
)

func (hd *header) parseJPEG(b []byte) error {
	at := 2
	framed := false
	for {
		marker, next, ok := nextMarker(b, at)
		if !ok {
			return fail(Broken, "JPEG ends before its first scan")
		}
		at = next
		if marker == 0xd8 || marker == 0x01 || marker >= 0xd0 && marker <= 0xd7 {
			continue
		}
		if marker == 0xd9 {
			return fail(Broken, "JPEG without a scan")
		}
		if at+2 > len(b) {
			return fail(Broken, "JPEG ends in a segment")
		}
		size := int(b[at])<<8 | int(b[at+1])
		if size < 2 || at+size > len(b) {
			return fail(Broken, "JPEG segment %#x of %d bytes passes the end", marker, size)
		}
		body := b[at+2 : at+size]
		at += size
		switch {
		case marker == 0xda:
			if !framed {
				return fail(Broken, "JPEG scan before its frame")
			}
			return hd.countScans(b[at:], body)
		case marker == 0xc4 || marker == 0xc8 || marker == 0xcc || marker < 0xc0 || marker > 0xcf:
		case framed:
			return fail(Broken, "JPEG with two frames")
		default:
			if len(body) < 6 {
				return fail(Broken, "JPEG frame header of %d bytes", len(body))
			}
			framed = true
			if err := hd.frame(marker, body); err != nil {
				return err
			}
		}
	}
}

// nextMarker finds the marker at or after at, over fill bytes and stray ones as decoders do.
func nextMarker(b []byte, at int) (marker byte, next int, ok bool) {
	for at < len(b) {
		i := bytes.IndexByte(b[at:], 0xff)
		if i < 0 {
			break
		}
		at += i + 1
		for at < len(b) && b[at] == 0xff {
			at++
		}
		if at < len(b) && b[at] != 0 {
			return b[at], at + 1, true
		}
	}
	return 0, len(b), false
}

func (hd *header) frame(marker byte, body []byte) error {
	hd.h, hd.w = int(body[1])<<8|int(body[2]), int(body[3])<<8|int(body[4])
	hd.jpeg = jpegHeader{components: int(body[5]), progressive: marker == 0xc2, scans: 1}
	if body[0] != 8 || marker > 0xc2 {
		return fail(UnsupportedType, "JPEG frame %#x with %d bits a sample", marker, body[0])
	}
	n := hd.jpeg.components
	if n != 1 && n != 3 && n != 4 {
		return fail(UnsupportedType, "JPEG with %d components", n)
	}
	if len(body) < 6+3*n {
		return fail(Broken, "JPEG frame header of %d bytes for %d components", len(body), n)
	}
	// Samples a pixel, in sixteenths: each component holds its share of the largest sampling factors.
	var area, hmax, vmax int64
	for i := range n {
		f := body[7+3*i]
		fh, fv := int64(f>>4), int64(f&15)
		if fh < 1 || fh > 4 || fv < 1 || fv > 4 {
			return fail(Broken, "JPEG sampling factor %#x", f)
		}
		area += fh * fv
		hmax, vmax = max(hmax, fh), max(vmax, fv)
	}
	perPixel := float64(area) / float64(hmax*vmax)
	bytesPerSample := 1.
	if hd.jpeg.progressive {
		// Progressive files keep every coefficient until the last scan: 2 bytes in libjpeg, 4 in image/jpeg.
		bytesPerSample = 5
	}
	if n == 4 {
		perPixel += 5 // image/jpeg gathers the planes into a second image, and the luma comes on top
	}
	hd.decoded = int64(float64(hd.w) * float64(hd.h) * perPixel * bytesPerSample)
	return nil
}

// countScans bounds the scans of a JPEG that may have several: rest follows the first one's header.
func (hd *header) countScans(rest, first []byte) error {
	if !hd.jpeg.progressive && len(first) > 0 && int(first[0]) == hd.jpeg.components {
		return nil // sequential and complete: a further scan is an error to every decoder
	}
	for at := 0; ; {
		marker, next, ok := nextMarker(rest, at)
		if !ok || marker == 0xd9 {
			break
		}
		at = next
		if marker == 0xda {
			hd.jpeg.scans++
		}
	}
	if pixels := int64(hd.w) * int64(hd.h); hd.jpeg.scans > maxScans || pixels*int64(hd.jpeg.scans) > maxScanPixels {
		return fail(TooManyPixels, "%d x %d in %d scans", hd.w, hd.h, hd.jpeg.scans)
	}
	return nil
}
