package audit

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// MaxChecklistBytes bounds a checklist file.
const MaxChecklistBytes = 256 << 10

//go:embed guide-2026.yaml
var guide2026 string

// Guide2026 is the built-in checklist, fitted on real photos.
func Guide2026() *Checklist {
	c, err := ParseChecklist([]byte(guide2026))
	if err != nil {
		panic("audit: the built-in checklist is invalid: " + err.Error())
	}
	return c
}

// Checklist is the limits, weights and rules that measurements are judged by, as data.
type Checklist struct {
	Version string `yaml:"version"`
	Checks  Checks `yaml:"checks"`

	text string
}

// Text is the YAML that the checklist was parsed from.
func (c *Checklist) Text() string { return c.text }

// Digest is the SHA-256 of the checklist's text, hex.
func (c *Checklist) Digest() string {
	sum := sha256.Sum256([]byte(c.text))
	return hex.EncodeToString(sum[:])
}

// Rule is what every check has: what a finding makes of the photo, what it costs, and
// what the operator and the driver are told.
type Rule struct {
	OnFail      Verdict `yaml:"on_fail"`
	OnWarn      Verdict `yaml:"on_warn"`
	Weight      int     `yaml:"weight"`      // points off the score for a fail
	WarnWeight  int     `yaml:"warn_weight"` // points off the score for a warning
	Reason      Reason  `yaml:"reason"`
	Advice      string  `yaml:"advice"`
	NightAdvice string  `yaml:"night_advice,omitempty"`
}

// Checks are the checks of a checklist, each with its rule and its limits. The units
// are in guide-2026.yaml.
type Checks struct {
	Readable struct {
		Rule        `yaml:",inline"`
		WarnBelowPx float64 `yaml:"warn_below_px"`
	} `yaml:"readable"`
	Brightness struct {
		Rule      `yaml:",inline"`
		FailBelow float64 `yaml:"fail_below"`
		WarnBelow float64 `yaml:"warn_below"`
	} `yaml:"brightness"`
	Exposure struct {
		Rule      `yaml:",inline"`
		FailAbove float64 `yaml:"fail_above"`
		WarnAbove float64 `yaml:"warn_above"`
	} `yaml:"exposure"`
	Blur struct {
		Rule      `yaml:",inline"`
		FailAbove float64 `yaml:"fail_above"`
		WarnAbove float64 `yaml:"warn_above"`
	} `yaml:"blur"`
	Detail struct {
		Rule      `yaml:",inline"`
		FailBelow float64 `yaml:"fail_below"`
		WarnBelow float64 `yaml:"warn_below"`
	} `yaml:"detail"`
	Location struct {
		Rule         `yaml:",inline"`
		RadiusM      float64 `yaml:"radius_m"`
		ErrorFactor  float64 `yaml:"error_factor"`
		ErrorMarginM float64 `yaml:"error_margin_m"`
		WarnWithinM  float64 `yaml:"warn_within_m"`
		MaxErrorM    float64 `yaml:"max_error_m"`
		GeocodedMaxM float64 `yaml:"geocoded_max_m"`
	} `yaml:"location"`
	Time struct {
		Rule             `yaml:",inline"`
		FailAboveMinutes float64 `yaml:"fail_above_minutes"`
		WarnAboveMinutes float64 `yaml:"warn_above_minutes"`
	} `yaml:"time"`
	HouseNumber struct {
		Rule          `yaml:",inline"`
		MinScore      float64 `yaml:"min_score"`
		MismatchScore float64 `yaml:"mismatch_score"`
	} `yaml:"house_number"`
	Package struct {
		Rule         `yaml:",inline"`
		FoundScore   float64 `yaml:"found_score"`
		PerhapsScore float64 `yaml:"perhaps_score"`
	} `yaml:"package"`
	Framing struct {
		Rule           `yaml:",inline"`
		MaxDigitalZoom float64 `yaml:"max_digital_zoom"`
		MinPixelShare  float64 `yaml:"min_pixel_share"`
		MaxPackageArea float64 `yaml:"max_package_area"`
		MaxBorders     float64 `yaml:"max_borders"`
		BorderMargin   float64 `yaml:"border_margin"`
	} `yaml:"framing"`
	Person struct {
		Rule          `yaml:",inline"`
		MinScore      float64 `yaml:"min_score"`
		InHandOverlap float64 `yaml:"in_hand_overlap"`
	} `yaml:"person"`
	Lens struct {
		Rule          `yaml:",inline"`
		WarnFromShare float64 `yaml:"warn_from_share"`
	} `yaml:"lens"`
	Landmark struct {
		Rule        `yaml:",inline"`
		MinAgreeing float64 `yaml:"min_agreeing"`
		MinAccuracy float64 `yaml:"min_accuracy"`
	} `yaml:"landmark"`
	Original struct {
		Rule            `yaml:",inline"`
		MaxFlatShare    float64  `yaml:"max_flat_share"`
		MaxMoire        float64  `yaml:"max_moire"`
		EditingSoftware []string `yaml:"editing_software"`
	} `yaml:"original"`
	Reuse struct {
		Rule             `yaml:",inline"`
		FailWithinBits   float64 `yaml:"fail_within_bits"`
		ReviewWithinBits float64 `yaml:"review_within_bits"`
		ReviewDays       float64 `yaml:"review_days"`
		MinQuality       float64 `yaml:"min_quality"`
		VisitHours       float64 `yaml:"visit_hours"`
	} `yaml:"reuse"`
	Set struct {
		Rule  `yaml:",inline"`
		Roles map[Instruction][]PhotoRole `yaml:"roles"`
		Signs map[Instruction][]string    `yaml:"signs"`
	} `yaml:"set"`
}

