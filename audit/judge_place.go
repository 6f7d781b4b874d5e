package audit

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"porchlight/audit/geo"
)

// location compares where the photo was taken with the stop. The file's own position
// goes first, then the phone's, sent beside the file because browsers strip it; a
// phone's fix is never presented as the file's. A stop without a position of its own may
// have a geocoded one: what that is short of in precision widens the radius, and nobody
// fails for it.
func (j *judgement) location() Finding {
	c := j.Checks.Location
	stop, ok := j.s.Delivery.Point()
	geocoded := j.s.Delivery.Geocoded
	switch {
	case ok:
		geocoded = nil
	case geocoded == nil || !geocoded.Valid():
		return unknown("the stop has no position")
	case !(geocoded.PrecisionM <= c.GeocodedMaxM):
		return unknown(fmt.Sprintf("the stop has no position of its own, and the one made of its address may be off by %.0f m", geocoded.PrecisionM))
	default:
		stop = geocoded.Point
	}
	var at geo.Point
	var accuracy *float64
	source := ""
	e := j.m.Exif
	switch {
	case e.Latitude != nil && e.Longitude != nil:
		at, accuracy, source = geo.Point{Latitude: *e.Latitude, Longitude: *e.Longitude}, e.AccuracyM, "exif"
	case j.s.Fix != nil && j.s.Fix.Valid():
		at, accuracy, source = j.s.Fix.Point, j.s.Fix.AccuracyM, "phone"
	default:
		return unknown("no position in the photo and none from the phone")
	}
	if accuracy != nil && *accuracy > c.MaxErrorM {
		f := unknown(fmt.Sprintf("the position may be off by %.0f m", *accuracy))
		f.Source = source
		return f
	}
	radius := c.RadiusM
	if accuracy != nil {
		radius = max(radius, c.ErrorFactor**accuracy+c.ErrorMarginM)
	}
	if r := j.s.Delivery.RadiusM; r != nil {
		radius = max(radius, *r)
	}
	d := geo.Distance(at, stop)
	failAbove := max(c.WarnWithinM, radius)
	if geocoded != nil {
		radius += geocoded.PrecisionM
		failAbove = math.Inf(1)
	}
	f := above(roundTo(d, 1), failAbove, roundTo(radius, 1))
	f.Unit, f.Source = "m", source
	f.Detail = fmt.Sprintf("%.0f m from the stop", d)
	if geocoded != nil {
		f.Source += "; stop " + geocoded.Precision()
		f.Detail += "'s address on the map, which is precise to " + fmt.Sprintf("%.0f m", geocoded.PrecisionM)
	}
	f.Advice = strconv.Itoa(int(math.Round(d)))
	if f.Result == Pass {
		f.Advice = ""
	}
	return f
}

// time compares when the photo was taken with when the package was scanned, and with
// when the photo arrived. A photo may arrive late, since drivers work offline; it
// cannot arrive before it was taken.
func (j *judgement) time() Finding {
	c := j.Checks.Time
	taken, source, ok := j.takenAt()
	if !ok {
		return unknown("no time in the photo and none from the phone")
	}
	grade := func(apart time.Duration, detail string) Finding {
		f := above(roundTo(apart.Abs().Minutes(), 1), c.FailAboveMinutes, c.WarnAboveMinutes)
		f.Unit, f.Source, f.Detail = "min", source, detail
		if clock, ok := j.m.Exif.TakenTime(j.s.Delivery.Zone()); ok && source == "phone" {
			if off := clock.Sub(taken); off.Abs() > time.Duration(c.WarnAboveMinutes*float64(time.Minute)) {
				f.Detail += fmt.Sprintf("; the camera's clock is %s off", Lasting(off))
			}
		}
		return f
	}
	received := j.s.ReceivedAt
	if !received.IsZero() && taken.Sub(received) > time.Duration(c.WarnAboveMinutes*float64(time.Minute)) {
		return grade(taken.Sub(received), fmt.Sprintf("taken %s after it was received: the clock is wrong", Lasting(taken.Sub(received))))
	}
	scanned := j.s.Delivery.ScannedAt
	if scanned == nil {
		scanned = j.s.Delivery.DeliveredAt
	}
	switch {
	case scanned != nil:
		apart := taken.Sub(*scanned)
		when := Lasting(apart.Abs()) + " after"
		switch {
		case apart.Abs() < time.Second:
			when = "at the moment of"
		case apart < 0:
			when = Lasting(apart.Abs()) + " before"
		}
		return grade(apart, "taken "+when+" the scan")
	case received.IsZero():
		return unknown("no scan to compare with")
	case received.Sub(taken) <= time.Duration(c.WarnAboveMinutes*float64(time.Minute)):
		return grade(received.Sub(taken), fmt.Sprintf("received %s after it was taken; no scan on record", Lasting(received.Sub(taken))))
	default:
		f := unknown("no scan to compare with, and the photo arrived late")
		f.Source = source
		return f
	}
}

