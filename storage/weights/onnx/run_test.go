package onnx

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run adds to a network's inputs the values that it makes of them, by plain loops: what the
// steps mean (https://onnx.ai/onnx/operators), and no more of it than the networks of these
// tests have.
func (g *network) run(t *testing.T, values map[string]constant) {
	t.Helper()
	of := func(name string) constant {
		if c, ok := g.constants[name]; ok {
			return c
		}
		v, ok := values[name]
		if !ok {
			t.Fatalf("%s is used before it is made", name)
		}
		return v
	}
	for _, n := range g.nodes {
		var out constant
		in := make([]constant, len(n.inputs))
		for i, name := range n.inputs {
			in[i] = of(name)
		}
		switch n.op {
		case "Conv":
			out = convolved(n, in)
		case "ConvTranspose":
			out = transposed(in[0], in[1])
		case "DepthToSpace":
			out = spread(in[0], int(n.integer("blocksize", 0)))
		case "Resize":
			out = repeated(in[0], int(in[2].values[2]))
		case "Concat":
			out = constant{shape: []int64{1, 0, in[0].shape[2], in[0].shape[3]}}
			for _, m := range in {
				out.shape[1] += m.shape[1]
				out.values = append(out.values, m.values...)
			}
		case "GlobalAveragePool":
			out = filled(0, 1, in[0].shape[1], 1, 1)
			each := len(in[0].values) / len(out.values)
			for i, v := range in[0].values {
				out.values[i/each] += v / float32(each)
			}
		case "Add":
			out = combined(in[0], in[1], func(a, b float32) float32 { return a + b })
		case "Mul":
			out = combined(in[0], in[1], func(a, b float32) float32 { return a * b })
		case "BatchNormalization":
			out = in[0].scaled(1)
			each := len(out.values) / len(in[1].values)
			for i, v := range out.values {
				c := i / each
				out.values[i] = (v-in[3].values[c])/float32(math.Sqrt(float64(in[4].values[c])+1e-5))*in[1].values[c] + in[2].values[c]
			}
		case "Relu":
			out = mapped(in[0], func(v float64) float64 { return max(v, 0) })
		case "Sigmoid":
			out = mapped(in[0], func(v float64) float64 { return 1 / (1 + math.Exp(-v)) })
		case "HardSigmoid":
			alpha := float32(0.2)
			if a, ok := n.attributes["alpha"]; ok {
				alpha = a.float
			}
			out = mapped(in[0], func(v float64) float64 { return min(max(float64(alpha)*v+0.5, 0), 1) })
		default:
			t.Fatalf("a step %s", n.op)
		}
		values[n.outputs[0]] = out
	}
}

func mapped(c constant, f func(float64) float64) constant {
	out := c.scaled(1)
	for i, v := range out.values {
		out.values[i] = float32(f(float64(v)))
	}
	return out
}

// combined lets the smaller of two maps be as large as the other, as far as these tests need
// it: a number, or one for each channel of the second dimension.
func combined(a, b constant, f func(a, b float32) float32) constant {
	swapped := len(a.values) < len(b.values)
	if swapped {
		a, b = b, a
	}
	out := a.scaled(1)
	for i, v := range a.values {
		at := i
		if len(b.values) < len(a.values) {
			at = i / int(a.shape[2]*a.shape[3]) % int(a.shape[1]) % len(b.values)
		}
		if out.values[i] = f(v, b.values[at]); swapped {
			out.values[i] = f(b.values[at], v)
		}
	}
	return out
}

func convolved(n *step, in []constant) constant {
	x, w := in[0], in[1]
	pads := n.attributes["pads"].ints
	if pads == nil {
		pads = make([]int64, 4)
	}
	h, wide := x.shape[2]+pads[0]+pads[2]-w.shape[2]+1, x.shape[3]+pads[1]+pads[3]-w.shape[3]+1
	out := filled(0, 1, w.shape[0], h, wide)
	for o := range w.shape[0] {
		for y := range h {
			for z := range wide {
				sum := float32(0)
				if len(in) > 2 {
					sum = in[2].values[o]
				}
				for c := range w.shape[1] {
					for i := range w.shape[2] {
						for j := range w.shape[3] {
							if r, s := y+i-pads[0], z+j-pads[1]; r >= 0 && s >= 0 && r < x.shape[2] && s < x.shape[3] {
								sum += w.values[((o*w.shape[1]+c)*w.shape[2]+i)*w.shape[3]+j] * x.values[(c*x.shape[2]+r)*x.shape[3]+s]
							}
						}
					}
				}
				out.values[(o*h+y)*wide+z] = sum
			}
		}
	}
	// Weights that are computed come as maps of one image each.
	if x.shape[0] > 1 {
		out = filled(0, x.shape[0], w.shape[0], x.shape[2], x.shape[3])
		each := int64(len(x.values)) / x.shape[0]
		for i := range x.shape[0] {
			one := convolved(n, []constant{{[]int64{1, x.shape[1], x.shape[2], x.shape[3]}, x.values[i*each:][:each]}, w})
			copy(out.values[i*int64(len(one.values)):], one.values)
		}
	}
	return out
}

