package audit

import (
	"context"
	"errors"
	"testing"

	"porchlight/audit/vision"
)

// TestJudgeContent holds what was seen against the checklist.
func TestJudgeContent(t *testing.T) {
	box := vision.Box{.3, .3, .6, .6}
	text := func(s string, score float64) func(*Measurement, *Subject) {
		return func(m *Measurement, _ *Subject) { m.Vision.Texts = []vision.Text{{Text: s, Score: score, Box: box}} }
	}
	thing := func(l vision.Label, score float64, b vision.Box) func(*Measurement, *Subject) {
		return func(m *Measurement, _ *Subject) {
			m.Vision.Boxes = append(m.Vision.Boxes, vision.Detection{Label: l, Score: score, Box: b})
		}
	}
	mailroom := func(s string) func(*Measurement, *Subject) {
		return func(m *Measurement, sub *Subject) {
			sub.Delivery.Instruction = ToMailroom
			text(s, .9)(m, sub)
		}
	}
	for _, tt := range []struct {
		name, check string
		change      func(*Measurement, *Subject)
		result      Result
		reason      string
		boxed       bool
	}{
		{"the number", "house_number", text("4702", .9), Pass, "", true},
		{"another number", "house_number", text("5811", .95), Fail, "other", true},
		{"no number", "house_number", text("WELCOME", .95), Warn, "other", false},
		{"no address", "house_number", func(_ *Measurement, s *Subject) { s.Delivery.Address = "" }, Unknown, "the stop has no address", false},
		{"an address without a number", "house_number", func(_ *Measurement, s *Subject) { s.Delivery.Address = "The Old Mill" }, Unknown, "the address has no number", false},
		{"a close-up", "house_number", func(_ *Measurement, s *Subject) { s.Role = CloseUp }, Unknown, "not asked of a photo in this role", false},
		{"no worker", "house_number", func(m *Measurement, _ *Subject) { m.Vision, m.VisionProblem = nil, noAnswer }, Unknown, noAnswer, false},
		{"no worker", "package", func(m *Measurement, _ *Subject) { m.Vision, m.VisionProblem = nil, noAnswer }, Unknown, noAnswer, false},
		{"no worker", "person", func(m *Measurement, _ *Subject) { m.Vision, m.VisionProblem = nil, noAnswer }, Unknown, noAnswer, false},
		{"a package", "package", thing(vision.Package, .35, box), Pass, "", true},
		{"perhaps a package", "package", thing(vision.Package, .34, box), Warn, "no_package_detected", true},
		{"hardly a package", "package", thing(vision.Package, .19, box), Fail, "no_package_detected", false},
		{"no package", "package", thing(vision.Person, .9, box), Fail, "no_package_detected", false},
		{"a person", "person", thing(vision.Person, .35, box), Warn, "human_in_the_picture", true},
		{"hardly a person", "person", thing(vision.Person, .34, box), Pass, "", false},
		{"well framed", "framing", thing(vision.Package, .5, box), Pass, "", true},
		{"too close", "framing", thing(vision.Package, .5, vision.Box{.1, .1, .8, .8}), Warn, "package_too_close", true},
		{"cut off", "framing", thing(vision.Package, .5, vision.Box{0, .7, .3, 1}), Warn, "package_too_close", true},
		{"nothing to frame", "framing", func(*Measurement, *Subject) {}, Unknown, "no zoom or crop in the metadata, and no package was found", false},
		{"in a hand", "person", func(m *Measurement, s *Subject) {
			thing(vision.Package, .5, box)(m, s)
			thing(vision.Person, .5, vision.Box{.2, .2, .6, .9})(m, s)
		}, Warn, "package_in_hand", true},
		{"the mailroom's sign", "set", mailroom("PARCEL ROOM"), Pass, "", true},
		{"no sign", "set", mailroom("WELCOME"), Fail, "other", false},
	} {
		m, s := good(), subject(delivery())
		m.Vision = &vision.Reading{Models: []string{"m 1"}}
		tt.change(&m, &s)
		f, _ := Guide2026().Judge(m, s).Finding(tt.check)
		if f.Result != tt.result || f.Reason != tt.reason || (f.Box != nil) != tt.boxed {
			t.Errorf("%s, %s: %s (%s) box %v, want %s (%s)", tt.check, tt.name, f.Result, f.Reason, f.Box, tt.result, tt.reason)
		}
	}
}

func TestStale(t *testing.T) {
	plain, seen, absent := good(), good(), good()
	seen.Vision, seen.Version = &vision.Reading{}, seeingVersion([]string{"a"})
	absent.VisionProblem = noAnswer
	broken := Measurement{Version: MeasurementVersion}
	with := seeingVersion([]string{"a"})
	for name, tt := range map[string]struct {
		m       Measurement
		version string
		want    bool
	}{
		"as it was": {plain, MeasurementVersion, false}, "models since": {plain, with, true}, "the same models": {seen, with, false},
		"other models": {seen, seeingVersion([]string{"b"}), true}, "no models now": {seen, MeasurementVersion, false},
		"the worker was away": {absent, with, true}, "broken": {broken, with, false},
	} {
		if got := stale(tt.m, tt.version); got != tt.want {
			t.Errorf("%s: stale %t", name, got)
		}
	}
}

// blind is a vision that fails.
type blind struct{}

func (blind) Read(context.Context, []byte) (vision.Reading, error) {
	return vision.Reading{}, Errorf(CodeUnavailable, "away", errors.New("refused"))
}
func (blind) Models(context.Context) ([]string, error) { return nil, Errorf(CodeUnavailable, "away") }

func TestVisionFailsNoPhoto(t *testing.T) {
	photo := []byte("\xff\xd8\xff\xe0 no more")
	m, err := Measure(photo)
	m = See(t.Context(), blind{}, m, photo)
	if err != nil || m.Vision != nil || m.VisionProblem != "" || m.Problem == nil {
		t.Errorf("a photo that does not decode: %+v, %v", m, err)
	}
}
