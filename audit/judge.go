package audit

import (
	"slices"
	"strings"
	"time"

	"porchlight/audit/geo"
)

// Subject is what a measurement is judged as: the photo of which delivery, in what
// role, beside what else. Its zero value is a photo about which nothing is known.
type Subject struct {
	Upload
	Known
	// Alone marks a photo that is judged without any delivery, as `porchlight audit FILE`
	// does: what needs one is then unknown.
	Alone bool
}

// judgement is one run of a checklist over one measurement.
type judgement struct {
	*Checklist
	m       Measurement
	s       Subject
	night   bool
	found   map[string]Result // of the checks so far
	verdict Verdict           // so far
}

// Judge holds a measurement against the checklist. It does no I/O, and gives the same
// report for the same arguments; ids and times are left to the caller.
func (c *Checklist) Judge(m Measurement, s Subject) Report {
	j := &judgement{Checklist: c, m: m, s: s, found: map[string]Result{}, verdict: Accept}
	if at, ok := s.Delivery.around(); ok {
		j.night = geo.IsNight(at, s.takenOrReceived())
	}
	r := Report{PhotoID: s.PhotoID, UploadID: s.UploadID, TrackingID: s.TrackingID, Checklist: c.Version,
		Score: 100, MeasurementVersion: m.Version}
	rules := c.Checks.rules()
	r.Findings = make([]Finding, 0, len(rules))
	for _, rule := range rules {
		f := j.check(rule.name)
		j.verdict = worse(j.verdict, j.settle(&f, rule.Rule))
		r.Score -= rule.cost(f.Result)
		r.Findings = append(r.Findings, f)
	}
	r.Verdict, r.Score = j.verdict, max(r.Score, 0)
	return r
}

// judges are the checks by name.
var judges = map[string]func(*judgement) Finding{
	"readable": (*judgement).readable, "brightness": (*judgement).brightness, "exposure": (*judgement).exposure,
	"blur": (*judgement).blur, "detail": (*judgement).detail, "location": (*judgement).location, "time": (*judgement).time,
	"house_number": (*judgement).houseNumber, "package": (*judgement).packageFound, "framing": (*judgement).framing,
	"person": (*judgement).person, "lens": (*judgement).lens, "landmark": (*judgement).landmark,
	"original": (*judgement).original, "reuse": (*judgement).reuse, "set": (*judgement).set,
}

// check runs one check.
func (j *judgement) check(name string) Finding {
	f := judges[name](j)
	f.Check = name
	j.found[name] = f.Result
	return f
}

// cost is what a result takes off the score.
func (r *Rule) cost(result Result) int {
	switch result {
	case Fail:
		return r.Weight
	case Warn:
		return r.WarnWeight
	}
	return 0
}

// verdict is what the rule makes of a photo with such a result.
func (r *Rule) verdict(result Result) Verdict {
	switch result {
	case Fail:
		return r.OnFail
	case Warn:
		return r.OnWarn
	}
	return Accept
}

// withFinding is a report with one finding replaced, its verdict and score anew.
func (c *Checklist) withFinding(r Report, f Finding) Report {
	r.Findings = slices.Clone(r.Findings)
	r.Verdict, r.Score = Accept, 100
	for i := range r.Findings {
		if r.Findings[i].Check == f.Check {
			r.Findings[i] = f
		}
	}
	for _, rule := range c.Checks.rules() {
		if g, ok := r.Finding(rule.name); ok {
			r.Verdict = worse(r.Verdict, rule.verdict(g.Result))
			r.Score -= rule.cost(g.Result)
		}
	}
	r.Score = max(r.Score, 0)
	return r
}

// judgeSet is the set finding of an upload that is usable by itself, beside others.
func (c *Checklist) judgeSet(u Upload, d Delivery, others []JudgedUpload) Finding {
	j := &judgement{Checklist: c, s: Subject{Upload: u, Known: Known{Delivery: d, Others: others}}, found: map[string]Result{}, verdict: Accept}
	f := j.check("set")
	j.settle(&f, &c.Checks.Set.Rule)
	return f
}

// settle fills in what the rule says about a finding, and tells the verdict it asks for.
func (j *judgement) settle(f *Finding, rule *Rule) Verdict {
	if f.Result != Fail && f.Result != Warn {
		return Accept
	}
	if f.Reason == "" {
		f.Reason = string(rule.Reason)
	}
	advice := rule.Advice
	if j.night && rule.NightAdvice != "" {
		advice = rule.NightAdvice
	}
	if f.Advice != "" { // a placeholder's value
		for _, placeholder := range []string{"{metres}", "{missing}"} {
			advice = strings.ReplaceAll(advice, placeholder, f.Advice)
		}
	}
	f.Advice = advice
	return rule.verdict(f.Result)
}

// worse is the more serious of two verdicts.
func worse(a, b Verdict) Verdict {
	if b == Retake || b == Review && a == Accept {
		return b
	}
	return a
}

func unknown(why string) Finding { return Finding{Result: Unknown, Reason: why} }

// above grades a value of which less is better.
func above(value, fail, warn float64) Finding {
	f := Finding{Result: Pass, Value: value, Limit: warn}
	switch {
	case value > fail:
		f.Result, f.Limit = Fail, fail
	case value > warn:
		f.Result = Warn
	}
	return f
}

// below grades a value of which more is better.
func below(value, fail, warn float64) Finding {
	f := Finding{Result: Pass, Value: value, Limit: warn}
	switch {
	case value < fail:
		f.Result, f.Limit = Fail, fail
	case value < warn:
		f.Result = Warn
	}
	return f
}

// takenAt is when the camera or the phone says that the photo was taken, and which.
// The phone's own time, sent with the upload, is an instant; a camera's wall time is
// read in the stop's zone where the file does not name an offset.
func (j *judgement) takenAt() (at time.Time, source string, ok bool) {
	if j.s.CapturedAt != nil {
		return *j.s.CapturedAt, "phone", true
	}
	if at, ok := j.m.Exif.TakenTime(j.s.Delivery.Zone()); ok {
		return at, "exif", true
	}
	return time.Time{}, "", false
}
