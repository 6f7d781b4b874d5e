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
	door := func(score, accuracy float64, more ...func(*Measurement, *Subject)) func(*Measurement, *Subject) {
		return func(m *Measurement, s *Subject) {
			m.Vision.Landmark = &vision.Landmark{Score: score, Threshold: .5, Accuracy: accuracy, Photos: 120}
			for _, change := range more {
				change(m, s)
			}
		}
	}
	inRole := func(r PhotoRole) func(*Measurement, *Subject) {
		return func(_ *Measurement, s *Subject) { s.Role = r }
	}
	for name, tt := range map[string]struct {
		change func(*Measurement, *Subject)
		result Result
		words  string
	}{
		"known":                    {known(3, 41), Pass, "The same doorstep as in the photo of 2026-10-02: 41 points agree"},
		"just known":               {known(1, 20), Pass, "The same doorstep as in the photo of 2026-10-02: 20 points agree"},
		"hardly alike":             {known(3, 19), Unknown, "unknown: not recognised among 3 earlier photos of this stop"},
		"not alike":                {known(1, 0), Unknown, "unknown: not recognised among 1 earlier photo of this stop"},
		"the first one":            {known(0, 0), Unknown, "unknown: no earlier accepted photo of this stop"},
		"not compared":             {func(*Measurement, *Subject) {}, Unknown, "unknown: not compared with earlier photos of this stop"},
		"alone":                    {func(_ *Measurement, s *Subject) { *s = Subject{Alone: true} }, Unknown, "unknown: no delivery given"},
		"a door":                   {door(.8, .93), Pass, "A door or another distinctive feature is in the photo; the model's measured accuracy is 93%"},
		"just a door":              {door(.5, .9), Pass, "A door or another distinctive feature is in the photo; the model's measured accuracy is 90%"},
		"a door, hardly measured":  {door(.99, .899), Unknown, "unknown: a door is likely; the model's measured accuracy is 89%"},
		"no door":                  {door(.49, .93), Warn, "No door or other distinctive feature was found; the model's measured accuracy is 93%"},
		"no door, hardly measured": {door(.1, .6), Warn, "No door or other distinctive feature was found; the model's measured accuracy is 60%"},
		"no door, but known":       {door(.1, .93, known(2, 30)), Pass, "The same doorstep as in the photo of 2026-10-02: 30 points agree"},
		"no door, not known":       {door(.1, .93, known(2, 3)), Warn, "No door or other distinctive feature was found; the model's measured accuracy is 93%"},
		"no door in a close-up":    {door(.1, .93, inRole(CloseUp)), Unknown, "unknown: not compared with earlier photos of this stop"},
		"no door in the context":   {door(.1, .93, inRole(Context)), Warn, "No door or other distinctive feature was found; the model's measured accuracy is 93%"},
		"a door, and no delivery": {func(m *Measurement, s *Subject) {
			door(.8, .93)(m, s)
			*s = Subject{Alone: true}
		}, Pass, "A door or another distinctive feature is in the photo; the model's measured accuracy is 93%"},
		"no models": {func(m *Measurement, _ *Subject) { m.Vision = nil }, Unknown, "unknown: " + noModels},
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
			if want := map[Result]Verdict{Warn: Review}[f.Result]; want != "" && r.Verdict != want {
				t.Errorf("the verdict is %s, want %s", r.Verdict, want)
			}
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
