package exif

import (
	"encoding/json"
	"math"
	"runtime"
	"testing"
	"unicode"
	"unicode/utf8"
)

// check fails the test where m breaks a promise of Metadata.
func check(t *testing.T, m Metadata) {
	t.Helper()
	for _, s := range []string{m.Make, m.Model, m.Software, m.TakenAt} {
		if !utf8.ValidString(s) || len(s) > maxString {
			t.Errorf("text %q", s)
		}
		for _, r := range s {
			if unicode.IsControl(r) {
				t.Errorf("text %q holds control character %U", s, r)
			}
		}
	}
	if (m.Latitude == nil) != (m.Longitude == nil) {
		t.Errorf("half a position: %v, %v", m.Latitude, m.Longitude)
	}
	if m.Latitude != nil && !(math.Abs(*m.Latitude) <= 90 && math.Abs(*m.Longitude) <= 180) {
		t.Errorf("position %v, %v", *m.Latitude, *m.Longitude)
	}
	if m.Orientation < 0 || m.Orientation > 8 || m.Upright() < 1 || m.Upright() > 8 {
		t.Errorf("orientation %d, upright %d", m.Orientation, m.Upright())
	}
	// encoding/json refuses NaN, Inf and years past 9999.
	if _, err := json.Marshal(m); err != nil {
		t.Errorf("as JSON: %v", err)
	}
	if _, ok := m.TakenTime(nil); ok && m.TakenAt == "" {
		t.Error("a time out of nothing")
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
