package dispute

import (
	"slices"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/pixel"
)

func rulesOf(points []Point) []string {
	var out []string
	for _, p := range points {
		out = append(out, p.Rule)
	}
	return out
}

func TestRecommend(t *testing.T) {
	near := located(audit.Pass, 12, 50, "exif")
	good := func(findings ...audit.Finding) scene {
		return sceneOf(delivery(), nil, shoot(1, audit.Accept, append([]audit.Finding{near, timed, unread}, findings...)...))
	}
	with := func(s scene, change func(*scene)) scene { change(&s); return s }
	events := func(e ...Event) func(*scene) { return func(s *scene) { s.evidence.Events = e } }
	for _, c := range []struct {
		name    string
		s       scene
		want    Answer
		rule    string // a reason or weakness that is there
		without string // one that is not
	}{
		{"all there", strong(), DisputeClaim, "proof.one_time_password", "proof.missing"},
		{"clear photo at the stop", good(), DisputeClaim, "location.exif", "location.unknown"},
		{"400 m away", weak(), AcceptClaim, "location.far", "location.phone"},
		{"400 m away, with a password", with(weak(), events(password("accepted"))), ReviewClaim, "location.far", "photo.accept"},
		{"no photo", withoutPhoto(), AcceptClaim, "photo.none", "photo.not_owed"},
		{"no photo, with a password", with(withoutPhoto(), events(password("Accepted."))), ReviewClaim, "proof.one_time_password", "proof.failed"},
		{"handed over, no photo", with(withoutPhoto(), func(s *scene) {
			s.evidence.Delivery.Instruction = audit.HandToCustomer
			s.evidence.Events = []Event{{EventID: "E-2", Kind: "signature", At: *at("2026-03-04T23:02:12Z"), Source: "carrier app", Detail: "J. Doe"}}
		}), DisputeClaim, "photo.not_owed", "photo.none"},
		{"password refused", with(good(), events(password("not accepted"))), ReviewClaim, "proof.failed", "proof.one_time_password"},
		{"password entered, wrong", with(good(), events(password("entered wrong code"))), ReviewClaim, "proof.failed", "proof.one_time_password"},
		{"password refused, then accepted", with(good(), events(password("wrong"), password("accepted"))), DisputeClaim, "proof.one_time_password", "proof.failed"},
		{"password attempt without its end", with(good(), events(password("attempt 1"))), ReviewClaim, "proof.missing", "proof.one_time_password"},
		{"password required and not on record", with(good(), func(s *scene) {
			s.evidence.Delivery.Proofs = audit.Proofs{audit.ProofOneTimePassword}
		}), ReviewClaim, "proof.missing", "proof.one_time_password"},
		{"number differs", sceneOf(delivery(), nil, shoot(1, audit.Review, near, timed, audit.Finding{Check: "house_number", Result: audit.Fail, Value: "1420"})), ReviewClaim, "house_number.differs", "house_number.match"},
		{"reused picture", sceneOf(delivery(), nil, shoot(1, audit.Retake, near, audit.Finding{Check: "reuse", Result: audit.Fail, Detail: "the same file was used for TBA-0"})), AcceptClaim, "photo.reused", "photo.accept"},
		{"retaken at the door", sceneOf(delivery(), nil, shoot(1, audit.Retake, blurred, near), shoot(2, audit.Accept, near, timed)), DisputeClaim, "photo.superseded", "photo.retake"},
		{"nothing measured", sceneOf(delivery(), nil, shoot(1, audit.Accept)), DisputeClaim, "location.unknown", "location.exif"},
		{"nothing measured, scan not on record", with(sceneOf(delivery(), nil, shoot(1, audit.Accept)), func(s *scene) {
			s.evidence.Delivery.ScanLatitude, s.evidence.Delivery.ScanLongitude = nil, nil
		}), ReviewClaim, "scan.unknown", "scan.near"},
		{"scanned 80 m away", with(good(), func(s *scene) {
			p := north(80)
			s.evidence.Delivery.ScanLatitude, s.evidence.Delivery.ScanLongitude = &p.Latitude, &p.Longitude
		}), ReviewClaim, "scan.far", "scan.near"},
		{"scanned 80 m away in a complex of 100 m", with(good(), func(s *scene) {
			p := north(80)
			s.evidence.Delivery.ScanLatitude, s.evidence.Delivery.ScanLongitude = &p.Latitude, &p.Longitude
			s.evidence.Delivery.RadiusM = ptr(100.0)
		}), DisputeClaim, "scan.near", "scan.far"},
		{"scanned before arrival", with(good(), events(Event{EventID: "E-3", Kind: "arrival", At: *at("2026-03-04T23:05:00Z")})), DisputeClaim, "scan.before_arrival", ""},
		{"photo and scan apart", sceneOf(delivery(), nil, shoot(1, audit.Review, near, audit.Finding{Check: "time", Result: audit.Fail, Value: 90.0, Detail: "taken 1h30m0s after the scan"})), ReviewClaim, "time.apart", "time.agrees"},
		{"returned", with(good(), func(s *scene) { s.evidence.Delivery.Outcome = audit.Returned }), AcceptClaim, "delivery.not_delivered", "delivery.delivered"},
		{"outcome not on record", with(good(), func(s *scene) { s.evidence.Delivery.Outcome = "" }), ReviewClaim, "delivery.outcome_unknown", "delivery.delivered"},
		{"claimed before the delivery", with(good(), func(s *scene) { s.claim.ReportedAt = at("2026-03-04T20:00:00Z") }), ReviewClaim, "claim.early", "claim.late"},
		{"claimed seven months later", with(good(), func(s *scene) { s.claim.ReportedAt = at("2026-10-04T20:00:00Z") }), DisputeClaim, "claim.late", "claim.early"},
		{"claim without a time", with(good(), func(s *scene) { s.claim.ReportedAt = nil }), DisputeClaim, "claim.time_unknown", "claim.late"},
		{"unknown delivery", scene{claim: claim(), evidence: Evidence{Delivery: audit.Delivery{TrackingID: "TBA-1", Proofs: audit.Proofs{}}}}, ReviewClaim, "delivery.unknown", "photo.none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Recommend(c.s.claim, c.s.evidence, nil, Rules2026())
			have := append(rulesOf(got.Reasons), rulesOf(got.Weaknesses)...)
			if got.Recommendation != c.want || !slices.Contains(have, c.rule) || slices.Contains(have, c.without) {
				t.Errorf("got %q (%d), want %s with %s without %s\nreasons %v\nweaknesses %v",
					got.Summary, got.Strength, c.want, c.rule, c.without, rulesOf(got.Reasons), rulesOf(got.Weaknesses))
			}
			if !strings.HasPrefix(got.Summary, string(c.want)+": ") || strings.Contains(got.Summary, "\n") {
				t.Errorf("summary %q is not a line that begins with %s", got.Summary, c.want)
			}
			for _, p := range append(slices.Clone(got.Reasons), got.Weaknesses...) {
				if p.Source == "" || p.Text == "" {
					t.Errorf("%+v names no source or says nothing", p)
				}
			}
		})
	}
}

