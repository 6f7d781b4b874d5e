package onnx

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func floats(name string, shape []int64, values ...float32) Tensor {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return Tensor{name, Float32, shape, raw}
}

// block is one of PP-LCNetV3: a convolution, a scale and a shift, the activation, again a
// scale and a shift, and the next convolution.
func block(pads ...int64) Model {
	return Model{Producer: "test", Opset: 11,
		Inputs:  []Value{{"x", Float32, []int64{1, 1, 4, 4}}},
		Outputs: []Value{{"y", Float32, []int64{1, 2, 4, 4}}},
		Constants: []Tensor{
			floats("w1", []int64{2, 1, 1, 1}, 2, 3), floats("b1", []int64{2}, 1, -1),
			floats("w2", []int64{2, 1, 1, 1}, 5, 7),
			floats("half", []int64{1}, 0.5), floats("four", nil, 4), floats("three", nil, 3), floats("zero", nil, 0), floats("six", nil, 6),
			floats("quarter", []int64{1}, 0.25), floats("one", []int64{1}, 1),
		},
		Nodes: []Node{
			{Op: "Conv", Inputs: []string{"x", "w1", "b1"}, Outputs: []string{"c1"}},
			{Op: "Mul", Inputs: []string{"half", "c1"}, Outputs: []string{"m1"}},
			{Op: "Add", Inputs: []string{"m1", "four"}, Outputs: []string{"a1"}},
			{Op: "Add", Inputs: []string{"a1", "three"}, Outputs: []string{"a2"}},
			{Op: "Clip", Inputs: []string{"a2", "zero", "six"}, Outputs: []string{"k"}},
			{Op: "Mul", Inputs: []string{"a1", "k"}, Outputs: []string{"m2"}},
			{Op: "Div", Inputs: []string{"m2", "six"}, Outputs: []string{"h"}},
			{Op: "Mul", Inputs: []string{"quarter", "h"}, Outputs: []string{"m3"}},
			{Op: "Add", Inputs: []string{"m3", "one"}, Outputs: []string{"a3"}},
			{Op: "Conv", Inputs: []string{"a3", "w2"}, Outputs: []string{"y"},
				Attributes: []Attribute{{"group", int64(2)}, {"pads", pads}}},
		}}
}

// fusedNetwork is the network that fusing makes of a model.
func fusedNetwork(t *testing.T, m Model) (g *network, changed bool) {
	t.Helper()
	model, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	fused, err := Fuse(model)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = parse(fused); err != nil {
		t.Fatal(err)
	}
	again, err := Fuse(fused)
	if err != nil || !bytes.Equal(again, fused) {
		t.Errorf("what is fused is fused again (%v)", err)
	}
	return g, !bytes.Equal(model, fused)
}

func ops(g *network) (all []string) {
	for _, n := range g.nodes {
		all = append(all, n.op)
	}
	return all
}

func (g *network) values(n *step, input int) []float32 { return g.constants[n.inputs[input]].values }

func TestFuse(t *testing.T) {
	g, _ := fusedNetwork(t, block(0, 0, 0, 0))
	if diff := cmp.Diff([]string{"Conv", "HardSigmoid", "Mul", "Conv"}, ops(g)); diff != "" {
		t.Fatal(diff)
	}
	first, last := g.nodes[0], g.nodes[3]
	for _, test := range []struct {
		what string
		got  []float32
		want []float32
	}{
		{"the first's weights: w1 x half", g.values(first, 1), []float32{1, 1.5}},
		{"the first's bias: b1 x half + four", g.values(first, 2), []float32{4.5, 3.5}},
		{"the last's weights: w2 x quarter", g.values(last, 1), []float32{1.25, 1.75}},
		{"the last's bias: w2 x one", g.values(last, 2), []float32{5, 7}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s: %s", test.what, diff)
		}
	}
	if a := g.nodes[1].attributes; a["alpha"].float != float32(1.0/6) || a["beta"].float != 0.5 {
		t.Errorf("HardSigmoid has %v", a)
	}
	if got, want := last.outputs[0], "y"; got != want || last.integer("group", 1) != 2 {
		t.Errorf("the output is %q, group %d; want %q, 2", got, last.integer("group", 1), want)
	}
}

func TestFuseKeepsAShiftBeforePadding(t *testing.T) {
	g, _ := fusedNetwork(t, block(1, 1, 1, 1))
	if diff := cmp.Diff([]string{"Conv", "HardSigmoid", "Mul", "Conv", "Conv"}, ops(g)); diff != "" {
		t.Fatal(diff)
	}
	shift, last := g.nodes[3], g.nodes[4]
	if diff := cmp.Diff([][]float32{{1, 1}, {4, 4}, {1.25, 1.75}}, [][]float32{g.values(shift, 1), g.values(shift, 2), g.values(last, 1)}); diff != "" {
		t.Errorf("identity, one / quarter, w2 x quarter: %s", diff)
	}
	if got := shift.integer("group", 1); got != 2 || shift.pads() {
		t.Errorf("the shift has %d groups, pads %v; want 2, none", got, shift.pads())
	}
}

func TestFuseGate(t *testing.T) {
	g, _ := fusedNetwork(t, Model{Opset: 11, Inputs: []Value{{"x", Float32, nil}}, Outputs: []Value{{"y", Float32, nil}},
		Nodes: []Node{
			{Op: "GlobalAveragePool", Inputs: []string{"x"}, Outputs: []string{"p"}},
			{Op: "HardSigmoid", Inputs: []string{"p"}, Outputs: []string{"h"}},
			{Op: "Mul", Inputs: []string{"x", "h"}, Outputs: []string{"m"}},
			{Op: "Add", Inputs: []string{"x", "m"}, Outputs: []string{"y"}},
		}})
	if diff := cmp.Diff([]string{"GlobalAveragePool", "HardSigmoid", "Add", "Mul"}, ops(g)); diff != "" {
		t.Fatal(diff)
	}
	if got := g.nodes[3].outputs[0]; got != "y" {
		t.Errorf("the output is %q, want y", got)
	}
}

// What is used elsewhere too, or is no number, stays.
func TestFuseLeavesAlone(t *testing.T) {
	shared := block(0, 0, 0, 0)
	shared.Nodes = shared.Nodes[:2]
	shared.Outputs = []Value{{"c1", Float32, nil}, {"m1", Float32, nil}}
	wide := block(0, 0, 0, 0)
	wide.Nodes = wide.Nodes[:2]
	wide.Outputs = []Value{{"m1", Float32, nil}}
	wide.Constants = append(wide.Constants[:3:3], floats("half", []int64{1, 2, 1, 1}, 1, 2))
	for name, m := range map[string]Model{"an output": shared, "several numbers": wide} {
		if g, changed := fusedNetwork(t, m); changed {
			t.Errorf("%s: became %v", name, ops(g))
		}
	}
}

func FuzzFuse(f *testing.F) {
	for _, m := range []Model{block(0, 0), block(1, 1), pyramid(), drawn} {
		b, err := m.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		Fuse(b)
	})
}
