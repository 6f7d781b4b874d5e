package exif

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func ptr[T any](v T) *T { return &v }

// phone is what a phone writes, and phoneWant what it means.
func phone(b builder) []byte {
	gps := append(b.position("S", [3]uint32{33, 51, 2478}, "E", [3]uint32{151, 12, 3456}),
		b.rational(tagGPSTimeStamp, 4, 1, 5, 1, 13, 2), ascii(tagGPSDateStamp, "2026:03:01"),
		b.rational(tagGPSImgDirection, 2069, 10), b.rational(tagGPSHPositioningError, 47, 10))
	return b.block(
		[]field{ascii(tagMake, "Acme "), ascii(tagModel, "Phone 7"), b.short(tagOrientation, 6), ascii(tagSoftware, "1.2.3")},
		[]field{ascii(tagDateTimeOriginal, "2026:03:01 15:05:06"), ascii(tagOffsetTimeOriginal, "+11:00"),
			ascii(tagOffsetTime, "+01:00"), b.short(tagFlash, 0x19), b.long(tagPixelXDimension, 4032),
			b.short(tagPixelYDimension, 3024), b.rational(tagDigitalZoomRatio, 5, 2)},
		gps)
}

var phoneWant = Metadata{
	HasExif: true, Make: "Acme", Model: "Phone 7", Software: "1.2.3",
	TakenAt:  "2026-03-01T15:05:06+11:00",
	GPSTime:  ptr(time.Date(2026, 3, 1, 4, 5, 6, 500e6, time.UTC)),
	Latitude: ptr(-(33 + 51.0/60 + 24.78/3600)), Longitude: ptr(151 + 12.0/60 + 34.56/3600),
	AccuracyM: ptr(4.7), ImageDirection: ptr(206.9),
	DigitalZoom: ptr(2.5), FlashFired: ptr(true), Orientation: 6,
	PixelWidth: ptr(4032), PixelHeight: ptr(3024),
}

var closely = cmpopts.EquateApprox(0, 1e-9)

func TestReadContainers(t *testing.T) {
	tests := map[string][]byte{
		"jpeg, little endian":     jpeg(phone(intel)),
		"jpeg, big endian":        jpeg(phone(motorola)),
		"jpeg, bytes in between":  append([]byte("\xff\xd8junk\xff\xff"), jpeg(phone(intel))[20:]...),
		"png":                     png(phone(motorola)),
		"webp":                    webp(phone(intel)),
		"heif, item in the file":  heif(phone(motorola), 0),
		"heif, item in the index": heif(phone(motorola), 1),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(phoneWant, got, closely); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadWithoutExif(t *testing.T) {
	tests := map[string]string{
		"nothing":            "",
		"text":               "not a photo",
		"start of image":     "\xff\xd8",
		"jpeg without":       "\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x02\xff\xd9",
		"exif behind a scan": "\xff\xd8\xff\xda\x00\x02\xff\xe1\x00\x10Exif\x00\x00II*\x00\x08\x00\x00\x00",
		"xmp":                "\xff\xd8\xff\xe1\x00\x1fhttp://ns.adobe.com/xap/1.0/\x00",
		"png":                "\x89PNG\r\n\x1a\n\x00\x00\x00\x00IEND\xae\x42\x60\x82",
		"webp":               "RIFF\x04\x00\x00\x00WEBP",
		"heif":               "\x00\x00\x00\x10ftypheic\x00\x00\x00\x00",
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Read([]byte(b))
			if err != nil || got != (Metadata{}) {
				t.Errorf("Read = %+v, %v; want nothing and no error", got, err)
			}
		})
	}
}

