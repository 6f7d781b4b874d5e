package onnx

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// Names lists a model's inputs and outputs in its order, without running it.
func Names(model []byte) (inputs, outputs []string, err error) {
	var graph []byte
	if err := fields(model, func(field protowire.Number, v []byte) {
		if field == modelGraph {
			graph = v
		}
	}); err != nil {
		return nil, nil, err
	}
	constants := map[string]bool{}
	var declared []string
	err = fields(graph, func(field protowire.Number, v []byte) {
		switch field {
		case graphInput:
			declared = append(declared, nameOf(v, 1))
		case graphOutput:
			outputs = append(outputs, nameOf(v, 1))
		case graphInitializer:
			constants[nameOf(v, tensorName)] = true
		}
	})
	for _, n := range declared {
		if !constants[n] { // older models declare their constants as inputs too
			inputs = append(inputs, n)
		}
	}
	return inputs, outputs, err
}

func nameOf(m []byte, field protowire.Number) string {
	name := ""
	fields(m, func(n protowire.Number, v []byte) {
		if n == field {
			name = string(v)
		}
	})
	return name
}

// fields visits the length-delimited fields of a message.
func fields(m []byte, visit func(protowire.Number, []byte)) error {
	for len(m) > 0 {
		number, kind, n := protowire.ConsumeTag(m)
		if n < 0 {
			return errors.New("onnx: not an ONNX model")
		}
		m = m[n:]
		if kind == protowire.BytesType {
			v, n := protowire.ConsumeBytes(m)
			if n < 0 {
				return errors.New("onnx: the model ends early")
			}
			visit(number, v)
			m = m[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(number, kind, m); n < 0 {
			return errors.New("onnx: the model ends early")
		}
		m = m[n:]
	}
	return nil
}
