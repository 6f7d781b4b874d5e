// Package scene recognises a place by a photo's local features: corners of what stands
// around a door, each with 256 bits that say what it looks like. Two photos of one
// doorstep share many that lie alike in both; photos of two doors hardly share any.
//
// Features are those of ORB (Rublee, Rabaud, Konolige, Bradski: ORB, an efficient
// alternative to SIFT or SURF, ICCV 2011): FAST corners (Rosten, Drummond 2006) over an
// image pyramid, ranked by Harris' measure, turned by the centroid of their intensity, and
// described by comparing pairs of smoothed pixels (Calonder, Lepetit, Strecha, Fua: BRIEF, 2010). The pairs
// are drawn by a seeded rule, see pairs.
package scene

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Version names this code: features of two versions are not compared.
const Version = "sc1"

// MaxFeatures is the most that a photo has.
const MaxFeatures = 220

// Feature is a corner: where it is, in 65536ths of the photo's longer side from the top
// left corner, and what it looks like.
type Feature struct {
	X, Y uint16
	Bits [4]uint64
}

// featureBytes is the length of an encoded feature.
const featureBytes = 2 + 2 + 32

// MaxBytes is the most that a photo's features take.
const MaxBytes = MaxFeatures * featureBytes

// Encode writes features one after the other: x, y, the four words, big-endian.
func Encode(features []Feature) []byte {
	b := make([]byte, 0, len(features)*featureBytes)
	for _, f := range features {
		b = binary.BigEndian.AppendUint16(b, f.X)
		b = binary.BigEndian.AppendUint16(b, f.Y)
		for _, w := range f.Bits {
			b = binary.BigEndian.AppendUint64(b, w)
		}
	}
	return b
}

// Parse reads what [Encode] wrote.
func Parse(b []byte) ([]Feature, error) {
	switch {
	case len(b) > MaxBytes:
		return nil, fmt.Errorf("scene: more than %d features", MaxFeatures)
	case len(b)%featureBytes != 0:
		return nil, errors.New("scene: a feature is cut off")
	}
	features := make([]Feature, len(b)/featureBytes)
	for i := range features {
		f, at := &features[i], b[i*featureBytes:]
		f.X, f.Y = binary.BigEndian.Uint16(at), binary.BigEndian.Uint16(at[2:])
		for k := range f.Bits {
			f.Bits[k] = binary.BigEndian.Uint64(at[4+8*k:])
		}
	}
	return features, nil
}