func TestReadPosition(t *testing.T) {
	b := motorola
	lat, lon := [3]uint32{33, 30, 3600}, [3]uint32{70, 45, 1800}
	const wantLat, wantLon = 33.51, 70.755
	fields := func(latitude, longitude field) []field {
		return []field{ascii(tagGPSLatitudeRef, "N"), latitude, ascii(tagGPSLongitudeRef, "E"), longitude}
	}
	good := b.rational(tagGPSLongitude, 70, 1, 45, 1, 18, 1)
	tests := []struct {
		name     string
		gps      []field
		lat, lon float64 // NaN: none
	}{
		{"north east", b.position("N", lat, "E", lon), wantLat, wantLon},
		{"south west", b.position("S", lat, "W", lon), -wantLat, -wantLon},
		{"lower case", b.position("s", lat, "west", lon), -wantLat, -wantLon},
		{"equator", b.position("N", [3]uint32{}, "W", lon), 0, -wantLon},
		{"degrees alone", fields(b.rational(tagGPSLatitude, 3351, 100), good), wantLat, wantLon},
		{"degrees as a double", fields(b.double(tagGPSLatitude, wantLat), good), wantLat, wantLon},
		{"no tags", nil, math.NaN(), math.NaN()},
		{"origin", b.position("N", [3]uint32{}, "E", [3]uint32{}), math.NaN(), math.NaN()},
		{"empty references", b.position("", lat, "", lon), math.NaN(), math.NaN()},
		{"strange reference", b.position("X", lat, "E", lon), math.NaN(), math.NaN()},
		{"swapped references", b.position("E", lat, "N", lon), math.NaN(), math.NaN()},
		{"no longitude", b.position("N", lat, "E", lon)[:3], math.NaN(), math.NaN()},
		{"latitude past the pole", b.position("N", [3]uint32{90, 0, 1}, "E", lon), math.NaN(), math.NaN()},
		{"longitude past the date line", b.position("N", lat, "E", [3]uint32{180, 0, 1}), math.NaN(), math.NaN()},
		{"0/0 degrees", fields(b.rational(tagGPSLatitude, 0, 0, 30, 1, 36, 1), good), math.NaN(), math.NaN()},
		{"0/0 seconds", fields(b.rational(tagGPSLatitude, 33, 1, 30, 1, 0, 0), good), math.NaN(), math.NaN()},
		{"1/0 minutes", fields(b.rational(tagGPSLatitude, 33, 1, 1, 0, 36, 1), good), math.NaN(), math.NaN()},
		{"NaN", fields(b.double(tagGPSLatitude, math.NaN()), good), math.NaN(), math.NaN()},
		{"Inf", fields(b.double(tagGPSLatitude, math.Inf(-1)), good), math.NaN(), math.NaN()},
		{"negative", fields(b.double(tagGPSLatitude, -33.51), good), math.NaN(), math.NaN()},
		{"as text", fields(ascii(tagGPSLatitude, "33.51"), good), math.NaN(), math.NaN()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gps := append(tt.gps, b.rational(tagGPSHPositioningError, 5, 1))
			m, err := Read(jpeg(b.block(nil, nil, gps)))
			if err != nil {
				t.Fatal(err)
			}
			want := Metadata{HasExif: true}
			if !math.IsNaN(tt.lat) {
				want.Latitude, want.Longitude, want.AccuracyM = &tt.lat, &tt.lon, ptr(5.0)
			}
			if diff := cmp.Diff(want, m, closely); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadTakenAt(t *testing.T) {
	original := func(s string, more ...field) []field {
		return append([]field{ascii(tagDateTimeOriginal, s)}, more...)
	}
	tests := []struct {
		name string
		exif []field
		want string
	}{
		{"no offset", original("2026:03:01 15:05:06"), "2026-03-01T15:05:06"},
		{"own offset", original("2026:03:01 15:05:06", ascii(tagOffsetTimeOriginal, "-05:00")), "2026-03-01T15:05:06-05:00"},
		{"general offset", original("2026:03:01 15:05:06", ascii(tagOffsetTime, "+05:45")), "2026-03-01T15:05:06+05:45"},
		{"UTC", original("2026:03:01 15:05:06", ascii(tagOffsetTime, "Z")), "2026-03-01T15:05:06Z"},
		{"blank offset", original("2026:03:01 15:05:06", ascii(tagOffsetTimeOriginal, "   :  ")), "2026-03-01T15:05:06"},
		{"impossible offset", original("2026:03:01 15:05:06", ascii(tagOffsetTimeOriginal, "+23:00")), "2026-03-01T15:05:06"},
		{"offset behind the time", original("2026:03:01 15:05:06-04:00"), "2026-03-01T15:05:06-04:00"},
		{"digitized", []field{ascii(tagDateTimeDigitized, "2026:03:01 15:05:06"), ascii(tagOffsetTimeDigitized, "+01:00")}, "2026-03-01T15:05:06+01:00"},
		{"clock not set", original("0000:00:00 00:00:00"), ""},
		{"blank", original("    :  :     :  :  "), ""},
		{"no such day", original("2026:02:30 15:05:06"), ""},
		{"words", original("yesterday"), ""},
		{"changed only", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			main := []field{ascii(0x0132, "2027:01:01 00:00:00")} // last changed
			m, err := Read(jpeg(intel.block(main, tt.exif, nil)))
			if err != nil || m.TakenAt != tt.want {
				t.Errorf("TakenAt = %q, %v; want %q", m.TakenAt, err, tt.want)
			}
		})
	}
}

func TestTakenTime(t *testing.T) {
	zone := time.FixedZone("PST", -8*3600)
	tests := []struct {
		takenAt string
		loc     *time.Location
		want    string // RFC 3339; empty: unknown
	}{
		{"2026-03-01T15:05:06+11:00", zone, "2026-03-01T15:05:06+11:00"},
		{"2026-03-01T15:05:06+11:00", nil, "2026-03-01T15:05:06+11:00"},
		{"2026-03-01T15:05:06", zone, "2026-03-01T15:05:06-08:00"},
		{"2026-03-01T15:05:06", nil, ""},
		{"", zone, ""},
		{"then", zone, ""},
	}
	for _, tt := range tests {
		got, ok := Metadata{TakenAt: tt.takenAt}.TakenTime(tt.loc)
		if ok != (tt.want != "") || ok && got.Format(time.RFC3339) != tt.want {
			t.Errorf("TakenTime of %q = %v, %v; want %q", tt.takenAt, got, ok, tt.want)
		}
	}
}

func TestReadText(t *testing.T) {
	tests := []struct {
		name string
		in   field
		want string
	}{
		{"spaces and NULs", ascii(tagSoftware, "  a b \x00\x00"), "a b"},
		{"controls and reversal", ascii(tagSoftware, "a\x1b[31m\r\n\u202egpj.exe"), "a[31mgpj.exe"},
		{"Latin-1", ascii(tagSoftware, "caf\xe9"), "caf\uFFFD"},
		{"UTF-8 by type", field{tagSoftware, typeUTF8, 9, []byte("写真機")}, "写真機"},
		{"bytes by type", field{tagSoftware, typeByte, 5, []byte("bytes")}, "bytes"},
		{"long", ascii(tagSoftware, strings.Repeat("é", 5000)), strings.Repeat("é", 100)},
		{"cut within a rune", ascii(tagSoftware, "x"+strings.Repeat("é", 100)), "x" + strings.Repeat("é", 99)},
		{"empty", ascii(tagSoftware, ""), ""},
		{"a number", motorola.short(tagSoftware, 7), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Read(jpeg(motorola.block([]field{tt.in}, nil, nil)))
			if err != nil || m.Software != tt.want {
				t.Errorf("Software = %q, %v; want %q", m.Software, err, tt.want)
			}
		})
	}
}

func TestUpright(t *testing.T) {
	for value, want := range map[uint16]int{0: 1, 1: 1, 3: 3, 8: 8, 9: 1, 65535: 1} {
		m, err := Read(jpeg(intel.block([]field{intel.short(tagOrientation, value)}, nil, nil)))
		raw := int(value)
		if value < 1 || value > 8 {
			raw = 0
		}
		if err != nil || m.Orientation != raw || m.Upright() != want {
			t.Errorf("orientation %d: %d, upright %d, %v; want %d, %d", value, m.Orientation, m.Upright(), err, raw, want)
		}
	}
}

// reason returns the Reason of an error of Read.
func reason(t *testing.T, err error) Reason {
	t.Helper()
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v is not an *Error", err)
	}
	if e == nil {
		return ""
	}
	return e.Reason
}
