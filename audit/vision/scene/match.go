package scene

import "math/bits"

const (
	farthest = 70   // bits in which two features may differ and still be one
	ratio    = 0.85 // of the distance to the nearest one to that to the next
)

// matched is two features that may be one.
type matched struct{ ax, ay, bx, by float64 }

// match finds features that are each other's nearest, nearer than any other by a ratio
// (Lowe 2004).
func match(a, b []Feature) []matched {
	type nearest struct{ at, first, second int }
	near := make([]nearest, len(a))
	back := make([]nearest, len(b))
	for j := range back {
		back[j] = nearest{-1, 257, 257}
	}
	note := func(n *nearest, at, d int) {
		if d < n.first {
			n.at, n.first, n.second = at, d, n.first
		} else if d < n.second {
			n.second = d
		}
	}
	for i := range a {
		near[i] = nearest{-1, 257, 257}
		f := &a[i].Bits
		for j := range b {
			g := &b[j].Bits
			d := bits.OnesCount64(f[0]^g[0]) + bits.OnesCount64(f[1]^g[1]) + bits.OnesCount64(f[2]^g[2]) + bits.OnesCount64(f[3]^g[3])
			note(&near[i], j, d)
			note(&back[j], i, d)
		}
	}
	var out []matched
	for i, n := range near {
		if n.at < 0 || n.first > farthest || back[n.at].at != i || float64(n.first) >= ratio*float64(n.second) {
			continue
		}
		f, g := a[i], b[n.at]
		out = append(out, matched{float64(f.X) / 65536, float64(f.Y) / 65536, float64(g.X) / 65536, float64(g.Y) / 65536})
	}
	return out
}
