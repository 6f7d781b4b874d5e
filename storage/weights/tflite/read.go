// Package tflite reads TensorFlow Lite models, the flatbuffers of
// tensorflow/lite/schema/schema.fbs, and turns convolutional detectors into ONNX.
//
// Files come from outside: every offset and length is checked against the file before
// it is followed, so that the worst a file can do is to be refused.
package tflite

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Model is the first graph of a file.
type Model struct {
	Tensors         []Tensor
	Inputs, Outputs []int // into Tensors
	Operators       []Operator
}

// Element types of a tensor (schema.fbs, TensorType).
const (
	Float32 = 0
	Float16 = 1
	Int32   = 2
)

// Tensor is a value of the graph; Data is empty where it is computed.
type Tensor struct {
	Name  string
	Shape []int
	Type  int
	Data  []byte
}

// Operator is one operation, with its code (schema.fbs, BuiltinOperator).
type Operator struct {
	Code            int
	Inputs, Outputs []int // into Tensors; an absent input is -1
	options         table
}

// maxItems bounds all tensors, operators, dimensions and indices of a file together: the
// detectors have some thousands. Vectors may overlap in a file, so that their lengths
// alone bound little.
const maxItems = 1 << 18

var errDamaged = errors.New("tflite: the file points outside itself")

// Parse reads a model.
func Parse(b []byte) (*Model, error) {
	r := &reader{b: b}
	if len(b) < 8 || string(b[4:8]) != "TFL3" {
		return nil, errors.New("tflite: not a TensorFlow Lite model")
	}
	root := r.table(int(r.u32(0)))
	codes, graphs, buffers := root.tables(1), root.tables(2), root.tables(4)
	if len(graphs) == 0 {
		return nil, errors.New("tflite: the model has no graph")
	}
	g := graphs[0]
	m := &Model{Inputs: g.ints(1), Outputs: g.ints(2)}
	for _, t := range g.tables(0) {
		x := Tensor{Name: string(t.bytes(3)), Shape: t.ints(0), Type: int(t.int8(1))}
		if n := int(t.int32(2, 0)); n >= 0 && n < len(buffers) {
			x.Data = buffers[n].bytes(0)
		} else {
			r.fail()
		}
		m.Tensors = append(m.Tensors, x)
	}
	for _, o := range g.tables(3) {
		n := int(o.int32(0, 0))
		if n < 0 || n >= len(codes) {
			return nil, errDamaged
		}
		op := Operator{Code: max(int(codes[n].int8(0)), int(codes[n].int32(3, 0))), Inputs: o.ints(1), Outputs: o.ints(2), options: o.sub(4)}
		m.Operators = append(m.Operators, op)
	}
	if r.err != nil {
		return nil, r.err
	}
	return m, m.check()
}

// check holds all indices to the tensors, and constants to their shapes.
func (m *Model) check() error {
	index := func(list []int, least int) error {
		for _, i := range list {
			if i < least || i >= len(m.Tensors) {
				return fmt.Errorf("tflite: there is no tensor %d", i)
			}
		}
		return nil
	}
	if err := errors.Join(index(m.Inputs, 0), index(m.Outputs, 0)); err != nil {
		return err
	}
	for _, o := range m.Operators {
		if err := errors.Join(index(o.Inputs, -1), index(o.Outputs, 0)); err != nil {
			return err
		}
	}
	for i, t := range m.Tensors {
		n := 1
		for _, d := range t.Shape {
			if d < 0 || d > 1<<24 || n > 1<<28 {
				return fmt.Errorf("tflite: tensor %d has the shape %v", i, t.Shape)
			}
			n *= d
		}
		size := map[int]int{Float32: 4, Float16: 2, Int32: 4}[t.Type]
		if len(t.Data) > 0 && size > 0 && len(t.Data) != n*size {
			return fmt.Errorf("tflite: tensor %d of shape %v has %d bytes", i, t.Shape, len(t.Data))
		}
	}
	return nil
}

// reader reads at offsets from the file's start. What lies outside reads as 0 and is
// kept as an error.
type reader struct {
	b     []byte
	err   error
	items int // read so far
}

func (r *reader) fail() { r.err = errDamaged }

func (r *reader) at(at, n int) []byte {
	if at < 0 || n < 0 || at > len(r.b)-n {
		r.fail()
		return make([]byte, 8)[:min(n, 8)]
	}
	return r.b[at : at+n]
}

func (r *reader) u16(at int) uint16 { return binary.LittleEndian.Uint16(r.at(at, 2)) }
func (r *reader) u32(at int) uint32 { return binary.LittleEndian.Uint32(r.at(at, 4)) }

func (r *reader) table(at int) table {
	return table{r, at, at - int(int32(r.u32(at)))}
}

// table is a flatbuffer table; its fields are found through its vtable.
type table struct {
	r      *reader
	pos    int
	vtable int
}

// field is where a field lies, 0 where the table has none.
func (t table) field(slot int) int {
	if t.r == nil || t.r.err != nil || 6+2*slot > int(t.r.u16(t.vtable)) {
		return 0
	}
	if o := int(t.r.u16(t.vtable + 4 + 2*slot)); o != 0 {
		return t.pos + o
	}
	return 0
}

func (t table) int8(slot int) int8 {
	if p := t.field(slot); p != 0 {
		return int8(t.r.at(p, 1)[0])
	}
	return 0
}

func (t table) int32(slot int, fallback int32) int32 {
	if p := t.field(slot); p != 0 {
		return int32(t.r.u32(p))
	}
	return fallback
}

// vector is where a vector's elements lie and how many there are.
func (t table) vector(slot, size int) (pos, n int) {
	p := t.field(slot)
	if p == 0 {
		return 0, 0
	}
	p += int(t.r.u32(p))
	n = int(t.r.u32(p))
	if size > 1 {
		t.r.items += n
	}
	if t.r.err != nil || n > (len(t.r.b)-p-4)/size || t.r.items > maxItems {
		t.r.fail()
		return 0, 0
	}
	return p + 4, n
}

func (t table) bytes(slot int) []byte {
	p, n := t.vector(slot, 1)
	return t.r.at(p, n)
}

func (t table) ints(slot int) []int {
	p, n := t.vector(slot, 4)
	out := make([]int, n)
	for i := range out {
		out[i] = int(int32(t.r.u32(p + 4*i)))
	}
	return out
}

func (t table) tables(slot int) []table {
	p, n := t.vector(slot, 4)
	out := make([]table, n)
	for i := range out {
		at := p + 4*i
		out[i] = t.r.table(at + int(t.r.u32(at)))
	}
	return out
}

// sub is a table within the table; without one it has no fields.
func (t table) sub(slot int) table {
	p := t.field(slot)
	if p == 0 {
		return table{}
	}
	return t.r.table(p + int(t.r.u32(p)))
}
