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

// entry is a photo's row in the index of fingerprints, but for the photo.
type entry struct{ band, sketch int64 }

// entriesOf are a fingerprint's entries, one a band.
func entriesOf(f audit.Fingerprint) []entry {
	sketch := sketchOf(f)
	all := make([]entry, 0, bandCount)
	for _, b := range bandsOf(f) {
		all = append(all, entry{b, sketch})
	}
	return all
}

// sketchOf is 64 of a fingerprint's bits: of its 16 by 16 frequencies four of each row and
// four of each column.
func sketchOf(f audit.Fingerprint) (sketch int64) {
	const diagonal = 0x8888444422221111
	for i, rows := range f {
		sketch |= int64(rows & bits.RotateLeft64(diagonal, 16*i))
	}
	return sketch
}

// nearSketch is by how many bits the sketches of like pictures differ at most. Those within
// that many bits of each other as a whole are all among them. Of 31 bits that are anywhere 8
// are in the sketch, give or take 2.3; of two pictures that have nothing in common 30 of the
// bits that are not in the band that they agree in, give or take 3.9.
const nearSketch = 18

// probe is what a picture is looked for by in one way: bands, and a sketch of which some bits
// are certain.
type probe struct {
	bands           []int64
	sketch, certain int64
}

// everyBit is certain of a fingerprint that is known as a whole.
var everyBit = audit.Fingerprint{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}

func probeOf(f audit.Fingerprint) probe {
	b := bandsOf(f)
	return probe{b[:], sketchOf(f), sketchOf(everyBit)}
}

// probeUnder is that of a picture which is known in part, as bandsUnder has it.
func probeUnder(f, certain audit.Fingerprint) probe {
	return probe{bandsUnder(f, certain), sketchOf(f), sketchOf(certain)}
}

// meet tells whether two pictures that agree in a band may be alike by their sketches.
func meet(a, b, certain int64) bool { return bits.OnesCount64(uint64((a^b)&certain)) <= nearSketch }

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
