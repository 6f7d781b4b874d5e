package dispute

import (
	"fmt"
	"slices"
	"time"

	"porchlight/audit"
	"porchlight/audit/geo"
)

// timeline lists what happened, oldest first, and what is on record without a time.
func timeline(c Claim, ev Evidence) (dated, undated []Line) {
	d := ev.Delivery
	dated, undated = []Line{}, []Line{}
	zone := d.Zone()
	add := func(at *time.Time, what, source string) {
		if at == nil || at.IsZero() {
			undated = append(undated, Line{What: what, Source: source})
			return
		}
		l := Line{At: at.UTC(), What: what, Source: source}
		if zone != time.UTC {
			l.Local = at.In(zone).Format("2006-01-02 15:04:05 MST (-07:00)")
		}
		dated = append(dated, l)
	}
	if d.WindowStart != nil {
		add(d.WindowStart, "delivery window opens", sourceDelivery)
	}
	if d.WindowEnd != nil {
		add(d.WindowEnd, "delivery window closes", sourceDelivery)
	}
	if at, ok := d.Scan(); d.ScannedAt != nil || ok {
		what := "package scanned"
		if ok {
			what += " " + position(at, d)
		}
		add(d.ScannedAt, what, sourceScan)
	}
	if d.Outcome != "" || d.DeliveredAt != nil {
		what := "outcome not on record"
		if d.Outcome != "" {
			what = "recorded as " + string(d.Outcome)
		}
		if d.OutcomeReason != "" {
			what += ": " + d.OutcomeReason
		}
		add(d.DeliveredAt, what, sourceDelivery)
	}
	for _, e := range ev.Events {
		what := e.words()
		if at, ok := e.point(); ok {
			what += " " + position(at, d)
		}
		add(&e.At, what, sourceEvent(e))
	}
	for _, p := range ev.Photos {
		u := p.Upload
		src := sourcePhoto(u.PhotoID)
		if u.CapturedAt != nil {
			add(u.CapturedAt, fmt.Sprintf("photo taken (%s)", u.Role), sourcePhone+", sent with "+src)
		}
		if at, ok := p.Measurement.Exif.TakenTime(zone); ok {
			add(&at, fmt.Sprintf("photo taken (%s)", u.Role), src+" EXIF")
		}
		add(&u.ReceivedAt, fmt.Sprintf("photo %s received", first12(u.PhotoID)), sourceServer)
		if !p.Report.JudgedAt.IsZero() {
			add(&p.Report.JudgedAt, fmt.Sprintf("photo %s judged: %s, score %d of 100", first12(u.PhotoID), p.Report.Verdict, p.Report.Score), "checklist "+p.Report.Checklist)
		}
	}
	for _, a := range ev.Attached {
		add(&a.At, fmt.Sprintf("%s (attachment %s)", a.What, first12(a.SHA256)), "added by "+a.AddedBy+" at "+stamp(a.AddedAt))
	}
	if p, ok := trackPlace(ev); ok {
		add(&p.At, p.What+" "+position(p.Point, d), p.Source)
	}
	if d.Note != "" {
		add(nil, d.Note, sourceDriver)
	}
	what := "claim reported"
	if c.Reason != "" {
		what += ": " + c.Reason
	}
	add(c.ReportedAt, what, sourceClaim)
	slices.SortStableFunc(dated, func(a, b Line) int { return a.At.Compare(b.At) })
	return dated, undated
}

// position is a place in words, with its distance from the stop where that is known.
func position(at geo.Point, d audit.Delivery) string {
	s := fmt.Sprintf("at %.6f, %.6f", at.Latitude, at.Longitude)
	if stop, ok := d.Point(); ok && at.Valid() {
		s += fmt.Sprintf(" (%s m from the stop)", metres(geo.Distance(at, stop)))
	} else if g := d.Geocoded; g != nil && g.Valid() && at.Valid() {
		s += fmt.Sprintf(" (%s m from the stop's address on the map, %s)", metres(geo.Distance(at, g.Point)), g.Precision())
	}
	return s
}

// stopsPosition is what a reader misses of a stop that has no position of its own.
func stopsPosition(d audit.Delivery) string {
	if g := d.Geocoded; g != nil {
		return fmt.Sprintf("the stop's own position (its address is at %.6f, %.6f on the map, %s, by %s)", g.Latitude, g.Longitude, g.Precision(), g.Source)
	}
	return "the stop's position"
}

// notOnRecord names what a reader of a packet would look for in vain.
func notOnRecord(c Claim, ev Evidence) []string {
	out := []string{}
	d := ev.Delivery
	if !ev.OnRecord() {
		out = append(out, "the delivery")
	} else {
		_, stop := d.Point()
		_, scan := d.Scan()
		for _, f := range []struct {
			missing bool
			what    string
		}{
			{d.Address == "", "the stop's address"},
			{!stop, stopsPosition(d)},
			{d.DriverID == "", "the driver"},
			{d.WindowStart == nil || d.WindowEnd == nil, "the delivery window"},
			{d.ScannedAt == nil, "when the package was scanned"},
			{!scan, "where the package was scanned"},
			{d.Outcome == "", "how the delivery ended"},
			{d.DeliveredAt == nil, "when the package was delivered"},
			{len(ev.Photos) == 0, "a photo"},
			{len(ev.Events) == 0, "any contact attempt, password attempt or other event"},
			{d.Note == "", "a note of the driver's"},
		} {
			if f.missing {
				out = append(out, f.what)
			}
		}
		for _, p := range ev.Photos {
			if _, camera := p.Measurement.Exif.TakenTime(d.Zone()); !camera && p.Upload.CapturedAt == nil {
				out = append(out, "when "+sourcePhoto(p.Upload.PhotoID)+" was taken")
			}
		}
	}
	if c.ReportedAt == nil {
		out = append(out, "when the claim was reported")
	}
	if c.Statement == "" {
		out = append(out, "the customer's own words")
	}
	return out
}
