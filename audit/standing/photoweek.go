package standing

import (
	"fmt"
	"time"

	"porchlight/audit"
)

// PhotoWeek is one driver's row of a carrier's weekly photo report.
type PhotoWeek struct {
	Week          string `json:"week,omitempty"` // ISO 8601: 2026-W47
	DriverID      string `json:"driver_id"`      // the carrier's transporter id
	Opportunities int    `json:"opportunities"`
	Success       int    `json:"success"`
	Bypass        int    `json:"bypass"` // no photo was taken where one was owed: it should not happen
	Rejects       int    `json:"rejects"`
	ReasonCounts
}

// ReasonCounts are how many photos were turned down for each of the nine reasons.
type ReasonCounts struct {
	BlurryPhoto              int `json:"blurry_photo"`
	HumanInThePicture        int `json:"human_in_the_picture"`
	NoPackageDetected        int `json:"no_package_detected"`
	PackageInCar             int `json:"package_in_car"`
	PackageInHand            int `json:"package_in_hand"`
	PackageNotClearlyVisible int `json:"package_not_clearly_visible"`
	PackageTooClose          int `json:"package_too_close"`
	PhotoTooDark             int `json:"photo_too_dark"`
	Other                    int `json:"other"`
}

// PhotoReasons are the nine reasons, in the order of the carrier's report.
var PhotoReasons = []audit.Reason{audit.BlurryPhoto, audit.HumanInThePicture, audit.NoPackageDetected, audit.PackageInCar, audit.PackageInHand,
	audit.PackageNotClearlyVisible, audit.PackageTooClose, audit.PhotoTooDark, audit.Other}

// Of is where a reason is counted; what is none of the nine counts as other.
func (c *ReasonCounts) Of(r audit.Reason) *int {
	switch r {
	case audit.BlurryPhoto:
		return &c.BlurryPhoto
	case audit.HumanInThePicture:
		return &c.HumanInThePicture
	case audit.NoPackageDetected:
		return &c.NoPackageDetected
	case audit.PackageInCar:
		return &c.PackageInCar
	case audit.PackageInHand:
		return &c.PackageInHand
	case audit.PackageNotClearlyVisible:
		return &c.PackageNotClearlyVisible
	case audit.PackageTooClose:
		return &c.PackageTooClose
	case audit.PhotoTooDark:
		return &c.PhotoTooDark
	}
	return &c.Other
}

// ID names the row: a week and a driver.
func (p PhotoWeek) ID() string { return p.Week + "@" + p.DriverID }

// Validate checks the row of an import. Its week may be given beside the file.
func (p PhotoWeek) Validate() error {
	if err := audit.ValidateID("driver_id", p.DriverID); err != nil {
		return err
	}
	counts := []int{p.Opportunities, p.Success, p.Bypass, p.Rejects}
	for _, r := range PhotoReasons {
		counts = append(counts, *p.Of(r))
	}
	for _, n := range counts {
		if n < 0 {
			return audit.Errorf(audit.CodeInvalid, "a count is %d, below 0", n)
		}
	}
	if p.Week == "" {
		return nil
	}
	_, err := WeekStart(p.Week)
	return err
}

// Whole checks the row as it would be kept.
func (p PhotoWeek) Whole() error {
	_, err := WeekStart(p.Week)
	return err
}

// WeekStart is the Monday of an ISO 8601 week such as 2026-W47, at midnight UTC. Errors:
// [audit.CodeInvalid].
func WeekStart(week string) (time.Time, error) {
	var year, n int
	if k, err := fmt.Sscanf(week, "%4d-W%2d", &year, &n); err == nil && k == 2 {
		// January 4 is in week 1.
		start := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
		start = start.AddDate(0, 0, -(int(start.Weekday())+6)%7+7*(n-1))
		if y, w := start.ISOWeek(); y == year && w == n && week == fmt.Sprintf("%04d-W%02d", y, w) {
			return start, nil
		}
	}
	return time.Time{}, audit.Errorf(audit.CodeInvalid, "week %q is not one such as 2026-W47", week)
}
