// Package geo holds positions on the WGS 84 ellipsoid, the distance between
// them, and where the sun stands above them.
//
// All of it is arithmetic: no tables, no files, no clock. Angles are degrees,
// lengths are metres.
package geo

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrInvalid says that a text or a pair of numbers is not a position. Errors
// of ParsePoint wrap it.
var ErrInvalid = errors.New("not a position")

// A Point is a position in degrees on WGS 84, latitude positive to the north
// and longitude positive to the east.
type Point struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// Valid reports whether p can be where something is: both numbers finite,
// latitude within ±90, longitude within ±180, and not (0, 0), which is what
// software writes when it has no fix and which lies in the open Atlantic.
func (p Point) Valid() bool {
	// A NaN fails the comparisons.
	inRange := math.Abs(p.Latitude) <= 90 && math.Abs(p.Longitude) <= 180
	return inRange && (p.Latitude != 0 || p.Longitude != 0)
}

// String returns p as "LAT,LON" in the fewest decimal digits that ParsePoint
// turns back into p.
func (p Point) String() string {
	return strconv.FormatFloat(p.Latitude, 'f', -1, 64) + "," + strconv.FormatFloat(p.Longitude, 'f', -1, 64)
}

// ParsePoint reads "LAT,LON" in decimal degrees, spaces around either number
// allowed. The point returned is Valid; every error wraps ErrInvalid.
func ParsePoint(s string) (Point, error) {
	lat, lon, ok := strings.Cut(s, ",")
	if !ok {
		return Point{}, fmt.Errorf("%w: want LAT,LON", ErrInvalid)
	}
	latitude, err := parseDegrees(lat)
	if err != nil {
		return Point{}, fmt.Errorf("%w: latitude: %v", ErrInvalid, err)
	}
	longitude, err := parseDegrees(lon)
	if err != nil {
		return Point{}, fmt.Errorf("%w: longitude: %v", ErrInvalid, err)
	}
	p := Point{Latitude: latitude, Longitude: longitude}
	if !p.Valid() {
		return Point{}, fmt.Errorf("%w: out of range or (0, 0)", ErrInvalid)
	}
	return p, nil
}

// parseDegrees reads a decimal number. It is stricter than strconv, which
// would also take "inf", "nan", hexadecimal and underscores.
func parseDegrees(s string) (float64, error) {
	s = strings.TrimSpace(s)
	// No coordinate needs more: 64 characters are far beyond float64.
	if s == "" || len(s) > 64 || strings.Trim(s, "+-.0123456789eE") != "" {
		return 0, errors.New("not a decimal number")
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, errors.New("not a decimal number")
	}
	return v, nil
}
