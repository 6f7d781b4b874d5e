package server

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/web"
)

// waitingShown is how far the queue of photos is counted.
const waitingShown = 1000

// reviewPage is GET /agent/review: the photo that has waited longest, or with after the
// one behind that, and with done what was just decided.
func (s *Server) reviewPage(c *gin.Context) error { return s.showReview(c, "") }

func (s *Server) showReview(c *gin.Context, message string) error {
	ctx := c.Request.Context()
	page := web.Review{Base: s.base(c), Message: message, After: cmp.Or(c.Query("after"), c.PostForm("after"))}
	waiting, next, err := s.records.PhotosWaiting(ctx, page.After, 1)
	if err != nil {
		return err
	}
	page.Next = next
	if page.Waiting, err = s.records.CountPhotosWaiting(ctx, waitingShown); err != nil {
		return err
	}
	if len(waiting) > 0 {
		u := waiting[0]
		page.Photo = &u
		page.Delivery, err = s.records.Delivery(ctx, u.Upload.TrackingID)
		if err != nil && audit.ErrorCode(err) != audit.CodeNotFound {
			return err
		}
		if f, ok := s.audit.Checklist().Leading(u.Report); ok {
			page.Leading = &f
		}
	}
	if id := c.Query("done"); id != "" {
		last, _, err := s.records.Rulings(ctx, audit.RulingFilter{UploadID: id}, "", 1)
		if err != nil {
			return err
		}
		if len(last) > 0 {
			page.Done = &last[0]
		}
	}
	return s.render(c, http.StatusOK, page)
}

// reviewFromPage is POST /agent/review/{upload_id}, with decision: accept, undo, or
// reject: with a reason behind it, one button a decision; landmark, yes or no where the
// person said so; and after, as the page had it.
func (s *Server) reviewFromPage(c *gin.Context) error {
	if err := s.checkedForm(c); err != nil {
		return err
	}
	kind, reason, _ := strings.Cut(c.PostForm("decision"), ":")
	r, err := s.rule(c.Request.Context(), c.Param("upload_id"), RulingIn{Decision: audit.RulingKind(kind), Reason: audit.Reason(reason),
		Note: strings.TrimSpace(c.PostForm("note")), Landmark: c.PostForm("landmark")})
	switch audit.ErrorCode(err) {
	case "":
		return s.seeOther(c, "/agent/review"+web.Query("after", c.PostForm("after"), "done", r.UploadID))
	case audit.CodeInvalid, audit.CodeConflict:
		return s.showReview(c, audit.ErrorMessage(err))
	}
	return err
}
