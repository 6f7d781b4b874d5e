package geo

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Meeus, "Astronomical Algorithms", examples 25.a and 28.a: 1992 October 13 at
// 0h dynamical time, which was 59 s ahead of UTC's neighbourhood.
func TestSunAgainstMeeus(t *testing.T) {
	declination, equation := sun(at(t, "1992-10-12T23:59:01Z"))
	if got, want := degrees(declination), -7.78507; math.Abs(got-want) > 0.001 {
		t.Errorf("declination = %.5f, want %.5f", got, want)
	}
	if got, want := equation, 13+42.6/60; math.Abs(got-want) > 0.02 {
		t.Errorf("equation of time = %.4f min, want %.4f", got, want)
	}
}

func TestSunElevation(t *testing.T) {
	tests := []struct {
		name            string
		p               Point
		at              string
		want, tolerance float64
	}{
		// I. Reda, A. Andreas, "Solar Position Algorithm", NREL/TP-560-34302,
		// table A5.1: topocentric elevation before refraction 39.872046.
		{"NREL example", Point{39.742476, -105.1786}, "2003-10-17T12:30:30-07:00", 39.872046, 0.02},
		// At an equinox the sun stands over the equator, at noon of true solar
		// time overhead: 2024-03-20 03:06 UTC, equation of time -7.4 min.
		{"equinox, overhead", Point{0, 135.35}, "2024-03-20T03:06:00Z", 90, 0.1},
		{"equinox, at the pole", Point{90, 0}, "2024-03-20T03:06:00Z", 0, 0.02},
		// At the June solstice, 2024-06-20 20:51 UTC, the declination is the
		// obliquity of the ecliptic, 23.438; the pole sees just that.
		{"solstice, north pole", Point{90, 0}, "2024-06-20T20:51:00Z", 23.438, 0.01},
		{"solstice, south pole", Point{-90, 0}, "2024-06-20T20:51:00Z", -23.438, 0.01},
		{"solstice, December", Point{90, 0}, "2024-12-21T09:20:00Z", -23.438, 0.01},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := SunElevation(tt.p, at(t, tt.at)); math.Abs(got-tt.want) > tt.tolerance {
				t.Errorf("SunElevation = %.4f, want %.4f", got, tt.want)
			}
		})
	}
}

func TestIsNight(t *testing.T) {
	seattle, longyearbyen := Point{47.6062, -122.3321}, Point{78.2232, 15.6267}
	tests := []struct {
		name string
		p    Point
		at   string
		want bool
	}{
		// Seattle, 2024-06-20: the sun sets at 21:10 local time and civil
		// twilight ends at 21:50 (US Naval Observatory, to the minute).
		{"summer noon", seattle, "2024-06-20T12:00:00-07:00", false},
		{"just after sunset", seattle, "2024-06-20T21:15:00-07:00", false},
		{"civil twilight nearly over", seattle, "2024-06-20T21:47:00-07:00", false},
		{"civil twilight over", seattle, "2024-06-20T21:54:00-07:00", true},
		{"midnight", seattle, "2024-06-20T00:00:00-07:00", true},
		{"winter evening", seattle, "2024-12-21T17:00:00-08:00", true},
		{"winter afternoon", seattle, "2024-12-21T16:00:00-08:00", false},
		{"polar day, midnight", longyearbyen, "2024-06-20T00:00:00+02:00", false},
		{"polar night, noon", longyearbyen, "2024-12-21T12:00:00+01:00", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := IsNight(tt.p, at(t, tt.at)); got != tt.want {
				t.Errorf("IsNight = %v, want %v (sun at %.2f)", got, tt.want, SunElevation(tt.p, at(t, tt.at)))
			}
		})
	}
}

// The sun's elevation is a number within ±90 at any place and time, whatever
// the zone the time is told in.
func TestSunElevationHoldsEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	zone := time.FixedZone("", 5*3600+45*60)
	for range 20000 {
		p := randomPoint(r)
		when := time.Unix(r.Int64N(8e9)-4e9, r.Int64N(1e9))
		got := SunElevation(p, when)
		if !(got >= -90 && got <= 90) {
			t.Fatalf("SunElevation(%v, %v) = %v", p, when, got)
		}
		if other := SunElevation(p, when.In(zone)); other != got {
			t.Fatalf("SunElevation(%v, %v) = %v, in another zone %v", p, when, got, other)
		}
	}
	for _, when := range []time.Time{{}, time.Unix(math.MaxInt32, 0), time.Unix(1<<55, 0), time.Unix(-1<<55, 0)} {
		if got := SunElevation(Point{47.6, -122.3}, when); !(got >= -90 && got <= 90) {
			t.Errorf("SunElevation at %v = %v", when, got)
		}
	}
}
