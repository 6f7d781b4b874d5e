package server

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/standing"
	"porchlight/web"
)

// DriverPath names a driver.
type DriverPath struct {
	DriverID string `path:"driver_id" maxLength:"128" doc:"The driver's id"`
}

// WhatIf is an assessment without one claim.
type WhatIf struct {
	ClaimID string `json:"claim_id"`
	standing.Assessment
}

// DriverStanding is a driver's standing with its history.
type DriverStanding struct {
	standing.Report
	WithoutClaim *WhatIf        `json:"without_claim,omitempty"`
	History      []standing.Day `json:"history"` // the latest day first
}

type standingInput struct {
	DriverPath
	WithoutClaim string    `query:"without_claim" maxLength:"256" doc:"What the figures would be without that claim or concession"`
	At           time.Time `query:"at" doc:"As of then; now where absent"`
}

// driverStanding is GET /api/v1/drivers/{driver_id}/standing.
func (s *Server) driverStanding(ctx context.Context, in *standingInput) (*body[DriverStanding], error) {
	if err := audit.ValidateID("driver_id", in.DriverID); err != nil {
		return nil, err
	}
	if p := principalOf(ctx); p.Role == audit.Driver && p.DriverID != in.DriverID {
		return nil, audit.Errorf(audit.CodeForbidden, "Drivers see their own standing alone")
	}
	out, known, err := s.standingOf(ctx, in.DriverID, in.At, in.WithoutClaim)
	if err == nil && !known {
		err = audit.Errorf(audit.CodeNotFound, "Nothing is on record about the driver %s", in.DriverID)
	}
	if err != nil {
		return nil, err
	}
	return &body[DriverStanding]{out}, nil
}

// standingOf assesses a driver, and tells whether anything is known of one of that id.
// Errors: [audit.CodeNotFound] where the claim to leave out is none of the driver's.
func (s *Server) standingOf(ctx context.Context, driverID string, at time.Time, without string) (out DriverStanding, known bool, err error) {
	if at.IsZero() {
		at = s.now()
	}
	at = at.UTC()
	facts, err := s.records.DriverFacts(ctx, s.targets, driverID, at)
	if err != nil {
		return out, false, err
	}
	known = len(facts.Packages)+len(facts.Blocks)+len(facts.Feedback)+len(facts.Past)+facts.Open > 0
	out.Report = s.targets.Judge(facts, at)
	out.History = standing.History(facts.Past, out.Events)
	if known && without != "" {
		rest, found := facts.Without(without)
		if !found {
			return out, known, audit.Errorf(audit.CodeNotFound, "There is no claim %s on a package of this driver", without)
		}
		out.WithoutClaim = &WhatIf{ClaimID: without, Assessment: s.targets.Judge(rest, at).Assessment}
	}
	return out, known, nil
}

type standingsInput struct {
	Paging
	Standing standing.Standing `query:"standing" enum:"fantastic,great,fair,at_risk,unknown" doc:"Of that standing alone"`
	Day      standing.Date     `query:"day" maxLength:"10" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" doc:"That day's, YYYY-MM-DD in UTC; the last one's where absent"`
}

// standings is GET /api/v1/standings.
func (s *Server) standings(ctx context.Context, in *standingsInput) (*body[List[standing.Snapshot]], error) {
	return listOf(s.standingsOfDay(ctx, in.Day, in.Standing, in.Cursor, in.Limit))
}

// standingsOfDay lists the standings of a day, the last one's for "".
func (s *Server) standingsOfDay(ctx context.Context, day standing.Date, level standing.Standing, after string, limit int) ([]standing.Snapshot, string, error) {
	if day == "" {
		var err error
		if day, _, err = s.records.LatestStandings(ctx); err != nil || day == "" {
			return nil, "", err
		}
	}
	return s.records.Standings(ctx, day, level, after, limit)
}

// ownStandingPage is GET /driver/standing.
func (s *Server) ownStandingPage(c *gin.Context) error {
	return s.showStanding(c, principalOf(c.Request.Context()).DriverID, true)
}

// driverStandingPage is GET /agent/drivers/{driver_id}.
func (s *Server) driverStandingPage(c *gin.Context) error {
	return s.showStanding(c, c.Param("driver_id"), false)
}

func (s *Server) showStanding(c *gin.Context, driverID string, own bool) error {
	if err := audit.ValidateID("driver_id", driverID); err != nil {
		return err
	}
	out, known, err := s.standingOf(c.Request.Context(), driverID, time.Time{}, c.Query("without_claim"))
	if err == nil && !known && !own {
		err = audit.Errorf(audit.CodeNotFound, "Nothing is on record about the driver %s", driverID)
	}
	if err != nil {
		return err
	}
	page := web.DriverStanding{Base: s.base(c), Report: out.Report, History: out.History}
	if w := out.WithoutClaim; w != nil {
		page.Without, page.WhatIf = w.ClaimID, w.Standing
	}
	return s.render(c, 200, page)
}

// driversPage is GET /agent/drivers.
func (s *Server) driversPage(c *gin.Context) error {
	level := standing.Standing(c.Query("standing"))
	all, next, err := s.standingsOfDay(c.Request.Context(), "", level, c.Query("after"), rowsOnPage)
	if err != nil {
		return err
	}
	return s.render(c, 200, web.Drivers{Base: s.base(c), Standings: all, Level: level, Next: next})
}
