package server

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"porchlight/audit"
)

// Rulings are what people made of photos that were left to them.
type Rulings interface {
	// AddRuling keeps a ruling. Errors: [audit.CodeNotFound], [audit.CodeConflict] where there
	// is none to undo.
	AddRuling(ctx context.Context, r audit.Ruling) (audit.Ruling, error)
	// PhotosWaiting lists the uploads that wait for a person, oldest first, from the one after the cursor.
	PhotosWaiting(ctx context.Context, after string, limit int) (all []audit.JudgedUpload, next string, err error)
	// CountPhotosWaiting counts them, up to most.
	CountPhotosWaiting(ctx context.Context, most int) (int, error)
	// Rulings lists rulings, the latest first, from the one after the cursor.
	Rulings(ctx context.Context, f audit.RulingFilter, after string, limit int) (all []audit.Ruling, next string, err error)
}

// RulingIn is what a person makes of a photo.
type RulingIn struct {
	Decision audit.RulingKind `json:"decision" enum:"accept,reject,undo" doc:"undo: the decision before does not hold, the photo waits again"`
	Reason   audit.Reason     `json:"reason,omitempty" enum:"blurry_photo,human_in_the_picture,no_package_detected,package_in_car,package_in_hand,package_not_clearly_visible,package_too_close,photo_too_dark,other" doc:"Of a rejection"`
	Note     string           `json:"note,omitempty" maxLength:"4096"`
	Landmark string           `json:"landmark,omitempty" enum:"yes,no" doc:"Whether a door or another distinctive feature is in the photo, a label for training; not with undo"`
}

// UploadPath names an upload.
type UploadPath struct {
	UploadID string `path:"upload_id" maxLength:"128" doc:"The upload's id, as uploading answered"`
}

type rulingInput struct {
	UploadPath
	Body RulingIn
}

// addRuling is POST /api/v1/uploads/{upload_id}/review.
func (s *Server) addRuling(ctx context.Context, in *rulingInput) (*body[audit.Ruling], error) {
	r, err := s.rule(ctx, in.UploadID, in.Body)
	return &body[audit.Ruling]{r}, err
}

// rule records what the caller makes of an upload.
func (s *Server) rule(ctx context.Context, uploadID string, in RulingIn) (audit.Ruling, error) {
	r := audit.Ruling{RulingID: s.newID(), UploadID: uploadID, Kind: in.Decision, Reason: in.Reason, Note: in.Note, Landmark: in.Landmark,
		RuledBy: principalOf(ctx).Actor(), RuledAt: s.now().UTC().Truncate(time.Microsecond)}
	if err := r.Validate(); err != nil {
		return r, err
	}
	r, err := s.records.AddRuling(ctx, r)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		err = audit.Errorf(audit.CodeNotFound, "There is no upload with that id", err)
	}
	return r, err
}

// waitingUploads is GET /api/v1/reviews/waiting.
func (s *Server) waitingUploads(ctx context.Context, in *Paging) (*body[List[audit.JudgedUpload]], error) {
	return listOf(s.records.PhotosWaiting(ctx, in.Cursor, in.Limit))
}

type rulingsInput struct {
	Paging
	UploadID string `query:"upload_id" maxLength:"128" doc:"On that upload alone"`
}

// rulings is GET /api/v1/reviews.
func (s *Server) rulings(ctx context.Context, in *rulingsInput) (*body[List[audit.Ruling]], error) {
	return listOf(s.records.Rulings(ctx, audit.RulingFilter{UploadID: in.UploadID}, in.Cursor, in.Limit))
}

var addRulingDoc = operation{
	id: "review-upload", tag: "reviews", summary: "Accept or reject a photo, or take that back", errors: []int{404, 409, 413, 415, 422},
	text: "Decisions are appended; the latest counts, and goes over the verdict of every report, earlier and later ones alike. A rejection has one of the carrier's nine reasons.",
}

var waitingDoc = operation{
	id: "list-waiting-uploads", tag: "reviews", summary: "Uploads that wait for a person, oldest first", errors: []int{422},
	text: "Those whose latest report has the verdict review and that nobody decided on.",
}

var rulingsDoc = operation{
	id: "list-reviews", tag: "reviews", summary: "What people decided about photos, the latest first", errors: []int{422},
	text: "With the verdict of the report that each person saw: labels for fitting a checklist.",
}

var reviewsTag = &huma.Tag{Name: "reviews", Description: "What people make of photos that a checklist leaves to them"}
