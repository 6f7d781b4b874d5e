package audit

import (
	"testing"
	"time"

	"porchlight/audit/vision"
)

func TestJudgeLandmark(t *testing.T) {
	when := time.Date(2026, 10, 2, 23, 30, 0, 0, time.UTC)
	known := func(compared, points int) func(*Measurement, *Subject) {
		return func(_ *Measurement, s *Subject) {
			s.Recognition = &Recognition{Compared: compared, Points: points}
			if points > 0 {
				s.Recognition.UploadID, s.Recognition.At = "u", when
			}
		}
	}
	for name, tt := range map[string]struct {
		change func(*Measurement, *Subject)
		result Result
		words  string
	}{
		"known":         {known(3, 41), Pass, "The same doorstep as in the photo of 2026-10-02: 41 points agree"},
		"just known":    {known(1, 18), Pass, "The same doorstep as in the photo of 2026-10-02: 18 points agree"},
		"hardly alike":  {known(3, 17), Unknown, "unknown: not recognised among 3 earlier photos of this stop"},
		"not alike":     {known(1, 0), Unknown, "unknown: not recognised among 1 earlier photo of this stop"},
		"the first one": {known(0, 0), Unknown, "unknown: no earlier accepted photo of this stop"},
		"not compared":  {func(*Measurement, *Subject) {}, Unknown, "unknown: not compared with earlier photos of this stop"},
		"alone":         {func(_ *Measurement, s *Subject) { *s = Subject{Alone: true} }, Unknown, "unknown: no delivery given"},
		"no models":     {func(m *Measurement, _ *Subject) { m.Vision = nil }, Unknown, "unknown: " + noModels},
		"read without, known": {func(m *Measurement, s *Subject) {
			known(3, 41)(m, s)
			m.Vision, m.VisionProblem = nil, noAnswer
		}, Unknown, "unknown: " + noAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			m, s := good(), subject(delivery())
			m.Vision = &vision.Reading{Models: []string{"m 1"}}
			tt.change(&m, &s)
			r := Guide2026().Judge(m, s)
			f, _ := r.Finding("landmark")
			if f.Result != tt.result || f.Words() != tt.words {
				t.Errorf("%s: %s, want %s: %s", f.Result, f.Words(), tt.result, tt.words)
			}
		})
	}
	// A checklist of an operator's own may ask for more, without reading a photo again.
	m, s := good(), subject(delivery())
	m.Vision = &vision.Reading{Models: []string{"m 1"}}
	known(3, 41)(&m, &s)
	c := Guide2026()
	c.Checks.Landmark.MinAgreeing = 42
	if f, _ := c.Judge(m, s).Finding("landmark"); f.Result != Unknown {
		t.Errorf("41 points of 42: %s", f.Result)
	}
}
