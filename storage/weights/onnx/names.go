package onnx

import "google.golang.org/protobuf/encoding/protowire"

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
