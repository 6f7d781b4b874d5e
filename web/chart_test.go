package web

import (
	"strings"
	"testing"
)

func TestLimitsShareALabel(t *testing.T) {
	c := Histogram("h", "Location", "m", []float64{3, 12, 2210}, []Line{{150, "warn"}, {50, "pass"}})
	ticks := c.Limits()
	if len(ticks) != 2 || ticks[0].Label != "pass, warn" || ticks[1].Label != "" || ticks[1].X <= ticks[0].X {
		t.Errorf("limits near each other: %+v", ticks)
	}
	c = Histogram("h", "Location", "m", []float64{3, 12}, []Line{{150, "warn"}, {50, "pass"}})
	if ticks := c.Limits(); ticks[0].Label != "pass" || ticks[1].Label != "warn" {
		t.Errorf("limits apart: %+v", ticks)
	}
	if !strings.HasPrefix(c.Says, "2 photos, from 3 to 12 m") || c.Columns[0].Label != "0" {
		t.Errorf("%q, from %s", c.Says, c.Columns[0].Label)
	}
}