// namedRule is a check's name with its rule.
type namedRule struct {
	name string
	*Rule
}

// rules lists the checks in the order in which findings are reported.
func (c *Checks) rules() []namedRule {
	return []namedRule{
		{"readable", &c.Readable.Rule}, {"brightness", &c.Brightness.Rule}, {"exposure", &c.Exposure.Rule},
		{"blur", &c.Blur.Rule}, {"detail", &c.Detail.Rule}, {"location", &c.Location.Rule}, {"time", &c.Time.Rule},
		{"house_number", &c.HouseNumber.Rule}, {"package", &c.Package.Rule}, {"framing", &c.Framing.Rule},
		{"person", &c.Person.Rule}, {"lens", &c.Lens.Rule}, {"landmark", &c.Landmark.Rule},
		{"original", &c.Original.Rule}, {"reuse", &c.Reuse.Rule}, {"set", &c.Set.Rule},
	}
}

// limit is a number of the checklist with the range in which it makes sense.
type limit struct {
	check, key string
	value      float64
	low, high  float64
}

func (c *Checks) limits() []limit {
	return []limit{
		{"readable", "warn_below_px", c.Readable.WarnBelowPx, 1, 20000},
		{"brightness", "fail_below", c.Brightness.FailBelow, 0, 255},
		{"brightness", "warn_below", c.Brightness.WarnBelow, c.Brightness.FailBelow, 255},
		{"exposure", "fail_above", c.Exposure.FailAbove, 0, 1},
		{"exposure", "warn_above", c.Exposure.WarnAbove, 0, c.Exposure.FailAbove},
		{"blur", "fail_above", c.Blur.FailAbove, -50, 50},
		{"blur", "warn_above", c.Blur.WarnAbove, -50, c.Blur.FailAbove},
		{"detail", "fail_below", c.Detail.FailBelow, 0, 8},
		{"detail", "warn_below", c.Detail.WarnBelow, c.Detail.FailBelow, 8},
		{"location", "radius_m", c.Location.RadiusM, 1, 5000},
		{"location", "error_factor", c.Location.ErrorFactor, 0, 10},
		{"location", "error_margin_m", c.Location.ErrorMarginM, 0, 1000},
		{"location", "warn_within_m", c.Location.WarnWithinM, c.Location.RadiusM, 50000},
		{"location", "max_error_m", c.Location.MaxErrorM, 1, 5000},
		{"location", "geocoded_max_m", c.Location.GeocodedMaxM, 0, 5000},
		{"time", "fail_above_minutes", c.Time.FailAboveMinutes, 0, 10080},
		{"time", "warn_above_minutes", c.Time.WarnAboveMinutes, 0, c.Time.FailAboveMinutes},
		{"house_number", "min_score", c.HouseNumber.MinScore, 0.01, 1},
		{"house_number", "mismatch_score", c.HouseNumber.MismatchScore, c.HouseNumber.MinScore, 1},
		{"package", "found_score", c.Package.FoundScore, 0.01, 1},
		{"package", "perhaps_score", c.Package.PerhapsScore, 0.01, c.Package.FoundScore},
		{"person", "min_score", c.Person.MinScore, 0.01, 1},
		{"person", "in_hand_overlap", c.Person.InHandOverlap, 0.01, 1},
		{"framing", "max_package_area", c.Framing.MaxPackageArea, 0.01, 1},
		{"framing", "max_borders", c.Framing.MaxBorders, 1, 4},
		{"framing", "border_margin", c.Framing.BorderMargin, 0, 0.2},
		{"framing", "max_digital_zoom", c.Framing.MaxDigitalZoom, 1, 100},
		{"framing", "min_pixel_share", c.Framing.MinPixelShare, 0, 1},
		{"lens", "warn_from_share", c.Lens.WarnFromShare, 0.01, 1},
		{"landmark", "min_agreeing", c.Landmark.MinAgreeing, 5, 220},
		{"landmark", "min_accuracy", c.Landmark.MinAccuracy, 0.5, 1},
		{"original", "max_flat_share", c.Original.MaxFlatShare, 0, 1},
		{"original", "max_moire", c.Original.MaxMoire, 0, 1000},
		{"reuse", "fail_within_bits", c.Reuse.FailWithinBits, 0, 64},
		{"reuse", "review_within_bits", c.Reuse.ReviewWithinBits, c.Reuse.FailWithinBits, 128},
		{"reuse", "review_days", c.Reuse.ReviewDays, 0, 3650},
		{"reuse", "min_quality", c.Reuse.MinQuality, 0, 100},
		{"reuse", "visit_hours", c.Reuse.VisitHours, 0, 48},
	}
}

