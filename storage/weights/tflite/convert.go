package tflite

import (
	"encoding/binary"
	"fmt"

	"porchlight/storage/weights/onnx"
)

// Operator codes that convolutional detectors use (schema.fbs, BuiltinOperator).
const (
	opAdd           = 0
	opConcatenation = 2
	opConv          = 3
	opDepthwiseConv = 4
	opDequantize    = 6
	opReshape       = 22
)

// Fused activations (schema.fbs, ActivationFunctionType).
const (
	activationNone  = 0
	activationRelu  = 1
	activationRelu6 = 3
)

// ToONNX writes the model as ONNX. Images are channels first in ONNX (NCHW) and
// channels last in TensorFlow Lite (NHWC): the input becomes NCHW, the outputs keep
// their shapes. Equal models give equal bytes. Models with other operators than those
// of a convolutional detector are refused.
func (m *Model) ToONNX(doc string) ([]byte, error) {
	c := &converter{m: m, source: map[int]int{}, planar: map[int]bool{}, done: map[string]bool{},
		out: onnx.Model{Producer: "porchlight", Doc: doc, Opset: 13}}
	for _, i := range m.Inputs {
		s, err := c.shape4(i)
		if err != nil {
			return nil, err
		}
		c.out.Inputs = append(c.out.Inputs, onnx.Value{Name: name(i), Type: onnx.Float32, Shape: []int64{s[0], s[3], s[1], s[2]}})
		c.planar[i] = true
	}
	for n, o := range m.Operators {
		if err := c.operator(o); err != nil {
			return nil, fmt.Errorf("tflite: operator %d: %w", n, err)
		}
	}
	for _, i := range m.Outputs {
		c.out.Outputs = append(c.out.Outputs, onnx.Value{Name: c.channelsLast(i), Type: onnx.Float32, Shape: int64s(m.Tensors[i].Shape)})
	}
	return c.out.Marshal()
}

// converter writes a model's operators one by one.
type converter struct {
	m      *Model
	out    onnx.Model
	source map[int]int     // a dequantized constant's stored one
	planar map[int]bool    // which tensors are NCHW
	done   map[string]bool // names written once
}

func name(i int) string { return fmt.Sprintf("t%d", i) }

func int64s(v []int) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out
}

func (c *converter) node(op string, inputs []string, output string, attributes ...onnx.Attribute) {
	c.out.Nodes = append(c.out.Nodes, onnx.Node{Op: op, Inputs: inputs, Outputs: []string{output}, Attributes: attributes})
}

func (c *converter) shape4(i int) ([]int64, error) {
	s := int64s(c.m.Tensors[i].Shape)
	if len(s) != 4 {
		return nil, fmt.Errorf("tensor %d has the shape %v, not four dimensions", i, s)
	}
	return s, nil
}

func (c *converter) operator(o Operator) error {
	if len(o.Outputs) != 1 || len(o.Inputs) == 0 || o.Inputs[0] < 0 {
		return fmt.Errorf("%d inputs, %d outputs", len(o.Inputs), len(o.Outputs))
	}
	switch o.Code {
	case opDequantize:
		c.source[o.Outputs[0]] = o.Inputs[0]
		return nil
	case opConv, opDepthwiseConv:
		return c.conv(o)
	case opAdd:
		return c.add(o)
	case opConcatenation:
		return c.concatenation(o)
	case opReshape:
		return c.reshape(o)
	}
	return fmt.Errorf("its code %d is not among those of a convolutional detector", o.Code)
}

// constant is the stored tensor behind i.
func (c *converter) constant(i int) (Tensor, error) {
	if s, ok := c.source[i]; ok {
		i = s
	}
	t := c.m.Tensors[i]
	if len(t.Data) == 0 || (t.Type != Float32 && t.Type != Float16) {
		return Tensor{}, fmt.Errorf("tensor %d is no constant of floats", i)
	}
	return t, nil
}

// weight writes a constant with its axes in another order: axes[k] is where the new
// axis k was before.
func (c *converter) weight(i int, axes ...int) (string, error) {
	t, err := c.constant(i)
	if err != nil {
		return "", err
	}
	if len(t.Shape) != len(axes) {
		return "", fmt.Errorf("tensor %d has the shape %v, not %d dimensions", i, t.Shape, len(axes))
	}
	size, kind := 4, onnx.Float32
	if t.Type == Float16 {
		size, kind = 2, onnx.Float16
	}
	shape, stride := make([]int64, len(axes)), make([]int, len(axes))
	for k, axis := range axes {
		shape[k], stride[k] = int64(t.Shape[axis]), 1
		for _, d := range t.Shape[axis+1:] {
			stride[k] *= d
		}
	}
	stored := name(i)
	if kind == onnx.Float16 {
		stored += "_half"
	}
	if c.done[stored] {
		return name(i), nil
	}
	c.done[stored] = true
	raw := make([]byte, 0, len(t.Data))
	for at := make([]int, len(axes)); len(raw) < len(t.Data); next(at, shape) {
		from := 0
		for k := range at {
			from += at[k] * stride[k]
		}
		raw = append(raw, t.Data[from*size:][:size]...)
	}
	c.out.Constants = append(c.out.Constants, onnx.Tensor{Name: stored, Type: kind, Shape: shape, Raw: raw})
	if kind == onnx.Float16 {
		c.node("Cast", []string{stored}, name(i), onnx.Attribute{Name: "to", Value: int64(onnx.Float32)})
	}
	return name(i), nil
}

