package onnx

import (
	"fmt"
	"math"
	"slices"
)

// Fuse writes a convolutional network anew so that it does the same with fewer passes over
// its tensors. PaddleOCR's networks (PP-LCNetV3, https://arxiv.org/abs/2109.15099) scale
// and shift by one number before and after each activation, and spell the activation out in
// four steps: more than half of their time goes into that. It
//
//   - takes such numbers into the weights of the convolution before or after them;
//   - writes x * clip(x + 3, 0, 6) / 6 as x * HardSigmoid(x), which ONNX Runtime takes into
//     the convolution before it;
//   - writes x + x*h as x * (1 + h), where h is a gate for each channel;
//   - computes on maps before they are enlarged (enlarge.go, pyramid.go): the last steps of
//     the network that marks text take less than half of their time then.
//
// A shift before a convolution that pads with zeros stays, as a convolution of its own that
// keeps the tensor's layout. Results differ by rounding alone. A model without such parts
// is given back as it is.
func Fuse(model []byte) ([]byte, error) {
	g, err := parse(model)
	if err != nil {
		return nil, err
	}
	g.index()
	fused := false
	for g.fuseOne() {
		fused = true
		g.index()
	}
	if !fused {
		return model, nil
	}
	return g.marshal(), nil
}

func (c constant) scaled(by float32) constant {
	out := constant{c.shape, slices.Clone(c.values)}
	for i := range out.values {
		out.values[i] *= by
	}
	return out
}

// maxChannels is beyond what any convolution has.
const maxChannels = 1 << 16

func filled(value float32, shape ...int64) constant {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return constant{shape, slices.Repeat([]float32{value}, int(n))}
}

// fuseOne makes one change: where steps can be taken into others that comes first, so that
// what moves afterwards moves once. The index must be up to date.
func (g *network) fuseOne() bool {
	for _, rules := range [][]func(*step) bool{
		{g.takeIn, g.activation, g.takeAhead, g.gate, g.normalised},
		{g.transposed, g.spreadLater, g.split, g.gated, g.averaged},
	} {
		for _, n := range g.nodes {
			for _, rule := range rules {
				if rule(n) {
					return true
				}
			}
		}
	}
	return false
}

// takeIn takes a number that a convolution's result is multiplied with, or that is added
// to it, into the convolution.
func (g *network) takeIn(n *step) bool {
	weights, bias, ok := g.convolution(n)
	next := g.only(n.outputs[0])
	if !ok || next == nil {
		return false
	}
	v, _, ok := g.number(next)
	if !ok {
		return false
	}
	if next.op == "Mul" {
		weights, bias = weights.scaled(v), bias.scaled(v)
	} else {
		for i := range bias.values {
			bias.values[i] += v
		}
	}
	g.set(n, n.inputs[0], weights, bias)
	n.outputs = next.outputs
	g.drop(next)
	return true
}

// takeAhead takes the number that a convolution's input is multiplied with, or that is
// added to it, into the convolution.
func (g *network) takeAhead(n *step) bool {
	weights, bias, ok := g.convolution(n)
	if !ok {
		return false
	}
	before := g.producer[n.inputs[0]]
	if before == nil || g.only(n.inputs[0]) == nil {
		return false
	}
	v, x, ok := g.number(before)
	if !ok {
		return false
	}
	switch {
	case before.op == "Mul":
		weights = weights.scaled(v)
	case !n.pads():
		each := len(weights.values) / len(bias.values)
		for i := range bias.values {
			for _, w := range weights.values[i*each:][:each] {
				bias.values[i] += v * w
			}
		}
	default:
		// What is padded is zero and not shifted. The shift stays, before the scale.
		scale := g.producer[x]
		if scale == nil || scale.op != "Mul" || g.only(x) == nil {
			return false
		}
		s, from, ok := g.number(scale)
		if !ok || s == 0 {
			return false
		}
		channels, groups := weights.shape[1], n.integer("group", 1)
		if groups <= 0 || weights.shape[0]%groups != 0 || channels > maxChannels {
			return false
		}
		channels *= groups
		before.op, before.rest, before.attributes = "Conv", nil, map[string]attribute{}
		before.give(Attribute{"group", channels}, Attribute{"kernel_shape", []int64{1, 1}})
		g.set(before, from, filled(1, channels, 1, 1, 1), filled(v/s, channels))
		g.drop(scale)
		g.set(n, n.inputs[0], weights.scaled(s), bias)
		return true
	}
	g.set(n, x, weights, bias)
	g.drop(before)
	return true
}

