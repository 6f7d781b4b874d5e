package server

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/standing"
	"porchlight/web"
)

const (
	fleetPhotos = 5000 // at most, for the fleet page
	fleetClaims = 5000
	fleetChunk  = 500
	fleetPlaces = 20 // buildings shown
)

// fleetPage is GET /agent/fleet: the last days' photos and claims of all drivers. It is
// counted as it is asked for, over a bounded number of photos; the page says where there
// were more.
func (s *Server) fleetPage(c *gin.Context) error {
	ctx := c.Request.Context()
	page := web.Fleet{Base: s.base(c), Days: 7}
	if v := c.Query("days"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxReportDays {
			return invalid("days is a number from 1 to %d", maxReportDays)
		}
		page.Days = n
	}
	until := s.now().UTC()
	since := until.Truncate(24*time.Hour).AddDate(0, 0, 1-page.Days)
	page.Counted = standing.NewFleet(since, until)
	checklist := s.audit.Checklist()
	for before := ""; ; {
		uploads, err := s.records.RecentUploads(ctx, before, fleetChunk)
		if err != nil {
			return err
		}
		past := false
		for _, u := range uploads {
			if past = u.Upload.ReceivedAt.Before(since); past {
				break
			}
			page.Counted.Add(u, checklist)
		}
		if past || len(uploads) < fleetChunk {
			break
		}
		if page.Counted.Photos() >= fleetPhotos {
			page.Cut = true
			break
		}
		before = uploads[len(uploads)-1].Upload.UploadID
	}
	page.Counted.Done()
	claims, err := s.records.ClaimedStops(ctx, since, until, fleetClaims)
	if err != nil {
		return err
	}
	page.Claims = len(claims)
	page.Buildings = dispute.Buildings(claims)
	page.Buildings = page.Buildings[:min(len(page.Buildings), fleetPlaces)]
	return s.render(c, http.StatusOK, page)
}

// carrierWeekPage is GET /agent/fleet/carrier.
func (s *Server) carrierWeekPage(c *gin.Context) error {
	page := web.CarrierWeek{Base: s.base(c), Week: c.Query("week")}
	if page.Week == "" {
		page.Week = isoWeek(s.now().UTC().AddDate(0, 0, -7).ISOWeek())
	}
	var err error
	page.Carrier, page.Ours, err = s.photoWeek(c.Request.Context(), page.Week)
	if audit.ErrorCode(err) == audit.CodeInvalid {
		page.Message = audit.ErrorMessage(err)
	} else if err != nil {
		return err
	}
	page.Differ = standing.ComparePhotos(page.Carrier, page.Ours)
	return s.render(c, http.StatusOK, page)
}

// isoWeek names a week as ISO 8601 does.
func isoWeek(year, week int) string { return fmt.Sprintf("%04d-W%02d", year, week) }

// flipsOnPage is how many changed verdicts a page shows, each with its photo and reports.
const flipsOnPage = 20

// reauditsPage is GET /agent/reaudits.
func (s *Server) reauditsPage(c *gin.Context) error {
	runs, next, err := s.records.Runs(c.Request.Context(), c.Query("after"), rowsOnPage)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, web.Reaudits{Base: s.base(c), Runs: runs, Next: next})
}

// reauditPage is GET /agent/reaudits/{run_id}.
func (s *Server) reauditPage(c *gin.Context) error {
	ctx := c.Request.Context()
	run, err := s.records.Run(ctx, c.Param("run_id"))
	if err != nil {
		return err
	}
	page := web.Reaudit{Base: s.base(c), Run: run, After: c.Query("after")}
	flips, next, err := s.records.Flips(ctx, run.RunID, page.After, flipsOnPage)
	if err != nil {
		return err
	}
	page.Next = next
	for _, f := range flips {
		reports, err := s.records.Reports(ctx, f.PhotoID)
		if err != nil {
			return err
		}
		before, after := aroundRun(reports, f.UploadID, run.RunID)
		if after.ReportID == "" { // it does not count, or not yet
			if after, _, err = s.records.RunReport(ctx, run.RunID, f.UploadID); err != nil {
				return err
			}
		}
		page.Flips = append(page.Flips, web.FlipRow{Flip: f, Findings: web.Changes(before, after)})
	}
	return s.render(c, http.StatusOK, page)
}

// aroundRun finds an upload's report by a run, and the one before it, among a photo's
// reports, oldest first. Where the run has none among them, the one before is the latest.
func aroundRun(reports []audit.Report, uploadID, runID string) (before, after audit.Report) {
	for _, r := range reports {
		if r.UploadID != uploadID {
			continue
		}
		if r.RunID == runID {
			return before, r
		}
		before = r
	}
	return before, audit.Report{}
}

// changeReauditFromPage is POST /agent/reaudits/{run_id}/state.
func (s *Server) changeReauditFromPage(c *gin.Context) error {
	if err := s.checkedForm(c); err != nil {
		return err
	}
	to := audit.RunState(c.PostForm("state"))
	run, err := s.changeRun(c.Request.Context(), c.Param("run_id"), to)
	if err != nil {
		return err
	}
	return s.seeOther(c, at("agent", "reaudits", run.RunID))
}
