package nominatim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"porchlight/audit/geo"
)

// ErrAnswer says that an answer is not one of Nominatim's. Errors of [Parse] wrap it.
var ErrAnswer = errors.New("the geocoding service's answer is not understood")

// Place is where an address is.
type Place struct {
	geo.Point
	PrecisionM  float64 // how far off the point may be, metres
	Kind        string  // Nominatim's addresstype: building, house, road, postcode, city, ...
	DisplayName string
	Licence     string // of the data, as the service words it
	Source      string // the service's host
}

// answer is one place as Nominatim writes it (format jsonv2). Numbers come as texts or
// as numbers, depending on the service.
type answer struct {
	Latitude    decimal   `json:"lat"`
	Longitude   decimal   `json:"lon"`
	Box         []decimal `json:"boundingbox"` // south, north, west, east
	Rank        *int      `json:"place_rank"`
	AddressType string    `json:"addresstype"`
	Type        string    `json:"type"`
	DisplayName string    `json:"display_name"`
	Licence     string    `json:"licence"`
}

// decimal is a number, or a text that holds one.
type decimal float64

func (d *decimal) UnmarshalJSON(b []byte) error {
	s := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
	}
	// ParseFloat alone would also take "inf", "nan", hexadecimal and underscores.
	if s == "" || len(s) > 64 || strings.Trim(s, "+-.0123456789eE") != "" {
		return errors.New("not a decimal number")
	}
	v, err := strconv.ParseFloat(s, 64)
	*d = decimal(v)
	return err
}

// Parse reads an answer: an array with the best place first, empty where there is none
// (found is then false). Its Source is left empty.
func Parse(b []byte) (p Place, found bool, err error) {
	fail := func(format string, args ...any) (Place, bool, error) {
		return Place{}, false, fmt.Errorf("%w: %s", ErrAnswer, fmt.Sprintf(format, args...))
	}
	if len(b) > MaxAnswerBytes {
		return fail("more than %d bytes", MaxAnswerBytes)
	}
	if !utf8.Valid(b) {
		return fail("not UTF-8")
	}
	var all []answer
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&all); err != nil {
		return fail("not an array of places")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fail("something follows the places")
	}
	if all == nil {
		return fail("no array")
	}
	if len(all) == 0 {
		return Place{}, false, nil
	}
	a := all[0]
	p = Place{Point: geo.Point{Latitude: float64(a.Latitude), Longitude: float64(a.Longitude)},
		Kind: text(a.AddressType, 64), DisplayName: text(a.DisplayName, 1024), Licence: text(a.Licence, 256)}
	if !p.Valid() {
		return fail("a place without a position")
	}
	if p.Kind == "" {
		p.Kind = text(a.Type, 64)
	}
	if p.PrecisionM, err = a.precision(p.Kind); err != nil {
		return fail("%v", err)
	}
	return p, true, nil
}

// text is what is kept of a service's text: without NUL, which no database keeps, and
// not longer than most bytes.
func text(s string, most int) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// floors are the least that a place of a kind may be off, metres: a point on a street is
// exact, but says nothing of where along it the door is. Nominatim's place ranks stand
// for the kinds that are not named
// (https://nominatim.org/release-docs/latest/customize/Ranking/).
var floors = map[string]float64{"building": 15, "house": 15, "road": 100, "street": 100, "postcode": 500}

func rankFloor(rank int) float64 {
	switch {
	case rank >= 30: // houses and what has a name of its own
		return 15
	case rank >= 26: // streets
		return 100
	case rank >= 22: // neighbourhoods, blocks
		return 300
	case rank >= 17: // villages, suburbs, postcodes
		return 1000
	case rank >= 13: // cities
		return 5000
	}
	return 50_000
}

// precision is half the diagonal of the place's box, at least what its kind allows.
func (a answer) precision(kind string) (float64, error) {
	rank := 0
	if a.Rank != nil {
		rank = *a.Rank
	}
	floor, known := floors[strings.ToLower(kind)]
	switch {
	case !known:
		floor = rankFloor(rank)
	case a.Rank != nil && rank < 30 && floor < 100:
		floor = rankFloor(rank) // a house by name only
	}
	if a.Box == nil {
		return floor, nil
	}
	if len(a.Box) != 4 {
		return 0, errors.New("a box without four sides")
	}
	southWest := geo.Point{Latitude: float64(a.Box[0]), Longitude: float64(a.Box[2])}
	northEast := geo.Point{Latitude: float64(a.Box[1]), Longitude: float64(a.Box[3])}
	for _, p := range []geo.Point{southWest, northEast} {
		if !(math.Abs(p.Latitude) <= 90 && math.Abs(p.Longitude) <= 180) {
			return 0, errors.New("a box that is not on Earth")
		}
	}
	if southWest.Latitude > northEast.Latitude {
		return 0, errors.New("a box upside down")
	}
	return math.Ceil(max(floor, geo.Distance(southWest, northEast)/2)), nil
}