// activation is x * clip(x + 3, 0, 6) / 6, which n begins.
func (g *network) activation(n *step) bool {
	if v, _, ok := g.number(n); n.op != "Add" || !ok || v != 3 {
		return false
	}
	_, x, _ := g.number(n)
	clip := g.only(n.outputs[0])
	if clip == nil || clip.op != "Clip" || !g.clips(clip, 0, 6) {
		return false
	}
	times := g.only(clip.outputs[0])
	if times == nil || times.op != "Mul" || !slices.Contains(times.inputs, x) {
		return false
	}
	by := g.only(times.outputs[0])
	if by == nil || by.op != "Div" || len(by.inputs) != 2 {
		return false
	}
	if c, ok := g.constants[by.inputs[1]]; !ok || len(c.values) != 1 || c.values[0] != 6 {
		return false
	}
	between := g.name()
	sigmoid := &step{op: "HardSigmoid", inputs: []string{x}, outputs: []string{between}, attributes: map[string]attribute{}}
	sigmoid.give(Attribute{"alpha", float32(1.0 / 6)}, Attribute{"beta", float32(0.5)})
	g.replace(n, sigmoid, &step{op: "Mul", inputs: []string{x, between}, outputs: by.outputs})
	g.drop(clip, times, by)
	return true
}

// gate is x + x*h, whose sum n is.
func (g *network) gate(n *step) bool {
	if n.op != "Add" || len(n.inputs) != 2 {
		return false
	}
	for side, x := range n.inputs {
		times := g.producer[n.inputs[1-side]]
		if times == nil || times.op != "Mul" || len(times.inputs) != 2 || times.inputs[0] != x || g.only(times.outputs[0]) == nil {
			continue
		}
		h := g.producer[times.inputs[1]]
		if h == nil || h.op != "HardSigmoid" || g.only(h.outputs[0]) == nil {
			continue
		}
		more := &step{op: "Add", inputs: []string{h.outputs[0], g.add(filled(1, 1))}, outputs: []string{g.name()}}
		times.inputs, times.outputs = []string{x, more.outputs[0]}, n.outputs
		g.drop(n)
		g.replace(times, more, times)
		return true
	}
	return false
}

// convolution is a Conv's weights, and its bias, of zeros where it has none.
func (g *network) convolution(n *step) (weights, bias constant, ok bool) {
	if n.op != "Conv" || len(n.inputs) < 2 {
		return weights, bias, false
	}
	if weights, ok = g.constants[n.inputs[1]]; !ok || len(weights.shape) != 4 || weights.shape[0] <= 0 || len(weights.values) == 0 {
		return weights, bias, false
	}
	bias = filled(0, weights.shape[0])
	if len(n.inputs) > 2 {
		own, ok := g.constants[n.inputs[2]]
		if !ok || len(own.values) != len(bias.values) {
			return weights, bias, false
		}
		copy(bias.values, own.values)
	}
	return weights, bias, true
}

func (g *network) set(n *step, input string, weights, bias constant) {
	n.inputs = []string{input, g.add(weights), g.add(bias)}
}

// number is the one that a Mul or Add has as one of its inputs, and its other input.
func (g *network) number(n *step) (v float32, other string, ok bool) {
	if n.op != "Mul" && n.op != "Add" || len(n.inputs) != 2 {
		return 0, "", false
	}
	for i, name := range n.inputs {
		if c, ok := g.constants[name]; ok && len(c.values) == 1 && len(c.shape) <= 1 {
			return c.values[0], n.inputs[1-i], true
		}
	}
	return 0, "", false
}

// clips tells whether a Clip is between the two: inputs from operator set 11 on,
// attributes before.
func (g *network) clips(n *step, low, high float32) bool {
	bounds := [2]float32{float32(math.Inf(-1)), float32(math.Inf(1))}
	for i, name := range []string{"min", "max"} {
		if a, ok := n.attributes[name]; ok {
			bounds[i] = a.float
		}
		if len(n.inputs) > i+1 {
			c, ok := g.constants[n.inputs[i+1]]
			if !ok || len(c.values) != 1 {
				return false
			}
			bounds[i] = c.values[0]
		}
	}
	return bounds == [2]float32{low, high}
}

// only is the one step that uses a value which is no output; nil where there is none or
// several.
func (g *network) only(name string) *step {
	if users := g.users[name]; len(users) == 1 && !g.outputs[name] {
		return users[0]
	}
	return nil
}

func (g *network) drop(steps ...*step) {
	g.nodes = slices.DeleteFunc(g.nodes, func(n *step) bool { return slices.Contains(steps, n) })
}

// name is one that nothing has.
func (g *network) name() string {
	g.names++
	return fmt.Sprintf("fused.%d", g.names)
}

// add adds a constant.
func (g *network) add(c constant) string {
	name := g.name()
	g.constants[name] = c
	g.added = append(g.added, name)
	return name
}

// pads tells whether a convolution pads its input.
func (n *step) pads() bool {
	auto := n.attributes["auto_pad"].text
	return auto != "" && auto != "NOTSET" && auto != "VALID" ||
		slices.ContainsFunc(n.attributes["pads"].ints, func(p int64) bool { return p != 0 })
}
