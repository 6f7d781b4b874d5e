package pdf

import (
	"fmt"
	"strings"
	"sync"
	"unicode"

	"github.com/go-fonts/dejavu/dejavusanscondensed"
	"github.com/go-fonts/dejavu/dejavusanscondensedbold"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/norm"
)

// The fonts, which cover Latin with Vietnamese, Greek and Cyrillic.
const family = "DejaVu"

var (
	regular = dejavusanscondensed.TTF
	bold    = dejavusanscondensedbold.TTF
)

// covered tells whether both fonts have a character, and the document can set it: scripts
// that are written from right to left or join their letters are not set right by a PDF
// library that puts one character after the other.
var covered = func() func(r rune) bool {
	var once sync.Once
	var fonts [2]*sfnt.Font
	var mu sync.Mutex
	known := map[rune]bool{}
	var buffer sfnt.Buffer
	return func(r rune) bool {
		if r >= ' ' && r < 0x7f {
			return true
		}
		once.Do(func() {
			for i, ttf := range [][]byte{regular, bold} {
				f, err := sfnt.Parse(ttf)
				if err != nil {
					panic("pdf: a bundled font does not parse: " + err.Error())
				}
				fonts[i] = f
			}
		})
		mu.Lock()
		defer mu.Unlock()
		if ok, seen := known[r]; seen {
			return ok
		}
		ok := r <= 0xffff && (!unicode.IsLetter(r) || unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Common)) && !unicode.In(r, unicode.M, unicode.C)
		for _, f := range fonts {
			i, err := f.GlyphIndex(&buffer, r)
			ok = ok && err == nil && i != 0
		}
		known[r] = ok
		return ok
	}
}()

// legible is a text as the fonts can show it. What they lack stands as code points in
// brackets, [U+738B U+5C0F], never as a blank; substituted tells whether there was any.
// Line breaks stay, other control characters become spaces.
func legible(s string) (text string, substituted bool) {
	var b strings.Builder
	var missing []string
	flush := func() {
		if len(missing) > 0 {
			fmt.Fprintf(&b, "[%s]", strings.Join(missing, " "))
			missing, substituted = nil, true
		}
	}
	for _, r := range norm.NFC.String(strings.ToValidUTF8(s, "\ufffd")) {
		switch {
		case r == '\n':
			flush()
			b.WriteRune(r)
		case unicode.IsControl(r), unicode.IsSpace(r):
			flush()
			b.WriteByte(' ')
		case covered(r):
			flush()
			b.WriteRune(r)
		default:
			missing = append(missing, fmt.Sprintf("U+%04X", r))
		}
	}
	flush()
	return b.String(), substituted
}
