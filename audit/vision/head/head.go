// Package head tells whether a door or another distinctive feature is in a photo: a
// logistic regression over what a detector's backbone makes of the whole photo, trained on
// an operator's own photos, which look like nobody else's.
package head

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"porchlight/audit/vision"
)

// Version names this code and the form of its file.
const Version = "hd1"

// Bounds of a head's file.
const (
	MaxBytes  = 1 << 20
	maxValues = 8192
	maxPhotos = 10_000_000
)

// Head is a trained head, as its file holds it.
type Head struct {
	Version   string    `json:"version"`
	Backbone  string    `json:"backbone"` // of [vision.Embedding], that it was trained on
	TrainedAt time.Time `json:"trained_at"`
	Photos    int       `json:"photos"` // that it was trained on
	Yes       int       `json:"yes"`    // those of them with a landmark
	Stops     int       `json:"stops"`
	// Accuracy is the balanced one, the mean of the shares of photos with and of photos
	// without a landmark that were told right, each by a head that saw no photo of its stop.
	Accuracy  float64   `json:"accuracy"`
	Threshold float64   `json:"threshold"` // score from which there is a landmark
	Mean      []float32 `json:"mean"`      // of each of the backbone's values
	Deviation []float32 `json:"deviation"`
	Weights   []float32 `json:"weights"` // of the values less their mean, over their deviation
	Bias      float64   `json:"bias"`

	digest string
}

// Parse reads a head's file and checks it whole.
func Parse(b []byte) (*Head, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("head: more than %d bytes", MaxBytes)
	}
	var h Head
	if err := json.Unmarshal(b, &h); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	share := func(v float64) bool { return v >= 0 && v <= 1 }
	n := len(h.Weights)
	switch {
	case h.Version != Version:
		return nil, fmt.Errorf("head: version %.20q, not %s", h.Version, Version)
	case len(h.Backbone) != 64:
		return nil, fmt.Errorf("head: it names no backbone")
	case n == 0 || n > maxValues || len(h.Mean) != n || len(h.Deviation) != n:
		return nil, fmt.Errorf("head: %d weights, %d means, %d deviations", n, len(h.Mean), len(h.Deviation))
	case !share(h.Accuracy) || !share(h.Threshold) || math.Abs(h.Bias) > math.MaxFloat32:
		return nil, fmt.Errorf("head: accuracy %g, threshold %g, bias %g", h.Accuracy, h.Threshold, h.Bias)
	case h.Photos < 1 || h.Photos > maxPhotos || h.Yes < 0 || h.Yes > h.Photos || h.Stops < 1 || h.Stops > h.Photos:
		return nil, fmt.Errorf("head: %d photos, %d with a landmark, of %d stops", h.Photos, h.Yes, h.Stops)
	case h.TrainedAt.Year() < 2000 || h.TrainedAt.Year() > 9999:
		return nil, fmt.Errorf("head: trained in the year %d", h.TrainedAt.Year())
	}
	for i, d := range h.Deviation {
		if !(d > 0) {
			return nil, fmt.Errorf("head: deviation %g", d)
		}
		if _, err := json.Marshal([]float32{h.Mean[i], d, h.Weights[i]}); err != nil {
			return nil, fmt.Errorf("head: %w", err)
		}
	}
	sum := sha256.Sum256(b)
	h.digest = hex.EncodeToString(sum[:])
	return &h, nil
}

// Encode writes the head's file.
func (h *Head) Encode() ([]byte, error) { return json.Marshal(h) }

// String names the head among the models: with the head of its file's digest.
func (h *Head) String() string {
	return fmt.Sprintf("landmark-head %s (sha256 %.12s)", h.TrainedAt.UTC().Format(time.DateOnly), h.digest)
}

// Digest is the SHA-256 of the file that it was read from, hex.
func (h *Head) Digest() string { return h.digest }

// Score is how likely there is a landmark in a photo, 0..1, and with what the head says of
// itself. It is nil where the backbone is not the one that the head was trained on.
func (h *Head) Score(e vision.Embedding) *vision.Landmark {
	if e.Backbone != h.Backbone || len(e.Values) != len(h.Weights) {
		return nil
	}
	score := 1 / (1 + math.Exp(-h.sum(e.Values)))
	if math.IsNaN(score) {
		return nil
	}
	return &vision.Landmark{Score: math.Round(score*1e4) / 1e4, Threshold: h.Threshold, Accuracy: h.Accuracy, Photos: h.Photos}
}
