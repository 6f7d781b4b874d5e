package server

import (
	"context"
	"time"

	"porchlight/audit"
)

// Holds are legal holds, which keep photos from being deleted.
type Holds interface {
	// PlaceHold keeps a hold. Errors: [audit.CodeConflict] where its id is taken.
	PlaceHold(ctx context.Context, h audit.Hold) error
	// ReleaseHold ends one. Errors: [audit.CodeNotFound].
	ReleaseHold(ctx context.Context, holdID string, at time.Time) (audit.Hold, error)
	// Holds lists them, released ones too, oldest first, from the one after the cursor.
	Holds(ctx context.Context, after string, limit int) (all []audit.Hold, next string, err error)
}

// HoldIn says what to hold.
type HoldIn struct {
	Kind    audit.HoldKind `json:"kind" enum:"photo,delivery,driver"`
	Subject string         `json:"subject" minLength:"1" maxLength:"128" doc:"The photo's SHA-256, the delivery's tracking id or the driver's id"`
	Reason  string         `json:"reason" minLength:"1" maxLength:"4096" doc:"Such as the case's number"`
}

type holdInput struct{ Body HoldIn }

// HoldPath names a hold.
type HoldPath struct {
	HoldID string `path:"hold_id" maxLength:"128" doc:"The hold's id, as placing it answered"`
}

// holds is GET /api/v1/holds.
func (s *Server) holds(ctx context.Context, in *Paging) (*body[List[audit.Hold]], error) {
	return listOf(s.records.Holds(ctx, in.Cursor, in.Limit))
}

// placeHold is POST /api/v1/holds.
func (s *Server) placeHold(ctx context.Context, in *holdInput) (*body[audit.Hold], error) {
	h := audit.Hold{HoldID: s.newID(), Kind: in.Body.Kind, Subject: in.Body.Subject, Reason: in.Body.Reason,
		PlacedBy: principalOf(ctx).Actor(), PlacedAt: s.now().UTC().Truncate(time.Microsecond)}
	if err := h.Validate(); err != nil {
		return nil, err
	}
	return &body[audit.Hold]{h}, s.records.PlaceHold(ctx, h)
}

// releaseHold is DELETE /api/v1/holds/{hold_id}.
func (s *Server) releaseHold(ctx context.Context, in *HoldPath) (*body[audit.Hold], error) {
	h, err := s.records.ReleaseHold(ctx, in.HoldID, s.now())
	return &body[audit.Hold]{h}, err
}
