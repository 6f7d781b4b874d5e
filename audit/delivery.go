package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	lru "github.com/hashicorp/golang-lru/v2"

	"porchlight/audit/geo"
)

// StopKind says what stands at an address.
type StopKind string

const (
	House     StopKind = "house"
	Apartment StopKind = "apartment"
	Business  StopKind = "business"
	Mailroom  StopKind = "mailroom"
	Locker    StopKind = "locker"
)

// StopKinds are all kinds of stop.
var StopKinds = []StopKind{House, Apartment, Business, Mailroom, Locker}

// Stop is an address on a route.
type Stop struct {
	Address   string   `json:"address,omitempty"`
	Unit      string   `json:"unit,omitempty"`
	Locality  string   `json:"locality,omitempty"`
	Postcode  string   `json:"postcode,omitempty"`
	Country   string   `json:"country,omitempty"`
	Latitude  *float64 `json:"latitude,omitempty"`  // degrees WGS 84
	Longitude *float64 `json:"longitude,omitempty"` // degrees WGS 84
	Kind      StopKind `json:"stop_kind,omitempty"`
	TimeZone  string   `json:"time_zone,omitempty"` // IANA name; UTC where absent
	RadiusM   *float64 `json:"radius_m,omitempty"`  // metres; an apartment complex may widen the checklist's radius
	// Geocoded is the position that a geocoding service made of the address, for a stop
	// without one of its own. It is filled in when a delivery is read and cannot be imported.
	Geocoded *Geocode `json:"geocoded,omitempty" import:"-"`
}

// Point is where the stop is, and whether that is known.
func (s Stop) Point() (geo.Point, bool) {
	if s.Latitude == nil || s.Longitude == nil {
		return geo.Point{}, false
	}
	p := geo.Point{Latitude: *s.Latitude, Longitude: *s.Longitude}
	return p, p.Valid()
}

// Key tells stops apart: two deliveries with equal keys go to the same place. It is
// the address, unit, postcode and country, without case, spaces and punctuation;
// where there is no address, the position to 4 decimals (about 11 m).
func (s Stop) Key() string {
	if FoldText(s.Address) == "" {
		if p, ok := s.Point(); ok {
			return fmt.Sprintf("@%.4f,%.4f", p.Latitude, p.Longitude)
		}
		return ""
	}
	return strings.Join([]string{FoldText(s.Address), FoldText(s.Unit), FoldText(s.Postcode), FoldText(s.Country)}, "|")
}

// FoldText leaves a text's letters and digits, in lower case.
func FoldText(v string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, v)
}

// Line is the stop's address in a line; empty where none is known.
func (s Stop) Line() string {
	var out []string
	for _, part := range []string{s.Address, s.Unit, strings.TrimSpace(s.Postcode + " " + s.Locality), s.Country} {
		if part != "" {
			out = append(out, part)
		}
	}
	return strings.Join(out, ", ")
}

// zones are the time zones asked for of late, by name: package time reads a file for each.
// One zone has any number of names (./UTC, .//UTC), so that they are bounded.
var zones = func() *lru.Cache[string, *time.Location] {
	c, err := lru.New[string, *time.Location](1024)
	if err != nil {
		panic(err) // only for a size below one
	}
	return c
}()

// zoneOf finds a time zone by its IANA name.
func zoneOf(name string) (*time.Location, error) {
	if zone, ok := zones.Get(name); ok {
		return zone, nil
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		zones.Add(name, zone)
	}
	return zone, err
}

// Zone is the stop's time zone, UTC where none is known.
func (s Stop) Zone() *time.Location {
	if s.TimeZone != "" {
		if zone, err := zoneOf(s.TimeZone); err == nil {
			return zone
		}
	}
	return time.UTC
}

// Instruction is where the customer wants the package (seed guide, section 5).
type Instruction string

const (
	FrontDoor      Instruction = "front_door"
	SideDoor       Instruction = "side_door"
	BackDoor       Instruction = "back_door"
	Neighbor       Instruction = "neighbor"
	HandToCustomer Instruction = "hand_to_customer"
	Hidden         Instruction = "hidden"
	ToMailroom     Instruction = "mailroom"
	ToLocker       Instruction = "locker"
	Office         Instruction = "office"
)