// What is unknown may never be a strength: not as a reason, and not in the sum.
func TestUnknownIsNoStrength(t *testing.T) {
	for name, rule := range Rules2026().Reasons {
		if strings.Contains(name, "unknown") {
			t.Errorf("%s (%d) is a reason", name, rule.Weight)
		}
	}
	all := []string{"location", "time", "house_number", "reuse", "set", "package", "landmark"}
	unknown := func(verdict audit.Verdict) scene {
		var findings []audit.Finding
		for _, check := range all {
			findings = append(findings, audit.Finding{Check: check, Result: audit.Unknown, Reason: "not measured"})
		}
		return sceneOf(delivery(), nil, shoot(1, verdict, findings...))
	}
	none := sceneOf(delivery(), nil, shoot(1, audit.Accept))
	got := Recommend(claim(), unknown(audit.Accept).evidence, nil, Rules2026())
	want := Recommend(claim(), none.evidence, nil, Rules2026())
	if got.Strength > want.Strength || len(got.Reasons) > len(want.Reasons) {
		t.Errorf("unknown findings: strength %d with %v, no findings: %d with %v", got.Strength, rulesOf(got.Reasons), want.Strength, rulesOf(want.Reasons))
	}
	for _, rule := range []string{"location.unknown", "time.unknown", "house_number.unknown"} {
		i := slices.Index(rulesOf(got.Weaknesses), rule)
		if i < 0 || !strings.Contains(got.Weaknesses[i].Text, "not on record") {
			t.Errorf("%s is not printed as not on record: %+v", rule, got.Weaknesses)
		}
	}
}

func TestEachKindOfEvidenceCountsOnce(t *testing.T) {
	near := located(audit.Pass, 12, 50, "exif")
	one := sceneOf(delivery(), nil, shoot(1, audit.Accept, near))
	three := sceneOf(delivery(), nil, shoot(1, audit.Accept, near), shoot(2, audit.Accept, near), shoot(3, audit.Accept, near))
	a, b := Recommend(claim(), one.evidence, nil, Rules2026()), Recommend(claim(), three.evidence, nil, Rules2026())
	if a.Strength != b.Strength {
		t.Errorf("one photo weighs %d, three equal ones %d", a.Strength, b.Strength)
	}
	if got, want := len(b.Reasons), len(a.Reasons)+4; got != want {
		t.Errorf("three photos give %d reasons, want %d: each is printed", got, want)
	}
}

