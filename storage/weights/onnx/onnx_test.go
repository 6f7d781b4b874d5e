package onnx

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

var drawn = Model{Producer: "test", Opset: 13,
	Inputs:    []Value{{"x", Float32, []int64{1, -1}}},
	Outputs:   []Value{{"y", Float32, []int64{1, -1}}, {"z", Float32, nil}},
	Constants: []Tensor{{"one", Float32, nil, []byte{0, 0, 0x80, 0x3f}}},
	Nodes: []Node{{Op: "Add", Inputs: []string{"x", "one"}, Outputs: []string{"y"}},
		{Op: "ReduceMax", Inputs: []string{"y"}, Outputs: []string{"z"}, Attributes: []Attribute{{"keepdims", int64(0)}}}}}

func TestNames(t *testing.T) {
	b, err := drawn.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	inputs, outputs, err := Names(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"x"}, {"y", "z"}}, [][]string{inputs, outputs}); diff != "" {
		t.Error(diff)
	}
	if _, _, err := Names(b[:len(b)-3]); err == nil {
		t.Error("a model that ends early was read")
	}
}

func TestMarshalRefusesOtherAttributes(t *testing.T) {
	m := Model{Nodes: []Node{{Op: "X", Attributes: []Attribute{{"n", 1}}}}}
	if _, err := m.Marshal(); err == nil {
		t.Error("an attribute of type int was written")
	}
}

func FuzzNames(f *testing.F) {
	b, _ := drawn.Marshal()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) { Names(b) })
}

func TestPool(t *testing.T) {
	model, err := Model{Opset: 13, Inputs: []Value{{"in", Float32, []int64{1, 2, 4, 4}}}, Outputs: []Value{{"out", Float32, []int64{1, 2, 4, 4}}},
		Nodes: []Node{{Op: "Relu", Inputs: []string{"in"}, Outputs: []string{"inner"}}, {Op: "Relu", Inputs: []string{"inner"}, Outputs: []string{"out"}}}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	pooled, err := Pool(model, "inner", "means")
	if err != nil {
		t.Fatal(err)
	}
	_, outputs, err := Names(pooled)
	if err != nil || len(outputs) != 2 || outputs[0] != "out" || outputs[1] != "means" {
		t.Errorf("outputs %v, %v", outputs, err)
	}
	g, err := parse(pooled)
	if err != nil || len(g.nodes) != 3 || g.nodes[2].op != "GlobalAveragePool" || g.nodes[2].inputs[0] != "inner" {
		t.Errorf("%d nodes, %v", len(g.nodes), err)
	}
	if _, err := Pool(model, "other", "means"); err == nil {
		t.Error("a tensor is pooled that there is not")
	}
	if _, err := Pool(model[:len(model)/2], "inner", "means"); err == nil {
		t.Error("half a model is taken")
	}
}