// Instructions are all instructions that say where.
var Instructions = []Instruction{FrontDoor, SideDoor, BackDoor, Neighbor, HandToCustomer, Hidden, ToMailroom, ToLocker, Office}

// Proof is a kind of evidence that a delivery requires.
type Proof string

const (
	ProofPhoto           Proof = "photo"
	ProofOneTimePassword Proof = "one_time_password"
	ProofSignature       Proof = "signature"
	ProofIDCheck         Proof = "id_check"
)

// ProofKinds are all kinds of proof.
var ProofKinds = []Proof{ProofPhoto, ProofOneTimePassword, ProofSignature, ProofIDCheck}

// Proofs are the proofs a delivery requires: a JSON array, or in CSV one field with
// the names separated by spaces, commas, semicolons or bars.
type Proofs []Proof

// UnmarshalText reads the CSV form.
func (p *Proofs) UnmarshalText(b []byte) error {
	*p = nil
	for _, f := range strings.FieldsFunc(string(b), func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;|", r) }) {
		*p = append(*p, Proof(f))
	}
	return nil
}

// UnmarshalJSON reads an array of names, or the CSV form in one string.
func (p *Proofs) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		return p.UnmarshalText([]byte(s))
	}
	var a []Proof
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	*p = a
	return nil
}

// Outcome is how a delivery ended.
type Outcome string

const (
	Delivered     Outcome = "delivered"
	Attempted     Outcome = "attempted"
	Undeliverable Outcome = "undeliverable"
	Returned      Outcome = "returned"
)

// Outcomes are all outcomes.
var Outcomes = []Outcome{Delivered, Attempted, Undeliverable, Returned}

// Delivery is one package (one tracking id) for one stop.
type Delivery struct {
	TrackingID string `json:"tracking_id"`
	DriverID   string `json:"driver_id,omitempty"`
	RouteID    string `json:"route_id,omitempty"`
	Carrier    string `json:"carrier,omitempty"`   // who delivers, as the customer knows it
	Recipient  string `json:"recipient,omitempty"` // whom it is for, as on the label
	Stop
	Instruction   Instruction `json:"instruction,omitempty"`
	DoNotRing     bool        `json:"do_not_ring,omitempty"`
	CallOnArrival bool        `json:"call_on_arrival,omitempty"`
	Proofs        Proofs      `json:"proofs,omitempty"`
	WindowStart   *time.Time  `json:"window_start,omitempty"`
	WindowEnd     *time.Time  `json:"window_end,omitempty"`
	ScannedAt     *time.Time  `json:"scanned_at,omitempty"`
	ScanLatitude  *float64    `json:"scan_latitude,omitempty"`
	ScanLongitude *float64    `json:"scan_longitude,omitempty"`
	DeliveredAt   *time.Time  `json:"delivered_at,omitempty"`
	Outcome       Outcome     `json:"outcome,omitempty"`
	OutcomeReason string      `json:"outcome_reason,omitempty"` // why it was undeliverable or returned
	Note          string      `json:"note,omitempty"`           // the driver's own words
}

// DeliveryFilter chooses deliveries; its zero value means all.
type DeliveryFilter struct {
	DriverID string
	// Since and Until bound the start of the window (where there is none, when it was
	// delivered, scanned or imported): from Since up to, not including, Until.
	Since, Until time.Time
}

// Scan is where the package was scanned as delivered, and whether that is known.
func (d Delivery) Scan() (geo.Point, bool) {
	if d.ScanLatitude == nil || d.ScanLongitude == nil {
		return geo.Point{}, false
	}
	p := geo.Point{Latitude: *d.ScanLatitude, Longitude: *d.ScanLongitude}
	return p, p.Valid()
}

// Attended tells whether somebody took the package in person, so that no doorstep
// photo is owed: handed over, or proved by password, signature or ID.
func (d Delivery) Attended() bool {
	return d.Instruction == HandToCustomer ||
		slices.ContainsFunc(d.Proofs, func(p Proof) bool { return p != ProofPhoto })
}

