package tflite

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// flat writes flatbuffers front to back: a table's parts follow it.
type flat struct{ b []byte }

func (f *flat) u32(v int) int {
	f.b = binary.LittleEndian.AppendUint32(f.b, uint32(v))
	return len(f.b) - 4
}

// point makes the offset at `at` lead to the buffer's end.
func (f *flat) point(at int) {
	for len(f.b)%4 != 0 {
		f.b = append(f.b, 0)
	}
	binary.LittleEndian.PutUint32(f.b[at:], uint32(len(f.b)-at))
}

// table starts a table whose fields are four bytes each, and returns where they lie.
func (f *flat) table(fields int) []int {
	vtable := len(f.b)
	f.b = binary.LittleEndian.AppendUint16(f.b, uint16(4+2*fields))
	f.b = binary.LittleEndian.AppendUint16(f.b, uint16(4+4*fields))
	for i := range fields {
		f.b = binary.LittleEndian.AppendUint16(f.b, uint16(4+4*i))
	}
	for len(f.b)%4 != 0 {
		f.b = append(f.b, 0)
	}
	f.u32(len(f.b) - vtable)
	at := make([]int, fields)
	for i := range at {
		at[i] = f.u32(0)
	}
	return at
}

func (f *flat) tables(at, n int) []int {
	f.point(at)
	f.u32(n)
	out := make([]int, n)
	for i := range out {
		out[i] = f.u32(0)
	}
	return out
}

func (f *flat) ints(at int, v ...int) {
	f.point(at)
	f.u32(len(v))
	for _, x := range v {
		f.u32(x)
	}
}

func (f *flat) bytes(at int, v []byte) {
	f.point(at)
	f.u32(len(v))
	f.b = append(f.b, v...)
}

// set writes a field's value in place.
func (f *flat) set(at, v int) { binary.LittleEndian.PutUint32(f.b[at:], uint32(v)) }

// sub starts a table at the end of the buffer and lets the offset lead to it: the
// table comes after its vtable.
func (f *flat) sub(at, fields int) []int {
	for len(f.b)%4 != 0 {
		f.b = append(f.b, 0)
	}
	size := 4 + 2*fields
	size += size % 4
	binary.LittleEndian.PutUint32(f.b[at:], uint32(len(f.b)+size-at))
	return f.table(fields)
}

// tiny is a model with one 1x1 convolution from one channel to two, with the given
// operator code and weights.
func tiny(code int, weights ...float32) []byte {
	f := &flat{b: []byte("\x00\x00\x00\x00TFL3")}
	root := f.sub(0, 5)
	opcode := f.sub(f.tables(root[1], 1)[0], 1)
	f.set(opcode[0], code)
	graph := f.sub(f.tables(root[2], 1)[0], 4)
	tensors := f.tables(graph[0], 3)
	for i, shape := range [][]int{{1, 2, 2, 1}, {2, 1, 1, 1}, {1, 2, 2, 2}} {
		t := f.sub(tensors[i], 3)
		f.ints(t[0], shape...)
		f.set(t[2], []int{0, 1, 0}[i])
	}
	f.ints(graph[1], 0)
	f.ints(graph[2], 2)
	op := f.sub(f.tables(graph[3], 1)[0], 3)
	f.ints(op[1], 0, 1)
	f.ints(op[2], 2)
	buffers := f.tables(root[4], 2)
	f.sub(buffers[0], 1)
	var raw []byte
	for _, w := range weights {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(w))
	}
	b := f.sub(buffers[1], 1)
	f.bytes(b[0], raw)
	return f.b
}

func TestParse(t *testing.T) {
	m, err := Parse(tiny(opConv, 1, -1))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Tensors) != 3 || len(m.Operators) != 1 || m.Operators[0].Code != opConv || len(m.Tensors[1].Data) != 8 {
		t.Errorf("read as %+v", m)
	}
	if _, err := m.ToONNX(""); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	good := tiny(opConv, 1, -1)
	for name, tt := range map[string]struct {
		b    []byte
		want string
	}{
		"nothing":             {nil, "not a TensorFlow Lite model"},
		"another format":      {[]byte("\x08\x00\x00\x00ONNX----"), "not a TensorFlow Lite model"},
		"cut off":             {good[:len(good)-9], "outside itself"},
		"too few weights":     {tiny(opConv, 1), "has 4 bytes"},
		"an unknown operator": {tiny(99, 1, -1), "code 99"},
	} {
		m, err := Parse(tt.b)
		if err == nil {
			_, err = m.ToONNX("")
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(tiny(opConv, 1, -1))
	f.Add(tiny(opDepthwiseConv, 1, -1))
	f.Add([]byte("\x00\x00\x00\x00TFL3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Parse(b); err == nil {
			m.ToONNX("fuzz")
		}
	})
}
