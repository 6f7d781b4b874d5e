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

// Reading is all that one pass of the models found in a photo.
type Reading struct {
	Models []string    `json:"models"` // name and version of each model that ran
	Texts  []Text      `json:"texts"`
	Boxes  []Detection `json:"boxes"`
	// Scene is the photo's local features, as package scene writes them; nil where none were
	// looked for. They are told once, by the worker, and kept beside the readings.
	Scene []byte `json:"-"`
}