func transposed(x, w constant) constant {
	k := w.shape[2]
	out := filled(0, 1, w.shape[1], k*x.shape[2], k*x.shape[3])
	for c := range w.shape[0] {
		for o := range w.shape[1] {
			for y := range out.shape[2] {
				for z := range out.shape[3] {
					out.values[(o*out.shape[2]+y)*out.shape[3]+z] += x.values[(c*x.shape[2]+y/k)*x.shape[3]+z/k] * w.values[((c*w.shape[1]+o)*k+y%k)*k+z%k]
				}
			}
		}
	}
	return out
}

func spread(x constant, block int) constant {
	h, w, b := int(x.shape[2]), int(x.shape[3]), block
	n := int(x.shape[1]) / (b * b)
	out := filled(0, 1, int64(n), int64(b*h), int64(b*w))
	for i, v := range x.values {
		channel, y, z := i/(h*w), i/w%h, i%w
		place, c := channel/n, channel%n
		out.values[(c*b*h+y*b+place/b)*b*w+z*b+place%b] = v
	}
	return out
}

func repeated(x constant, by int) constant {
	h, w := int(x.shape[2]), int(x.shape[3])
	out := filled(0, 1, x.shape[1], int64(by*h), int64(by*w))
	for i := range out.values {
		c, y, z := i/(by*by*h*w), i/(by*w)%(by*h), i%(by*w)
		out.values[i] = x.values[(c*h+y/by)*w+z/by]
	}
	return out
}

