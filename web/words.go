package web

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// words are the templates' functions.
var words = template.FuncMap{
	"verdict": verdictWords, "verdictName": verdictName, "runState": runState, "verdictTone": verdictTone,
	"answer": answerWords, "answerTone": answerTone,
	"result": resultWords, "resultTone": resultTone,
	"role": func(r audit.PhotoRole) string { return upper(plain(string(r))) }, "roleHint": func(r audit.PhotoRole) string { return roleHints[r] },
	"instruction": instructionWords, "check": checkWords, "plain": func(v any) string { return plain(fmt.Sprint(v)) }, "upper": upper, "count": count,
	"measured": measured, "limit": limitWords, "severe": severe, "remarks": remarks,
	"distance": distance, "houseNumber": houseNumber, "extras": extras,
	"moment": newMoment, "clock": newClock, "window": newWindow, "due": dueWords, "day": newDay,
	"path": link, "query": url.QueryEscape, "short": func(id string) string { return id[:min(12, len(id))] }, "unit": unitWords, "place": place,
	"sum": func(a, b float64) float64 { return a + b }, "metres": metres,
	"waypoints": func(way []dispute.XY) string {
		var out []string
		for _, p := range way {
			out = append(out, fmt.Sprintf("%.2f,%.2f", p.X, p.Y))
		}
		return strings.Join(out, " ")
	},
	"scaled":    func(s dispute.Sketch) float64 { return s.ScaleM * s.PerMetre },
	"decision":  decisionWords,
	"decisions": func() []dispute.Decision { return dispute.Decisions },
	"standing":  standingWords, "standingTone": standingTone, "figure": figureWords, "figureValue": figureValue, "figureLimit": figureLimit, "changed": changeWords,
	"asset": AssetPath, "happened": happenedWords, "verdicts": func() []audit.Verdict { return []audit.Verdict{audit.Accept, audit.Review, audit.Retake, ""} },
	"overlay": overlayOf, "troubles": troubles, "share": share, "shortDay": shortDay, "ruling": rulingWords, "rulingTone": rulingTone, "next": func(i int) int { return i + 1 }, "bytes": byteWords, "boxed": func(m audit.Measurement) *audit.Measurement { return &m },
	"seq":  func(v ...any) []any { return v },
	"pair": func(a, b any) map[string]any { return map[string]any{"A": a, "B": b} },
}

func decisionWords(d dispute.Decision) string {
	return map[dispute.Decision]string{dispute.Upheld: "Upheld: the customer was refunded", dispute.Overturned: "Overturned: the delivery was taken as made",
		dispute.Withdrawn: "Withdrawn by the customer"}[d]
}

func verdictWords(v audit.Verdict) string {
	switch v {
	case audit.Accept:
		return "Keep it"
	case audit.Retake:
		return "Take another"
	case audit.Review:
		return "Kept: a person will look"
	}
	return "No photo yet"
}

// runState is where a re-audit stands, in words.
func runState(s audit.RunState) string {
	switch s {
	case audit.RunRunning:
		return "Running"
	case audit.RunPaused:
		return "Paused"
	case audit.RunCancelled:
		return "Cancelled: its reports do not count"
	case audit.RunDone:
		return "Done, not published: its reports do not count yet"
	}
	return "Done"
}

// verdictName is a verdict as operations speak of it.
func verdictName(v audit.Verdict) string {
	switch v {
	case audit.Accept, audit.Retake, audit.Review:
		return upper(string(v))
	}
	return "Not judged"
}

// happenedWords is an event as its button has it, with what else is known of it.
func happenedWords(e dispute.Event) string {
	for _, h := range slices.Concat(Contacts, Obstacles) {
		if rest, ok := strings.CutPrefix(e.Detail, h.Detail); e.Kind == h.Kind && ok && (h.Detail != "" || rest == "" || strings.HasPrefix(rest, "the phone's")) {
			if rest = strings.TrimPrefix(rest, "; "); rest != "" {
				return h.Words + ", " + rest
			}
			return h.Words
		}
	}
	if e.Detail != "" {
		return upper(plain(e.Kind)) + ": " + e.Detail
	}
	return upper(plain(e.Kind))
}

