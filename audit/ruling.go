package audit

import (
	"slices"
	"time"
)

// RulingKind is what a person made of a photo.
type RulingKind string

const (
	RuledAccept RulingKind = "accept" // it would prove the delivery
	RuledReject RulingKind = "reject" // it would not, for one of the nine reasons
	RuledUndo   RulingKind = "undo"   // the ruling before does not hold; the photo waits again
)

// RulingKinds are all kinds.
var RulingKinds = []RulingKind{RuledAccept, RuledReject, RuledUndo}

// What a ruling may say of a door or another distinctive feature in the photo.
const (
	LandmarkYes = "yes"
	LandmarkNo  = "no"
)

// Ruling is a person's word on an upload that the checklist left to a person. Rulings are
// appended; the latest counts, and goes over the verdict of every report.
type Ruling struct {
	RulingID   string     `json:"ruling_id"`
	UploadID   string     `json:"upload_id"`
	PhotoID    string     `json:"photo_id"`
	TrackingID string     `json:"tracking_id"`
	DriverID   string     `json:"driver_id,omitempty"`
	Kind       RulingKind `json:"decision"`
	Reason     Reason     `json:"reason,omitempty"` // of a rejection
	Note       string     `json:"note,omitempty"`
	// Landmark is yes or no where the person said whether a door or another distinctive
	// feature is in the photo, which neither an acceptance nor a reason tells: a label for
	// training.
	Landmark string    `json:"landmark,omitempty"`
	RuledBy  string    `json:"ruled_by"` // the actor
	RuledAt  time.Time `json:"ruled_at"`
	// ReportID, Checklist and Verdict are those of the report that the person saw.
	ReportID  string  `json:"report_id,omitempty"`
	Checklist string  `json:"checklist,omitempty"`
	Verdict   Verdict `json:"verdict,omitempty"`
}

// Validate checks a ruling that comes from outside. Errors: [CodeInvalid].
func (r Ruling) Validate() error {
	switch {
	case !slices.Contains(RulingKinds, r.Kind):
		return Errorf(CodeInvalid, "decision %.40q is none of %v", string(r.Kind), RulingKinds)
	case r.Kind == RuledReject && !slices.Contains(Reasons, r.Reason):
		return Errorf(CodeInvalid, "reason %.40q is none of %v", string(r.Reason), Reasons)
	case r.Kind != RuledReject && r.Reason != "":
		return Errorf(CodeInvalid, "a reason goes with a rejection alone")
	case r.Landmark != "" && r.Landmark != LandmarkYes && r.Landmark != LandmarkNo:
		return Errorf(CodeInvalid, "landmark %.40q is neither %s nor %s", r.Landmark, LandmarkYes, LandmarkNo)
	case r.Kind == RuledUndo && r.Landmark != "":
		return Errorf(CodeInvalid, "landmark goes with an acceptance or a rejection")
	case len(r.Note) > MaxFieldBytes:
		return Errorf(CodeInvalid, "note is longer than %d bytes", MaxFieldBytes)
	}
	return nil
}

// RulingFilter chooses rulings; its zero value means all.
type RulingFilter struct {
	UploadID string
}

// Settled is what counts of an upload: a person's word where there is one, else the
// verdict of its latest report.
func (j JudgedUpload) Settled() Verdict {
	if j.Ruling == nil {
		return j.Report.Verdict
	}
	if j.Ruling.Kind == RuledAccept {
		return Accept
	}
	return Retake
}
