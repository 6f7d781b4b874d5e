package standing

import (
	"slices"
	"strings"
	"time"

	"porchlight/audit"
)

// Block is a scheduled shift. Absent fields of an import keep what is on record, so that
// a check-in may come alone.
type Block struct {
	BlockID        string     `json:"block_id"`
	DriverID       string     `json:"driver_id,omitempty"`
	ScheduledStart *time.Time `json:"scheduled_start,omitempty"`
	ScheduledEnd   *time.Time `json:"scheduled_end,omitempty"`
	CheckedInAt    *time.Time `json:"checked_in_at,omitempty"`
	CancelledAt    *time.Time `json:"cancelled_at,omitempty"`
}

// Validate checks the block as a row of an import. The error is an [audit.Error] with
// [audit.CodeInvalid] whose message names the field; so are those of the other rows.
func (b Block) Validate() error {
	if err := audit.ValidateID("block_id", b.BlockID); err != nil {
		return err
	}
	if b.DriverID != "" {
		return audit.ValidateID("driver_id", b.DriverID)
	}
	return nil
}

// Whole checks the block as it would be kept.
func (b Block) Whole() error {
	switch {
	case b.DriverID == "":
		return audit.Errorf(audit.CodeInvalid, "driver_id is missing")
	case b.ScheduledStart == nil:
		return audit.Errorf(audit.CodeInvalid, "scheduled_start is missing")
	case b.ScheduledEnd != nil && b.ScheduledEnd.Before(*b.ScheduledStart):
		return audit.Errorf(audit.CodeInvalid, "scheduled_end is before scheduled_start")
	}
	return nil
}

// Feedback is a customer's rating, or the carrier's word that there was a complaint.
type Feedback struct {
	FeedbackID string    `json:"feedback_id"`
	DriverID   string    `json:"driver_id"`
	TrackingID string    `json:"tracking_id,omitempty"`
	At         time.Time `json:"at,omitzero"`
	Date       Date      `json:"date,omitempty"` // where no time is known
	Rating     int       `json:"rating,omitempty"`
	// The carrier's flags.
	Mishandled          bool   `json:"mishandled,omitempty"`
	Unprofessional      bool   `json:"unprofessional,omitempty"`
	InstructionsIgnored bool   `json:"instructions_ignored,omitempty"`
	WrongAddress        bool   `json:"wrong_address,omitempty"`
	NeverReceived       bool   `json:"never_received,omitempty"`
	WrongItem           bool   `json:"wrong_item,omitempty"`
	Details             string `json:"details,omitempty"`
}

// Types are the feedback's flags by name.
func (f Feedback) Types() []string {
	return flagged([]flag{{"mishandled", f.Mishandled}, {"unprofessional", f.Unprofessional}, {"instructions_ignored", f.InstructionsIgnored},
		{"wrong_address", f.WrongAddress}, {"never_received", f.NeverReceived}, {"wrong_item", f.WrongItem}})
}

// Validate checks the feedback as a row of an import.
func (f Feedback) Validate() error {
	if err := validateIDs("feedback_id", f.FeedbackID, "driver_id", f.DriverID); err != nil {
		return err
	}
	if f.TrackingID != "" {
		if err := audit.ValidateID("tracking_id", f.TrackingID); err != nil {
			return err
		}
	}
	if f.Rating < 0 || f.Rating > 5 {
		return audit.Errorf(audit.CodeInvalid, "rating %d is not within 1..5", f.Rating)
	}
	if len(f.Details) > audit.MaxFieldBytes {
		return audit.Errorf(audit.CodeInvalid, "details is longer than %d bytes", audit.MaxFieldBytes)
	}
	if f.At.IsZero() && f.Date == "" {
		return audit.Errorf(audit.CodeInvalid, "at is missing, or date where no time is known")
	}
	return f.Date.validate("date")
}

// Moment is when the feedback was given: at, else the start of the day.
func (f Feedback) Moment() time.Time {
	if !f.At.IsZero() {
		return f.At
	}
	return f.Date.Start()
}