// A tone is the class that gives a thing its colour and its icon: good, bad, look, none.

func verdictTone(v audit.Verdict) string {
	return map[audit.Verdict]string{audit.Accept: "good", audit.Retake: "bad", audit.Review: "look", "": "none"}[v]
}

func answerWords(a dispute.Answer) string {
	switch a {
	case dispute.DisputeClaim:
		return "Dispute"
	case dispute.AcceptClaim:
		return "Accept"
	case dispute.ReviewClaim:
		return "Review"
	}
	return "Not weighed"
}

func answerTone(a dispute.Answer) string {
	return map[dispute.Answer]string{dispute.DisputeClaim: "good", dispute.AcceptClaim: "bad", dispute.ReviewClaim: "look", "": "none"}[a]
}

func resultWords(r audit.Result) string {
	switch r {
	case audit.Pass:
		return "Pass"
	case audit.Fail:
		return "Fail"
	case audit.Warn:
		return "Warning"
	}
	return "Unknown"
}

func resultTone(r audit.Result) string {
	switch r {
	case audit.Pass:
		return "good"
	case audit.Fail:
		return "bad"
	case audit.Warn:
		return "look"
	}
	return "none"
}

var roleHints = map[audit.PhotoRole]string{
	audit.Placement: "the package where you left it", audit.CloseUp: "the package in its hiding place",
	audit.Context: "the hiding place with the door", audit.Obstacle: "why you could not follow the instruction",
	audit.Condition: "the package's state",
}

// plain writes a stable name as words: close_up is close-up, front_door is front door.
func plain(name string) string {
	if name == string(audit.CloseUp) {
		return "close-up"
	}
	return strings.ReplaceAll(name, "_", " ")
}

