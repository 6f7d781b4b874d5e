package audit

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// HoldKind is what a legal hold is on.
type HoldKind string

const (
	HoldPhoto    HoldKind = "photo"    // one photo, by its id
	HoldDelivery HoldKind = "delivery" // all photos of a delivery, by its tracking id
	HoldDriver   HoldKind = "driver"   // all photos that a driver uploaded
)

// HoldKinds are all kinds.
var HoldKinds = []HoldKind{HoldPhoto, HoldDelivery, HoldDriver}

// Hold is a legal hold: what it covers is not deleted, however old, until it is released.
type Hold struct {
	HoldID     string     `json:"hold_id"`
	Kind       HoldKind   `json:"kind"`
	Subject    string     `json:"subject"` // the photo's, delivery's or driver's id
	Reason     string     `json:"reason"`
	PlacedBy   string     `json:"placed_by"` // the actor
	PlacedAt   time.Time  `json:"placed_at"`
	ReleasedAt *time.Time `json:"released_at,omitempty"` // absent while it holds
}

// Validate checks a hold that comes from outside. Errors: [CodeInvalid].
func (h Hold) Validate() error {
	switch {
	case !slices.Contains(HoldKinds, h.Kind):
		return Errorf(CodeInvalid, "kind %.40q is none of %v", string(h.Kind), HoldKinds)
	case h.Subject == "" || len(h.Subject) > MaxIDBytes:
		return Errorf(CodeInvalid, "subject is the id of a %s, 1 to %d bytes", h.Kind, MaxIDBytes)
	case strings.TrimSpace(h.Reason) == "":
		return Errorf(CodeInvalid, "a hold needs a reason, such as the case's number")
	case len(h.Reason) > MaxFieldBytes:
		return Errorf(CodeInvalid, "reason is longer than %d bytes", MaxFieldBytes)
	}
	return nil
}

// KeptBy is why a photo past its retention is kept all the same.
type KeptBy string

const (
	KeptByHold   KeptBy = "legal_hold"
	KeptByPacket KeptBy = "packet"         // an issued packet has frozen it
	KeptByClaim  KeptBy = "open_claim"     // on one of its deliveries
	KeptByStore  KeptBy = "locked"         // the object store does not let it be deleted yet
	KeptByUpload KeptBy = "uploaded_again" // since then
)

// Expired is a photo that was last uploaded longer ago than photos are kept.
type Expired struct {
	PhotoID    string    `json:"photo_id"`
	ReceivedAt time.Time `json:"received_at"` // its last upload
	Bytes      int64     `json:"bytes"`
	TrackingID string    `json:"tracking_id"`       // of that upload
	KeptBy     KeptBy    `json:"kept_by,omitempty"` // empty where it goes
}

// RetentionRecords is what deleting photos needs of the records. What is measured, judged
// and decided stays on record; only a photo's bytes go.
type RetentionRecords interface {
	// ExpiredPhotos lists photos that were last uploaded before then, the oldest first, at
	// most limit from the one after the cursor, without those whose bytes are gone.
	ExpiredPhotos(ctx context.Context, before time.Time, after string, limit int) (all []Expired, next string, err error)
	// MarkDeleted says on record, and in the custody log, that photos are deleted, but for
	// those that something keeps by now, which it answers. From then on the bytes of the
	// others may go at any moment, and an upload of the same photo puts them anew.
	MarkDeleted(ctx context.Context, photoIDs []string, before, at time.Time) (kept map[string]KeptBy, err error)
	// DeleteMarked has the bytes of marked photos removed while nobody can upload them or
	// place a hold, and answers what became of each: "" where they are gone. A photo that
	// something keeps by now is unmarked, and so is one that remove calls [CodeImmutable];
	// another error leaves it marked, for the next time, and is returned once all were tried.
	// Of one whose mark somebody took back it answers what keeps it.
	DeleteMarked(ctx context.Context, photoIDs []string, before time.Time, remove func(ctx context.Context, photoID string) error) (map[string]KeptBy, error)
	// MarkedPhotos lists photos that are marked and whose bytes may still be there.
	MarkedPhotos(ctx context.Context, limit int) ([]Expired, error)
}

// Retention deletes photos past their retention.
type Retention struct {
	Records RetentionRecords
	// Remove deletes an object; one that is not there is removed already. Errors:
	// [CodeImmutable] while the store does not let it go.
	Remove func(ctx context.Context, key string) error
	// LockedUntil is until when the store does not let an object go; the zero time where
	// nothing holds it.
	LockedUntil func(ctx context.Context, key string) (time.Time, error)
	Now         func() time.Time
}

// retentionBatch is how many photos are deleted in one transaction: uploads wait for it.
const retentionBatch = 32

// Sweep deletes the photos that were last uploaded before then, and tells of each, with
// what keeps it where something does. A dry run tells the same and deletes nothing. It may
// be stopped at any point: the next sweep goes on.
func (r Retention) Sweep(ctx context.Context, before time.Time, dry bool, tell func(Expired)) error {
	if !dry {
		if err := r.finish(ctx, before, tell); err != nil {
			return err
		}
	}
	for after := ""; ; {
		all, next, err := r.Records.ExpiredPhotos(ctx, before, after, retentionBatch)
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].KeptBy == "" {
				until, err := r.LockedUntil(ctx, ObjectKey(all[i].PhotoID))
				switch {
				case ErrorCode(err) == CodeNotFound: // gone already: what is on record says so from now on
				case err != nil:
					return err
				case until.After(r.Now()):
					all[i].KeptBy = KeptByStore
				}
			}
		}
		if !dry {
			if err := r.delete(ctx, all, before); err != nil {
				return err
			}
		}
		for _, e := range all {
			tell(e)
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

// delete deletes those that nothing keeps, and says in them what became of each.
func (r Retention) delete(ctx context.Context, all []Expired, before time.Time) error {
	var ids []string
	for _, e := range all {
		if e.KeptBy == "" {
			ids = append(ids, e.PhotoID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	kept, err := r.Records.MarkDeleted(ctx, ids, before, r.Now().UTC())
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return kept[id] != "" })
	became, err := r.Records.DeleteMarked(ctx, ids, before, r.remove)
	if err != nil {
		return err
	}
	for i, e := range all {
		all[i].KeptBy = cmp.Or(e.KeptBy, kept[e.PhotoID], became[e.PhotoID])
	}
	return nil
}

// finish deletes what an earlier sweep marked and did not come to.
func (r Retention) finish(ctx context.Context, before time.Time, tell func(Expired)) error {
	for {
		all, err := r.Records.MarkedPhotos(ctx, retentionBatch)
		if err != nil || len(all) == 0 {
			return err
		}
		ids := make([]string, len(all))
		for i, e := range all {
			ids[i] = e.PhotoID
		}
		kept, err := r.Records.DeleteMarked(ctx, ids, before, r.remove)
		if err != nil {
			return err
		}
		for _, e := range all {
			e.KeptBy = kept[e.PhotoID]
			tell(e)
		}
	}
}

func (r Retention) remove(ctx context.Context, photoID string) error {
	return r.Remove(ctx, ObjectKey(photoID))
}
