package sqldb

import (
	"hash/fnv"

	"porchlight/audit"
)

// bandCount is into how many bands of 16 bits a fingerprint is cut. Two fingerprints
// that differ in fewer bits than there are bands agree in one band at least, so that
// an equality look-up finds every distance up to 15, and most up to 31 (Norouzi,
// Punjani, Fleet: Fast Search in Hamming Space with Multi-Index Hashing, 2012).
const bandCount = 16

// bandsOf are the fingerprint's bands, each with its number in the upper bits.
func bandsOf(f audit.Fingerprint) [bandCount]int64 {
	var b [bandCount]int64
	for i := range b {
		b[i] = int64(i)<<16 | int64(f[i/4]>>(48-16*(i%4))&0xffff)
	}
	return b
}

// photoKey is a short name for a photo: two photos share one once in 2^63.
func photoKey(photoID string) int64 {
	h := fnv.New64a()
	h.Write([]byte(photoID))
	return int64(h.Sum64() >> 1)
}

// textLock is the key to lock by a text, above the bands and [importLock].
func textLock(kind, text string) int64 {
	h := fnv.New32a()
	h.Write([]byte(kind + "\x00" + text))
	return int64(h.Sum32() | 1<<31)
}
