package audit

import (
	"fmt"
	"strings"
	"time"

	"porchlight/audit/geo"
)

// Geocode is a position that a geocoding service made of a stop's address. It stands
// beside what is on record about the stop and never takes its place.
type Geocode struct {
	geo.Point
	PrecisionM float64   `json:"precision_m"`       // how far off the point may be, metres
	Kind       string    `json:"kind"`              // what was found: building, house, road, postcode, ...
	Name       string    `json:"name,omitempty"`    // the place as the service names it
	Licence    string    `json:"licence,omitempty"` // of the data, as the service words it
	Source     string    `json:"source"`            // the service's host
	AskedAt    time.Time `json:"asked_at"`
}

// Precision says in a few words how good the position is.
func (g Geocode) Precision() string { return fmt.Sprintf("geocoded, precise to %.0f m", g.PrecisionM) }

// PostalAddress is what a geocoding service is asked about.
type PostalAddress struct {
	Street   string `json:"street"` // with the house number
	Locality string `json:"locality,omitempty"`
	Postcode string `json:"postcode,omitempty"`
	Country  string `json:"country,omitempty"`
}

// Key tells addresses apart: without case, spaces and punctuation. Unlike [Stop.Key] it
// leaves out the unit, which no map knows, and takes in the locality, since a street's
// name alone is found in many towns.
func (a PostalAddress) Key() string {
	return strings.Join([]string{FoldText(a.Street), FoldText(a.Locality), FoldText(a.Postcode), FoldText(a.Country)}, "|")
}

// Unplaced is the stop's address where only that tells where the stop is: it has no
// position of its own, and the address says in which town, be it after a comma. ok is
// false for all other stops, which are never geocoded.
func (s Stop) Unplaced() (a PostalAddress, ok bool) {
	if _, placed := s.Point(); placed || FoldText(s.Address) == "" {
		return PostalAddress{}, false
	}
	if FoldText(s.Locality) == "" && FoldText(s.Postcode) == "" && !strings.Contains(s.Address, ",") {
		return PostalAddress{}, false
	}
	text := func(v string) string { return strings.Join(strings.Fields(v), " ") }
	return PostalAddress{Street: text(s.Address), Locality: text(s.Locality), Postcode: text(s.Postcode), Country: text(s.Country)}, true
}

// around is a point near the stop, its own or a geocoded one, for what a few kilometres
// do not change.
func (s Stop) around() (geo.Point, bool) {
	if p, ok := s.Point(); ok || s.Geocoded == nil {
		return p, ok
	}
	return s.Geocoded.Point, s.Geocoded.Valid()
}

// Sought is an address whose turn it is to be asked about.
type Sought struct {
	PostalAddress
	Attempts int       // that failed so far
	Failures int       // of the service, with whatever address, since it last answered
	Turn     time.Time // when the turn runs out and somebody else may ask
}

// Located is what came of asking about an address.
type Located struct {
	Sought
	At    time.Time // when the answer came
	Next  time.Time // when the next address may be asked about
	Place *Geocode  // nil where the service knows no such place
	// Failed says that there was no answer; the address is then asked about again at
	// Again.
	Failed bool
	Again  time.Time
}

// AbsentFor is how long it counts that a service knew no such place. What it found
// counts for good.
const AbsentFor = 30 * 24 * time.Hour

// Relocate judges an upload again whose location was unknown, now that its stop has
// been geocoded. ok is false where the location stays as it was judged, or another
// checklist judged it: the next re-audit then does.
func (s *Service) Relocate(c Case) (r Report, ok bool) {
	before, judged := c.Report.Finding("location")
	if !judged || before.Result != Unknown || c.Report.Checklist != s.Config.Checklist.Version {
		return Report{}, false
	}
	r = s.report(s.Config.Checklist, c.Measurement, Subject{Upload: c.Upload, Known: c.Known}, "")
	r.Measurement = nil
	after, _ := r.Finding("location")
	return r, after.Result != before.Result || after.Reason != before.Reason
}
