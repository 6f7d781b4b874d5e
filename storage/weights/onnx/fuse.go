package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fuse writes a convolutional network anew so that it does the same with fewer passes over
// its tensors. PaddleOCR's networks (PP-LCNetV3, https://arxiv.org/abs/2109.15099) scale
// and shift by one number before and after each activation, and spell the activation out in
// four steps: more than half of their time goes into that. It
//
//   - takes such numbers into the weights of the convolution before or after them;
//   - writes x * clip(x + 3, 0, 6) / 6 as x * HardSigmoid(x), which ONNX Runtime takes into
//     the convolution before it;
//   - writes x + x*h as x * (1 + h), where h is a gate for each channel.
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

// network is a parsed model: what is not looked at stays as the bytes that it was.
type network struct {
	model []byte // its fields but for the graph
	rest  []byte // the graph's fields but for nodes
	nodes []*step
	// constants are those of 32-bit floats, added those of them that are not in the model yet.
	constants map[string]constant
	added     []string
	names     int // that were given

	outputs  map[string]bool
	producer map[string]*step
	users    map[string][]*step
}

// step is a node. rest is its fields but for op, inputs and outputs.
type step struct {
	op              string
	inputs, outputs []string
	attributes      map[string]attribute
	rest            []byte
}

// attribute is what steps are asked for: a number, numbers or a text.
type attribute struct {
	float float32
	ints  []int64
	text  string
}

