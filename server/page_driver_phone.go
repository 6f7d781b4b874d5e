package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
	"porchlight/web"
)

// byScript tells that a page's own script asks, not its reader: it is answered in JSON, and
// told 401 instead of being sent to the sign-in page.
func byScript(c *gin.Context) bool {
	return strings.HasPrefix(c.GetHeader("Accept"), "application/json")
}

// phoneWorker is GET /driver-worker.js: the service worker of the drivers' pages. It lies
// above them so that its scope holds them all.
func (s *Server) phoneWorker(c *gin.Context) error {
	c.Header("Cache-Control", "no-cache")
	c.Data(http.StatusOK, "text/javascript; charset=utf-8", web.Worker())
	return nil
}

// phoneSession is GET /driver/session: whose phone it is by now, and the field that goes
// with what its queue sends.
func (s *Server) phoneSession(c *gin.Context) error {
	x := exchangeOf(c.Request.Context())
	return answer(c, http.StatusOK, struct {
		DriverID string `json:"driver_id"`
		CSRF     string `json:"csrf"`
	}{x.principal.DriverID, x.csrf})
}

// phoneChecklist is GET /driver/checklist: what photos are judged by, for the check on the
// phone.
func (s *Server) phoneChecklist(c *gin.Context) error {
	list := s.audit.Checklist()
	tag := strconv.Quote(list.Digest())
	c.Header("ETag", tag)
	c.Header("Cache-Control", "private, no-cache")
	if c.GetHeader("If-None-Match") == tag {
		c.Status(http.StatusNotModified)
		return nil
	}
	c.Data(http.StatusOK, "application/yaml; charset=utf-8", []byte(list.Text()))
	return nil
}

// phoneReceipt answers a photo that the queue sent.
type phoneReceipt struct {
	PhotoID string            `json:"photo_id"`
	Verdict audit.Verdict     `json:"verdict"`
	Score   int               `json:"score"`
	Advice  string            `json:"advice"`
	Missing []audit.PhotoRole `json:"missing"` // still to be taken, in order
	Page    string            `json:"page"`    // with all findings
}

func (s *Server) answerPhone(c *gin.Context, rec audit.Receipt) error {
	ev, err := s.records.Evidence(c.Request.Context(), rec.Upload.TrackingID)
	if err != nil {
		return err
	}
	out := phoneReceipt{PhotoID: rec.Upload.PhotoID, Verdict: rec.Report.Verdict, Score: rec.Report.Score, Missing: s.stop(ev).Missing,
		Page: at("driver", "stops", rec.Upload.TrackingID, "photos", rec.Upload.PhotoID)}
	if f, ok := s.audit.Checklist().Leading(rec.Report); ok {
		out.Advice = f.Advice
	}
	if out.Missing == nil {
		out.Missing = []audit.PhotoRole{}
	}
	status := http.StatusOK
	if rec.Created {
		status = http.StatusCreated
	}
	return answer(c, status, out)
}

// driversOwn are the events that drivers' pages record.
func driversOwn(all []dispute.Event) []dispute.Event {
	var out []dispute.Event
	for _, e := range all {
		if e.Source == string(audit.Driver) {
			out = append(out, e)
		}
	}
	return out
}

// eventFields are the fields of an event's form. A form without a script has what and csrf
// alone: the time is then the server's.
var eventFields = map[string]bool{"csrf": true, "what": true, "event_id": true, "at": true, "latitude": true, "longitude": true, "accuracy_m": true}

// eventFromPage is POST /driver/stops/{tracking_id}/events.
func (s *Server) eventFromPage(c *gin.Context) error {
	ctx := c.Request.Context()
	if err := s.checkedForm(c); err != nil {
		return err
	}
	f := c.Request.PostForm
	for name := range f {
		if !eventFields[name] {
			return audit.Errorf(audit.CodeUnknownField, "The form has an unknown field %q", name)
		}
	}
	d, err := s.delivery(ctx, c.Param("tracking_id"))
	if err != nil {
		return err
	}
	what, ok := web.FindHappening(f.Get("what"))
	if !ok {
		return invalid("what is none of the buttons")
	}
	e := dispute.Event{EventID: f.Get("event_id"), TrackingID: d.TrackingID, Kind: what.Kind, Detail: what.Detail,
		Source: string(audit.Driver), At: s.now().UTC(), RecordedAt: s.now().UTC()}
	if e.EventID == "" {
		e.EventID = s.newID()
	}
	if err := audit.ValidateID("event_id", e.EventID); err != nil {
		return err
	}
	if v := f.Get("at"); v != "" {
		at, err := instant("at", v)
		if err != nil {
			return err
		}
		e.At = at.UTC()
	}
	if e.Latitude, err = degrees("latitude", f.Get("latitude")); err != nil {
		return err
	}
	if e.Longitude, err = degrees("longitude", f.Get("longitude")); err != nil {
		return err
	}
	accuracy, err := degrees("accuracy_m", f.Get("accuracy_m"))
	if err != nil {
		return err
	}
	if accuracy != nil && e.Latitude != nil {
		e.Detail = strings.TrimPrefix(e.Detail+"; the phone's position, precise to "+strconv.FormatFloat(*accuracy, 'f', 0, 64)+" m", "; ")
	}
	if err := e.Validate(); err != nil {
		return err
	}
	if err := s.records.AddEvents(ctx, []dispute.Event{e}); err != nil {
		return err
	}
	if byScript(c) {
		return answer(c, http.StatusOK, EventKept{e.EventID})
	}
	return s.seeOther(c, at("driver", "stops", d.TrackingID)+"#happened")
}

