package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"porchlight/audit/geo"
)

// MaxPhotoBytes is the most that one photo may weigh: 25 MB.
const MaxPhotoBytes = 25_000_000

// PhotoRole is what a photo is meant to show of a delivery.
type PhotoRole string

const (
	Placement PhotoRole = "placement" // the package where it was left
	CloseUp   PhotoRole = "close_up"  // the package in its hiding place
	Context   PhotoRole = "context"   // the hiding place with the door
	Obstacle  PhotoRole = "obstacle"  // why the instruction could not be followed
	Condition PhotoRole = "condition" // the package's state
)

// PhotoRoles are all roles.
var PhotoRoles = []PhotoRole{Placement, CloseUp, Context, Obstacle, Condition}

// PhotoID is the identity of a photo: the SHA-256 of its bytes, 64 hex digits.
func PhotoID(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// ObjectKey is where a photo's bytes are kept: photos/ab/abcd...
func ObjectKey(photoID string) string { return "photos/" + photoID[:2] + "/" + photoID }

// Fix is a position that a phone reported.
type Fix struct {
	geo.Point
	AccuracyM *float64 `json:"accuracy_m,omitempty"` // reported error in metres, 95% where the phone says so
}

// NewFix puts together what a form or a row says of a position; nil where it says nothing.
// Errors: [CodeInvalid] where a part is missing.
func NewFix(latitude, longitude, accuracyM *float64) (*Fix, error) {
	switch {
	case (latitude == nil) != (longitude == nil):
		return nil, Errorf(CodeInvalid, "latitude and longitude go together")
	case latitude != nil:
		return &Fix{geo.Point{Latitude: *latitude, Longitude: *longitude}, accuracyM}, nil
	case accuracyM != nil:
		return nil, Errorf(CodeInvalid, "accuracy_m goes with latitude and longitude")
	}
	return nil, nil
}

// Upload says what a driver's photo is meant to show: which delivery (and which
// others of the same stop), in what role, when and where the phone says it was taken.
type Upload struct {
	UploadID   string     `json:"upload_id"`
	PhotoID    string     `json:"photo_id"`
	TrackingID string     `json:"tracking_id"`
	Also       []string   `json:"also,omitempty"` // further tracking ids of the same stop that the photo shows
	Role       PhotoRole  `json:"role"`
	CapturedAt *time.Time `json:"captured_at,omitempty"` // by the phone's clock
	Fix        *Fix       `json:"fix,omitempty"`         // the phone's own, sent beside the file
	DriverID   string     `json:"driver_id,omitempty"`
	ReceivedAt time.Time  `json:"received_at"`
	MediaType  string     `json:"media_type"`
	Bytes      int64      `json:"bytes"`
}

// Validate checks what came from outside.
func (u Upload) Validate() error {
	if !slices.Contains(PhotoRoles, u.Role) {
		return Errorf(CodeInvalid, "role %q is none of %v", u.Role, PhotoRoles)
	}
	for _, id := range append([]string{u.TrackingID}, u.Also...) {
		if err := ValidateID("tracking_id", id); err != nil {
			return err
		}
	}
	if len(u.Also) > 50 {
		return Errorf(CodeInvalid, "also names %d further deliveries, 50 are the most", len(u.Also))
	}
	if u.Fix != nil {
		if err := validatePosition("latitude", &u.Fix.Latitude, "longitude", &u.Fix.Longitude); err != nil {
			return err
		}
		if a := u.Fix.AccuracyM; a != nil && !(*a >= 0 && *a <= 1e6) {
			return Errorf(CodeInvalid, "accuracy_m %g is not a distance in metres", *a)
		}
	}
	return nil
}

// takenOrReceived is when the photo was taken by the phone's clock, else when it
// arrived.
func (u Upload) takenOrReceived() time.Time {
	if u.CapturedAt != nil {
		return *u.CapturedAt
	}
	return u.ReceivedAt
}

// Sighting is an earlier upload of the same or a similar picture.
type Sighting struct {
	UploadID   string    `json:"upload_id"`
	PhotoID    string    `json:"photo_id"`
	TrackingID string    `json:"tracking_id"`
	DriverID   string    `json:"driver_id,omitempty"`
	StopKey    string    `json:"-"`
	At         time.Time `json:"at"`       // captured, else received
	Distance   int       `json:"distance"` // PDQ bits that differ, 0..256; 0 for equal bytes
	Quality    int       `json:"quality"`  // the lower of both fingerprints' qualities
}

// extensions of photos' media types.
var extensions = map[string]string{"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/heic": ".heic", "image/heif": ".heic"}

// Extension is how the name of a photo's file ends, with its dot; empty for another media type.
func Extension(mediaType string) string { return extensions[mediaType] }
