package audit

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Fingerprint is a photo's PDQ hash: 256 bits, as four words.
type Fingerprint [4]uint64

// ParseFingerprint reads the 64 hex digits of a measurement's fingerprint.
func ParseFingerprint(s string) (f Fingerprint, ok bool) {
	var b [32]byte
	if len(s) != hex.EncodedLen(len(b)) {
		return f, false
	}
	if _, err := hex.Decode(b[:], []byte(s)); err != nil {
		return f, false
	}
	for i := range f {
		f[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return f, true
}

// Distance is the number of bits, 0..256, in which two fingerprints differ.
func (f Fingerprint) Distance(g Fingerprint) int {
	n := 0
	for i := range f {
		n += bits.OnesCount64(f[i] ^ g[i])
	}
	return n
}

// DistanceIn is the distance in the bits that are set in certain, scaled to all 256; 256
// where fewer than half of them are.
func (f Fingerprint) DistanceIn(g, certain Fingerprint) int {
	differ, of := 0, 0
	for i := range f {
		differ += bits.OnesCount64((f[i] ^ g[i]) & certain[i])
		of += bits.OnesCount64(certain[i])
	}
	if of < 128 {
		return 256
	}
	return (256*differ + of - 1) / of
}
