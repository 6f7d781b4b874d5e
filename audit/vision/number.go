package vision

import (
	"regexp"
	"strings"
	"unicode"
)

// NumberLimits are the scores that reading a number takes.
type NumberLimits struct {
	Read     float64 // from which a text counts as read
	Mismatch float64 // from which another number counts as one
}

// NumberMatch is what the texts of a photo say of the number at the door.
type NumberMatch int

const (
	Unread    NumberMatch = iota // neither the number nor certainly another one
	Matching                     // the house number or the unit stands there
	Different                    // another number stands where one stands at a door
)

// MatchNumber looks for the address's number or, where one is given, its unit among the
// texts. The text is the one that decided.
//
// Another number is told only where nothing else explains it: it is no part of a longer
// text, date, price, phone number or label, and does not stand on a package.
func MatchNumber(a Address, postcode string, r Reading, l NumberLimits) (NumberMatch, Text) {
	best, other := Text{Score: -1}, Text{Score: -1}
	for _, t := range r.Texts {
		if t.Score < l.Read {
			continue
		}
		if (shows(t.Text, a.Number) || shows(t.Text, a.Unit)) && t.Score > best.Score {
			best = t
		}
		if t.Score >= l.Mismatch && t.Score > other.Score && contradicts(t.Text, a, postcode) && !onPackage(t, r) {
			other = t
		}
	}
	switch {
	case best.Score >= 0:
		return Matching, best
	case other.Score >= 0:
		return Different, other
	}
	return Unread, Text{}
}

// shows tells whether a text has the number in it as a word of its own. A single digit
// stands in many texts; it must be all of one.
func shows(text, number string) bool {
	want := plain(number)
	if want == "" {
		return false
	}
	if plain(text) == want {
		return true
	}
	if len(want) < 2 {
		return false
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(".,:;#|()[]°", r) }) {
		if plain(word) == want {
			return true
		}
	}
	return false
}

// plain is a text's letters and digits, in capitals.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, s)
}

// doorNumber is how a number stands alone at a door: 2 to 5 digits and perhaps a letter.
var doorNumber = regexp.MustCompile(`^(?:(?i:no|nr|n°|#)[.:]?\s*)?([0-9]{2,5})\s?[A-Za-z]?$`)

// year is a number that is as likely a date's.
var year = regexp.MustCompile(`^(19[5-9][0-9]|20[0-4][0-9])$`)

// contradicts tells whether a text is another number than the address has. A number of
// which one holds the other may be the same one, half hidden.
func contradicts(text string, a Address, postcode string) bool {
	m := doorNumber.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil || year.MatchString(m[1]) || plain(text) == plain(postcode) {
		return false
	}
	if strings.HasPrefix(strings.TrimSpace(a.Street), m[1]) { // 89th Ave
		return false
	}
	for _, own := range []string{digitsOf(a.Number), digitsOf(a.Unit)} {
		if own != "" && (strings.Contains(own, m[1]) || strings.Contains(m[1], own)) {
			return false
		}
	}
	return digitsOf(a.Number) != ""
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// onPackage tells whether most of a text stands on a package: a label, not a door.
func onPackage(t Text, r Reading) bool {
	for _, b := range r.Boxes {
		if b.Label == Package && t.Box.Within(b.Box) > 0.5 {
			return true
		}
	}
	return false
}