// next counts up an index within a shape, the last dimension fastest.
func next(at []int, shape []int64) {
	for k := len(at) - 1; k >= 0; k-- {
		if at[k]++; int64(at[k]) < shape[k] {
			return
		}
		at[k] = 0
	}
}

func (c *converter) conv(o Operator) error {
	if len(o.Inputs) < 2 || o.Inputs[1] < 0 {
		return fmt.Errorf("a convolution without weights")
	}
	if _, err := c.shape4(o.Inputs[0]); err != nil {
		return err
	}
	axes, group, activation, dilation := []int{0, 3, 1, 2}, int64(1), 3, 4 // OHWI; slots of Conv2DOptions
	if o.Code == opDepthwiseConv {
		axes, activation, dilation = []int{3, 0, 1, 2}, 4, 5 // 1HWC; slots of DepthwiseConv2DOptions
		if o.options.int32(3, 1) != 1 {
			return fmt.Errorf("a depth multiplier of %d", o.options.int32(3, 1))
		}
		if s, err := c.shape4(o.Inputs[0]); err == nil {
			group = s[3]
		}
	}
	w, err := c.weight(o.Inputs[1], axes...)
	if err != nil {
		return err
	}
	inputs := []string{c.channelsFirst(o.Inputs[0]), w}
	if len(o.Inputs) > 2 && o.Inputs[2] >= 0 {
		bias, err := c.weight(o.Inputs[2], 0)
		if err != nil {
			return err
		}
		inputs = append(inputs, bias)
	}
	padding := "SAME_UPPER"
	if o.options.int8(0) != 0 {
		padding = "VALID"
	}
	pair := func(slot int) []int64 { // width comes before height in the options
		return []int64{int64(o.options.int32(slot+1, 1)), int64(o.options.int32(slot, 1))}
	}
	out := o.Outputs[0]
	c.planar[out] = true
	return c.activate(int(o.options.int8(activation)), name(out), func(to string) {
		c.node("Conv", inputs, to, onnx.Attribute{Name: "auto_pad", Value: padding}, onnx.Attribute{Name: "group", Value: group},
			onnx.Attribute{Name: "strides", Value: pair(1)}, onnx.Attribute{Name: "dilations", Value: pair(dilation)})
	})
}

// activate writes an operation followed by its fused activation.
func (c *converter) activate(activation int, output string, write func(to string)) error {
	linear := output + "_linear"
	switch activation {
	case activationNone:
		write(output)
	case activationRelu:
		write(linear)
		c.node("Relu", []string{linear}, output)
	case activationRelu6:
		write(linear)
		if !c.done["zero"] {
			c.done["zero"] = true
			c.out.Constants = append(c.out.Constants, onnx.Tensor{Name: "zero", Type: onnx.Float32, Raw: []byte{0, 0, 0, 0}},
				onnx.Tensor{Name: "six", Type: onnx.Float32, Raw: []byte{0, 0, 0xc0, 0x40}})
		}
		c.node("Clip", []string{linear, "zero", "six"}, output)
	default:
		return fmt.Errorf("activation %d is not among none, ReLU and ReLU6", activation)
	}
	return nil
}

func (c *converter) add(o Operator) error {
	if len(o.Inputs) != 2 || o.Inputs[1] < 0 {
		return fmt.Errorf("an addition of %d", len(o.Inputs))
	}
	out := o.Outputs[0]
	c.planar[out] = len(c.m.Tensors[out].Shape) == 4 && c.planar[o.Inputs[0]] && c.planar[o.Inputs[1]]
	side := c.channelsLast
	if c.planar[out] {
		side = c.channelsFirst
	}
	a, b := side(o.Inputs[0]), side(o.Inputs[1])
	return c.activate(int(o.options.int8(0)), name(out), func(to string) { c.node("Add", []string{a, b}, to) })
}

func (c *converter) concatenation(o Operator) error {
	var inputs []string
	for _, i := range o.Inputs {
		if i < 0 {
			return fmt.Errorf("a concatenation with an absent input")
		}
		inputs = append(inputs, c.channelsLast(i))
	}
	axis := int64(o.options.int32(0, 0))
	return c.activate(int(o.options.int8(1)), name(o.Outputs[0]), func(to string) {
		c.node("Concat", inputs, to, onnx.Attribute{Name: "axis", Value: axis})
	})
}

func (c *converter) reshape(o Operator) error {
	out := name(o.Outputs[0])
	shape := int64s(c.m.Tensors[o.Outputs[0]].Shape)
	raw := make([]byte, 0, 8*len(shape))
	for _, d := range shape {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(d))
	}
	c.out.Constants = append(c.out.Constants, onnx.Tensor{Name: out + "_shape", Type: onnx.Int64, Shape: []int64{int64(len(shape))}, Raw: raw})
	c.node("Reshape", []string{c.channelsLast(o.Inputs[0]), out + "_shape"}, out)
	return nil
}

// channelsFirst is the name of a four-dimensional tensor as NCHW.
func (c *converter) channelsFirst(i int) string { return c.transposed(i, true, "_first", 0, 3, 1, 2) }

// channelsLast is the name of a tensor as in TensorFlow Lite.
func (c *converter) channelsLast(i int) string { return c.transposed(i, false, "_last", 0, 2, 3, 1) }

func (c *converter) transposed(i int, planar bool, suffix string, permutation ...int64) string {
	if c.planar[i] == planar {
		return name(i)
	}
	n := name(i) + suffix
	if !c.done[n] {
		c.done[n] = true
		c.node("Transpose", []string{name(i)}, n, onnx.Attribute{Name: "perm", Value: permutation})
	}
	return n
}