// MaxFieldBytes bounds every text field of a delivery, a claim or an event.
const MaxFieldBytes = 4096

// Validate checks the delivery as a row of an import: the tracking id is there, names
// are known, positions and times are possible. The error is an [Error] with
// [CodeInvalid] whose message names the field.
func (d Delivery) Validate() error {
	if err := ValidateID("tracking_id", d.TrackingID); err != nil {
		return err
	}
	for name, v := range map[string]string{"driver_id": d.DriverID, "route_id": d.RouteID} {
		if v != "" {
			if err := ValidateID(name, v); err != nil {
				return err
			}
		}
	}
	for name, v := range map[string]string{"address": d.Address, "unit": d.Unit, "locality": d.Locality, "postcode": d.Postcode,
		"country": d.Country, "carrier": d.Carrier, "recipient": d.Recipient, "outcome_reason": d.OutcomeReason, "note": d.Note} {
		if len(v) > MaxFieldBytes {
			return Errorf(CodeInvalid, "%s is longer than %d bytes", name, MaxFieldBytes)
		}
	}
	if d.Kind != "" && !slices.Contains(StopKinds, d.Kind) {
		return Errorf(CodeInvalid, "stop_kind %q is none of %v", d.Kind, StopKinds)
	}
	if d.Instruction != "" && !slices.Contains(Instructions, d.Instruction) {
		return Errorf(CodeInvalid, "instruction %q is none of %v", d.Instruction, Instructions)
	}
	if d.Outcome != "" && !slices.Contains(Outcomes, d.Outcome) {
		return Errorf(CodeInvalid, "outcome %q is none of %v", d.Outcome, Outcomes)
	}
	for _, p := range d.Proofs {
		if !slices.Contains(ProofKinds, p) {
			return Errorf(CodeInvalid, "proof %q is none of %v", p, ProofKinds)
		}
	}
	if err := validatePosition("latitude", d.Latitude, "longitude", d.Longitude); err != nil {
		return err
	}
	if err := validatePosition("scan_latitude", d.ScanLatitude, "scan_longitude", d.ScanLongitude); err != nil {
		return err
	}
	if d.RadiusM != nil && !(*d.RadiusM > 0 && *d.RadiusM <= 5000) {
		return Errorf(CodeInvalid, "radius_m %g is not within 0..5000 metres", *d.RadiusM)
	}
	if d.TimeZone != "" {
		if _, err := zoneOf(d.TimeZone); err != nil {
			return Errorf(CodeInvalid, "time_zone %q is not an IANA time zone", d.TimeZone)
		}
	}
	if d.WindowStart != nil && d.WindowEnd != nil && d.WindowEnd.Before(*d.WindowStart) {
		return Errorf(CodeInvalid, "window_end is before window_start")
	}
	return nil
}

// MaxIDBytes bounds every id that comes from outside.
const MaxIDBytes = 128

// ValidateID checks an id that comes from outside: 1 to [MaxIDBytes] printable
// characters without spaces and slashes.
func ValidateID(name, id string) error {
	if id == "" {
		return Errorf(CodeInvalid, "%s is missing", name)
	}
	if len(id) > MaxIDBytes {
		return Errorf(CodeInvalid, "%s is longer than %d bytes", name, MaxIDBytes)
	}
	for _, r := range id {
		if !unicode.IsPrint(r) || unicode.IsSpace(r) || r == '/' || r == '\\' || r == unicode.ReplacementChar {
			return Errorf(CodeInvalid, "%s %q may hold neither spaces, slashes nor control characters", name, id)
		}
	}
	return nil
}

func validatePosition(latName string, lat *float64, lonName string, lon *float64) error {
	if (lat == nil) != (lon == nil) {
		return Errorf(CodeInvalid, "%s and %s go together", latName, lonName)
	}
	if lat == nil {
		return nil
	}
	if !(*lat >= -90 && *lat <= 90) {
		return Errorf(CodeInvalid, "%s %g is not within -90..90 degrees", latName, *lat)
	}
	if !(*lon >= -180 && *lon <= 180) {
		return Errorf(CodeInvalid, "%s %g is not within -180..180 degrees", lonName, *lon)
	}
	return nil
}