// reuse looks for the same picture at another stop or on another visit. Packages of
// one stop and one visit share photos.
func (j *judgement) reuse() Finding {
	c := j.Checks.Reuse
	if !j.m.Decoded() && len(j.s.Sightings) == 0 {
		return unknown(notDecoded)
	}
	this := Sighting{PhotoID: j.s.PhotoID, StopKey: j.s.Delivery.Key(), At: j.s.takenOrReceived()}
	quality := 0
	if j.m.Decoded() {
		quality = j.m.FingerprintQuality
	}
	f := Finding{Result: Pass, Limit: c.FailWithinBits, Unit: "bits"}
	for _, s := range j.s.Sightings {
		if oneVisit(this, s, visitTime(c.VisitHours)) {
			continue
		}
		same, sameStop := s.PhotoID == this.PhotoID, this.StopKey != "" && s.StopKey == this.StopKey
		if !same && (float64(min(s.Quality, quality)) < c.MinQuality) {
			continue
		}
		result := Pass
		switch {
		case same || float64(s.Distance) <= c.FailWithinBits:
			result = Fail
		case float64(s.Distance) <= c.ReviewWithinBits && sameStop && s.DriverID == j.s.DriverID && this.At.Sub(s.At).Abs() <= time.Duration(c.ReviewDays*24*float64(time.Hour)):
			result = Warn
		}
		if result == Fail && f.Result != Fail || result == Warn && f.Result == Pass {
			what := "a similar picture"
			if same {
				what = "the same file"
			}
			f.Result, f.Value = result, s.Distance
			f.Detail = fmt.Sprintf("%s was used for %s on %s", what, s.TrackingID, s.At.UTC().Format("2006-01-02 15:04 UTC"))
			f.Source = "photo " + short(s.PhotoID)
			if result == Warn {
				f.Limit = c.ReviewWithinBits
			}
		}
	}
	return f
}

// set tells whether the delivery's photos together are what its instruction asks for.
// Photos that must be taken again do not count.
func (j *judgement) set() Finding {
	d := j.s.Delivery
	if j.s.Alone {
		return unknown("no delivery given")
	}
	if d.Attended() {
		return Finding{Result: Pass, Detail: "Handed over in person: no doorstep photo is owed"}
	}
	if d.Instruction == ToMailroom || d.Kind == Mailroom {
		return j.signage(ToMailroom)
	}
	if d.Instruction == ToLocker || d.Kind == Locker {
		return j.signage(ToLocker)
	}
	have := map[PhotoRole]bool{}
	if j.verdict != Retake { // set is judged last
		have[j.s.Role] = true
	}
	for _, o := range j.s.Others {
		if o.Report.Verdict != Retake {
			have[o.Upload.Role] = true
		}
	}
	needed := j.Checks.Set.Roles[d.Instruction]
	if len(needed) == 0 {
		if len(have) > 0 {
			return Finding{Result: Pass}
		}
		return Finding{Result: Fail, Value: 0, Limit: 1, Unit: "photos", Detail: "No usable photo of this delivery yet", Advice: "the package where you left it"}
	}
	var missing []string
	for _, r := range needed {
		if !have[r] {
			missing = append(missing, roleWords[r])
		}
	}
	f := Finding{Result: Pass, Value: len(needed) - len(missing), Limit: len(needed), Unit: "photos"}
	if len(missing) > 0 {
		f.Result = Fail
		f.Advice = strings.Join(missing, " and ")
		f.Detail = "Missing: " + f.Advice
	}
	return f
}

// roleWords says for the driver what a photo of a role shows.
var roleWords = map[PhotoRole]string{
	Placement: "the package where you left it",
	CloseUp:   "the hidden package close up",
	Context:   "the hiding place with the door",
	Obstacle:  "what was in the way",
	Condition: "the package's state",
}

func short(photoID string) string { return photoID[:min(12, len(photoID))] }

func roundTo(v float64, decimals int) float64 {
	p := math.Pow10(decimals)
	return math.Round(v*p) / p
}

// NeededRoles are the roles that the instruction asks for and that no usable photo has
// yet, in the order in which they are asked for.
func (c *Checklist) NeededRoles(d Delivery, photos []JudgedUpload) []PhotoRole {
	if d.Attended() {
		return nil
	}
	needed := c.Checks.Set.Roles[d.Instruction]
	if len(needed) == 0 {
		needed = []PhotoRole{Placement}
	}
	var out []PhotoRole
	for _, r := range needed {
		if !slices.ContainsFunc(photos, func(p JudgedUpload) bool {
			return p.Report.Verdict != Retake && (p.Upload.Role == r || len(c.Checks.Set.Roles[d.Instruction]) == 0)
		}) {
			out = append(out, r)
		}
	}
	return out
}
