package sqldb

import (
	"hash/fnv"
	"math/bits"
	"slices"

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

// coveredBands is by how many bands a picture is looked for of which not every bit is
// certain.
const coveredBands = 64

// bandsUnder are bands that a picture may have whose fingerprint is f in its certain bits:
// of the bands with the fewest uncertain bits all that there can be, up to [coveredBands].
func bandsUnder(f, certain audit.Fingerprint) (all []int64) {
	sure, order := bandsOf(certain), make([]int, bandCount)
	unsure := func(i int) int { return 16 - bits.OnesCount16(uint16(sure[i])) }
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return unsure(i) - unsure(j) })
	for _, i := range order {
		if len(all)+1<<unsure(i) > coveredBands {
			break
		}
		open := ^sure[i] & 0xffff
		fixed := bandsOf(f)[i] &^ open
		for some := open; ; some = (some - 1) & open { // all subsets of the open bits
			all = append(all, fixed|some)
			if some == 0 {
				break
			}
		}
	}
	return all
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
