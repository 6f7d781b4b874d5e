package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Names lists a model's inputs and outputs in its order, without running it.
func Names(model []byte) (inputs, outputs []string, err error) {
	var graph []byte
	if err := each(model, func(f field) error {
		if f.number == modelGraph {
			graph = f.value
		}
		return nil
	}); err != nil {
		return nil, nil, err
	}
	constants := map[string]bool{}
	var declared []string
	err = each(graph, func(f field) error {
		switch f.number {
		case graphInput:
			declared = append(declared, nameOf(f.value, 1))
		case graphOutput:
			outputs = append(outputs, nameOf(f.value, 1))
		case graphInitializer:
			constants[nameOf(f.value, tensorName)] = true
		}
		return nil
	})
	for _, n := range declared {
		if !constants[n] { // older models declare their constants as inputs too
			inputs = append(inputs, n)
		}
	}
	return inputs, outputs, err
}

// Pool adds an output to a model: the means of a tensor's planes, one of each channel.
func Pool(model []byte, tensor, output string) ([]byte, error) {
	const added = 512 // bytes, about; models are copied once
	out := make([]byte, 0, len(model)+added)
	found := false
	err := each(model, func(f field) error {
		if f.number != modelGraph || f.kind != protowire.BytesType {
			out = append(out, f.whole...)
			return nil
		}
		err := each(f.value, func(n field) error {
			if n.number == graphNode && n.kind == protowire.BytesType {
				found = found || nameOf(n.value, nodeOutput) == tensor
			}
			return nil
		})
		node, _ := Node{Op: "GlobalAveragePool", Inputs: []string{tensor}, Outputs: []string{output}}.marshal()
		graph := message(append(make([]byte, 0, len(f.value)+added), f.value...), graphNode, node)
		graph = message(graph, graphOutput, Value{Name: output, Type: Float32, Shape: []int64{1, -1, 1, 1}}.marshal())
		out = message(out, modelGraph, graph)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("onnx: the model has no tensor %s", tensor)
	}
	return out, err
}

// nameOf is a text field of a message; "" where there is none.
func nameOf(m []byte, number protowire.Number) (name string) {
	each(m, func(f field) error {
		if f.number == number {
			name = string(f.value)
		}
		return nil
	})
	return name
}
