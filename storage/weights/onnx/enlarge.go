package onnx

import (
	"math"
	"slices"
)

// What is computed on a map that was enlarged can be computed before it is, with a channel
// for each of the places that an element becomes, which are then spread out (sub-pixel
// convolution, https://arxiv.org/abs/1609.05158).

// maxSpread is the largest block that is looked at.
const maxSpread = 4

// spread is DepthToSpace: of n channels, number (i*block + j)*n + c becomes the elements at
// (i, j) of each block of channel c.
func (g *network) spread(input, output string, block int64) *step {
	n := &step{op: "DepthToSpace", inputs: []string{input}, outputs: []string{output}, attributes: map[string]attribute{}}
	n.give(Attribute{"blocksize", block}, Attribute{"mode", "DCR"})
	return n
}

// spreads is the side of the blocks of a step that spreads channels; 0 where it is no such step.
func (n *step) spreads() int64 {
	if n == nil || n.op != "DepthToSpace" || len(n.inputs) != 1 || n.attributes["mode"].text != "DCR" {
		return 0
	}
	if block := n.integer("blocksize", 0); block >= 2 && block <= maxSpread {
		return block
	}
	return 0
}

// pointwise is the weights and bias of a convolution that looks at one pixel at a time, and
// at all of its channels.
func (g *network) pointwise(n *step) (weights, bias constant, ok bool) {
	weights, bias, ok = g.convolution(n)
	ok = ok && weights.shape[2] == 1 && weights.shape[3] == 1 && n.integer("group", 1) == 1 && !n.pads() && n.all("strides", 1, 1)
	return weights, bias, ok
}

// transposed writes a transposed convolution whose results do not overlap as a convolution
// of one pixel, spread.
func (g *network) transposed(n *step) bool {
	if n.op != "ConvTranspose" || len(n.inputs) != 2 || n.integer("group", 1) != 1 || n.pads() || !n.all("output_padding", 0, 0) || !n.all("dilations", 1, 1) {
		return false
	}
	w, ok := g.constants[n.inputs[1]]
	if !ok || len(w.shape) != 4 || len(w.values) == 0 || w.shape[2] != w.shape[3] || w.shape[2] < 2 || w.shape[2] > maxSpread || !n.all("strides", w.shape[2], 1) {
		return false
	}
	from, to, block := w.shape[0], w.shape[1], w.shape[2]
	weights := filled(0, block*block*to, from, 1, 1)
	for c := range from {
		for o := range to {
			for place := range block * block {
				weights.values[(place*to+o)*from+c] = w.values[(c*to+o)*block*block+place]
			}
		}
	}
	conv := &step{op: "Conv", outputs: []string{g.name()}, attributes: map[string]attribute{}}
	conv.give(Attribute{"kernel_shape", []int64{1, 1}})
	g.set(conv, n.inputs[0], weights, filled(0, block*block*to))
	g.replace(n, conv, g.spread(conv.outputs[0], n.outputs[0], block))
	return true
}

// normalised takes what each channel is multiplied with, and what is added to it, into the
// convolution before, whose channels may be spread in between.
func (g *network) normalised(n *step) bool {
	scale, shift, input, ok := g.affine(n)
	if !ok || g.only(input) == nil {
		return false
	}
	conv, places, last := g.producer[input], int64(1), g.producer[input]
	if block := conv.spreads(); block > 0 && g.only(conv.inputs[0]) != nil {
		places, conv = block*block, g.producer[conv.inputs[0]]
	}
	if conv == nil {
		return false
	}
	weights, bias, ok := g.convolution(conv)
	if !ok || int64(len(bias.values)) != places*int64(len(scale)) {
		return false
	}
	weights = weights.scaled(1)
	each := len(weights.values) / len(bias.values)
	for i := range bias.values {
		s, b := scale[i%len(scale)], shift[i%len(scale)]
		for j := range each {
			weights.values[i*each+j] *= s
		}
		bias.values[i] = bias.values[i]*s + b
	}
	g.set(conv, conv.inputs[0], weights, bias)
	last.outputs = n.outputs
	g.drop(n)
	return true
}

