// Package exif reads what a camera wrote about a photo: when, where, with
// what. It reads hostile files as calmly as honest ones.
//
// A photo's EXIF block (CIPA DC-008, Exif 3.0: a small TIFF file) is found in
// the container, JPEG, PNG, WebP or HEIF. The guard then walks the block's
// directories, checks every value's count times size in 64 bits against the
// block, and copies the few tags Porchlight knows, each of bounded length,
// into a new block of a few hundred bytes. Only that copy is given to
// github.com/rwcarlsen/goexif, so no count or offset of the file's author
// reaches the library. Thumbnails and maker notes are never read.
//
// XMP and IPTC, which editing programs write, are not read: a position or a
// time found there is not the camera's.
package exif

import (
	"fmt"
	"time"
)

// Version names this reading code; it changes whenever a file can read
// differently.
const Version = "ex1"

// Metadata is what the EXIF block of one photo says. A field that is absent,
// empty or cannot be is its zero value, and left out of the JSON. Texts are
// valid UTF-8 of at most 200 bytes without control characters.
type Metadata struct {
	// HasExif tells a photo with a readable EXIF block, however empty, from
	// one without.
	HasExif bool `json:"has_exif,omitempty"`

	Make     string `json:"make,omitempty"`
	Model    string `json:"model,omitempty"`
	Software string `json:"software,omitempty"`

	// TakenAt is the camera's clock when the shutter opened
	// (DateTimeOriginal, else DateTimeDigitized; never the time of the last
	// change). Where the file tells the offset from UTC it is RFC 3339,
	// "2006-01-02T15:04:05-07:00"; else it is the bare wall time
	// "2006-01-02T15:04:05" of an unknown zone. See TakenTime.
	TakenAt string `json:"taken_at,omitempty"`
	// GPSTime is the time of the position fix, from the satellites and in
	// UTC; receivers may repeat an earlier fix.
	GPSTime *time.Time `json:"gps_time,omitempty"`

	// Latitude and Longitude are degrees on WGS 84, north and east positive,
	// both present or neither: a position with a zero denominator, without its
	// hemisphere, out of range, or at (0, 0) is absent.
	Latitude  *float64 `json:"latitude,omitempty"`
	Longitude *float64 `json:"longitude,omitempty"`
	// AccuracyM is GPSHPositioningError, the horizontal error of the position
	// in metres, above zero; absent without a position.
	AccuracyM *float64 `json:"accuracy_m,omitempty"`
	// ImageDirection is where the camera pointed, 0 to 360 degrees clockwise
	// from north, true or magnetic as the camera had it.
	ImageDirection *float64 `json:"image_direction,omitempty"`

	// DigitalZoom is DigitalZoomRatio: 0 means that no digital zoom was used.
	DigitalZoom *float64 `json:"digital_zoom,omitempty"`
	FlashFired  *bool    `json:"flash_fired,omitempty"`
	// Orientation is 1 to 8 as in the file, 0 (absent) for anything else. See
	// Upright.
	Orientation int `json:"orientation,omitempty"`
	// PixelWidth and PixelHeight are the size the camera recorded, before
	// Orientation is applied: a photo with fewer pixels has been cropped or
	// scaled since.
	PixelWidth  *int `json:"pixel_width,omitempty"`
	PixelHeight *int `json:"pixel_height,omitempty"`
}

// A Reason is a stable code for what is wrong with an EXIF block.
type Reason string

const (
	// ReasonTruncated: the block goes on past the end of the file.
	ReasonTruncated Reason = "exif_truncated"
	// ReasonHeader: the block does not begin as a TIFF file.
	ReasonHeader Reason = "exif_header"
	// ReasonDirectory: a directory lies outside of the block, refers back to
	// another, or lists more entries than fit.
	ReasonDirectory Reason = "exif_directory"
	// ReasonValue: a value's type is unknown or its count times size exceeds
	// the block.
	ReasonValue Reason = "exif_value"
	// ReasonUnreadable: the library gave up on a block that passed the guard.
	ReasonUnreadable Reason = "exif_unreadable"
)

// An Error says what is wrong with a photo's EXIF block.
type Error struct {
	Reason Reason
	Err    error // the cause, if another function reported it
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Reason, e.Err)
	}
	return string(e.Reason)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Read returns what the EXIF block of the JPEG, PNG, WebP or HEIF file b says.
//
// A file without EXIF, or of another kind, is Metadata{} and no error. Where a
// block is damaged the error is an *Error, for the first fault met, and the
// Metadata still holds all that could be read: a photo with one bad tag keeps
// its time and position. Read never panics, does not keep or change b, and
// allocates a few kilobytes whatever b claims.
func Read(b []byte) (Metadata, error) {
	block, err := find(b)
	if block == nil {
		return Metadata{}, err
	}
	copied, guardErr := guard(block)
	if err == nil {
		err = guardErr
	}
	if copied == nil {
		return Metadata{}, err
	}
	t, libraryErr := decode(copied)
	if libraryErr != nil {
		return Metadata{}, &Error{Reason: ReasonUnreadable, Err: libraryErr}
	}
	m := t.metadata()
	m.HasExif = true
	return m, err
}

// Upright returns the orientation to apply to the decoded pixels to look at
// the photo, 1 to 8: that of the file, or 1 where it has none. HEIF decoders
// turn the picture themselves by the container's own record; for HEIF it must
// not be applied again.
func (m Metadata) Upright() int {
	if m.Orientation < 1 || m.Orientation > 8 {
		return 1
	}
	return m.Orientation
}

// wallTime is the layout of TakenAt without an offset.
const wallTime = "2006-01-02T15:04:05"

// TakenTime returns TakenAt as an instant. A wall time without offset is taken
// to be that of loc, the zone of the stop; when loc is nil such a time cannot
// be resolved. In the hour that repeats when daylight saving ends, the choice
// is time.ParseInLocation's. False means that no time is known.
func (m Metadata) TakenTime(loc *time.Location) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, m.TakenAt); err == nil {
		return t, true
	}
	if loc == nil {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(wallTime, m.TakenAt, loc)
	return t, err == nil
}
