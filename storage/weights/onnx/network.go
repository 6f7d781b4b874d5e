package onnx

import (
	"encoding/binary"
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// network is a parsed model: what is not looked at stays as the bytes that it was.
type network struct {
	model []byte // its fields but for the graph
	rest  []byte // the graph's fields but for nodes
	size  int    // of the whole model, bytes
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

func (n *step) integer(name string, otherwise int64) int64 {
	if a, ok := n.attributes[name]; ok && len(a.ints) == 1 {
		return a.ints[0]
	}
	return otherwise
}

// give adds attributes, of the kinds that [Attribute] has.
func (n *step) give(all ...Attribute) {
	for _, a := range all {
		if m, ok := a.marshal(); ok {
			n.rest = message(n.rest, nodeAttribute, m)
			n.attributes[a.Name], _, _ = readAttribute(m)
		}
	}
}

func (g *network) marshal() []byte {
	graph := make([]byte, 0, g.size) // models are tens of megabytes: they are not copied as they grow
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
	graph = append(graph, g.rest...)
	return message(append(make([]byte, 0, len(g.model)+len(graph)+binary.MaxVarintLen64), g.model...), modelGraph, graph)
}

var errNoModel = errors.New("onnx: not an ONNX model")

// parse reads what fusing looks at.
func parse(model []byte) (*network, error) {
	g := &network{size: len(model), constants: map[string]constant{}, outputs: map[string]bool{}}
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
		a, tensor, err := readAttribute(f.value)
		if tensor != nil {
			value = tensor
		}
		n.attributes[nameOf(f.value, attributeName)] = a
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

// readAttribute reads a node's attribute; value is a tensor's, where it holds one.
func readAttribute(b []byte) (a attribute, value *constant, err error) {
	err = each(b, func(f field) (err error) {
		switch f.number {
		case attributeFloat:
			a.float = math.Float32frombits(uint32(f.number64))
		case attributeInt:
			a.ints = []int64{int64(f.number64)}
		case attributeString:
			a.text = string(f.value)
		case attributeInts:
			a.ints = append(a.ints, f.integers()...)
		case attributeTensor:
			value, _, err = readConstant(f.value)
		}
		return err
	})
	return a, value, err
}

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
