package vision

import (
	"cmp"
	"slices"
)

// Intersection is the part that both boxes cover; a box without area where they do not
// meet.
func (b Box) Intersection(c Box) Box {
	return Box{max(b[0], c[0]), max(b[1], c[1]), min(b[2], c[2]), min(b[3], c[3])}
}

// Union is the smallest box around both.
func (b Box) Union(c Box) Box {
	return Box{min(b[0], c[0]), min(b[1], c[1]), max(b[2], c[2]), max(b[3], c[3])}
}

// IoU is the share of what the boxes cover together that both cover, 0..1.
func (b Box) IoU(c Box) float64 {
	both := b.Intersection(c).Area()
	if all := b.Area() + c.Area() - both; all > 0 {
		return both / all
	}
	return 0
}

// Within is the share of the box that lies in c, 0..1.
func (b Box) Within(c Box) float64 {
	if a := b.Area(); a > 0 {
		return b.Intersection(c).Area() / a
	}
	return 0
}

// Clip is the part of the box that lies in the photo.
func (b Box) Clip() Box { return b.Intersection(Box{0, 0, 1, 1}) }

// BoxesOf are the boxes of what was found.
func BoxesOf(found []Detection) []Box {
	boxes := make([]Box, len(found))
	for i, d := range found {
		boxes[i] = d.Box
	}
	return boxes
}

// Borders counts the photo's borders that the box comes within margin of.
func (b Box) Borders(margin float64) int {
	n := 0
	for _, near := range []bool{b[0] <= margin, b[1] <= margin, b[2] >= 1-margin, b[3] >= 1-margin} {
		if near {
			n++
		}
	}
	return n
}

// Suppress keeps, of boxes with one label that overlap by more than the limit, the one
// with the best score (non-maximum suppression). The best score comes first.
func Suppress(found []Detection, limit float64) []Detection {
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(a, b Detection) int { return cmp.Compare(b.Score, a.Score) })
	var kept []Detection
	for _, d := range found {
		if !slices.ContainsFunc(kept, func(k Detection) bool { return k.Label == d.Label && k.Box.IoU(d.Box) > limit }) {
			kept = append(kept, d)
		}
	}
	return kept
}
