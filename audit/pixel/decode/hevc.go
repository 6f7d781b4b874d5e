package decode

import (
	"encoding/binary"
)

// hevcSize is the coded size in the first sequence parameter set of an hvcC box (ISO/IEC 14496-15, 8.3.3.1).
func hevcSize(hvcC []byte) (w, h int, ok bool) {
	if len(hvcC) < 23 {
		return 0, 0, false
	}
	arrays, b := int(hvcC[22]), hvcC[23:]
	for range arrays {
		if len(b) < 3 {
			return 0, 0, false
		}
		kind, units := b[0]&0x3f, int(binary.BigEndian.Uint16(b[1:]))
		b = b[3:]
		for range units {
			if len(b) < 2 {
				return 0, 0, false
			}
			size := int(binary.BigEndian.Uint16(b))
			if len(b) < 2+size {
				return 0, 0, false
			}
			const sps = 33
			if kind == sps {
				return spsSize(b[2 : 2+size])
			}
			b = b[2+size:]
		}
	}
	return 0, 0, false
}

// spsSize reads pic_width_in_luma_samples and pic_height_in_luma_samples (ITU-T H.265, 7.3.2.2.1).
func spsSize(unit []byte) (w, h int, ok bool) {
	r := bitReader{b: unescape(unit)}
	r.skip(16 + 4) // unit header, video parameter set
	layers := int(r.read(3))
	r.skip(1 + 96) // temporal nesting, general profile and level
	var profile, level [8]bool
	for i := range layers {
		profile[i], level[i] = r.read(1) == 1, r.read(1) == 1
	}
	if layers > 0 {
		r.skip(2 * (8 - layers))
	}
	for i := range layers {
		if profile[i] {
			r.skip(88)
		}
		if level[i] {
			r.skip(8)
		}
	}
	r.golomb() // sequence parameter set
	const separatePlanes = 3
	if r.golomb() == separatePlanes {
		r.skip(1)
	}
	w, h = int(r.golomb()), int(r.golomb())
	return w, h, !r.over
}

// unescape drops the emulation prevention bytes of a NAL unit.
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	zeros := 0
	for _, c := range b {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

// bitReader reads bits, most significant first; past the end it reads zeros and remembers it.
type bitReader struct {
	b    []byte
	at   int
	over bool
}

func (r *bitReader) skip(n int) { r.at += n }

func (r *bitReader) read(n int) (v uint32) {
	for range n {
		v <<= 1
		if r.at/8 >= len(r.b) {
			r.over = true
		} else {
			v |= uint32(r.b[r.at/8]) >> (7 - r.at%8) & 1
		}
		r.at++
	}
	return v
}

// golomb reads an unsigned Exp-Golomb number, at most 31 bits of it.
func (r *bitReader) golomb() uint32 {
	zeros := 0
	for zeros < 31 && !r.over && r.read(1) == 0 {
		zeros++
	}
	return (1<<zeros | r.read(zeros)) - 1
}
