package audit

import (
	"fmt"
	"strings"

	"porchlight/audit/vision"
)

// seen is what vision read in the photo, or a finding that says why nothing was.
func (j *judgement) seen() (*vision.Reading, Finding) {
	switch {
	case !j.m.Decoded():
		return nil, unknown(notDecoded)
	case j.m.Vision != nil:
		return j.m.Vision, Finding{}
	case j.m.VisionProblem != "":
		return nil, unknown(j.m.VisionProblem)
	}
	return nil, unknown(noModels)
}

// houseNumber holds the texts of the photo against the stop's address. In apartments the
// unit is as good as the house number.
func (j *judgement) houseNumber() Finding {
	r, missing := j.seen()
	if r == nil {
		return missing
	}
	stop := j.s.Delivery.Stop
	address := vision.ParseAddress(stop.Address, stop.Unit)
	if strings.TrimSpace(stop.Address) == "" && address.Unit == "" {
		return unknown("the stop has no address")
	}
	if address.Number == "" && address.Unit == "" {
		return unknown("the address has no number")
	}
	if role := j.s.Role; role != Placement && role != Context && role != "" {
		return unknown("not asked of a photo in this role")
	}
	want := address.Number
	if address.Unit != "" {
		want = strings.TrimPrefix(want+" unit "+address.Unit, " ")
	}
	c := j.Checks.HouseNumber
	match, text := vision.MatchNumber(address, stop.Postcode, *r, vision.NumberLimits{Read: c.MinScore, Mismatch: c.MismatchScore})
	f := Finding{Limit: want, Source: "vision"}
	switch match {
	case vision.Matching:
		f.Result, f.Value = Pass, text.Text
	case vision.Different:
		f.Result, f.Value = Fail, text.Text
		f.Detail = fmt.Sprintf("The photo shows the number %s, the stop is %s", text.Text, want)
	default:
		f.Result, f.Detail = Warn, "The number "+want+" cannot be read in the photo"
		return f
	}
	f.Box, f.Score = &text.Box, text.Score
	return f
}

// packageFound tells whether a package is in the photo.
func (j *judgement) packageFound() Finding {
	r, missing := j.seen()
	if r == nil {
		return missing
	}
	if role := j.s.Role; role == Context || role == Obstacle {
		return unknown("not asked of a photo in this role")
	}
	c := j.Checks.Package
	f := Finding{Result: Fail, Limit: c.FoundScore, Unit: "score", Source: "vision", Detail: "No package was found in the photo"}
	best, ok := top(r, vision.Package)
	if !ok || best.Score < c.PerhapsScore {
		return f
	}
	f.Result, f.Value, f.Box, f.Detail = Pass, best.Score, &best.Box, ""
	if best.Score < c.FoundScore {
		f.Result, f.Detail = Warn, "There may be a package in the photo; it cannot be told for sure"
	}
	return f
}

// top is the detection with the best score.
func top(r *vision.Reading, label vision.Label) (vision.Detection, bool) {
	var best vision.Detection
	for _, d := range r.Boxes {
		if d.Label == label && d.Score > best.Score {
			best = d
		}
	}
	return best, best.Score > 0
}

// person tells whether somebody, or a hand, is in the photo. A person whose box overlaps
// the package's may hold it; that is experimental.
func (j *judgement) person() Finding {
	r, missing := j.seen()
	if r == nil {
		return missing
	}
	c := j.Checks.Person
	f := Finding{Result: Pass, Limit: c.MinScore, Unit: "score", Source: "vision"}
	best, ok := top(r, vision.Person)
	if !ok || best.Score < c.MinScore {
		return f
	}
	f.Result, f.Value, f.Box, f.Detail = Warn, best.Score, &best.Box, "A person or a hand is in the photo"
	parcel, ok := top(r, vision.Package)
	if ok && parcel.Score >= j.Checks.Package.FoundScore && max(parcel.Box.Within(best.Box), best.Box.Within(parcel.Box)) >= c.InHandOverlap {
		f.Reason, f.Experimental, f.Detail = string(PackageInHand), true, "The package seems to be in somebody's hand"
	}
	return f
}