// affine is what a step multiplies each channel of its input with and adds to it.
func (g *network) affine(n *step) (scale, shift []float32, input string, ok bool) {
	switch {
	case n.op == "Add" && len(n.inputs) == 2:
		for i, name := range n.inputs {
			if c, ok := g.constants[name]; ok && len(c.shape) == 4 && c.shape[1] > 0 && c.shape[1] == int64(len(c.values)) {
				return filled(1, c.shape[1]).values, c.values, n.inputs[1-i], true
			}
		}
	case n.op == "BatchNormalization" && len(n.inputs) == 5 && len(n.outputs) == 1:
		var c [4][]float32 // scale, bias, mean, variance
		for i := range c {
			c[i] = g.constants[n.inputs[i+1]].values
			if len(c[i]) == 0 || len(c[i]) != len(c[0]) {
				return nil, nil, "", false
			}
		}
		epsilon := float32(1e-5)
		if a, ok := n.attributes["epsilon"]; ok {
			epsilon = a.float
		}
		for i := range c[0] {
			s := float64(c[0][i]) / math.Sqrt(float64(c[3][i])+float64(epsilon))
			scale, shift = append(scale, float32(s)), append(shift, float32(float64(c[1][i])-s*float64(c[2][i])))
		}
		return scale, shift, n.inputs[0], true
	}
	return nil, nil, "", false
}

// spreadLater has what is done to channels after they were spread done before: activations,
// and convolutions of one pixel, whose channels may be spread in turn.
func (g *network) spreadLater(n *step) bool {
	block := n.spreads()
	if block == 0 {
		return false
	}
	next := g.only(n.outputs[0])
	if next == nil {
		return false
	}
	if inner := next.spreads(); inner > 0 {
		return g.spreadOnce(n, next, block, inner)
	}
	if next.op != "Relu" && next.op != "Sigmoid" {
		weights, bias, ok := g.pointwise(next)
		if !ok {
			return false
		}
		to, from, places := weights.shape[0], weights.shape[1], block*block
		wide, wideBias := filled(0, places*to, places*from, 1, 1), filled(0, places*to)
		for place := range places {
			for o := range to {
				wideBias.values[place*to+o] = bias.values[o]
				copy(wide.values[((place*to+o)*places+place)*from:], weights.values[o*from:][:from])
			}
		}
		g.set(next, next.inputs[0], wide, wideBias)
	}
	next.inputs[0], next.outputs, n.outputs = n.inputs[0], []string{g.name()}, next.outputs
	n.inputs[0] = next.outputs[0]
	i, j := slices.Index(g.nodes, n), slices.Index(g.nodes, next)
	g.nodes[i], g.nodes[j] = next, n
	return true
}

// spreadOnce makes one step of two that spread, by having the convolution before them answer
// in another order.
func (g *network) spreadOnce(outer, inner *step, first, second int64) bool {
	conv := g.producer[outer.inputs[0]]
	if g.only(outer.inputs[0]) == nil || conv == nil || first*second > maxSpread {
		return false
	}
	weights, bias, ok := g.pointwise(conv)
	side := first * second
	if !ok || weights.shape[0]%(side*side) != 0 {
		return false
	}
	to, each := weights.shape[0]/(side*side), weights.shape[1]
	w, b := weights.scaled(1), bias.scaled(1)
	for place := range side * side {
		y, x := place/side, place%side
		at := ((y/second*first+x/second)*second+y%second)*second + x%second // in the order of before
		for o := range to {
			copy(w.values[(place*to+o)*each:][:each], weights.values[(at*to+o)*each:][:each])
			b.values[place*to+o] = bias.values[at*to+o]
		}
	}
	g.set(conv, conv.inputs[0], w, b)
	g.replace(inner, g.spread(outer.inputs[0], inner.outputs[0], side))
	g.drop(outer)
	return true
}

// all tells whether each of an attribute's numbers is v; otherwise is what they are where the
// attribute is not given.
func (n *step) all(name string, v, otherwise int64) bool {
	a, ok := n.attributes[name]
	if !ok || len(a.ints) == 0 {
		return v == otherwise
	}
	return !slices.ContainsFunc(a.ints, func(i int64) bool { return i != v })
}

// replace puts steps in the place of one.
func (g *network) replace(old *step, with ...*step) {
	i := slices.Index(g.nodes, old)
	g.nodes = slices.Replace(g.nodes, i, i+1, with...)
}
