package dispute

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"

	"porchlight/audit"
)

// MaxRulesBytes bounds a file of rules.
const MaxRulesBytes = 64 << 10

//go:embed rules-2026.yaml
var rules2026 []byte

// Rules2026 are the built-in rules.
func Rules2026() *Rules {
	r, err := ParseRules(rules2026)
	if err != nil {
		panic("dispute: the built-in rules are invalid: " + err.Error())
	}
	return r
}

// Rules say what a recommendation is made of: what each piece of evidence weighs, and
// the limits that it is held against. They are data, with a version.
type Rules struct {
	Version        string                     `yaml:"version"`
	DisputeFrom    int                        `yaml:"dispute_from"`    // sum of weights
	ReviewFrom     int                        `yaml:"review_from"`     // sum of weights
	ScanWithinM    float64                    `yaml:"scan_within_m"`   // metres from the stop
	ClaimLateDays  float64                    `yaml:"claim_late_days"` // days after the delivery
	SimultaneousS  float64                    `yaml:"simultaneous_s"`  // seconds between scans at different stops
	StopClaims     int                        `yaml:"stop_claims"`     // other claims at the stop that count
	DriverPackages int                        `yaml:"driver_packages"` // that a driver's record needs to count
	DriverShare    float64                    `yaml:"driver_share"`    // of packages claimed, 0..1
	ContactPauseS  float64                    `yaml:"contact_pause_s"` // seconds from the text to the call
	ContactAllS    float64                    `yaml:"contact_all_s"`   // seconds of contact attempts in all
	Proofs         map[audit.Proof]ProofKinds `yaml:"proofs"`
	AcceptedWords  []string                   `yaml:"accepted_words"` // lower case
	RefusedWords   []string                   `yaml:"refused_words"`  // lower case
	Reasons        map[string]Rule            `yaml:"reasons"`
	Weaknesses     map[string]Rule            `yaml:"weaknesses"`
}

// ProofKinds are the kinds of [Event] that tell of a proof in person.
type ProofKinds struct {
	Attempts []string `yaml:"attempts"` // count where the detail says that it went well
	Done     []string `yaml:"done"`     // count unless the detail says that it did not
}

// Rule is what one kind of evidence does to a recommendation.
type Rule struct {
	Weight  int    `yaml:"weight"` // 0..100
	AtMost  Answer `yaml:"at_most,omitempty"`
	AtLeast Answer `yaml:"at_least,omitempty"`
}

// Answer is what to do about a claim.
type Answer string

const (
	DisputeClaim Answer = "dispute" // contest it: the evidence holds up
	ReviewClaim  Answer = "review"  // a person should weigh it
	AcceptClaim  Answer = "accept"  // refund it: the evidence would not hold up
)

// rank orders answers; 0 is no answer.
func (a Answer) rank() int {
	return slices.Index([]Answer{AcceptClaim, ReviewClaim, DisputeClaim}, a) + 1
}

// attendedProofs are the proofs that somebody took the package in person.
var attendedProofs = []audit.Proof{audit.ProofOneTimePassword, audit.ProofSignature, audit.ProofIDCheck}

// reasonRules and weaknessRules are the kinds of evidence that the code knows; a file
// of rules weighs every one of them.
var (
	reasonRules = []string{"delivery.delivered", "scan.near", "photo.accept", "location.exif", "location.phone", "location.geocoded",
		"house_number.match", "time.agrees", "proof.one_time_password", "proof.signature", "proof.id_check", "claim.late",
		"track.near", "contact.kept", "stop.claims", "driver.reliable"}
	weaknessRules = []string{"delivery.unknown", "delivery.not_delivered", "delivery.outcome_unknown", "scan.far",
		"scan.unknown", "scan.before_arrival", "scan.simultaneous", "track.far", "contact.short", "driver.claims", "photo.none", "photo.not_owed", "photo.retake", "photo.superseded",
		"photo.review", "photo.reused", "photo.incomplete", "original.missing", "original.corrupted", "original.deleted", "location.doubtful",
		"location.far", "location.unknown", "house_number.differs", "house_number.unknown", "time.doubtful", "time.apart",
		"time.unknown", "proof.missing", "proof.failed", "claim.early", "claim.time_unknown"}
)

// ParseRules reads rules in YAML and checks them whole. The error is an [audit.Error]
// with [audit.CodeInvalid] whose message has a line for every fault.
func ParseRules(b []byte) (*Rules, error) {
	if len(b) > MaxRulesBytes {
		return nil, audit.Errorf(audit.CodeInvalid, "The rules are larger than %d bytes", MaxRulesBytes)
	}
	var r Rules
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&r); err != nil {
		return nil, audit.Errorf(audit.CodeInvalid, "The rules cannot be read: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, audit.Errorf(audit.CodeInvalid, "The rules hold more than one YAML document")
	}
	if faults := r.faults(); len(faults) > 0 {
		return nil, audit.Errorf(audit.CodeInvalid, "%s", strings.Join(faults, "\n"))
	}
	return &r, nil
}