// framing judges by the metadata whether the camera zoomed in or the photo was cropped,
// and by the package's box whether it was taken from too close.
func (j *judgement) framing() Finding {
	c, e := j.Checks.Framing, j.m.Exif
	if e.DigitalZoom != nil && *e.DigitalZoom > c.MaxDigitalZoom {
		return Finding{Result: Warn, Value: *e.DigitalZoom, Limit: c.MaxDigitalZoom, Unit: "x", Source: "exif",
			Detail: fmt.Sprintf("The camera zoomed in %.1f times", *e.DigitalZoom)}
	}
	if j.m.Decoded() && e.PixelWidth != nil && e.PixelHeight != nil && *e.PixelWidth > 0 && *e.PixelHeight > 0 {
		share := float64(j.m.Width) * float64(j.m.Height) / (float64(*e.PixelWidth) * float64(*e.PixelHeight))
		if share < c.MinPixelShare {
			return Finding{Result: Warn, Value: share, Limit: c.MinPixelShare, Unit: "share of pixels", Source: "exif",
				Detail: fmt.Sprintf("The photo has %d x %d px, the camera took %d x %d: cropped or scaled down", j.m.Width, j.m.Height, *e.PixelWidth, *e.PixelHeight)}
		}
	}
	r, missing := j.seen()
	if r == nil {
		missing.Reason = "no zoom or crop in the metadata; how much the package fills: " + missing.Reason
		return missing
	}
	parcel, ok := top(r, vision.Package)
	if !ok || parcel.Score < j.Checks.Package.PerhapsScore {
		return unknown("no zoom or crop in the metadata, and no package was found")
	}
	f := Finding{Result: Pass, Value: roundTo(parcel.Box.Area(), 3), Limit: c.MaxPackageArea, Unit: "share of the frame", Source: "vision", Box: &parcel.Box, Score: parcel.Score}
	borders := parcel.Box.Borders(c.BorderMargin)
	switch {
	case float64(borders) >= c.MaxBorders && parcel.Box.Area() > c.MaxPackageArea:
		f.Result, f.Detail = Warn, "The photo shows little but the package"
	case float64(borders) >= c.MaxBorders:
		f.Result, f.Value, f.Limit, f.Unit = Warn, borders, c.MaxBorders, "borders"
		f.Detail = fmt.Sprintf("The package is cut off at %d borders of the photo", borders)
	case parcel.Box.Area() > c.MaxPackageArea:
		f.Result, f.Detail = Warn, fmt.Sprintf("The package fills %.0f%% of the photo", 100*parcel.Box.Area())
	}
	return f
}

// signage tells whether one of the delivery's usable photos shows where the mailroom or
// the locker is: a word of its signs or, for a locker, a number.
func (j *judgement) signage(kind Instruction) Finding {
	r, missing := j.seen()
	readings := []*vision.Reading{r}
	for _, o := range j.s.Others {
		if o.Report.Verdict != Retake && o.Measurement.Vision != nil {
			readings = append(readings, o.Measurement.Vision)
		}
	}
	looked := false
	for i, r := range readings {
		if r == nil {
			continue
		}
		looked = true
		for _, t := range r.Texts {
			if t.Score < j.Checks.HouseNumber.MinScore || !j.isSign(kind, t.Text) {
				continue
			}
			f := Finding{Result: Pass, Value: t.Text, Source: "vision", Score: t.Score}
			if i == 0 {
				f.Box = &t.Box
			}
			return f
		}
	}
	if !looked {
		missing.Reason = "whether signage can be read: " + missing.Reason
		return missing
	}
	return Finding{Result: Fail, Source: "vision", Detail: "No sign of the " + string(kind) + " can be read", Advice: "the " + string(kind) + "'s sign or number"}
}

func (j *judgement) isSign(kind Instruction, text string) bool {
	upper := strings.ToUpper(text)
	for _, word := range j.Checks.Set.Signs[kind] {
		if strings.Contains(upper, strings.ToUpper(word)) {
			return true
		}
	}
	return kind == ToLocker && len(text) <= 4 && strings.Trim(text, "0123456789") == ""
}