// constant is a tensor of 32-bit floats.
type constant struct {
	shape  []int64
	values []float32
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

// fuseOne makes one change. The index must be up to date.
func (g *network) fuseOne() bool {
	for i, n := range g.nodes {
		if g.takeIn(n) || g.activation(i, n) || g.takeAhead(n) || g.gate(i, n) {
			return true
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
		before.give("group", channels)
		before.give("kernel_shape", 1, 1)
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
func (g *network) activation(i int, n *step) bool {
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
	sigmoid := &step{op: "HardSigmoid", inputs: []string{x}, outputs: []string{between}}
	sigmoid.giveFloat("alpha", 1.0/6)
	sigmoid.giveFloat("beta", 0.5)
	g.nodes[i] = sigmoid
	g.nodes = slices.Insert(g.nodes, i+1, &step{op: "Mul", inputs: []string{x, between}, outputs: by.outputs})
	g.drop(clip, times, by)
	return true
}

// gate is x + x*h, whose sum n is.
func (g *network) gate(i int, n *step) bool {
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
		g.nodes = slices.Delete(g.nodes, i, i+1)
		g.nodes = slices.Insert(g.nodes, slices.Index(g.nodes, times), more)
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

func (g *network) index() {
	g.producer, g.users = map[string]*step{}, map[string][]*step{}
	for _, n := range g.nodes {
		for _, out := range n.outputs {
			g.producer[out] = n
		}
		for _, in := range n.inputs {
			g.users[in] = append(g.users[in], n)
		}
	}
}

// pads tells whether a convolution pads its input.
func (n *step) pads() bool {
	auto := n.attributes["auto_pad"].text
	return auto != "" && auto != "NOTSET" && auto != "VALID" ||
		slices.ContainsFunc(n.attributes["pads"].ints, func(p int64) bool { return p != 0 })
}

func (n *step) integer(name string, otherwise int64) int64 {
	if a, ok := n.attributes[name]; ok && len(a.ints) == 1 {
		return a.ints[0]
	}
	return otherwise
}

// give adds an attribute of one or several integers.
func (n *step) give(name string, v ...int64) {
	m := text(nil, attributeName, name)
	if len(v) == 1 {
		m = integer(integer(m, attributeInt, v[0]), attributeType, 2)
	} else {
		for _, i := range v {
			m = integer(m, attributeInts, i)
		}
		m = integer(m, attributeType, 7)
	}
	n.rest = message(n.rest, nodeAttribute, m)
	n.attributes[name] = attribute{ints: v}
}

func (n *step) giveFloat(name string, v float32) {
	m := protowire.AppendTag(text(nil, attributeName, name), attributeFloat, protowire.Fixed32Type)
	m = integer(protowire.AppendFixed32(m, math.Float32bits(v)), attributeType, 1)
	n.rest = message(n.rest, nodeAttribute, m)
}

func (g *network) marshal() []byte {
	var graph []byte
	for _, n := range g.nodes {
		if n.op == "Constant" && len(g.users[n.outputs[0]]) == 0 && !g.outputs[n.outputs[0]] {
			continue
		}
		var b []byte
		for _, name := range n.inputs {
			b = text(b, nodeInput, name)
		}
		for _, name := range n.outputs {
			b = text(b, nodeOutput, name)
		}
		graph = message(graph, graphNode, append(text(b, nodeOp, n.op), n.rest...))
	}
	for _, name := range g.added {
		if len(g.users[name]) == 0 {
			continue
		}
		c := g.constants[name]
		raw := make([]byte, 0, 4*len(c.values))
		for _, v := range c.values {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		graph = message(graph, graphInitializer, Tensor{name, Float32, c.shape, raw}.marshal())
	}
	return message(slices.Clone(g.model), modelGraph, append(graph, g.rest...))
}

var errNoModel = errors.New("onnx: not an ONNX model")

// parse reads what fusing looks at.
func parse(model []byte) (*network, error) {
	g := &network{constants: map[string]constant{}, outputs: map[string]bool{}}
	var graph []byte
	err := each(model, func(f field) error {
		if f.number == modelGraph && f.kind == protowire.BytesType {
			graph = f.value
		} else {
			g.model = append(g.model, f.whole...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return g, each(graph, func(f field) error {
		if f.number == graphNode && f.kind == protowire.BytesType {
			n, err := g.step(f.value)
			g.nodes = append(g.nodes, n)
			return err
		}
		g.rest = append(g.rest, f.whole...)
		switch {
		case f.kind != protowire.BytesType:
		case f.number == graphOutput:
			g.outputs[nameOf(f.value, 1)] = true
		case f.number == graphInitializer:
			if c, name, err := readConstant(f.value); err != nil {
				return err
			} else if c != nil {
				g.constants[name] = *c
			}
		}
		return nil
	})
}

// step reads a node, and its value where it is a constant.
func (g *network) step(b []byte) (*step, error) {
	n := &step{attributes: map[string]attribute{}}
	var value *constant
	err := each(b, func(f field) error {
		switch f.number {
		case nodeInput:
			n.inputs = append(n.inputs, string(f.value))
		case nodeOutput:
			n.outputs = append(n.outputs, string(f.value))
		case nodeOp:
			n.op = string(f.value)
		default:
			n.rest = append(n.rest, f.whole...)
		}
		if f.number != nodeAttribute {
			return nil
		}
		var name string
		var a attribute
		err := each(f.value, func(f field) error {
			switch f.number {
			case attributeName:
				name = string(f.value)
			case attributeFloat:
				a.float = math.Float32frombits(uint32(f.number64))
			case attributeInt:
				a.ints = []int64{int64(f.number64)}
			case attributeString:
				a.text = string(f.value)
			case attributeInts:
				a.ints = append(a.ints, f.integers()...)
			case attributeTensor:
				var err error
				value, _, err = readConstant(f.value)
				return err
			}
			return nil
		})
		n.attributes[name] = a
		return err
	})
	if err == nil && len(n.outputs) == 0 {
		err = errNoModel
	}
	if err == nil && n.op == "Constant" && value != nil {
		g.constants[n.outputs[0]] = *value
	}
	return n, err
}

const (
	attributeTensor = 5
	tensorFloats    = 4
)

// readConstant reads a tensor of 32-bit floats; nil where it holds something else.
func readConstant(b []byte) (*constant, string, error) {
	var c constant
	var name string
	kind, count := ElementType(0), int64(1)
	err := each(b, func(f field) error {
		switch f.number {
		case tensorDims:
			c.shape = append(c.shape, f.integers()...)
		case tensorType:
			kind = ElementType(f.number64)
		case tensorName:
			name = string(f.value)
		case tensorFloats, tensorRaw:
			v := f.value
			if f.kind == protowire.Fixed32Type {
				v = binary.LittleEndian.AppendUint32(nil, uint32(f.number64))
			}
			for ; len(v) >= 4; v = v[4:] {
				c.values = append(c.values, math.Float32frombits(binary.LittleEndian.Uint32(v)))
			}
		}
		return nil
	})
	for _, d := range c.shape {
		if d < 0 || d > math.MaxInt32 || count > math.MaxInt32 {
			return nil, name, err
		}
		count *= d
	}
	if err != nil || kind != Float32 || int64(len(c.values)) != count {
		return nil, name, err
	}
	return &c, name, nil
}

// field is one of a message.
type field struct {
	number   protowire.Number
	kind     protowire.Type
	value    []byte // of a length-delimited one
	number64 uint64 // of any other
	whole    []byte
}

// integers are one, or several that are packed.
func (f field) integers() (all []int64) {
	if f.kind == protowire.VarintType {
		return []int64{int64(f.number64)}
	}
	for v := f.value; len(v) > 0; {
		i, n := protowire.ConsumeVarint(v)
		if n < 0 {
			break
		}
		all, v = append(all, int64(i)), v[n:]
	}
	return all
}

// each visits the fields of a message.
func each(m []byte, visit func(field) error) error {
	for len(m) > 0 {
		number, kind, tag := protowire.ConsumeTag(m)
		if tag < 0 {
			return errNoModel
		}
		n := protowire.ConsumeFieldValue(number, kind, m[tag:])
		if n < 0 {
			return errors.New("onnx: the model ends early")
		}
		f := field{number: number, kind: kind, whole: m[:tag+n]}
		switch kind {
		case protowire.BytesType:
			f.value, _ = protowire.ConsumeBytes(m[tag:])
		case protowire.VarintType:
			f.number64, _ = protowire.ConsumeVarint(m[tag:])
		case protowire.Fixed32Type:
			v, _ := protowire.ConsumeFixed32(m[tag:])
			f.number64 = uint64(v)
		case protowire.Fixed64Type:
			f.number64, _ = protowire.ConsumeFixed64(m[tag:])
		}
		if err := visit(f); err != nil {
			return err
		}
		m = m[tag+n:]
	}
	return nil
}
