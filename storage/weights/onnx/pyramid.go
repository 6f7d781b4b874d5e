package onnx

import "slices"

// A feature pyramid (https://arxiv.org/abs/1612.03144) adds small maps, enlarged, to large
// ones, or lays them side by side, and convolves the result. Since a convolution of a sum is
// the sum of convolutions, the small maps are convolved before they are enlarged; and where
// a large map is a mix of a few channels, those few are convolved.

// maxEnlarged is the largest factor that is looked for.
const maxEnlarged = 16

// enlarged is the Resize that makes a value by repeating each element so many times in both
// directions, a power of two; nil where none does.
func (g *network) enlarged(name string) (n *step, by int64) {
	n = g.producer[name]
	if n == nil || n.op != "Resize" || len(n.inputs) != 3 || n.attributes["mode"].text != "nearest" ||
		n.attributes["coordinate_transformation_mode"].text != "asymmetric" || n.attributes["nearest_mode"].text != "floor" {
		return nil, 0
	}
	s, ok := g.constants[n.inputs[2]]
	if !ok || len(s.values) != 4 || s.values[0] != 1 || s.values[1] != 1 || s.values[2] != s.values[3] {
		return nil, 0
	}
	for by = 2; by <= maxEnlarged; by *= 2 {
		if s.values[2] == float32(by) {
			return n, by
		}
	}
	return nil, 0
}

// square is the weights and bias of a convolution over 3 x 3 pixels that answers with a map
// of its input's size.
func (g *network) square(n *step) (weights, bias constant, ok bool) {
	auto := n.attributes["auto_pad"].text
	if weights, bias, ok = g.convolution(n); !ok || weights.shape[2] != 3 || weights.shape[3] != 3 || auto != "" && auto != "NOTSET" ||
		n.integer("group", 1) != 1 || !n.all("strides", 1, 1) || !n.all("dilations", 1, 1) || !n.all("pads", 1, 0) {
		return weights, bias, false
	}
	return weights, bias, true
}

// split has a convolution over a sum, or a row of maps whose last is large, done on the
// small maps before they are enlarged.
func (g *network) split(n *step) bool {
	weights, bias, ok := g.square(n)
	if !ok {
		return false
	}
	joined := g.producer[n.inputs[0]]
	if joined == nil || g.only(n.inputs[0]) == nil {
		return false
	}
	switch {
	case joined.op == "Add" && len(joined.inputs) == 2:
		for i, in := range joined.inputs {
			if resize, by := g.enlarged(in); by == 2 {
				if g.only(in) != nil {
					g.drop(resize)
				}
				n.inputs[0] = joined.inputs[1-i]
				g.sum(n, g.phases(resize.inputs[0], weights))
				g.drop(joined)
				return true
			}
		}
	case joined.op == "Concat" && joined.integer("axis", 0) == 1 && len(joined.inputs) > 1:
		return g.splitRow(n, joined, weights, bias)
	}
	return false
}

// splitRow is split for a row of maps of equal width.
func (g *network) splitRow(n, row *step, weights, bias constant) bool {
	last := len(row.inputs) - 1
	width := weights.shape[1] / int64(len(row.inputs))
	if width*int64(len(row.inputs)) != weights.shape[1] {
		return false
	}
	for _, in := range row.inputs[:last] {
		if r, by := g.enlarged(in); by == 0 || g.only(in) == nil || g.width(r.inputs[0]) != width {
			return false
		}
	}
	// The small maps, each half as large as it was, in a row of their own.
	small := &step{op: "Concat", outputs: []string{g.name()}, attributes: map[string]attribute{}}
	small.give(Attribute{"axis", int64(1)})
	for _, in := range row.inputs[:last] {
		r, by := g.enlarged(in)
		if by == 2 {
			small.inputs = append(small.inputs, r.inputs[0])
			g.drop(r)
			continue
		}
		half := float32(by / 2)
		r.inputs[2] = g.add(constant{[]int64{4}, []float32{1, 1, half, half}})
		small.inputs = append(small.inputs, in)
	}
	g.set(n, row.inputs[last], channels(weights, width*int64(last), weights.shape[1]), bias)
	g.sum(n, append([]*step{small}, g.phases(small.outputs[0], channels(weights, 0, width*int64(last)))...))
	g.drop(row)
	return true
}

// sum has the result of the last of some steps, which come before it, added to that of a step.
func (g *network) sum(n *step, steps []*step) {
	add := &step{op: "Add", inputs: []string{g.name(), steps[len(steps)-1].outputs[0]}, outputs: n.outputs, attributes: map[string]attribute{}}
	n.outputs = []string{add.inputs[0]}
	g.replace(n, append(steps, n, add)...)
}

// width is how many channels a value has; 0 where what makes it does not tell.
func (g *network) width(name string) int64 {
	n := g.producer[name]
	if n != nil && (n.op == "Mul" || n.op == "Relu") && len(n.inputs) > 0 {
		n = g.producer[n.inputs[0]] // a gate or an activation
	}
	if n == nil {
		return 0
	}
	if weights, _, ok := g.convolution(n); ok {
		return weights.shape[0]
	}
	return 0
}