// rejectDays is how far back a driver's rejected photos are listed.
const rejectDays = 7

// rejectsPage is GET /driver/rejects: the photos that did not pass, with what to do better.
func (s *Server) rejectsPage(c *gin.Context) error {
	ctx, now := c.Request.Context(), s.now()
	all, err := s.records.DriverDeliveries(ctx, principalOf(ctx).DriverID, now.AddDate(0, 0, -rejectDays), now.Add(aroundNow))
	if err != nil {
		return err
	}
	page := web.DriverRejects{Base: s.base(c), Days: rejectDays}
	for _, ev := range all {
		stop := s.stop(ev)
		for _, u := range ev.Photos {
			page.Photos++
			if u.Report.Verdict != audit.Retake && u.Report.Verdict != audit.Review {
				continue
			}
			page.Rejects = append(page.Rejects, web.Reject{Stop: stop, Photo: s.photoOnPage(u), Made: stop.Done()})
		}
	}
	return s.render(c, http.StatusOK, page)
}

// disputesPage is GET /driver/disputes: the claims on the caller's own deliveries.
func (s *Server) disputesPage(c *gin.Context) error {
	ctx := c.Request.Context()
	claims, next, err := s.records.Claims(ctx, dispute.ClaimFilter{DriverID: principalOf(ctx).DriverID}, c.Query("after"), rowsOnPage)
	if err != nil {
		return err
	}
	page := web.DriverDisputes{Base: s.base(c), Next: next}
	for _, claim := range claims {
		row := web.DisputeRow{Claim: claim, Due: s.dispute.Channels.Due(claim)}
		if row.Delivery, err = s.records.Delivery(ctx, claim.TrackingID); err != nil {
			return err
		}
		if row.Outcome, err = s.records.Outcome(ctx, claim.ClaimID); err != nil {
			return err
		}
		page.Claims = append(page.Claims, row)
	}
	return s.render(c, http.StatusOK, page)
}

// ownClaim is a claim on one of the caller's deliveries; another's is not there.
func (s *Server) ownClaim(ctx context.Context, claimID string) (dispute.Claim, audit.Delivery, error) {
	missing := audit.Errorf(audit.CodeNotFound, "There is no such claim on your deliveries")
	claim, err := s.records.Claim(ctx, claimID)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		return claim, audit.Delivery{}, missing
	}
	if err != nil {
		return claim, audit.Delivery{}, err
	}
	d, err := s.delivery(ctx, claim.TrackingID)
	if code := audit.ErrorCode(err); code == audit.CodeDelivery || code == audit.CodeNotYours {
		return claim, d, missing
	}
	return claim, d, err
}

// ownDisputePage is GET /driver/disputes/{claim_id}: the driver's own answer to a claim,
// ready to be sent.
func (s *Server) ownDisputePage(c *gin.Context) error {
	ctx := c.Request.Context()
	claim, d, err := s.ownClaim(ctx, c.Param("claim_id"))
	if err != nil {
		return err
	}
	draft, err := s.dispute.Draft(ctx, claim.ClaimID)
	if err != nil {
		return err
	}
	if err := s.custody.look(ctx, custody.ClaimViewed, custody.Claim, claim.ClaimID); err != nil {
		return err
	}
	page := web.DriverDispute{Base: s.base(c), DisputeRow: web.DisputeRow{Claim: claim, Delivery: d, Due: s.dispute.Channels.Due(claim)}, Draft: draft}
	if page.Outcome, err = s.records.Outcome(ctx, claim.ClaimID); err != nil {
		return err
	}
	return s.render(c, http.StatusOK, page)
}

// ownDisputeEmail is GET /driver/disputes/{claim_id}/email: the same as a message with its
// photos, which a mail program opens as a draft.
func (s *Server) ownDisputeEmail(c *gin.Context) error {
	ctx := c.Request.Context()
	claim, _, err := s.ownClaim(ctx, c.Param("claim_id"))
	if err != nil {
		return err
	}
	release, err := s.draw(ctx)
	if err != nil {
		return err
	}
	defer release()
	sub, err := s.dispute.DraftMessage(ctx, claim.ClaimID)
	if err != nil {
		return lost(err)
	}
	if err := s.custody.look(ctx, custody.ClaimViewed, custody.Claim, claim.ClaimID); err != nil {
		return err
	}
	c.Header("Content-Disposition", `attachment; filename="`+sub.Name+`"`)
	c.Header("Cache-Control", "no-store")
	c.Data(http.StatusOK, sub.MediaType, sub.Body)
	return nil
}
