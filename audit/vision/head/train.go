package head

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/optimize"
)

// Example is a photo whose landmark somebody told.
type Example struct {
	Values []float32 // of its embedding
	Yes    bool
	Stop   string // photos of one stop are never both trained on and told
}

// The least that a head is trained on: with fewer its accuracy says nothing.
const (
	LeastPhotos = 40
	LeastOfKind = 10
	LeastStops  = 5
)

const (
	threshold = 0.5
	folds     = 10  // parts that the stops are cut into to measure the accuracy; a stop each where there are fewer
	strength  = 1.0 // of the regularisation: the squares of the weights, halved, beside the sum of the losses
)

// Measured is how a head did on photos of stops that it was not trained on.
type Measured struct {
	Yes, YesRight int // photos with a landmark, and those of them that were told right
	No, NoRight   int
	Stops         int
}

// Balanced is the mean of the shares that were told right.
func (m Measured) Balanced() float64 {
	return (float64(m.YesRight)/float64(m.Yes) + float64(m.NoRight)/float64(m.No)) / 2
}

// ErrTooFew says that there are too few examples.
type ErrTooFew struct{ Photos, Yes, No, Stops int }

func (e ErrTooFew) Error() string {
	return fmt.Sprintf("%d photos (%d with a landmark, %d without) of %d stops are too few to train and to measure on: %d photos, %d of each kind and %d stops are the least",
		e.Photos, e.Yes, e.No, e.Stops, LeastPhotos, LeastOfKind, LeastStops)
}

// Check tells whether there are enough examples. Values may still be missing. Errors: [ErrTooFew].
func Check(examples []Example) error {
	e := ErrTooFew{Photos: len(examples), Stops: len(stops(examples))}
	for _, x := range examples {
		if x.Yes {
			e.Yes++
		} else {
			e.No++
		}
	}
	if e.Photos < LeastPhotos || e.Yes < LeastOfKind || e.No < LeastOfKind || e.Stops < LeastStops {
		return e
	}
	return nil
}

func stops(examples []Example) []string {
	var all []string
	for _, x := range examples {
		all = append(all, x.Stop)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Train trains a head and measures it. The head lacks only its backbone and its time. The
// same examples in any order give the same head. Errors: [ErrTooFew].
func Train(examples []Example) (*Head, Measured, error) {
	if err := Check(examples); err != nil {
		return nil, Measured{}, err
	}
	examples = slices.Clone(examples)
	slices.SortStableFunc(examples, func(a, b Example) int {
		if c := strings.Compare(a.Stop, b.Stop); c != 0 {
			return c
		}
		return slices.Compare(a.Values, b.Values)
	})
	m, err := measure(examples)
	if err != nil {
		return nil, m, err
	}
	h, err := fit(examples)
	if err != nil {
		return nil, m, err
	}
	h.Accuracy, h.Threshold, h.Stops = m.Balanced(), threshold, m.Stops
	return h, m, nil
}

// measure tells each photo by a head trained on the photos of other stops. Stops go into
// parts in turn, those with the most photos first, each into the part that has the fewest.
func measure(examples []Example) (m Measured, err error) {
	all := stops(examples)
	m.Stops = len(all)
	size := map[string]int{}
	for _, x := range examples {
		size[x.Stop]++
	}
	slices.SortStableFunc(all, func(a, b string) int { return size[b] - size[a] })
	part, sizes := map[string]int{}, make([]int, min(folds, len(all)))
	for _, s := range all {
		least := slices.Index(sizes, slices.Min(sizes))
		part[s] = least
		sizes[least] += size[s]
	}
	for p := range sizes {
		var train, told []Example
		for _, x := range examples {
			if part[x.Stop] == p {
				told = append(told, x)
			} else {
				train = append(train, x)
			}
		}
		h, err := fit(train)
		if err != nil {
			return m, err
		}
		for _, x := range told {
			yes := h.sum(x.Values) >= 0
			switch {
			case x.Yes:
				m.Yes++
				if yes {
					m.YesRight++
				}
			default:
				m.No++
				if !yes {
					m.NoRight++
				}
			}
		}
	}
	return m, nil
}

// sum is the score before the logistic function.
func (h *Head) sum(values []float32) float64 {
	sum := h.Bias
	for i, v := range values {
		sum += float64(h.Weights[i]) * float64(v-h.Mean[i]) / float64(h.Deviation[i])
	}
	return sum
}

// fit is a logistic regression, its weights held small (ridge). Both kinds count alike,
// however many there are of each.
func fit(examples []Example) (*Head, error) {
	n, yes := len(examples), 0
	for _, x := range examples {
		if x.Yes {
			yes++
		}
	}
	if yes == 0 || yes == n {
		return nil, fmt.Errorf("head: all %d photos are of one kind without those of some stops", n)
	}
	width := len(examples[0].Values)
	h := &Head{Version: Version, Photos: n, Yes: yes, Mean: make([]float32, width), Deviation: make([]float32, width), Weights: make([]float32, width)}
	rows := make([][]float64, n)
	for i, x := range examples {
		if len(x.Values) != width {
			return nil, fmt.Errorf("head: embeddings of %d and of %d values", width, len(x.Values))
		}
		rows[i] = make([]float64, width)
	}
	for k := range width {
		sum, squares := 0.0, 0.0
		for _, x := range examples {
			sum += float64(x.Values[k])
			squares += float64(x.Values[k]) * float64(x.Values[k])
		}
		mean := sum / float64(n)
		deviation := math.Sqrt(max(squares/float64(n)-mean*mean, 0))
		if deviation < 1e-6 {
			deviation = 1 // it says nothing
		}
		h.Mean[k], h.Deviation[k] = float32(mean), float32(deviation)
		for i, x := range examples {
			rows[i][k] = (float64(x.Values[k]) - mean) / deviation / math.Sqrt(float64(width))
		}
	}
	weight := [2]float64{float64(n) / float64(2*(n-yes)), float64(n) / float64(2*yes)}
	problem := optimize.Problem{Func: func(w []float64) float64 {
		loss := 0.0
		for i, x := range examples {
			s, k := w[width], 0
			if x.Yes {
				k = 1
			}
			for j, v := range rows[i] {
				s += w[j] * v
			}
			if x.Yes {
				s = -s
			}
			loss += weight[k] * (max(s, 0) + math.Log1p(math.Exp(-math.Abs(s))))
		}
		for _, v := range w[:width] {
			loss += strength * v * v / 2
		}
		return loss
	}, Grad: func(grad, w []float64) {
		for j := range width {
			grad[j] = strength * w[j]
		}
		grad[width] = 0
		for i, x := range examples {
			s, k, target := w[width], 0, 0.0
			if x.Yes {
				k, target = 1, 1
			}
			for j, v := range rows[i] {
				s += w[j] * v
			}
			d := weight[k] * (1/(1+math.Exp(-s)) - target)
			for j, v := range rows[i] {
				grad[j] += d * v
			}
			grad[width] += d
		}
	}}
	found, err := optimize.Minimize(problem, make([]float64, width+1), &optimize.Settings{GradientThreshold: 1e-5, MajorIterations: 500}, &optimize.LBFGS{})
	if err != nil && found == nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	for k := range width {
		h.Weights[k] = float32(found.X[k] / math.Sqrt(float64(width)))
	}
	h.Bias = found.X[width]
	return h, nil
}
