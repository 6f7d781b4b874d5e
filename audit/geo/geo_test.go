package geo

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestParsePoint(t *testing.T) {
	tests := []struct {
		in   string
		want Point
	}{
		{"47.6062,-122.3321", Point{47.6062, -122.3321}},
		{" 47.6062 , -122.3321 ", Point{47.6062, -122.3321}},
		{"+90,-180", Point{90, -180}},
		{"0,1", Point{0, 1}},
		{"1e1,-2.5e-1", Point{10, -0.25}},
	}
	for _, tt := range tests {
		got, err := ParsePoint(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParsePoint(%q) = %v, %v; want %v", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{
		"", ",", "1", "1,", ",1", "1,2,3", "0,0", "-0,0.0", "90.0001,0", "0,-180.0001", "nan,1", "1,inf",
		"0x1p4,1", "1_0,2", "1e999,1", "north,west", "1;2", "1,2\x00",
	} {
		if got, err := ParsePoint(in); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParsePoint(%q) = %v, %v; want ErrInvalid", in, got, err)
		}
	}
}

func TestValid(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		p    Point
		want bool
	}{
		{Point{51.5, 0}, true},
		{Point{0, -0.001}, true},
		{Point{-90, 180}, true},
		{Point{0, 0}, false},
		{Point{math.Copysign(0, -1), 0}, false},
		{Point{90.1, 0}, false},
		{Point{1, 180.1}, false},
		{Point{nan, 1}, false},
		{Point{1, nan}, false},
		{Point{inf, 1}, false},
		{Point{1, -inf}, false},
	}
	for _, tt := range tests {
		if got := tt.p.Valid(); got != tt.want {
			t.Errorf("%v.Valid() = %v, want %v", tt.p, got, tt.want)
		}
	}
}

func FuzzParsePoint(f *testing.F) {
	for _, s := range []string{"47.6062,-122.3321", "0,0", "1e-300,-1e-300", "nan,inf", " 90 , 180 ", "-0,+.5", "1,2,3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePoint(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || p != (Point{}) {
				t.Fatalf("ParsePoint(%q) = %v, %v", s, p, err)
			}
			return
		}
		if !p.Valid() {
			t.Fatalf("ParsePoint(%q) = %v, not valid", s, p)
		}
		if again, err := ParsePoint(p.String()); err == nil && again != p {
			t.Fatalf("ParsePoint(%q).String() reads back as %v, was %v", s, again, p)
		}
	})
}

// randomPoint covers the sphere evenly, with poles, meridians and the equator
// more often than chance would have them.
func randomPoint(r *rand.Rand) Point {
	p := Point{degrees(math.Asin(2*r.Float64() - 1)), 360*r.Float64() - 180}
	switch r.IntN(12) {
	case 0:
		p.Latitude = 0
	case 1:
		p.Latitude = 90
	case 2:
		p.Latitude = -90
	case 3:
		p.Longitude = 0
	case 4:
		p.Longitude = 180
	case 5:
		p.Longitude = -180
	}
	return p
}
