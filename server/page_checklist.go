package server

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/web"
)

const (
	trialPhotos      = 1000 // at most, whose measurements a checklist is tried on
	trialChunk       = 250
	maxChecklistForm = 4 * audit.MaxChecklistBytes // a form's encoding makes of a byte up to three
	checklistsOnPage = 20
	trialFlipsOnPage = 50
	checklistKeep    = "keep"
)

// checklistPage is GET /agent/checklist: the one in use, or the version asked for.
func (s *Server) checklistPage(c *gin.Context) error {
	list := s.audit.Checklist()
	if v := c.Query("version"); v != "" && v != list.Version {
		var err error
		if list, err = s.checklist(c.Request.Context(), v); err != nil {
			return err
		}
	}
	return s.showChecklist(c, web.Checklist{Text: list.Text(), Version: list.Version}, list)
}

// tryChecklist is POST /agent/checklist: what the checklist in the form would make of
// photos on record; with do=keep it is kept under its version, for a re-audit.
func (s *Server) tryChecklist(c *gin.Context) error {
	ctx := c.Request.Context()
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxChecklistForm)
	if err := c.Request.ParseForm(); err != nil {
		if worded := bodyError(err); worded != nil {
			return worded
		}
		return audit.Errorf(audit.CodeUnreadable, "The form cannot be read", err)
	}
	if err := s.checkCSRF(c, c.PostForm("csrf")); err != nil {
		return err
	}
	page := web.Checklist{Text: c.PostForm("text")}
	list, err := audit.ParseChecklist([]byte(page.Text))
	if err != nil {
		page.Message = audit.ErrorMessage(err)
		return s.showChecklist(c, page, s.audit.Checklist())
	}
	page.Version = list.Version
	if c.PostForm("do") == checklistKeep {
		if principalOf(ctx).Role != audit.Admin {
			return audit.Errorf(audit.CodeForbidden, "Only admins may keep a checklist")
		}
		switch err := s.audit.Archive.SaveChecklist(ctx, list.Version, list.Text(), s.now().UTC()); audit.ErrorCode(err) {
		case "":
			page.Kept = true
		case audit.CodeConflict:
			page.Message = audit.ErrorMessage(err)
		default:
			return err
		}
	}
	page.Tried = true
	return s.showChecklist(c, page, list)
}

// showChecklist draws a checklist's page with what it makes of photos on record.
func (s *Server) showChecklist(c *gin.Context, page web.Checklist, list *audit.Checklist) error {
	ctx := c.Request.Context()
	page.Base, page.InUse = s.base(c), s.audit.Checklist().Version
	var err error
	if page.Versions, _, err = s.records.Checklists(ctx, "", checklistsOnPage); err != nil {
		return err
	}
	page.Trial = web.NewTrial(list)
	if err := s.eachRecentCase(ctx, trialPhotos, func(k audit.Case) { page.Trial.Add(list, k, trialFlipsOnPage) }); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, page)
}

// eachRecentCase gives the latest uploads, at most so many.
func (s *Server) eachRecentCase(ctx context.Context, most int, give func(audit.Case)) error {
	before := ""
	for n := 0; n < most; {
		cases, err := s.records.RecentCases(ctx, before, min(trialChunk, most-n))
		if err != nil {
			return err
		}
		for _, k := range cases {
			give(k)
		}
		if n += len(cases); len(cases) < trialChunk {
			return nil
		}
		before = cases[len(cases)-1].Upload.UploadID
	}
	return nil
}
