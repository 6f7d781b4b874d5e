package standing

import (
	"cmp"
	"slices"

	"porchlight/audit"
)

// PhotoCounts are a driver's deliveries of a period that owed a photo, counted as the
// carrier's weekly report counts them: opportunities are success, bypass and rejects.
type PhotoCounts struct {
	DriverID      string `json:"driver_id"`
	Opportunities int    `json:"opportunities"`
	Success       int    `json:"success"` // a photo that need not be taken again
	Bypass        int    `json:"bypass"`  // no photo at all
	Rejects       int    `json:"rejects"` // only photos that should have been taken again, by a person's word or else by the checklist
	ReasonCounts
	Rejected []RejectedPhoto `json:"rejected,omitempty"` // the latest photo of each delivery that counts as rejected
}

// RejectedPhoto is a photo that counts as rejected.
type RejectedPhoto struct {
	TrackingID string       `json:"tracking_id"`
	PhotoID    string       `json:"photo_id"`
	Reason     audit.Reason `json:"reason"`
	Checklist  string       `json:"checklist"`
}

// Add counts a delivery with its photos, oldest first. Deliveries that owe no photo or did
// not end at the door do not count.
func (c *PhotoCounts) Add(d audit.Delivery, photos []audit.JudgedUpload, checklist *audit.Checklist) {
	if d.Outcome != audit.Delivered || d.Attended() {
		return
	}
	c.Opportunities++
	if len(photos) == 0 {
		c.Bypass++
		return
	}
	if slices.ContainsFunc(photos, func(p audit.JudgedUpload) bool { return p.Settled() != audit.Retake }) {
		c.Success++
		return
	}
	c.Rejects++
	last := photos[len(photos)-1]
	reason := whyNot(last, checklist)
	*c.Of(reason)++
	c.Rejected = append(c.Rejected, RejectedPhoto{TrackingID: d.TrackingID, PhotoID: last.Upload.PhotoID, Reason: reason, Checklist: last.Report.Checklist})
}

// PhotoDifference is where the carrier's week and ours count otherwise.
type PhotoDifference struct {
	DriverID string       `json:"driver_id"`
	Carrier  *PhotoWeek   `json:"carrier,omitempty"` // absent where the carrier's report has no such driver
	Ours     *PhotoCounts `json:"ours,omitempty"`    // absent where we have no delivery of theirs
	Figures  []FigureGap  `json:"figures"`           // those that differ
}

// FigureGap is one figure in both counts.
type FigureGap struct {
	Figure  string `json:"figure"`
	Carrier int    `json:"carrier"`
	Ours    int    `json:"ours"`
}

// ComparePhotos holds the carrier's rows of a week against ours and lists the drivers who
// differ, in order of their ids.
func ComparePhotos(carrier []PhotoWeek, ours []PhotoCounts) []PhotoDifference {
	by := map[string]*PhotoDifference{}
	of := func(id string) *PhotoDifference {
		if by[id] == nil {
			by[id] = &PhotoDifference{DriverID: id, Figures: []FigureGap{}}
		}
		return by[id]
	}
	for i := range carrier {
		of(carrier[i].DriverID).Carrier = &carrier[i]
	}
	for i := range ours {
		of(ours[i].DriverID).Ours = &ours[i]
	}
	var out []PhotoDifference
	for _, d := range by {
		theirs, own := cmp.Or(d.Carrier, &PhotoWeek{}), cmp.Or(d.Ours, &PhotoCounts{})
		gap := func(figure string, carrier, ours int) {
			if carrier != ours {
				d.Figures = append(d.Figures, FigureGap{figure, carrier, ours})
			}
		}
		gap("opportunities", theirs.Opportunities, own.Opportunities)
		gap("success", theirs.Success, own.Success)
		gap("bypass", theirs.Bypass, own.Bypass)
		gap("rejects", theirs.Rejects, own.Rejects)
		for _, r := range PhotoReasons {
			gap(string(r), *theirs.Of(r), *own.Of(r))
		}
		if len(d.Figures) > 0 {
			out = append(out, *d)
		}
	}
	slices.SortFunc(out, func(a, b PhotoDifference) int { return cmp.Compare(a.DriverID, b.DriverID) })
	return out
}
