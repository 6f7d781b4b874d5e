package vision

import "context"

// Tensor is numbers in row-major order with their shape.
type Tensor struct {
	Shape []int64
	Data  []float32
}

// Network runs a model once: an input, its outputs in the model's order. It may be
// called from several goroutines at once.
type Network func(ctx context.Context, in Tensor) ([]Tensor, error)
