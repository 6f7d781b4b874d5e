package web

import (
	"net/http"
	"slices"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/standing"
)

// SignIn asks for a token: POST /signin with token and csrf.
type SignIn struct {
	Base
	Token        string // from a one-time link: the form then asks for a button press alone
	Message      string // why the last attempt failed
	Next         string // path to go to after signing in, sent along as next
	Organisation bool   // GET /signin/oidc, with next, signs in with an OpenID provider
}

func (SignIn) template() string { return "signin.html" }
func (SignIn) heading() string  { return "Sign in" }

// Home is what a reader without a page of their own sees first.
type Home struct {
	Base
}

func (Home) template() string { return "home.html" }
func (Home) heading() string  { return "Porchlight" }

// Stop is one of a driver's deliveries.
type Stop struct {
	Delivery audit.Delivery
	Required []audit.PhotoRole // photos that the instruction asks for; none where somebody takes the package in person
	Missing  []audit.PhotoRole // of them, those without a usable photo yet
	Verdict  audit.Verdict     // the most serious one of the latest photo in each role; empty without a photo
}

// Done tells a stop that needs no more photos.
func (s Stop) Done() bool { return len(s.Missing) == 0 && s.Verdict != audit.Retake }

// Driver lists a driver's stops: GET /driver.
type Driver struct {
	Base
	Stops []Stop
}

func (Driver) template() string { return "driver.html" }
func (Driver) heading() string  { return "Your stops" }
func (Driver) section() string  { return "stops" }

// Sorted is the stops by their windows' starts, those without one last.
func (d Driver) Sorted() []Stop {
	out := slices.Clone(d.Stops)
	slices.SortStableFunc(out, func(a, b Stop) int {
		x, y := a.Delivery.WindowStart, b.Delivery.WindowStart
		switch {
		case x != nil && y != nil:
			return x.Compare(*y)
		case x != nil:
			return -1
		case y != nil:
			return 1
		}
		return 0
	})
	return out
}

// Done counts the stops that need no more photos.
func (d Driver) Done() int {
	n := 0
	for _, s := range d.Stops {
		if s.Done() {
			n++
		}
	}
	return n
}

// Photo is an upload with its latest report.
type Photo struct {
	Upload    audit.Upload
	Report    audit.Report
	Leading   *audit.Finding     // what the checklist names first; nil where nothing is wrong
	DeletedAt *time.Time         // past its retention; nil where the photo is kept
	Measured  *audit.Measurement // its shape; nil where that is not known
}

// DriverStop is one stop with its photos and the upload form, which posts multipart
// fields photo, role, csrf and, once for each further package that the photo shows,
// also: GET /driver/stops/{tracking_id}, POST /driver/stops/{tracking_id}/photos.
type DriverStop struct {
	Base
	Stop
	Here    []audit.Delivery // further packages for the same stop
	Photos  []Photo          // oldest first
	Message string           // why the last upload was refused
	Events  []dispute.Event  // that drivers recorded, oldest first
	// Pause is how long to wait between texting and calling, InAll how long to try.
	Pause, InAll time.Duration
}

func (DriverStop) template() string { return "driver_stop.html" }
func (DriverStop) section() string  { return "stops" }
func (p DriverStop) heading() string {
	if p.Delivery.Address != "" {
		return p.Delivery.Address
	}
	return "Stop " + p.Delivery.TrackingID
}

// Roles are the roles to choose from, the next one that is missing first.
func (p DriverStop) Roles() []audit.PhotoRole {
	return append(slices.Clone(p.Missing), slices.DeleteFunc(slices.Clone(audit.PhotoRoles), func(r audit.PhotoRole) bool {
		return slices.Contains(p.Missing, r)
	})...)
}

// DriverVerdict answers an upload.
type DriverVerdict struct {
	Base
	Stop
	Photo  Photo
	Before bool            // the same photo was uploaded for this delivery before
	Next   *audit.Delivery // the next stop that needs a photo
}

func (DriverVerdict) template() string  { return "driver_verdict.html" }
func (DriverVerdict) section() string   { return "stops" }
func (p DriverVerdict) heading() string { return verdictWords(p.Photo.Report.Verdict) }

// DriverStanding is a driver's standing with what moved it: GET /driver/standing of the
// driver's own, GET /agent/drivers/{driver_id} of any.
type DriverStanding struct {
	Base
	Report  standing.Report
	History []standing.Day    // the latest first
	Without string            // id of a claim that is left out; empty for none
	WhatIf  standing.Standing // the standing without it
}

func (DriverStanding) template() string { return "standing.html" }
func (p DriverStanding) heading() string {
	if p.Own() {
		return "Your standing"
	}
	return "Driver " + p.Report.DriverID
}

// Own tells that the reader is the driver.
func (p DriverStanding) Own() bool { return p.Role == audit.Driver }

func (p DriverStanding) section() string {
	if p.Own() {
		return "standing"
	}
	return "drivers"
}

// Here is the page's own path, without a claim left out.
func (p DriverStanding) Here() string {
	if p.Own() {
		return "/driver/standing"
	}
	return link("/agent/drivers", p.Report.DriverID)
}

// Drivers lists drivers' standings of the last day: GET /agent/drivers.
type Drivers struct {
	Base
	Standings []standing.Snapshot
	Level     standing.Standing // of those alone; empty for all
	Next      string            // cursor of the next page, sent as after
}

func (Drivers) template() string { return "drivers.html" }
func (Drivers) heading() string  { return "Drivers" }
func (Drivers) section() string  { return "drivers" }

// Levels are the standings to choose from.
func (Drivers) Levels() []standing.Standing { return standing.Standings }

// Problem says what went wrong, in words that a user may see.
type Problem struct {
	Base
	Status    int
	Code      audit.Code
	Message   string
	RequestID string
}

func (Problem) template() string  { return "problem.html" }
func (p Problem) heading() string { return p.Words() }

// Words says in a few words what kind of problem it is.
func (p Problem) Words() string {
	switch p.Status {
	case http.StatusNotFound:
		return "Not found"
	case http.StatusForbidden, http.StatusUnauthorized:
		return "Not allowed"
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return "Try again in a moment"
	case http.StatusInternalServerError, 0:
		return "Something went wrong"
	}
	return "That did not work"
}
