package audit

import (
	"fmt"
	"math"
	"time"

	"porchlight/audit/vision"
)

// MaxCompared is with how many earlier photos of its stop a photo is compared at most.
const MaxCompared = 8

// VisitApart is how long before a photo one of an earlier visit was taken at least.
const VisitApart = 12 * time.Hour

// Recognition is what comparing a photo with the latest accepted ones of its stop, from
// earlier visits, found. It is a fact, kept with the upload; a checklist says from how
// many points the place is the same.
type Recognition struct {
	Compared int       // with how many photos, 0..[MaxCompared]
	UploadID string    // of the photo that is most alike; "" where none is at all
	At       time.Time // when that was captured, else received
	Points   int       // that agree in both
}

// landmark tells whether the place is known from an earlier photo of the stop, else what
// the operator's own head says of doors, where one was trained.
func (j *judgement) landmark() Finding {
	r, missing := j.seen()
	if r == nil {
		return missing
	}
	f := j.recognised()
	if f.Result == Pass || r.Landmark == nil {
		return f
	}
	if role := j.s.Role; role != Placement && role != Context && role != "" {
		return f
	}
	return j.door(*r.Landmark)
}

// door judges by a head, which only passes a photo where it was right often enough on
// photos of stops that it did not know.
func (j *judgement) door(l vision.Landmark) Finding {
	f := Finding{Result: Pass, Value: l.Score, Limit: l.Threshold, Unit: "score", Source: "vision", Score: l.Score}
	measured := fmt.Sprintf("the model's measured accuracy is %.0f%%", math.Floor(100*l.Accuracy))
	switch {
	case l.Score < l.Threshold:
		f.Result, f.Detail = Warn, "No door or other distinctive feature was found; "+measured
	case l.Accuracy < j.Checks.Landmark.MinAccuracy:
		f.Result, f.Reason = Unknown, "a door is likely; "+measured
	default:
		f.Detail = "A door or another distinctive feature is in the photo; " + measured
	}
	return f
}

// recognised tells whether an earlier accepted photo of the stop shows the same place.
// Photos of one doorstep often share too little to be recognised, by day and by night or
// from another side: that says nothing.
func (j *judgement) recognised() Finding {
	c, r := j.Checks.Landmark, j.s.Recognition
	switch {
	case j.s.Alone:
		return unknown("no delivery given")
	case r == nil:
		return unknown("not compared with earlier photos of this stop")
	case r.Compared == 0:
		return unknown("no earlier accepted photo of this stop")
	case float64(r.Points) < c.MinAgreeing:
		photos := "photos"
		if r.Compared == 1 {
			photos = "photo"
		}
		return unknown(fmt.Sprintf("not recognised among %d earlier %s of this stop", r.Compared, photos))
	}
	day := r.At.In(j.s.Delivery.Zone()).Format(time.DateOnly)
	return Finding{Result: Pass, Value: r.Points, Limit: c.MinAgreeing, Unit: "points", Source: "history",
		Detail: fmt.Sprintf("The same doorstep as in the photo of %s: %d points agree", day, r.Points)}
}
