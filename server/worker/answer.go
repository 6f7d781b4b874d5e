package worker

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"porchlight/audit/vision"
	"porchlight/audit/vision/scene"
)

// Bounds of an answer. A worker's own are far below them.
const (
	maxAnswer  = 1 << 20 // bytes
	maxThings  = 1000    // texts, boxes
	maxText    = 1000    // bytes of one text, of one model's name
	maxModels  = 32
	maxValues  = 8192       // of an embedding
	maxTrained = 10_000_000 // photos that a head was trained on
)

// ParseReading reads a worker's answer and checks it whole: what is stored as evidence
// has scores of 0 to 1, boxes within the photo, and texts of a length to print, and
// features that are whole. A worker that looks for none leaves them out.
func ParseReading(b []byte) (vision.Reading, error) {
	var answer struct {
		vision.Reading
		Scene []byte `json:"scene"`
	}
	if len(b) > maxAnswer {
		return vision.Reading{}, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return vision.Reading{}, err
	}
	if _, err := scene.Parse(answer.Scene); err != nil {
		return vision.Reading{}, err
	}
	r := answer.Reading
	r.Scene = answer.Scene
	if err := check(r); err != nil {
		return vision.Reading{}, err
	}
	if r.Texts == nil {
		r.Texts = []vision.Text{}
	}
	if r.Boxes == nil {
		r.Boxes = []vision.Detection{}
	}
	return r, nil
}

func check(r vision.Reading) error {
	if len(r.Texts) > maxThings || len(r.Boxes) > maxThings {
		return fmt.Errorf("%d texts, %d boxes", len(r.Texts), len(r.Boxes))
	}
	for _, t := range r.Texts {
		if len(t.Text) > maxText || !utf8.ValidString(t.Text) || !share(t.Score) || !inside(t.Box) {
			return fmt.Errorf("a text of %d bytes with score %g at %v", len(t.Text), t.Score, t.Box)
		}
	}
	for _, d := range r.Boxes {
		if (d.Label != vision.Package && d.Label != vision.Person) || !share(d.Score) || !inside(d.Box) {
			return fmt.Errorf("a box %.40q with score %g at %v", d.Label, d.Score, d.Box)
		}
	}
	if l := r.Landmark; l != nil && (!share(l.Score) || !share(l.Threshold) || !share(l.Accuracy) || l.Photos < 0 || l.Photos > maxTrained) {
		return fmt.Errorf("a landmark with score %g of %g, accuracy %g on %d photos", l.Score, l.Threshold, l.Accuracy, l.Photos)
	}
	return checkModels(r.Models)
}

// ParseEmbedding reads a worker's answer and checks it whole. Numbers in JSON are finite.
func ParseEmbedding(b []byte) (e vision.Embedding, err error) {
	if len(b) > maxAnswer {
		return e, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return vision.Embedding{}, err
	}
	if len(e.Backbone) != 64 || len(e.Values) == 0 || len(e.Values) > maxValues {
		return vision.Embedding{}, fmt.Errorf("%d values of a backbone that is named in %d bytes", len(e.Values), len(e.Backbone))
	}
	return e, nil
}

func share(v float64) bool { return v >= 0 && v <= 1 }

func inside(b vision.Box) bool {
	return share(b[0]) && share(b[1]) && share(b[2]) && share(b[3]) && b[0] <= b[2] && b[1] <= b[3]
}

func checkModels(models []string) error {
	if len(models) == 0 || len(models) > maxModels {
		return fmt.Errorf("%d models", len(models))
	}
	for _, m := range models {
		if m == "" || len(m) > maxText || !utf8.ValidString(m) {
			return fmt.Errorf("a model's name of %d bytes", len(m))
		}
	}
	return nil
}

func parseModels(b []byte) ([]string, error) {
	var answer struct {
		Models []string `json:"models"`
	}
	if len(b) > maxAnswer {
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, err
	}
	return answer.Models, checkModels(answer.Models)
}
