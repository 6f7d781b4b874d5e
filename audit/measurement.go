package audit

import (
	"porchlight/audit/exif"
	"porchlight/audit/pixel"
	"porchlight/audit/vision"
)

// MeasurementVersion names the code that measures. The version of a measurement with a
// reading goes on with "+vi-" and eight digits that stand for the models. A stored
// measurement of another version is read again by a re-audit with --measure.
const MeasurementVersion = pixel.Version + "+" + exif.Version

// Measurement is what a photo's pixels and metadata say, without opinion.
type Measurement struct {
	Version   string `json:"version"`
	MediaType string `json:"media_type,omitempty"`
	// Pixels are absent where the photo does not decode; Problem then says why.
	*pixel.Measures
	Exif   exif.Metadata   `json:"exif"`
	Vision *vision.Reading `json:"vision,omitempty"` // absent without vision models
	// VisionProblem is why there is no reading although a vision was asked.
	VisionProblem string   `json:"vision_problem,omitempty"`
	Problem       *Problem `json:"problem,omitempty"`
}

// Problem is why a file could not be audited in full.
type Problem struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Decoded tells whether the photo's pixels were read whole.
func (m Measurement) Decoded() bool { return m.Measures != nil }