func (r *Rules) faults() []string {
	var out []string
	fault := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if err := audit.ValidateID("version", r.Version); err != nil {
		fault("%s", audit.ErrorMessage(err))
	}
	if r.DisputeFrom <= r.ReviewFrom {
		fault("dispute_from is %d, not above review_from", r.DisputeFrom)
	}
	if !(r.ScanWithinM >= 1 && r.ScanWithinM <= 5000) {
		fault("scan_within_m is %g, not within 1..5000", r.ScanWithinM)
	}
	if !(r.ClaimLateDays >= 1 && r.ClaimLateDays <= 3650) {
		fault("claim_late_days is %g, not within 1..3650", r.ClaimLateDays)
	}
	if !(r.SimultaneousS >= 0 && r.SimultaneousS <= NearScanWithin.Seconds()) {
		fault("simultaneous_s is %g, not within 0..%g", r.SimultaneousS, NearScanWithin.Seconds())
	}
	if r.StopClaims < 1 || r.DriverPackages < 1 || !(r.DriverShare > 0 && r.DriverShare <= 1) {
		fault("stop_claims and driver_packages are at least 1, driver_share is within 0..1")
	}
	for name, v := range map[string]float64{"contact_pause_s": r.ContactPauseS, "contact_all_s": r.ContactAllS} {
		if !(v >= 0 && v <= 3600) {
			fault("%s is %g, not within 0..3600", name, v)
		}
	}
	for _, p := range attendedProofs {
		if len(r.Proofs[p].Attempts)+len(r.Proofs[p].Done) == 0 {
			fault("proofs.%s is missing", p)
		}
	}
	if len(r.Proofs) > len(attendedProofs) {
		fault("proofs names a proof that is none of %v", attendedProofs)
	}
	for _, words := range [][]string{r.AcceptedWords, r.RefusedWords} {
		if len(words) == 0 {
			fault("accepted_words and refused_words both need a word")
		}
		for _, w := range words {
			if got := wordsOf(w); len(got) != 1 || got[0] != w {
				fault("%q is not one lower-case word", w)
			}
		}
	}
	r.check("reasons", r.Reasons, reasonRules, fault)
	r.check("weaknesses", r.Weaknesses, weaknessRules, fault)
	return out
}

func (r *Rules) check(part string, have map[string]Rule, known []string, fault func(string, ...any)) {
	for _, name := range known {
		if _, ok := have[name]; !ok {
			fault("%s.%s is missing", part, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		rule := have[name]
		if !slices.Contains(known, name) {
			fault("%s.%s is no kind of evidence", part, name)
		}
		if rule.Weight < 0 || rule.Weight > 100 {
			fault("%s.%s.weight is %d, not within 0..100", part, name, rule.Weight)
		}
		for _, a := range []Answer{rule.AtMost, rule.AtLeast} {
			if a != "" && a.rank() == 0 {
				fault("%s.%s is bounded by %q, not one of accept, review, dispute", part, name, a)
			}
		}
	}
}

func (r *Rules) contactPause() time.Duration {
	return time.Duration(r.ContactPauseS * float64(time.Second))
}

func (r *Rules) contactInAll() time.Duration {
	return time.Duration(r.ContactAllS * float64(time.Second))
}

// ContactTimes are how long a driver waits between texting a customer and calling, and how
// long the attempts go on in all.
func (r *Rules) ContactTimes() (pause, inAll time.Duration) {
	return r.contactPause(), r.contactInAll()
}

// wordsOf are a text's words in lower case, without punctuation and digits.
func wordsOf(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) })
}

// outcome is what an event tells of a proof in person.
type outcome int

const (
	unrelated outcome = iota
	unstated          // an attempt whose end is not on record
	failed
	succeeded
)

// proofOutcome tells what an event says about a proof.
func (r *Rules) proofOutcome(p audit.Proof, e Event) outcome {
	kinds := r.Proofs[p]
	done := slices.Contains(kinds.Done, e.Kind)
	if !done && !slices.Contains(kinds.Attempts, e.Kind) {
		return unrelated
	}
	words := wordsOf(e.Detail)
	switch {
	case slices.ContainsFunc(words, func(w string) bool { return slices.Contains(r.RefusedWords, w) }):
		return failed
	case done || len(words) > 0 && slices.Contains(r.AcceptedWords, words[0]):
		return succeeded
	}
	return unstated
}