// pyramid is a network as those that mark text end in: two levels that are mixed from few
// channels, gated, added and laid side by side, and the map enlarged fourfold.
func pyramid() Model {
	r := rand.New(rand.NewPCG(3, 4))
	var constants []Tensor
	random := func(name string, shape ...int64) string {
		c := filled(0, shape...)
		for i := range c.values {
			c.values[i] = r.Float32() - 0.4
		}
		constants = append(constants, floats(name, shape, c.values...))
		return name
	}
	conv := func(x, name string, to, from, k int64, biased bool) Node {
		n := Node{Op: "Conv", Inputs: []string{x, random(name+".w", to, from, k, k)}, Outputs: []string{name}}
		if biased {
			n.Inputs = append(n.Inputs, random(name+".b", to))
		}
		if k == 3 {
			n.Attributes = []Attribute{{"pads", []int64{1, 1, 1, 1}}}
		}
		return n
	}
	gate := func(x, name string, wide int64) []Node {
		return []Node{
			{Op: "GlobalAveragePool", Inputs: []string{x}, Outputs: []string{name + ".mean"}},
			conv(name+".mean", name+".few", 2, wide, 1, true),
			{Op: "Relu", Inputs: []string{name + ".few"}, Outputs: []string{name + ".relu"}},
			conv(name+".relu", name+".many", wide, 2, 1, true),
			{Op: "HardSigmoid", Inputs: []string{name + ".many"}, Outputs: []string{name + ".h"}},
			{Op: "Mul", Inputs: []string{x, name + ".h"}, Outputs: []string{name + ".xh"}},
			{Op: "Add", Inputs: []string{x, name + ".xh"}, Outputs: []string{name}},
		}
	}
	resize := func(x, name string, by float32) Node {
		constants = append(constants, floats(name+".by", []int64{4}, 1, 1, by, by))
		return Node{Op: "Resize", Inputs: []string{x, "none", name + ".by"}, Outputs: []string{name},
			Attributes: []Attribute{{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}}}
	}
	norm := func(x, name string, wide int64) Node {
		n := Node{Op: "BatchNormalization", Inputs: []string{x, random(name+".scale", wide), random(name+".shift", wide), random(name+".mean", wide)}, Outputs: []string{name}}
		constants = append(constants, floats(name+".var", []int64{wide}, filled(0.7, wide).values...))
		n.Inputs = append(n.Inputs, name+".var")
		return n
	}
	transpose := func(x, name string, from, to int64) []Node {
		return []Node{
			{Op: "ConvTranspose", Inputs: []string{x, random(name+".w", from, to, 2, 2)}, Outputs: []string{name + ".t"}, Attributes: []Attribute{{"strides", []int64{2, 2}}}},
			{Op: "Add", Inputs: []string{name + ".t", random(name+".b", 1, to, 1, 1)}, Outputs: []string{name}},
		}
	}
	constants = append(constants, floats("none", []int64{0}))
	nodes := []Node{
		conv("large", "mix2", 8, 2, 1, false),
		conv("small", "mix3", 8, 2, 1, false),
	}
	nodes = append(nodes, gate("mix2", "in2", 8)...)
	nodes = append(nodes, gate("mix3", "out3", 8)...)
	nodes = append(nodes, resize("out3", "up3", 2),
		Node{Op: "Add", Inputs: []string{"in2", "up3"}, Outputs: []string{"out2"}},
		conv("out2", "p2", 3, 8, 3, false), conv("out3", "p3", 3, 8, 3, false))
	nodes = append(nodes, gate("p2", "g2", 3)...)
	nodes = append(nodes, gate("p3", "g3", 3)...)
	nodes = append(nodes, resize("g3", "up4", 2),
		Node{Op: "Concat", Inputs: []string{"up4", "g2"}, Outputs: []string{"row"}, Attributes: []Attribute{{"axis", int64(1)}}},
		conv("row", "head", 4, 6, 3, false), norm("head", "bn1", 4),
		Node{Op: "Relu", Inputs: []string{"bn1"}, Outputs: []string{"relu1"}})
	nodes = append(nodes, transpose("relu1", "t1", 4, 4)...)
	nodes = append(nodes, norm("t1", "bn2", 4), Node{Op: "Relu", Inputs: []string{"bn2"}, Outputs: []string{"relu2"}})
	nodes = append(nodes, transpose("relu2", "t2", 4, 1)...)
	nodes = append(nodes, Node{Op: "Sigmoid", Inputs: []string{"t2"}, Outputs: []string{"y"}})
	return Model{Producer: "test", Opset: 11, Inputs: []Value{{"large", Float32, nil}, {"small", Float32, nil}}, Outputs: []Value{{"y", Float32, nil}}, Constants: constants, Nodes: nodes}
}

// What fusing makes of a pyramid answers as it did, on maps of any shape.
func TestFusePyramid(t *testing.T) {
	model, err := pyramid().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	before, err := parse(model)
	if err != nil {
		t.Fatal(err)
	}
	after, _ := fusedNetwork(t, pyramid())
	for what, left := range map[string]int{"ConvTranspose": 0, "BatchNormalization": 0, "Resize": 0, "DepthToSpace": 3} {
		if got := count(ops(after), what); got != left {
			t.Errorf("%d steps %s are left of %d, want %d", got, what, count(ops(before), what), left)
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, size := range [][2]int64{{4, 6}, {2, 2}, {10, 4}} {
		values := [2]map[string]constant{{}, {}}
		for name, by := range map[string]int64{"large": 1, "small": 2} {
			x := filled(0, 1, 2, size[0]/by, size[1]/by)
			for i := range x.values {
				x.values[i] = 4*r.Float32() - 2
			}
			values[0][name], values[1][name] = x, x
		}
		before.run(t, values[0])
		after.run(t, values[1])
		want, got := values[0]["y"], values[1]["y"]
		if diff := cmp.Diff(want.shape, got.shape); diff != "" {
			t.Fatalf("%v: %s", size, diff)
		}
		low, high := want.values[0], want.values[0]
		for i, w := range want.values {
			low, high = min(low, w), max(high, w)
			if d := math.Abs(float64(w - got.values[i])); d > 1e-4 {
				t.Fatalf("%v: element %d is %g, want %g", size, i, got.values[i], w)
			}
		}
		if high-low < 0.05 {
			t.Errorf("%v: all answers are between %g and %g: the test says nothing", size, low, high)
		}
	}
}

func count(all []string, what string) (n int) {
	for _, op := range all {
		if op == what {
			n++
		}
	}
	return n
}
