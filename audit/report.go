package audit

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"porchlight/audit/vision"
)

// Result is the outcome of one check. Unknown is never a pass.
type Result string

const (
	Pass    Result = "pass"
	Warn    Result = "warn"
	Fail    Result = "fail"
	Unknown Result = "unknown"
)

// Verdict is a report's answer: would this photo prove the delivery?
type Verdict string

const (
	Accept Verdict = "accept" // yes
	Review Verdict = "review" // a person should look
	Retake Verdict = "retake" // no: take another, now
)

// Reason is one of the nine reasons of Amazon's weekly proof-of-delivery report, so
// that an operator can hold our counts against it.
type Reason string

const (
	BlurryPhoto              Reason = "blurry_photo"
	HumanInThePicture        Reason = "human_in_the_picture"
	NoPackageDetected        Reason = "no_package_detected"
	PackageInCar             Reason = "package_in_car"
	PackageInHand            Reason = "package_in_hand"
	PackageNotClearlyVisible Reason = "package_not_clearly_visible"
	PackageTooClose          Reason = "package_too_close"
	PhotoTooDark             Reason = "photo_too_dark"
	Other                    Reason = "other"
)

// Reasons are the nine, in the report's order.
var Reasons = []Reason{BlurryPhoto, HumanInThePicture, NoPackageDetected, PackageInCar, PackageInHand,
	PackageNotClearlyVisible, PackageTooClose, PhotoTooDark, Other}

// Finding is one check's result on one photo.
type Finding struct {
	Check  string `json:"check"`
	Result Result `json:"result"`
	Value  any    `json:"value,omitempty"` // what was measured: a number in the check's unit, or a text
	Limit  any    `json:"limit,omitempty"` // the limit it was held against, in the same unit
	Unit   string `json:"unit,omitempty"`  // of value and limit, where they have one
	// Reason is one of [Reasons] where the result is warn or fail; where it is unknown,
	// the words that say why; absent on a pass.
	Reason string `json:"reason,omitempty"`
	Advice string `json:"advice,omitempty"` // what the driver can do, in words for the door
	Detail string `json:"detail,omitempty"` // what was found, in a sentence
	Source string `json:"source,omitempty"` // where the value comes from, where there are several: exif, phone, vision, ...
	// Box is where in the photo the finding was read, and Score how sure the model was of
	// it, 0..1.
	Box   *vision.Box `json:"box,omitempty"`
	Score float64     `json:"score,omitempty"`
	// Experimental marks a finding that is told for people to judge its worth.
	Experimental bool `json:"experimental,omitempty"`
}

// By is the finding's source without what it says of the stop's position after a
// semicolon, which is about, as in "phone; stop geocoded, precise to 20 m".
func (f Finding) By() (source, about string) {
	source, about, _ = strings.Cut(f.Source, "; ")
	return source, about
}

// Report is a checklist's judgement of a measurement. Reports are appended, never
// changed.
type Report struct {
	ReportID   string    `json:"report_id,omitempty"`
	UploadID   string    `json:"upload_id,omitempty"`
	TrackingID string    `json:"tracking_id,omitempty"`
	PhotoID    string    `json:"sha256"`
	Checklist  string    `json:"checklist"` // its version
	Verdict    Verdict   `json:"verdict"`
	Score      int       `json:"score"` // 0..100
	Findings   []Finding `json:"findings"`
	JudgedAt   time.Time `json:"judged_at,omitzero"`
	RunID      string    `json:"run_id,omitempty"` // the re-audit that appended it
	// MeasurementVersion is the version of the measurement that was judged.
	MeasurementVersion string `json:"measurement_version"`
	// Measurement is what was judged; it is left out in lists of reports.
	Measurement *Measurement `json:"measurement,omitempty"`
}

// Finding is the report's finding of a check, and whether there is one.
func (r Report) Finding(check string) (Finding, bool) {
	for _, f := range r.Findings {
		if f.Check == check {
			return f, true
		}
	}
	return Finding{}, false
}

// Leading is the finding that the driver should hear of: the first in the checklist's
// order that asks for the report's verdict, else the first warning.
func (c *Checklist) Leading(r Report) (Finding, bool) {
	for _, rule := range c.Checks.rules() {
		if f, ok := r.Finding(rule.name); ok && r.Verdict != Accept && rule.verdict(f.Result) == r.Verdict {
			return f, true
		}
	}
	for _, f := range r.Findings {
		if f.Result == Warn || f.Result == Fail {
			return f, true
		}
	}
	return Finding{}, false
}

// Words says the finding in a line: its detail, or the value beside the limit.
func (f Finding) Words() string {
	switch {
	case f.Detail != "":
		return f.Detail
	case f.Result == Unknown:
		return "unknown: " + f.Reason
	case f.Value == nil:
		return string(f.Result)
	}
	s := fmt.Sprintf("%s %s", f.Check, number(f.Value))
	if f.Limit != nil {
		s += fmt.Sprintf(" (%s %s)", f.Against(), number(f.Limit))
	}
	if f.Unit != "" {
		s += " " + f.Unit
	}
	return s
}

// Against is what a value's limit is called: a text, such as the stop's house number, is
// expected.
func (f Finding) Against() string {
	if _, ok := f.Limit.(string); ok {
		return "expected"
	}
	return "limit"
}

// number writes a value for people: at most two decimals.
func number(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(roundTo(f, 2), 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
