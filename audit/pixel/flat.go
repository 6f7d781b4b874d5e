package pixel

import "encoding/binary"

// flatShare looks at up to 64 x 64 patches of 16 x 16 stored pixels, evenly spread, and returns the share in which
// every pixel looked at has one value. Drawn surfaces stay exactly flat through a JPEG; a camera's noise, and the
// steps between its blocks under strong compression, do not: the labelled photos reach 0.08, screens start at 0.3.
func flatShare(l *Luma) float64 {
	const patch = 16
	step := max(patch, max(l.Width, l.Height)/64)
	flat, all := 0, 0
	for y := 0; y+patch <= l.Height; y += step {
		for x := 0; x+patch <= l.Width; x += step {
			all++
			at := y*l.Stride + x
			// Every fifth row crosses any 8 pixel block border that the patch holds.
			want := uint64(l.Pix[at]) * 0x0101010101010101
			same := true
			for row := 0; same && row < patch; row += 5 {
				b := l.Pix[at+row*l.Stride:][:patch]
				same = binary.LittleEndian.Uint64(b) == want && binary.LittleEndian.Uint64(b[8:]) == want
			}
			if same {
				flat++
			}
		}
	}
	if all == 0 {
		return 0
	}
	return float64(flat) / float64(all)
}
