package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"porchlight/audit/vision"
)

// Vision reads texts, packages and persons in a photo.
type Vision interface {
	// Read reads a photo's bytes. Errors: [CodeUnavailable] where nothing answers in time,
	// [CodeUndecodable] where this photo cannot be read.
	Read(ctx context.Context, photo []byte) (vision.Reading, error)
	// Models names the models that Read runs, with their versions.
	// Errors: [CodeUnavailable].
	Models(ctx context.Context) ([]string, error)
}

// The sides, in pixels, from which a photo is looked at: thumbnails are not worth a worker's time.
const (
	leastSeen     = 64  // the shorter side
	leastLongSeen = 256 // the longer side
)

// Why a photo was not looked at.
const (
	noModels   = "no vision models installed"
	noAnswer   = "the vision worker does not answer"
	notRead    = "the vision worker cannot read the photo"
	tooFew     = "the photo has too few pixels to be looked at"
	notDecoded = "the photo does not decode"
)

// See has a measured photo looked at where v is not nil. A vision that fails costs the
// measurement its reading, never the photo.
func See(ctx context.Context, v Vision, m Measurement, b []byte) Measurement {
	if v == nil || !m.Decoded() {
		return m
	}
	if min(m.Width, m.Height) < leastSeen || max(m.Width, m.Height) < leastLongSeen {
		m.VisionProblem = tooFew
		return m
	}
	r, err := v.Read(ctx, b)
	switch {
	case ErrorCode(err) == CodeUndecodable:
		m.VisionProblem = notRead
	case err != nil:
		m.VisionProblem = noAnswer
	default:
		m.Vision = &r
		m.Version = seeingVersion(r.Models)
	}
	return m
}

// measure measures a photo, and has it looked at where there is a vision.
// Errors: those of Config.Measure.
func (s *Service) measure(ctx context.Context, b []byte) (Measurement, error) {
	m, err := s.Measure(ctx, b)
	if err != nil {
		return m, err
	}
	return See(ctx, s.Vision, m, b), nil
}

// seeingVersion is the version of a measurement with a reading by the models: the
// measuring code's with the head of a digest over their names.
func seeingVersion(models []string) string {
	sum := sha256.Sum256([]byte(strings.Join(models, "\n")))
	return MeasurementVersion + "+vi-" + hex.EncodeToString(sum[:4])
}

// version is what a new measurement's version would be.
func (s *Service) version(ctx context.Context) (string, error) {
	if s.Vision == nil {
		return MeasurementVersion, nil
	}
	models, err := s.Vision.Models(ctx)
	if err != nil {
		return "", err
	}
	return seeingVersion(models), nil
}

// stale tells whether measuring the photo again would measure something else. Without a
// vision a stored reading stays what it is.
func stale(m Measurement, version string) bool {
	switch {
	case !m.Decoded() || m.VisionProblem == tooFew:
		return m.Version != MeasurementVersion
	case version == MeasurementVersion && m.Vision != nil:
		return !strings.HasPrefix(m.Version, MeasurementVersion+"+vi-")
	}
	return m.Version != version
}
