// Package onnx writes ONNX models (https://onnx.ai, IR version 8): the few parts of the
// format that a converted or a drawn network takes.
package onnx

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// ElementType is a tensor's element type, as numbered by TensorProto.DataType.
type ElementType int

const (
	Float32 ElementType = 1
	Int64   ElementType = 7
	Float16 ElementType = 10
)

// Model is a network that ONNX Runtime can load. Its bytes are the same each time.
type Model struct {
	Producer  string
	Doc       string
	Opset     int // of the default operator set
	Inputs    []Value
	Outputs   []Value
	Constants []Tensor
	Nodes     []Node
}

// Value declares an input or an output. A dimension below 0 is not known beforehand.
type Value struct {
	Name  string
	Type  ElementType
	Shape []int64
}

// Tensor is a constant; Raw holds its elements in little-endian order.
type Tensor struct {
	Name  string
	Type  ElementType
	Shape []int64
	Raw   []byte
}

// Node is one operation.
type Node struct {
	Op              string
	Inputs, Outputs []string
	Attributes      []Attribute
}

// Attribute is an operation's setting: an int64, a float32, a string or an []int64.
type Attribute struct {
	Name  string
	Value any
}

// Field numbers of onnx.proto3.
const (
	modelIRVersion, modelProducer, modelDoc, modelGraph, modelOpset = 1, 2, 6, 7, 8
	graphNode, graphName, graphInitializer, graphInput, graphOutput = 1, 2, 5, 11, 12
	nodeInput, nodeOutput, nodeOp, nodeAttribute                    = 1, 2, 4, 5
	tensorDims, tensorType, tensorFloats, tensorName, tensorRaw     = 1, 2, 4, 8, 9
	attributeName, attributeFloat, attributeInt, attributeString    = 1, 2, 3, 4
	attributeTensor, attributeInts, attributeType                   = 5, 8, 20
)

// Marshal writes the model. It fails on an attribute of another kind.
func (m Model) Marshal() ([]byte, error) {
	var graph []byte
	for _, n := range m.Nodes {
		b, err := n.marshal()
		if err != nil {
			return nil, err
		}
		graph = message(graph, graphNode, b)
	}
	graph = text(graph, graphName, "graph")
	for _, t := range m.Constants {
		graph = message(graph, graphInitializer, t.marshal())
	}
	for _, v := range m.Inputs {
		graph = message(graph, graphInput, v.marshal())
	}
	for _, v := range m.Outputs {
		graph = message(graph, graphOutput, v.marshal())
	}
	opset := text(nil, 1, "")
	opset = integer(opset, 2, int64(m.Opset))
	out := integer(nil, modelIRVersion, 8)
	out = text(out, modelProducer, m.Producer)
	out = text(out, modelDoc, m.Doc)
	out = message(out, modelGraph, graph)
	return message(out, modelOpset, opset), nil
}

func (n Node) marshal() ([]byte, error) {
	var b []byte
	for _, name := range n.Inputs {
		b = text(b, nodeInput, name)
	}
	for _, name := range n.Outputs {
		b = text(b, nodeOutput, name)
	}
	b = text(b, nodeOp, n.Op)
	for _, a := range n.Attributes {
		m, ok := a.marshal()
		if !ok {
			return nil, fmt.Errorf("onnx: attribute %s of %s is a %T", a.Name, n.Op, a.Value)
		}
		b = message(b, nodeAttribute, m)
	}
	return b, nil
}

// marshal writes the attribute; ok is false for a value of another kind.
func (a Attribute) marshal() (m []byte, ok bool) {
	m = text(nil, attributeName, a.Name)
	kind := int64(0)
	switch v := a.Value.(type) {
	case float32:
		kind, m = 1, protowire.AppendTag(m, attributeFloat, protowire.Fixed32Type)
		m = protowire.AppendFixed32(m, math.Float32bits(v))
	case int64:
		kind, m = 2, integer(m, attributeInt, v)
	case string:
		kind, m = 3, text(m, attributeString, v)
	case []int64:
		kind = 7
		for _, i := range v {
			m = integer(m, attributeInts, i)
		}
	default:
		return nil, false
	}
	return integer(m, attributeType, kind), true
}

func (t Tensor) marshal() []byte {
	var b []byte
	for _, d := range t.Shape {
		b = integer(b, tensorDims, d)
	}
	b = integer(b, tensorType, int64(t.Type))
	b = text(b, tensorName, t.Name)
	return message(b, tensorRaw, t.Raw)
}

func (v Value) marshal() []byte {
	var shape []byte
	for _, d := range v.Shape {
		var dim []byte
		if d >= 0 {
			dim = integer(dim, 1, d)
		}
		shape = message(shape, 1, dim)
	}
	tensor := integer(nil, 1, int64(v.Type))
	tensor = message(tensor, 2, shape)
	b := text(nil, 1, v.Name)
	return message(b, 2, message(nil, 1, tensor))
}

func integer(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func message(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func text(b []byte, field protowire.Number, v string) []byte { return message(b, field, []byte(v)) }