// Concession is a carrier's claim that a package was not received, as its report has it.
// The flags may overlap: all are kept.
type Concession struct {
	ConcessionID     string `json:"concession_id,omitempty"` // by default the tracking id and the day
	TrackingID       string `json:"tracking_id"`
	ConcessionDate   Date   `json:"concession_date"`
	DeliveryDate     Date   `json:"delivery_date,omitempty"`
	PickupDate       Date   `json:"pickup_date,omitempty"`
	AttemptDate      Date   `json:"attempt_date,omitempty"`
	DeliveryType     string `json:"delivery_type,omitempty"`
	ImpactsScorecard string `json:"impacts_scorecard,omitempty"` // as the carrier writes it; no does not count
	DisputeStatus    string `json:"dispute_status,omitempty"`
	Simultaneous     bool   `json:"simultaneous_deliveries,omitempty"`
	Far              bool   `json:"delivered_over_50_m,omitempty"`
	ScanAttended     bool   `json:"incorrect_scan_attended,omitempty"`
	ScanUnattended   bool   `json:"incorrect_scan_unattended,omitempty"`
	NoProof          bool   `json:"no_pod,omitempty"`
	NotReturned      bool   `json:"scanned_not_delivered_not_returned,omitempty"`
}

// ID is the concession's own id, made of the tracking id and the day where it has none.
func (c Concession) ID() string {
	if c.ConcessionID != "" {
		return c.ConcessionID
	}
	return c.TrackingID + "@" + string(c.ConcessionDate)
}

// Counts tells whether the concession counts against the driver: unless the carrier says
// that it does not.
func (c Concession) Counts() bool {
	return !slices.Contains([]string{"no", "n", "false", "0"}, strings.ToLower(strings.TrimSpace(c.ImpactsScorecard)))
}

// Types are the concession's flags by name.
func (c Concession) Types() []string {
	return flagged([]flag{{"simultaneous_deliveries", c.Simultaneous}, {"delivered_over_50_m", c.Far}, {"incorrect_scan_attended", c.ScanAttended},
		{"incorrect_scan_unattended", c.ScanUnattended}, {"no_pod", c.NoProof}, {"scanned_not_delivered_not_returned", c.NotReturned}})
}

// Validate checks the concession as a row of an import.
func (c Concession) Validate() error {
	if err := validateIDs("tracking_id", c.TrackingID, "concession_id", c.ID()); err != nil {
		return err
	}
	if c.ConcessionDate == "" {
		return audit.Errorf(audit.CodeInvalid, "concession_date is missing")
	}
	for name, d := range map[string]Date{"concession_date": c.ConcessionDate, "delivery_date": c.DeliveryDate, "pickup_date": c.PickupDate, "attempt_date": c.AttemptDate} {
		if err := d.validate(name); err != nil {
			return err
		}
	}
	for name, v := range map[string]string{"delivery_type": c.DeliveryType, "impacts_scorecard": c.ImpactsScorecard, "dispute_status": c.DisputeStatus} {
		if len(v) > audit.MaxFieldBytes {
			return audit.Errorf(audit.CodeInvalid, "%s is longer than %d bytes", name, audit.MaxFieldBytes)
		}
	}
	return nil
}

// Date is a day as YYYY-MM-DD, as carriers' reports have it: without a time and a zone.
type Date string

func (d Date) validate(name string) error {
	if d == "" {
		return nil
	}
	if _, err := time.Parse(time.DateOnly, string(d)); err != nil {
		return audit.Errorf(audit.CodeInvalid, "%s: %q is not a day as YYYY-MM-DD", name, string(d))
	}
	return nil
}

// Start is the day's first moment in UTC, the zero time for none.
func (d Date) Start() time.Time {
	t, _ := time.Parse(time.DateOnly, string(d))
	return t
}

// DayOf is the day of a time in UTC.
func DayOf(t time.Time) Date { return Date(t.UTC().Format(time.DateOnly)) }

type flag struct {
	name string
	set  bool
}

func flagged(all []flag) (names []string) {
	for _, f := range all {
		if f.set {
			names = append(names, f.name)
		}
	}
	return names
}

// validateIDs checks pairs of name and id.
func validateIDs(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if err := audit.ValidateID(pairs[i], pairs[i+1]); err != nil {
			return err
		}
	}
	return nil
}
