package dispute

import (
	"fmt"
	"strings"
	"time"

	"porchlight/audit"
)

// OriginalState is what became of a photo's bytes in the object store.
type OriginalState string

const (
	Intact    OriginalState = "intact"    // they match their SHA-256
	Missing   OriginalState = "missing"   // nothing is kept under their key
	Corrupted OriginalState = "corrupted" // they no longer match their SHA-256
	Deleted   OriginalState = "deleted"   // past their retention
)

func (w *weighing) photos() {
	if len(w.ev.Photos) == 0 {
		if w.ev.Delivery.Attended() {
			w.speaksAgainst("photo.not_owed", "", "no photo is on record; none is owed for a delivery in person", sourceDelivery)
		} else {
			w.speaksAgainst("photo.none", "no photo on record", "no photo is on record", sourceDelivery)
		}
		return
	}
	accepted := false
	for _, p := range w.ev.Photos {
		accepted = accepted || p.Report.Verdict == audit.Accept
	}
	for _, p := range w.ev.Photos {
		w.original(p)
		w.verdict(p, accepted)
		w.location(p)
		w.houseNumber(p)
		w.time(p)
	}
}

// original says what is wrong with a photo's bytes, where that was checked, or known.
func (w *weighing) original(p audit.JudgedUpload) {
	src := sourcePhoto(p.Upload.PhotoID)
	if p.DeletedAt != nil {
		w.speaksAgainst("original.deleted", "original deleted", "the original was deleted on "+p.DeletedAt.Format(time.DateOnly)+", past its retention", src)
		return
	}
	switch w.originals[p.Upload.PhotoID] {
	case Missing:
		w.speaksAgainst("original.missing", "original missing", "the original is missing from the object store", src)
	case Corrupted:
		w.speaksAgainst("original.corrupted", "original corrupted", "the original's bytes no longer match their SHA-256", src)
	}
}

func (w *weighing) verdict(p audit.JudgedUpload, accepted bool) {
	r := p.Report
	src := fmt.Sprintf("%s, checklist %s", sourcePhoto(p.Upload.PhotoID), r.Checklist)
	why := findingsAgainst(r)
	switch r.Verdict {
	case audit.Accept:
		w.speaksFor("photo.accept", "photo clear", fmt.Sprintf("the %s photo would prove the delivery (score %d of 100)", p.Upload.Role, r.Score), src)
	case audit.Retake:
		switch {
		case accepted:
			w.speaksAgainst("photo.superseded", "", "the photo had to be taken again, and was"+why, src)
		case p.Measurement.Problem != nil:
			w.speaksAgainst("photo.retake", "photo unreadable", "the photo cannot be read: "+p.Measurement.Problem.Message, src)
		default:
			w.speaksAgainst("photo.retake", "photo not usable", "the photo should have been taken again"+why, src)
		}
	case audit.Review:
		w.speaksAgainst("photo.review", "photo doubtful", "the photo needs a person's look"+why, src)
	}
	if f, ok := r.Finding("reuse"); ok && f.Result == audit.Fail {
		w.speaksAgainst("photo.reused", "picture used before", "the picture was used before: "+f.Detail, src)
	}
	if f, ok := r.Finding("set"); ok && f.Result == audit.Fail && r.Verdict != audit.Retake {
		w.speaksAgainst("photo.incomplete", "photos missing", "the instruction asks for more photos: "+f.Detail, src)
	}
}

// findingsAgainst names what a report found wrong: its fails, where there are none its
// warnings.
func findingsAgainst(r audit.Report) string {
	for _, result := range []audit.Result{audit.Fail, audit.Warn} {
		var out []string
		for _, f := range r.Findings {
			if f.Result != result {
				continue
			}
			said := f.Check
			if f.Detail != "" {
				said += " (" + f.Detail + ")"
			}
			out = append(out, said)
		}
		if len(out) > 0 {
			return ": " + strings.Join(out, ", ")
		}
	}
	return ""
}

func (w *weighing) location(p audit.JudgedUpload) {
	f, ok := p.Report.Finding("location")
	where, rule := "photo's position not on record", "location.phone"
	src := sourcePhoto(p.Upload.PhotoID)
	by, about := f.By()
	switch by {
	case "exif":
		src, rule = src+" EXIF", "location.exif"
	case "phone":
		src = sourcePhone + ", sent with " + src
	}
	if about != "" {
		src, rule = src+"; "+about, "location.geocoded"
	}
	m, measured := number(f.Value)
	if !ok || f.Result == audit.Unknown || !measured {
		text := "how far from the stop the photo was taken is not on record"
		if f.Reason != "" {
			text += ": " + f.Reason
		}
		w.speaksAgainst("location.unknown", where, text, src)
		return
	}
	text := fmt.Sprintf("photo taken %s m from the stop", metres(m))
	if limit, ok := number(f.Limit); ok {
		text += fmt.Sprintf(" (limit %s m)", metres(limit))
	}
	switch f.Result {
	case audit.Pass:
		w.speaksFor(rule, "photo at "+metres(m)+" m", text, src)
	case audit.Warn:
		w.speaksAgainst("location.doubtful", "photo "+metres(m)+" m away", text, src)
	case audit.Fail:
		w.speaksAgainst("location.far", "photo "+metres(m)+" m away", text, src)
	}
}

func (w *weighing) houseNumber(p audit.JudgedUpload) {
	f, _ := p.Report.Finding("house_number")
	src := "text read in " + sourcePhoto(p.Upload.PhotoID)
	read := ""
	if f.Value != nil {
		read = fmt.Sprintf(": %v", f.Value)
	} else if f.Detail != "" {
		read = ": " + f.Detail
	}
	switch f.Result {
	case audit.Pass:
		w.speaksFor("house_number.match", "number matches", "the house or unit number in the photo matches the address"+read, src)
	case audit.Fail:
		w.speaksAgainst("house_number.differs", "number differs", "the number in the photo is not the address's"+read, src)
	default:
		why := ""
		if f.Reason != "" && f.Result == audit.Unknown {
			why = ": " + f.Reason
		}
		w.speaksAgainst("house_number.unknown", "", "a house or unit number in the photo is not on record"+why, src)
	}
}

func (w *weighing) time(p audit.JudgedUpload) {
	f, _ := p.Report.Finding("time")
	src := sourcePhoto(p.Upload.PhotoID)
	switch f.Source {
	case "exif":
		src += " EXIF, " + sourceScan
	case "phone":
		src = sourcePhone + ", sent with " + src
	}
	detail := f.Detail
	if detail == "" {
		detail = "photo and scan times compared"
	}
	switch f.Result {
	case audit.Pass:
		w.speaksFor("time.agrees", "", detail, src)
	case audit.Warn:
		w.speaksAgainst("time.doubtful", "times apart", detail, src)
	case audit.Fail:
		w.speaksAgainst("time.apart", "times apart", detail, src)
	default:
		why := ""
		if f.Reason != "" {
			why = ": " + f.Reason
		}
		w.speaksAgainst("time.unknown", "", "whether the photo was taken at the delivery is not on record"+why, src)
	}
}

// number reads a finding's value: a float64 where it comes out of JSON, any number
// where it comes from a checklist directly.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case float32:
		return float64(n), true
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	}
	return 0, false
}
