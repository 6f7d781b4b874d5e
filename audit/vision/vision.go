// Package vision holds what a vision worker reads in a photo: texts, packages and
// persons, each with its score and its box.
package vision

// Label names what a box holds.
type Label string

const (
	Package Label = "package"
	Person  Label = "person"
)

// Box is x0, y0, x1, y1 as shares of the upright photo's width and height, from the
// top left corner.
type Box [4]float64

// Area is the box's share of the photo.
func (b Box) Area() float64 { return max(b[2]-b[0], 0) * max(b[3]-b[1], 0) }

// Text is a line of text that was read.
type Text struct {
	Text  string  `json:"text"`
	Score float64 `json:"score"` // 0..1
	Box   Box     `json:"box"`
}

// Detection is a thing that was found.
type Detection struct {
	Label Label   `json:"label"`
	Score float64 `json:"score"` // 0..1
	Box   Box     `json:"box"`
}

// Embedding is what a model's backbone makes of a whole photo.
type Embedding struct {
	Backbone string    `json:"backbone"` // which one: a SHA-256, hex
	Values   []float32 `json:"values"`
}

// Landmark is how likely a door or another distinctive feature is in the photo, by a head
// that was trained on the operator's own photos, with how often that was right.
type Landmark struct {
	Score     float64 `json:"score"`     // 0..1
	Threshold float64 `json:"threshold"` // score from which there is one
	Accuracy  float64 `json:"accuracy"`  // balanced, 0..1, on photos of stops that it was not trained on
	Photos    int     `json:"photos"`    // that it was trained and measured on
}

// Reading is all that one pass of the models found in a photo.
type Reading struct {
	Models []string    `json:"models"` // name and version of each model that ran
	Texts  []Text      `json:"texts"`
	Boxes  []Detection `json:"boxes"`
	// Landmark is absent where no head was trained.
	Landmark *Landmark `json:"landmark,omitempty"`
	// Scene is the photo's local features, as package scene writes them; nil where none were
	// looked for. They are told once, by the worker, and kept beside the readings.
	Scene []byte `json:"-"`
}
