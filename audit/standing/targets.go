package standing

import (
	"bytes"
	_ "embed"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"porchlight/audit"
)

// MaxTargetsBytes bounds a file of targets.
const MaxTargetsBytes = 64 << 10

//go:embed targets-2026.yaml
var targets2026 []byte

// Targets2026 are the built-in targets.
func Targets2026() *Targets {
	t, err := ParseTargets(targets2026)
	if err != nil {
		panic("standing: the built-in targets are invalid: " + err.Error())
	}
	return t
}

// Targets are what a driver's figures are held against. They are data, with a version.
type Targets struct {
	Version string `yaml:"version"`
	Label   string `yaml:"label"` // whose targets they are, shown with every standing
	Window  struct {
		Packages int `yaml:"packages"`
		Days     int `yaml:"days"`
	} `yaml:"window"`
	AtLeast struct {
		Packages int `yaml:"packages"`
		Ratings  int `yaml:"ratings"`
		Blocks   int `yaml:"blocks"`
	} `yaml:"at_least"`
	Blocks struct {
		Last          int     `yaml:"last"`
		OnTimeMinutes float64 `yaml:"on_time_minutes"`
		CancelMinutes float64 `yaml:"cancel_minutes"`
	} `yaml:"blocks"`
	LagDays    int               `yaml:"lag_days"`
	AppealDays int               `yaml:"appeal_days"`
	Figures    map[string]Limits `yaml:"figures"`
	Warnings   struct {
		Dropped struct {
			Days int `yaml:"days"`
		} `yaml:"dropped"`
		Repeated struct {
			Days  int `yaml:"days"`
			Times int `yaml:"times"`
		} `yaml:"repeated"`
		Rising struct {
			Days    int `yaml:"days"`
			AtLeast int `yaml:"at_least"`
		} `yaml:"rising"`
	} `yaml:"warnings"`
}

// Limits are what each level of a figure needs: at least that much, of [NotReceived] at
// most.
type Limits struct {
	Fantastic float64 `yaml:"fantastic" json:"fantastic"`
	Great     float64 `yaml:"great" json:"great"`
	Fair      float64 `yaml:"fair" json:"fair"`
	Source    string  `yaml:"source" json:"source"` // guide or operator
}

// The figures, as targets name them.
const (
	AttemptedRate  = "attempted"
	DeliveredRate  = "delivered"
	OnTimeRate     = "on_time"
	NotReceived    = "not_received"
	PerMillion     = "not_received_per_million" // held against the limits of NotReceived
	FeedbackRating = "feedback"
	Reliability    = "reliability"
)

var limited = []string{AttemptedRate, DeliveredRate, OnTimeRate, NotReceived, FeedbackRating, Reliability}

// Since is the start of the window by days, as of then.
func (t *Targets) Since(at time.Time) time.Time { return at.AddDate(0, 0, -t.Window.Days) }

// BlocksUntil is when a block must have begun to count: by then its driver has come or
// not.
func (t *Targets) BlocksUntil(at time.Time) time.Time {
	return at.Add(-minutes(t.Blocks.OnTimeMinutes))
}

func minutes(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }

// ParseTargets reads targets in YAML and checks them whole. The error is an
// [audit.Error] with [audit.CodeInvalid] whose message has a line for every fault.
func ParseTargets(b []byte) (*Targets, error) {
	if len(b) > MaxTargetsBytes {
		return nil, audit.Errorf(audit.CodeInvalid, "The targets are larger than %d bytes", MaxTargetsBytes)
	}
	var t Targets
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&t); err != nil {
		return nil, audit.Errorf(audit.CodeInvalid, "The targets cannot be read: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, audit.Errorf(audit.CodeInvalid, "The targets hold more than one YAML document")
	}
	if faults := t.faults(); len(faults) > 0 {
		return nil, audit.Errorf(audit.CodeInvalid, "%s", strings.Join(faults, "\n"))
	}
	return &t, nil
}

func (t *Targets) faults() []string {
	var out []string
	fault := func(format string, args ...any) {
		out = append(out, audit.Errorf(audit.CodeInvalid, format, args...).Message)
	}
	if err := audit.ValidateID("version", t.Version); err != nil {
		fault("%s", audit.ErrorMessage(err))
	}
	if t.Label == "" {
		fault("label is missing: it says whose targets these are")
	}
	for name, n := range map[string][3]int{
		"window.packages": {t.Window.Packages, 1, 10_000}, "window.days": {t.Window.Days, 1, 366},
		"at_least.packages": {t.AtLeast.Packages, 1, 10_000}, "at_least.ratings": {t.AtLeast.Ratings, 1, 10_000}, "at_least.blocks": {t.AtLeast.Blocks, 1, 1000},
		"blocks.last": {t.Blocks.Last, 1, 1000}, "lag_days": {t.LagDays, 0, 31}, "appeal_days": {t.AppealDays, 1, 366},
		"warnings.dropped.days": {t.Warnings.Dropped.Days, 1, 366}, "warnings.repeated.days": {t.Warnings.Repeated.Days, 1, 366},
		"warnings.repeated.times": {t.Warnings.Repeated.Times, 2, 1000}, "warnings.rising.days": {t.Warnings.Rising.Days, 1, 180},
		"warnings.rising.at_least": {t.Warnings.Rising.AtLeast, 1, 1000},
	} {
		if n[0] < n[1] || n[0] > n[2] {
			fault("%s is %d, not within %d..%d", name, n[0], n[1], n[2])
		}
	}
	for name, n := range map[string]float64{"blocks.on_time_minutes": t.Blocks.OnTimeMinutes, "blocks.cancel_minutes": t.Blocks.CancelMinutes} {
		if !(n >= 0 && n <= 1440) {
			fault("%s is %g, not within 0..1440", name, n)
		}
	}
	for _, name := range limited {
		l, ok := t.Figures[name]
		rising := l.Fantastic >= l.Great && l.Great >= l.Fair && l.Fair >= 0
		if name == NotReceived {
			rising = l.Fantastic >= 0 && l.Fantastic <= l.Great && l.Great <= l.Fair
		}
		switch {
		case !ok:
			fault("figures.%s is missing", name)
		case !rising:
			fault("figures.%s: fantastic, great and fair are not in order", name)
		case l.Source != "guide" && l.Source != "operator":
			fault("figures.%s.source is %q, not guide or operator", name, l.Source)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Figures)) {
		if !slices.Contains(limited, name) {
			fault("figures.%s is no figure", name)
		}
	}
	slices.Sort(out)
	return out
}
