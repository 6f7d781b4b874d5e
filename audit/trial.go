package audit

import "time"

// KeptChecklist is a checklist on record, without its text.
type KeptChecklist struct {
	Version string    `json:"version"`
	SHA256  string    `json:"sha256"` // of its text
	KeptAt  time.Time `json:"kept_at"`
}

// Try tells whether r, which is what the checklist makes of an upload, changes the
// upload's verdict, and because of what. Nothing is kept.
func (c *Checklist) Try(k Case, r Report) (f Flip, flips bool) {
	f = Flip{UploadID: k.Upload.UploadID, PhotoID: k.Upload.PhotoID, TrackingID: k.Upload.TrackingID, DriverID: k.Upload.DriverID,
		Before: k.Report.Verdict, After: r.Verdict}
	if r.Verdict == k.Report.Verdict {
		return f, false
	}
	if deciding, ok := c.deciding(k.Report, r); ok {
		f.Check, f.Detail = deciding.Check, deciding.Words()
	}
	return f, true
}

// Limit is a number of a checklist that stored measurements can be held against.
type Limit struct {
	Check string
	Key   string // as the checklist has it: fail_below, ...
	Value float64
	Low   float64 // the range in which it makes sense
	High  float64
}

// Limits are the checklist's numbers, in the order of its checks.
func (c *Checklist) Limits() []Limit {
	var out []Limit
	for _, l := range c.Checks.limits() {
		out = append(out, Limit{l.check, l.key, l.value, l.low, l.high})
	}
	return out
}
