package exif

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rwcarlsen/goexif/tiff"
)

// maxString is how many bytes of a text are reported.
const maxString = 200

// maxPixels bounds a side that can be a photo's.
const maxPixels = 1 << 20

// tags are the decoded values of a block by tag number.
type tags map[uint16]*tiff.Tag

// decode has the library read the guarded copy.
func decode(copied []byte) (t tags, err error) {
	defer func() {
		if r := recover(); r != nil {
			t, err = nil, fmt.Errorf("panic: %v", r)
		}
	}()
	file, err := tiff.Decode(bytes.NewReader(copied))
	if err != nil {
		return nil, err
	}
	if len(file.Dirs) != 1 {
		return nil, errors.New("not one directory")
	}
	t = make(tags, len(file.Dirs[0].Tags))
	for _, tag := range file.Dirs[0].Tags {
		t[tag.Id] = tag
	}
	return t, nil
}

func (t tags) metadata() Metadata {
	m := Metadata{
		Make:        t.text(tagMake),
		Model:       t.text(tagModel),
		Software:    t.text(tagSoftware),
		TakenAt:     t.takenAt(),
		GPSTime:     t.gpsTime(),
		PixelWidth:  t.pixels(tagPixelXDimension),
		PixelHeight: t.pixels(tagPixelYDimension),
	}
	if v, ok := t.integer(tagOrientation); ok && v >= 1 && v <= 8 {
		m.Orientation = int(v)
	}
	if v, ok := t.integer(tagFlash); ok {
		fired := v&1 != 0
		m.FlashFired = &fired
	}
	if v, ok := t.float(tagDigitalZoomRatio); ok && v >= 0 {
		m.DigitalZoom = &v
	}
	if v, ok := t.float(tagGPSImgDirection); ok && v >= 0 && v <= 360 {
		m.ImageDirection = &v
	}
	lat, okLat := t.degrees(tagGPSLatitude, tagGPSLatitudeRef, 90, "NS")
	lon, okLon := t.degrees(tagGPSLongitude, tagGPSLongitudeRef, 180, "EW")
	if okLat && okLon && (lat != 0 || lon != 0) {
		m.Latitude, m.Longitude = &lat, &lon
		if v, ok := t.float(tagGPSHPositioningError); ok && v > 0 {
			m.AccuracyM = &v
		}
	}
	return m
}

// text returns a tag's text up to its first NUL, cleaned for people and JSON.
func (t tags) text(tag uint16) string {
	v, ok := t[tag]
	if !ok {
		return ""
	}
	s, err := v.StringVal()
	if err != nil {
		return ""
	}
	return clean(s)
}

func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		// Format characters can reverse the text that follows them on a page.
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) <= maxString {
		return s
	}
	end := maxString
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimSpace(s[:end])
}

// integer returns a tag's only or first whole number.
func (t tags) integer(tag uint16) (int64, bool) {
	v, ok := t[tag]
	if !ok || v.Count == 0 || v.Format() != tiff.IntVal {
		return 0, false
	}
	n, err := v.Int64(0)
	return n, err == nil
}

func (t tags) pixels(tag uint16) *int {
	v, ok := t.integer(tag)
	if !ok || v < 1 || v > maxPixels {
		return nil
	}
	n := int(v)
	return &n
}

// float returns a tag's first number, if it is finite.
func (t tags) float(tag uint16) (float64, bool) {
	v, ok := t[tag]
	if !ok {
		return 0, false
	}
	return valueAt(v, 0)
}

// valueAt returns the i-th number of a tag whatever its type; false for one
// that is not finite, as those with a zero denominator are.
func valueAt(v *tiff.Tag, i int) (float64, bool) {
	if i >= int(v.Count) {
		return 0, false
	}
	var f float64
	var err error
	switch v.Format() {
	case tiff.RatVal:
		var num, den int64
		num, den, err = v.Rat2(i)
		f = float64(num) / float64(den) // NaN or Inf for x/0
	case tiff.FloatVal:
		f, err = v.Float(i)
	case tiff.IntVal:
		var n int64
		n, err = v.Int64(i)
		f = float64(n)
	default:
		return 0, false
	}
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// three returns up to three numbers, none negative: degrees, minutes, seconds
// or hours, minutes, seconds.
func (t tags) three(tag uint16) (v [3]float64, ok bool) {
	tg, ok := t[tag]
	if !ok || tg.Count < 1 {
		return v, false
	}
	for i := range min(3, int(tg.Count)) {
		f, ok := valueAt(tg, i)
		if !ok || f < 0 {
			return v, false
		}
		v[i] = f
	}
	return v, true
}

// degrees returns a coordinate. Without its reference the hemisphere is
// unknown, and so is the place.
func (t tags) degrees(tag, refTag uint16, limit float64, hemispheres string) (float64, bool) {
	v, ok := t.three(tag)
	ref := strings.ToUpper(t.text(refTag))
	if !ok || ref == "" {
		return 0, false
	}
	d := v[0] + v[1]/60 + v[2]/3600
	if d > limit {
		return 0, false
	}
	switch strings.IndexByte(hemispheres, ref[0]) {
	case 0:
		return d, true
	case 1:
		return 0 - d, true // not -0
	}
	return 0, false
}

// takenAt returns the time of exposure, see Metadata.TakenAt.
func (t tags) takenAt() string {
	s := t.dateTime(tagDateTimeOriginal, tagOffsetTimeOriginal, tagOffsetTime)
	if s == "" {
		s = t.dateTime(tagDateTimeDigitized, tagOffsetTimeDigitized, tagOffsetTime)
	}
	return s
}

func (t tags) dateTime(tag uint16, offsetTags ...uint16) string {
	s := t.text(tag)
	// Some writers put the offset behind the time.
	for _, layout := range []string{"2006:01:02 15:04:05Z07:00", "2006-01-02T15:04:05Z07:00"} {
		if v, err := time.Parse(layout, s); err == nil && plausible(v) {
			return v.Format(time.RFC3339)
		}
	}
	wall, err := time.Parse("2006:01:02 15:04:05", s)
	if err != nil {
		wall, err = time.Parse(wallTime, s)
	}
	if err != nil || !plausible(wall) {
		return ""
	}
	for _, tag := range offsetTags {
		v, err := time.Parse(time.RFC3339, wall.Format(wallTime)+t.text(tag))
		if err == nil && plausible(v) {
			return v.Format(time.RFC3339)
		}
	}
	return wall.Format(wallTime)
}

// plausible rejects the year 0, which cameras without a set clock write, and
// offsets that no place on earth has (-12:00 to +14:00).
func plausible(t time.Time) bool {
	_, offset := t.Zone()
	return t.Year() >= 1 && offset >= -12*3600 && offset <= 14*3600
}

// gpsTime joins GPSDateStamp and GPSTimeStamp, to the millisecond.
func (t tags) gpsTime() *time.Time {
	date, err := time.Parse("2006:01:02", t.text(tagGPSDateStamp))
	v, ok := t.three(tagGPSTimeStamp)
	// A leap second is 60; JSON has no year 10000.
	if err != nil || !ok || date.Year() < 1 || date.Year() > 9998 || v[0] >= 24 || v[1] >= 60 || v[2] >= 61 {
		return nil
	}
	seconds := v[0]*3600 + v[1]*60 + v[2]
	at := date.Add(time.Duration(math.Round(seconds*1000)) * time.Millisecond)
	return &at
}