// channels are a convolution's weights for some of its input's channels.
func channels(w constant, from, to int64) constant {
	out := constant{shape: []int64{w.shape[0], to - from, w.shape[2], w.shape[3]}}
	pixels := w.shape[2] * w.shape[3]
	for o := range w.shape[0] {
		out.values = append(out.values, w.values[(o*w.shape[1]+from)*pixels:(o*w.shape[1]+to)*pixels]...)
	}
	return out
}

// phases convolves a map with 3 x 3 weights as if each of its elements were repeated twice
// in both directions before: the even and the odd rows of the result each see two rows of
// the map, and so do its columns. The last of the steps has the result.
func (g *network) phases(input string, w constant) []*step {
	to, from := w.shape[0], w.shape[1]
	row := &step{op: "Concat", outputs: []string{g.name()}, attributes: map[string]attribute{}}
	row.give(Attribute{"axis", int64(1)})
	var steps []*step
	for i := range int64(2) {
		weights := filled(0, 2*to, from, 2, 3)
		for j := range int64(2) {
			for o := range to {
				for c := range from {
					for dy := range int64(3) {
						for dx := range int64(3) {
							// Row 2y+i+dy-1 of the enlarged map is row y + (i+dy+1)/2 - 1 of the map, whose
							// rows are seen from y-1 on for even rows and from y on for odd ones.
							y, x := (i+dy+1)/2-i, (j+dx+1)/2
							weights.values[(((j*to+o)*from+c)*2+y)*3+x] += w.values[((o*from+c)*3+dy)*3+dx]
						}
					}
				}
			}
		}
		conv := &step{op: "Conv", outputs: []string{g.name()}, attributes: map[string]attribute{}}
		conv.give(Attribute{"kernel_shape", []int64{2, 3}}, Attribute{"pads", []int64{1 - i, 1, i, 1}})
		g.set(conv, input, weights, filled(0, 2*to))
		steps, row.inputs = append(steps, conv), append(row.inputs, conv.outputs[0])
	}
	return append(steps, row, g.spread(row.outputs[0], g.name(), 2))
}

// gated is a convolution over a*h, where a is a mix of a few channels and h a gate for each
// of its channels: it becomes a convolution of the few, with weights that h goes into.
func (g *network) gated(n *step) bool {
	weights, bias, ok := g.square(n)
	if !ok {
		return false
	}
	times := g.producer[n.inputs[0]]
	if times == nil || times.op != "Mul" || len(times.inputs) != 2 || g.only(n.inputs[0]) == nil || !g.pooled(times.inputs[1]) {
		return false
	}
	mix := g.producer[times.inputs[0]]
	if mix == nil || len(mix.inputs) != 2 {
		return false
	}
	mixed, _, ok := g.pointwise(mix)
	if !ok || mixed.shape[0] != weights.shape[1] || 4*mixed.shape[1] > mixed.shape[0] {
		return false
	}
	turned := filled(0, mixed.shape[1], mixed.shape[0], 1, 1)
	for o := range mixed.shape[0] {
		for c := range mixed.shape[1] {
			turned.values[c*mixed.shape[0]+o] = mixed.values[o*mixed.shape[1]+c]
		}
	}
	open := &step{op: "Mul", inputs: []string{g.add(weights), times.inputs[1]}, outputs: []string{g.name()}, attributes: map[string]attribute{}}
	fewer := &step{op: "Conv", outputs: []string{g.name()}, attributes: map[string]attribute{}}
	fewer.give(Attribute{"kernel_shape", []int64{1, 1}})
	g.set(fewer, open.outputs[0], turned, filled(0, mixed.shape[1]))
	g.replace(n, open, fewer, n)
	n.inputs = []string{mix.inputs[0], fewer.outputs[0], g.add(bias)}
	g.drop(times)
	return true
}

// pooled tells whether a value is a number for each channel, made of the channels' means.
func (g *network) pooled(name string) bool {
	for n, steps := g.producer[name], 0; n != nil && len(n.inputs) > 0 && steps < 8; n, steps = g.producer[n.inputs[0]], steps+1 {
		switch n.op {
		case "GlobalAveragePool":
			return true
		case "Add", "Conv", "HardSigmoid", "Relu":
		default:
			return false
		}
	}
	return false
}

// averaged has the mean of a map taken before a convolution of one pixel instead of after it.
func (g *network) averaged(n *step) bool {
	if n.op != "GlobalAveragePool" || len(n.inputs) != 1 {
		return false
	}
	conv := g.producer[n.inputs[0]]
	if conv == nil || g.only(n.inputs[0]) == nil {
		return false
	}
	if _, _, ok := g.pointwise(conv); !ok {
		return false
	}
	n.inputs[0], conv.outputs, n.outputs = conv.inputs[0], n.outputs, []string{g.name()}
	conv.inputs[0] = n.outputs[0]
	i, j := slices.Index(g.nodes, conv), slices.Index(g.nodes, n)
	g.nodes[i], g.nodes[j] = n, conv
	return true
}