func upper(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

var counts = []string{"no", "one", "two", "three", "four", "five"}

// instructionWords says where the package goes and what photos that takes, such as
// "Hidden: two photos, context and close-up".
func instructionWords(d audit.Delivery, required []audit.PhotoRole) string {
	where := "No instruction"
	if d.Instruction != "" {
		where = upper(plain(string(d.Instruction)))
	}
	if len(required) == 0 {
		return where + ": no photo needed"
	}
	names := make([]string, len(required))
	for i, r := range required {
		names[i] = plain(string(r))
	}
	n, noun := strconv.Itoa(len(required)), " photos, "
	if len(required) < len(counts) {
		n = counts[len(required)]
	}
	if len(required) == 1 {
		noun = " photo, "
	}
	list := names[len(names)-1]
	if rest := names[:len(names)-1]; len(rest) > 0 {
		list = strings.Join(rest, ", ") + " and " + list
	}
	return where + ": " + n + noun + list
}

// extras are the rest of what the customer asks for.
func extras(d audit.Delivery) []string {
	var out []string
	if d.DoNotRing {
		out = append(out, "Do not ring")
	}
	if d.CallOnArrival {
		out = append(out, "Call on arrival")
	}
	for _, p := range d.Proofs {
		switch p {
		case audit.ProofPhoto:
		case audit.ProofOneTimePassword:
			out = append(out, "Ask for the one-time password")
		case audit.ProofSignature:
			out = append(out, "Get a signature")
		case audit.ProofIDCheck:
			out = append(out, "Check ID")
		default:
			out = append(out, upper(plain(string(p))))
		}
	}
	return out
}

func checkWords(name string) string {
	if name == "set" {
		return "All photos"
	}
	return upper(plain(name))
}

// measured is a finding's value with its unit.
func measured(f audit.Finding) string { return quantity(f.Value, f.Unit) }

// limitWords is a finding's limit with its unit.
func limitWords(f audit.Finding) string { return quantity(f.Limit, f.Unit) }

func quantity(v any, unit string) string {
	var s string
	switch n := v.(type) {
	case nil:
		return ""
	case float64:
		switch {
		case strings.HasPrefix(unit, "share of "):
			return number(n*100) + "% of " + strings.TrimPrefix(unit, "share of ")
		case unit == "score": // of a model
			return number(n*100) + "% sure"
		case unit == "luma 0-255":
			return number(n) + "\u00a0of\u00a0255"
		}
		s = number(n)
	default:
		s = fmt.Sprint(v)
	}
	if unit == "" {
		return s
	}
	return s + "\u00a0" + unit
}

// count is a number of things, whose plural ends in s.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// number writes two significant decimals below 10, one below 100, none above.
func number(n float64) string {
	decimals := 2
	switch a := math.Abs(n); {
	case a >= 100:
		decimals = 0
	case a >= 10:
		decimals = 1
	}
	s := strconv.FormatFloat(n, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// severe orders findings for reading: what is wrong first, what is unknown next.
func severe(findings []audit.Finding) []audit.Finding {
	rank := map[audit.Result]int{audit.Fail: 0, audit.Warn: 1, audit.Pass: 3}
	order := func(f audit.Finding) int {
		if n, ok := rank[f.Result]; ok {
			return n
		}
		return 2
	}
	out := slices.Clone(findings)
	slices.SortStableFunc(out, func(a, b audit.Finding) int { return order(a) - order(b) })
	return out
}

// remarks is what a finding says in words: its detail, or why it is unknown, and the advice.
func remarks(f audit.Finding) string {
	var out []string
	if f.Detail != "" {
		out = append(out, upper(f.Detail))
	} else if f.Result == audit.Unknown && f.Reason != "" {
		out = append(out, upper(f.Reason))
	}
	if f.Advice != "" && (f.Result == audit.Fail || f.Result == audit.Warn) {
		out = append(out, f.Advice)
	}
	return strings.Join(out, ". ")
}

// distance says how far from the stop the photo was taken, and who says so; empty where
// that is unknown.
func distance(r audit.Report) string {
	f, ok := r.Finding("location")
	m, number := f.Value.(float64)
	if !ok || !number {
		return ""
	}
	s := fmt.Sprintf("%.0f\u00a0m from the stop", m)
	by, about := f.By()
	switch by {
	case "exif":
		s += ", by the photo's own position"
	case "phone":
		s += ", by your phone's position"
	}
	if about != "" {
		s += " (" + about + ")"
	}
	return s
}

// houseNumber is the number that was read in the photo; empty where there is none.
func houseNumber(r audit.Report) string {
	f, ok := r.Finding("house_number")
	s, text := f.Value.(string)
	if !ok || !text {
		return ""
	}
	return s
}

// unitWords is a unit as it is said: "12B" is "Unit 12B".
func unitWords(unit string) string {
	if unit == "" || !strings.ContainsAny(unit[:1], "0123456789") && len(unit) > 1 {
		return unit
	}
	return "Unit " + unit
}

// place is a stop in a line.
func place(s audit.Stop) string {
	var parts []string
	for _, p := range []string{s.Address, unitWords(s.Unit), strings.TrimSpace(s.Locality + " " + s.Postcode)} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

// link joins a prefix with an id from outside, escaped.
func link(prefix string, rest ...string) string {
	for _, r := range rest {
		prefix += "/" + url.PathEscape(r)
	}
	return prefix
}

// metres is a distance in metres or, from one on, kilometres.
func metres(m float64) string {
	if m >= 1000 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", m/1000), ".0") + "\u00a0km"
	}
	return fmt.Sprintf("%.0f\u00a0m", m)
}

// byteWords is a file's size.
func byteWords(n int64) string {
	switch {
	case n >= 1_000_000:
		return number(float64(n)/1e6) + "\u00a0MB"
	case n >= 1000:
		return number(float64(n)/1e3) + "\u00a0KB"
	}
	return strconv.FormatInt(n, 10) + "\u00a0bytes"
}

// troubles are the findings of what is wrong, the worst first.
func troubles(findings []audit.Finding) []audit.Finding {
	return slices.DeleteFunc(severe(findings), func(f audit.Finding) bool { return f.Result != audit.Fail && f.Result != audit.Warn })
}
