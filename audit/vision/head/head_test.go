package head

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"porchlight/audit/vision"
)

var backbone = strings.Repeat("ab", 32)

// photos draws embeddings of n photos a stop, whose first value tells whether there is a
// landmark, by so much beside the noise.
func photos(stops, n int, apart float64) []Example {
	random := rand.New(rand.NewPCG(1, 2))
	var all []Example
	for s := range stops {
		for i := range n {
			x := Example{Stop: fmt.Sprint("stop ", s), Yes: i%3 == 0, Values: make([]float32, 16)}
			for k := range x.Values {
				x.Values[k] = float32(3 + random.NormFloat64())
			}
			if x.Yes {
				x.Values[0] += float32(apart)
			}
			all = append(all, x)
		}
	}
	return all
}

func TestTrain(t *testing.T) {
	examples := photos(12, 6, 6)
	h, m, err := Train(examples)
	if err != nil {
		t.Fatal(err)
	}
	if m.Yes != 24 || m.No != 48 || m.Stops != 12 || m.Balanced() < .9 || h.Accuracy != m.Balanced() {
		t.Errorf("measured %+v, accuracy %.2f; want 24 and 48 photos of 12 stops, 90%% or more right", m, h.Accuracy)
	}
	h.Backbone, h.TrainedAt = backbone, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	b, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if name := again.String(); !strings.HasPrefix(name, "landmark-head 2026-11-20 (sha256 ") || len(again.Digest()) != 64 {
		t.Errorf("it is called %s", name)
	}
	right := 0
	for _, x := range photos(3, 10, 6) {
		l := again.Score(vision.Embedding{Backbone: backbone, Values: x.Values})
		if l.Accuracy != h.Accuracy || l.Photos != 72 {
			t.Fatalf("it says %+v of itself", l)
		}
		if (l.Score >= l.Threshold) == x.Yes {
			right++
		}
	}
	if right < 27 {
		t.Errorf("%d of 30 photos are told right", right)
	}
	if again.Score(vision.Embedding{Backbone: strings.Repeat("0", 64), Values: examples[0].Values}) != nil || again.Score(vision.Embedding{Backbone: backbone, Values: []float32{1}}) != nil {
		t.Error("it tells what another backbone makes of a photo")
	}
	slices.Reverse(examples)
	other, _, err := Train(examples)
	if err != nil {
		t.Fatal(err)
	}
	other.Backbone, other.TrainedAt = h.Backbone, h.TrainedAt
	if c, _ := other.Encode(); !bytes.Equal(b, c) {
		t.Error("the same examples in another order give another head")
	}
}

// TestStopsStayTogether: where photos tell nothing but their stop, and a stop's photos are
// all of one kind, a head that knew the stop would be right. It must not count.
func TestStopsStayTogether(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var all []Example
	for s := range 40 {
		centre := make([]float32, 64)
		for k := range centre {
			centre[k] = float32(5 * random.NormFloat64())
		}
		for range 4 {
			x := Example{Stop: fmt.Sprint(s), Yes: s%2 == 0, Values: slices.Clone(centre)}
			for k := range x.Values {
				x.Values[k] += float32(.1 * random.NormFloat64())
			}
			all = append(all, x)
		}
	}
	_, m, err := Train(all)
	if err != nil {
		t.Fatal(err)
	}
	if a := m.Balanced(); a > .75 {
		t.Errorf("balanced accuracy %.2f where there is nothing to know", a)
	}
}

func TestTooFew(t *testing.T) {
	many := photos(12, 6, 3)
	for name, tt := range map[string]struct {
		examples []Example
		want     bool
	}{
		"enough":         {many, true},
		"none":           {nil, false},
		"39 photos":      {many[:39], false},
		"40 photos":      {many[:40], true},
		"of 4 stops":     {photos(4, 15, 3), false},
		"8 of a kind":    {slices.DeleteFunc(slices.Clone(many), func(x Example) bool { return x.Yes && x.Stop > "stop 11" }), false},
		"one kind alone": {slices.DeleteFunc(photos(30, 6, 3), func(x Example) bool { return x.Yes }), false},
	} {
		var few ErrTooFew
		if _, _, err := Train(tt.examples); errors.As(err, &few) == tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	h, _, err := Train(photos(12, 6, 3))
	if err != nil {
		f.Fatal(err)
	}
	h.Backbone, h.TrainedAt = backbone, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	good, _ := h.Encode()
	f.Add(good)
	for _, part := range [][2]string{{`"hd1"`, `"hd0"`}, {`"bias":`, `"bias":1e300,"b":`}, {`"deviation":[`, `"deviation":[0,`}, {`"photos":72`, `"photos":-1`}, {`"threshold":0.5`, `"threshold":7`}, {"2026", "0000"}} {
		bad := strings.Replace(string(good), part[0], part[1], 1)
		if _, err := Parse([]byte(bad)); err == nil {
			f.Errorf("a head with %s is taken", part[1])
		}
		f.Add([]byte(bad))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Parse(b)
		if err != nil {
			return
		}
		if l := h.Score(vision.Embedding{Backbone: h.Backbone, Values: make([]float32, len(h.Weights))}); l != nil && (math.IsNaN(l.Score) || l.Score < 0 || l.Score > 1) {
			t.Errorf("score %g", l.Score)
		}
		again, err := h.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil && len(again) <= MaxBytes {
			t.Errorf("%s is refused: %v", again, err)
		}
	})
}