// ReadChecklist reads a checklist of at most [MaxChecklistBytes].
func ReadChecklist(r io.Reader) (*Checklist, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxChecklistBytes+1))
	if err != nil {
		return nil, Errorf(CodeUnreadable, "The checklist cannot be read", err)
	}
	return ParseChecklist(b)
}

// ParseChecklist reads a checklist's YAML and checks it whole. The error is an [Error]
// with [CodeChecklist] whose message has a line "line N: ..." for every fault: a key
// that does not exist, a check or limit that is missing, a limit that is impossible.
func ParseChecklist(b []byte) (c *Checklist, err error) {
	// The YAML library panics on some files, such as one with a map for a map's key.
	defer func() {
		if v := recover(); v != nil {
			c, err = nil, Errorf(CodeChecklist, "The checklist is not YAML that can be read: %v", v)
		}
	}()
	if len(b) > MaxChecklistBytes {
		return nil, Errorf(CodeChecklist, "The checklist is larger than %d bytes", MaxChecklistBytes)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, Errorf(CodeChecklist, "The checklist is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, Errorf(CodeChecklist, "line 1: The checklist is empty")
	}
	c = &Checklist{text: string(b)}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil {
		var te *yaml.TypeError
		if errors.As(err, &te) {
			return nil, Errorf(CodeChecklist, "%s", strings.Join(plainTypeErrors(te.Errors), "\n"))
		}
		return nil, Errorf(CodeChecklist, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, Errorf(CodeChecklist, "The checklist holds more than one YAML document")
	}
	if faults := c.faults(doc.Content[0]); len(faults) > 0 {
		return nil, Errorf(CodeChecklist, "%s", strings.Join(faults, "\n"))
	}
	return c, nil
}

// faults checks the values; top is the node that they were decoded from.
func (c *Checklist) faults(top *yaml.Node) []string {
	var out []string
	fault := func(n *yaml.Node, format string, args ...any) {
		out = append(out, fmt.Sprintf("line %d: ", n.Line)+fmt.Sprintf(format, args...))
	}
	if err := ValidateID("version", c.Version); err != nil {
		fault(at(top, "version"), "%s", ErrorMessage(err))
	}
	checks := at(top, "checks")
	for _, r := range c.Checks.rules() {
		n := at(checks, r.name)
		if n == checks {
			fault(n, "the check %s is missing", r.name)
			continue
		}
		for key, v := range map[string]Verdict{"on_fail": r.OnFail, "on_warn": r.OnWarn} {
			if v != Accept && v != Review && v != Retake {
				fault(at(n, key), "%s.%s is %q, not one of accept, review, retake", r.name, key, v)
			}
		}
		for key, v := range map[string]int{"weight": r.Weight, "warn_weight": r.WarnWeight} {
			if v < 0 || v > 100 {
				fault(at(n, key), "%s.%s is %d, not within 0..100", r.name, key, v)
			}
		}
		if !slices.Contains(Reasons, r.Reason) {
			fault(at(n, "reason"), "%s.reason is %q, not one of %v", r.name, r.Reason, Reasons)
		}
		if strings.TrimSpace(r.Advice) == "" || len(r.Advice) > 200 {
			fault(at(n, "advice"), "%s.advice must be 1 to 200 bytes of text", r.name)
		}
	}
	for _, l := range c.Checks.limits() {
		n := at(checks, l.check)
		if n == checks {
			continue // already said
		}
		v := at(n, l.key)
		switch {
		case v == n:
			fault(n, "%s.%s is missing", l.check, l.key)
		case math.IsNaN(l.value) || l.value < l.low || l.value > l.high:
			fault(v, "%s.%s is %g, not within %g..%g", l.check, l.key, l.value, l.low, l.high)
		}
	}
	roles := at(at(checks, "set"), "roles")
	for instruction, needed := range c.Checks.Set.Roles {
		if !slices.Contains(Instructions, instruction) {
			fault(roles, "set.roles names the instruction %q, not one of %v", instruction, Instructions)
		}
		for _, r := range needed {
			if !slices.Contains(PhotoRoles, r) {
				fault(roles, "set.roles names the role %q, not one of %v", r, PhotoRoles)
			}
		}
	}
	signs := at(at(checks, "set"), "signs")
	for instruction, words := range c.Checks.Set.Signs {
		if instruction != ToMailroom && instruction != ToLocker {
			fault(signs, "set.signs names the instruction %q, not one of [%s %s]", instruction, ToMailroom, ToLocker)
		}
		for _, w := range words {
			if len(strings.TrimSpace(w)) < 2 {
				fault(signs, "set.signs.%s has the word %q, shorter than 2 letters", instruction, w)
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		var m, n int
		fmt.Sscanf(a, "line %d", &m)
		fmt.Sscanf(b, "line %d", &n)
		if m != n {
			return m - n
		}
		return strings.Compare(a, b)
	})
	return out
}

// at is the value under a key of a mapping, the mapping itself where it has no such key.
func at(n *yaml.Node, key string) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	}
	return n
}

// plainTypeErrors words yaml's errors for somebody who does not know our Go types.
func plainTypeErrors(errs []string) []string {
	out := make([]string, len(errs))
	for i, e := range errs {
		if j := strings.Index(e, " not found in type "); j >= 0 {
			e = strings.Replace(e[:j], "field ", "unknown key ", 1)
		}
		if j := strings.Index(e, " into "); j >= 0 {
			e = e[:j] + ": the wrong kind of value"
		}
		out[i] = e
	}
	return out
}
