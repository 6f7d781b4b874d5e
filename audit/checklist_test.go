package audit

import (
	"fmt"
	"strings"
	"testing"
)

func TestGuide2026IsTheGuide(t *testing.T) {
	c := Guide2026()
	if got, want := c.Version, "guide-2026"; got != want {
		t.Errorf("version %q, want %q", got, want)
	}
	if got, want := c.Checks.Brightness.FailBelow, 60.0; got != want {
		t.Errorf("brightness fails below %g, want %g", got, want)
	}
	gates := map[string]bool{"readable": true, "brightness": true, "blur": true, "location": true, "reuse": true}
	for _, r := range c.Checks.rules() {
		if got, want := r.OnFail == Retake, gates[r.name]; got != want {
			t.Errorf("%s: a failed check means retake is %v, want %v", r.name, got, want)
		}
	}
	again, err := ParseChecklist([]byte(c.Text()))
	if err != nil || again.Digest() != c.Digest() {
		t.Errorf("its own text gives %v, digest %s, want %s", err, again.Digest(), c.Digest())
	}
}

func TestParseChecklistNamesTheLine(t *testing.T) {
	line := func(text string) int {
		return 1 + strings.Count(guide2026[:strings.Index(guide2026, text)], "\n")
	}
	edit := func(old, new string) string {
		if !strings.Contains(guide2026, old) {
			t.Fatalf("the guide has no %q", old)
		}
		return strings.Replace(guide2026, old, new, 1)
	}
	for name, tt := range map[string]struct {
		text string
		line int
		says string
	}{
		"unknown key":        {edit("fail_below: 60", "fial_below: 60"), line("fail_below: 60"), "unknown key fial_below"},
		"unknown check":      {edit("  blur: #", "  blurr: #"), line("  blur: #"), "unknown key blurr"},
		"out of range":       {edit("fail_below: 60", "fail_below: 600"), line("fail_below: 60"), "brightness.fail_below is 600, not within 0..255"},
		"warn beyond fail":   {edit("warn_above: 0.25", "warn_above: 0.5"), line("warn_above: 0.25"), "exposure.warn_above is 0.5"},
		"not a number":       {edit("fail_below: 60", "fail_below: dark"), line("fail_below: 60"), "the wrong kind of value"},
		"nan":                {edit("fail_below: 60", "fail_below: .nan"), line("fail_below: 60"), "brightness.fail_below is NaN"},
		"missing limit":      {edit("    max_moire: 0.50      # strength of a screen's pattern\n", ""), 0, "original.max_moire is missing"},
		"no such verdict":    {edit("on_fail: retake", "on_fail: repeat"), line("on_fail: retake"), `readable.on_fail is "repeat"`},
		"no such reason":     {edit("reason: photo_too_dark", "reason: dark"), line("reason: photo_too_dark"), `brightness.reason is "dark"`},
		"weight":             {edit("weight: 100", "weight: 101"), line("weight: 100"), "readable.weight is 101"},
		"no version":         {edit("version: guide-2026", "version: ''"), line("version: guide-2026"), "version is missing"},
		"no such role":       {edit("[context, close_up]", "[context, closeup]"), line("[context, close_up]"), `the role "closeup"`},
		"no such place":      {edit("hidden: [", "under_the_mat: ["), line("hidden: ["), `the instruction "under_the_mat"`},
		"duplicate key":      {edit("fail_below: 60", "fail_below: 60\n    fail_below: 50"), line("fail_below: 60") + 1, "already"},
		"not yaml":           {"checks: [", 1, "not YAML"},
		"empty":              {"", 1, "empty"},
		"two documents":      {guide2026 + "\n---\nversion: b\n", 0, "more than one"},
		"a list":             {"- a\n- b\n", 1, "wrong kind"},
		"too large":          {strings.Repeat("#", MaxChecklistBytes+1), 0, "larger than"},
		"a check is missing": {"version: x\nchecks: {}\n", 2, "the check readable is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseChecklist([]byte(tt.text))
			if got, want := ErrorCode(err), CodeChecklist; got != want {
				t.Fatalf("code %q (%v), want %q", got, err, want)
			}
			message := ErrorMessage(err)
			if !strings.Contains(message, tt.says) {
				t.Errorf("message %q does not say %q", message, tt.says)
			}
			if tt.line > 0 && !strings.Contains(message, "line ") {
				t.Errorf("message %q names no line", message)
			}
			if want := fmt.Sprintf("line %d:", tt.line); tt.line > 1 && !strings.Contains(message, want) {
				t.Errorf("message %q does not name %s", message, want)
			}
		})
	}
}

func FuzzParseChecklist(f *testing.F) {
	f.Add([]byte(guide2026))
	f.Add([]byte("version: x\nchecks: {}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("a: &a {b: *a}\nchecks: *a\n"))
	f.Add([]byte("checks: {readable: {<<: {weight: 1}}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseChecklist(b)
		if (c == nil) == (err == nil) {
			t.Fatalf("checklist %v with error %v", c, err)
		}
		if err == nil {
			c.Judge(Measurement{}, Subject{})
		}
	})
}
