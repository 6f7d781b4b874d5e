package vision

import (
	"regexp"
	"strings"
	"unicode"
)

// Address is a stop's address in the parts that stand at a door.
type Address struct {
	Number string // house number, with its letter: 4702, 12a, 37-12
	Unit   string // apartment, suite, flat
	Street string
}

var (
	unitWord = regexp.MustCompile(`(?i)(?:\b(?:apt|apartment|unit|ste|suite|room|rm|flat|app|appartement|whg|top)\b\.?\s*#?\s*|#\s*)([a-z]?[0-9]+[a-z]?|[a-z])\b`)
	ordinal  = regexp.MustCompile(`(?i)^[0-9]+(st|nd|rd|th)$`)
	slashed  = regexp.MustCompile(`^([0-9]+[A-Za-z]?)/([0-9]+[A-Za-z]?)$`)
	numbered = regexp.MustCompile(`^[0-9]+(?:-[0-9]+)?[A-Za-z]?$`)
)

// ParseAddress takes an address line apart; unit, where it is given apart, goes over one
// in the line. The number stands before the street (4702 Maple St) or after it
// (Hauptstraße 12a); 3/20 High St is unit 3 at number 20.
func ParseAddress(line, unit string) Address {
	var a Address
	if m := unitWord.FindStringSubmatch(line); m != nil {
		a.Unit = m[1]
		line = strings.Replace(line, m[0], " ", 1)
	}
	for _, part := range strings.Split(line, ",") {
		if a.number(strings.Fields(part)) {
			break
		}
	}
	if unit = strings.TrimSpace(unit); unit != "" {
		a.Unit = unit
		if m := unitWord.FindStringSubmatch(unit); m != nil {
			a.Unit = m[1]
		}
	}
	a.Number, a.Unit = strings.ToUpper(a.Number), strings.ToUpper(a.Unit)
	return a
}

// number finds the number in one part of a line.
func (a *Address) number(words []string) bool {
	if len(words) == 0 {
		return false
	}
	if m := slashed.FindStringSubmatch(words[0]); m != nil {
		a.Unit, words[0] = m[1], m[2]
	}
	if isNumber(words[0]) {
		a.Number, a.Street = words[0], strings.Join(words[1:], " ")
		if len(words) > 2 && len(words[1]) == 1 && unicode.IsLetter(rune(words[1][0])) && !strings.ContainsAny(strings.ToUpper(words[1]), "NESW") {
			a.Number, a.Street = words[0]+words[1], strings.Join(words[2:], " ") // 12 a Main St
		}
		return true
	}
	for i := len(words) - 1; i > 0; i-- {
		if isNumber(words[i]) {
			a.Number, a.Street = words[i]+strings.Join(letters(words[i+1:]), ""), strings.Join(words[:i], " ")
			return true
		}
	}
	return false
}

// letters is a single letter after a number (Hauptstraße 12 a).
func letters(words []string) []string {
	if len(words) == 1 && len(words[0]) == 1 && unicode.IsLetter(rune(words[0][0])) {
		return words
	}
	return nil
}

func isNumber(word string) bool { return numbered.MatchString(word) && !ordinal.MatchString(word) }