// The findings that recommendations are made of are those of the built-in checklist.
func TestReadsTheChecklistsReports(t *testing.T) {
	d := delivery()
	exifPlace := north(12)
	p := shoot(1, audit.Accept)
	p.Measurement.Measures = &pixel.Measures{Width: 4000, Height: 3000, BrightTile: 150, EntropyBits: 7, Blur: -1.5, FingerprintQuality: 100}
	p.Measurement.Exif.Latitude, p.Measurement.Exif.Longitude = &exifPlace.Latitude, &exifPlace.Longitude
	report := audit.Guide2026().Judge(p.Measurement, audit.Subject{Upload: p.Upload, Known: audit.Known{Delivery: d}})
	for _, check := range []string{"location", "time", "house_number", "reuse", "set"} {
		if _, ok := report.Finding(check); !ok {
			t.Errorf("the checklist has no %s finding", check)
		}
	}
	p.Report = report
	got := Recommend(claim(), sceneOf(d, nil, p).evidence, nil, Rules2026())
	i := slices.Index(rulesOf(got.Reasons), "location.exif")
	if i < 0 || !strings.Contains(got.Reasons[i].Text, "12 m from the stop") || got.Reasons[i].Source != "photo "+p.Upload.PhotoID[:12]+" EXIF" {
		t.Errorf("reasons %+v, want the photo's 12 m by EXIF", got.Reasons)
	}
	if !slices.Contains(rulesOf(got.Reasons), "time.agrees") {
		t.Errorf("reasons %v, want time.agrees", rulesOf(got.Reasons))
	}
}

func TestParseRules(t *testing.T) {
	text := string(rules2026)
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", "review_from: 0", "review_form: 0", "review_form"},
		{"unknown evidence", "  scan.near: ", "  scan.nigh: ", "reasons.scan.nigh is no kind of evidence"},
		{"missing evidence", "  scan.near: ", "  scan.nigh: ", "reasons.scan.near is missing"},
		{"weight too large", "photo.none:           {weight: 40}", "photo.none: {weight: 400}", "weaknesses.photo.none.weight is 400"},
		{"negative weight", "photo.none:           {weight: 40}", "photo.none: {weight: -4}", "weaknesses.photo.none.weight is -4"},
		{"unknown answer", "at_most: accept}", "at_most: refund}", `"refund"`},
		{"thresholds", "dispute_from: 50", "dispute_from: 0", "dispute_from is 0"},
		{"not a number", "scan_within_m: 50 ", "scan_within_m: .nan ", "scan_within_m"},
		{"no days", "claim_late_days: 120 ", "claim_late_days: 0 ", "claim_late_days is 0"},
		{"version", "version: rules-2026", "version: ", "version is missing"},
		{"word", "accepted_words: [accepted,", "accepted_words: [Accepted,", `"Accepted" is not one lower-case word`},
		{"no proof kinds", "  signature: {attempts: [], done: [signature, signed]}", "", "proofs.signature is missing"},
		{"two documents", "review_from: 0", "review_from: 0", "more than one YAML document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := strings.Replace(text, c.old, c.new, 1)
			if c.name == "two documents" {
				changed += "\n---\nversion: more\n"
			} else if changed == text {
				t.Fatalf("the rules hold no %q", c.old)
			}
			_, err := ParseRules([]byte(changed))
			if audit.ErrorCode(err) != audit.CodeInvalid || !strings.Contains(audit.ErrorMessage(err), c.want) {
				t.Errorf("got %v, want %s with %q", err, audit.CodeInvalid, c.want)
			}
		})
	}
	if _, err := ParseRules(make([]byte, MaxRulesBytes+1)); audit.ErrorCode(err) != audit.CodeInvalid {
		t.Errorf("too large: got %v", err)
	}
}

func TestTimelineIsInOrderWithSources(t *testing.T) {
	s := strong()
	s.evidence.Events = append(s.evidence.Events, Event{EventID: "E-9", Kind: "contact", Detail: "called, no answer", Source: "driver"},
		Event{EventID: "E-8", Kind: "location", At: *at("2026-03-04T23:01:00Z"), Latitude: &stop.Latitude, Longitude: &stop.Longitude})
	dated, undated := timeline(s.claim, s.evidence)
	if !slices.IsSortedFunc(dated, func(a, b Line) int { return a.At.Compare(b.At) }) {
		t.Errorf("not in order: %+v", dated)
	}
	for _, l := range append(slices.Clone(dated), undated...) {
		if l.Source == "" || l.What == "" || l.At.Location() != time.UTC {
			t.Errorf("%+v: no source, nothing said, or not UTC", l)
		}
	}
	if !slices.ContainsFunc(undated, func(l Line) bool { return l.What == "contact: called, no answer" }) {
		t.Errorf("the event without a time is missing: %+v", undated)
	}
	if i := slices.IndexFunc(dated, func(l Line) bool { return strings.Contains(l.What, "(0 m from the stop)") }); i < 0 || dated[i].Source != "event E-8, source not on record" {
		t.Errorf("the event without a source is missing: %+v", dated)
	}
}
