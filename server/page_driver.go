package server

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/web"
)

// aroundNow is how far before and after now a driver's list of stops reaches: a shift
// and what is left over from it, in whatever time zone.
const aroundNow = 20 * time.Hour

// stops are a driver's stops of the day.
func (s *Server) stops(ctx context.Context, driverID string) ([]web.Stop, error) {
	now := s.now()
	all, err := s.records.DriverDeliveries(ctx, driverID, now.Add(-aroundNow), now.Add(aroundNow))
	if err != nil {
		return nil, err
	}
	out := make([]web.Stop, len(all))
	for i, ev := range all {
		out[i] = s.stop(ev)
	}
	return out, nil
}

// stop is a delivery as its driver sees it.
func (s *Server) stop(ev dispute.Evidence) web.Stop {
	list := s.audit.Checklist()
	stop := web.Stop{
		Delivery: ev.Delivery,
		Required: list.NeededRoles(ev.Delivery, nil),
		Missing:  list.NeededRoles(ev.Delivery, ev.Photos),
	}
	latest := map[audit.PhotoRole]audit.Verdict{}
	for _, p := range ev.Photos {
		latest[p.Upload.Role] = p.Report.Verdict
	}
	for _, v := range latest {
		if stop.Verdict == "" || severity(v) > severity(stop.Verdict) {
			stop.Verdict = v
		}
	}
	return stop
}

func severity(v audit.Verdict) int {
	return slices.Index([]audit.Verdict{audit.Accept, audit.Review, audit.Retake}, v)
}

func (s *Server) photoOnPage(u audit.JudgedUpload) web.Photo {
	p := web.Photo{Upload: u.Upload, Report: u.Report, DeletedAt: u.DeletedAt, Measured: &u.Measurement}
	if f, ok := s.audit.Checklist().Leading(u.Report); ok {
		p.Leading = &f
	}
	return p
}

// driverPage is GET /driver.
func (s *Server) driverPage(c *gin.Context) error {
	ctx := c.Request.Context()
	stops, err := s.stops(ctx, principalOf(ctx).DriverID)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, web.Driver{Base: s.base(c), Stops: stops})
}

// ownEvidence is what is on record about one of the caller's deliveries.
func (s *Server) ownEvidence(c *gin.Context) (dispute.Evidence, error) {
	ctx := c.Request.Context()
	d, err := s.delivery(ctx, c.Param("tracking_id"))
	if err != nil {
		return dispute.Evidence{}, err
	}
	return s.records.Evidence(ctx, d.TrackingID)
}

// stopPage is GET /driver/stops/{tracking_id}.
func (s *Server) stopPage(c *gin.Context) error { return s.showStop(c, http.StatusOK, "") }

func (s *Server) showStop(c *gin.Context, status int, message string) error {
	ctx := c.Request.Context()
	ev, err := s.ownEvidence(c)
	if err != nil {
		return err
	}
	page := web.DriverStop{Base: s.base(c), Stop: s.stop(ev), Message: message, Events: driversOwn(ev.Events)}
	page.Pause, page.InAll = s.dispute.Rules.ContactTimes()
	for _, u := range ev.Photos {
		page.Photos = append(page.Photos, s.photoOnPage(u))
	}
	stops, err := s.stops(ctx, principalOf(ctx).DriverID)
	if err != nil {
		return err
	}
	key := ev.Delivery.Key()
	for _, other := range stops {
		if key != "" && other.Delivery.Key() == key && other.Delivery.TrackingID != ev.Delivery.TrackingID {
			page.Here = append(page.Here, other.Delivery)
		}
	}
	return s.render(c, status, page)
}

// retryable are the errors that a driver can do something about: the stop's page says
// them above its form.
var retryable = []audit.Code{
	audit.CodeEmpty, audit.CodeTooLarge, audit.CodeTooManyPix, audit.CodeNotAPhoto, audit.CodeInvalid, audit.CodeUnknownField,
	audit.CodeUnreadable, audit.CodeBusy, audit.CodeUnavailable, CodeTimeout,
}

// uploadFromPage is POST /driver/stops/{tracking_id}/photos: the API's upload with a
// page for an answer.
func (s *Server) uploadFromPage(c *gin.Context) error {
	rec, err := s.receive(c, "csrf", func(csrf string) error { return s.checkCSRF(c, csrf) })
	if byScript(c) {
		if err != nil {
			return err
		}
		return s.answerPhone(c, rec)
	}
	if err != nil {
		if !slices.Contains(retryable, audit.ErrorCode(err)) {
			return err
		}
		p := problemOf(c.Request.Context(), err)
		s.drain(c.Request)
		for k, v := range p.GetHeaders() {
			c.Writer.Header()[k] = v
		}
		return s.showStop(c, p.Status, p.Detail)
	}
	to := at("driver", "stops", rec.Upload.TrackingID, "photos", rec.Upload.PhotoID)
	if !rec.Created {
		to += "?before=1"
	}
	return s.seeOther(c, to)
}

// verdictPage is GET /driver/stops/{tracking_id}/photos/{photo_id}.
func (s *Server) verdictPage(c *gin.Context) error {
	ctx := c.Request.Context()
	ev, err := s.ownEvidence(c)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(ev.Photos, func(u audit.JudgedUpload) bool { return u.Upload.PhotoID == c.Param("photo_id") })
	if i < 0 {
		return audit.Errorf(audit.CodeNotFound, "There is no such photo of this delivery")
	}
	page := web.DriverVerdict{Base: s.base(c), Stop: s.stop(ev), Photo: s.photoOnPage(ev.Photos[i]), Before: c.Query("before") != ""}
	stops, err := s.stops(ctx, principalOf(ctx).DriverID)
	if err != nil {
		return err
	}
	page.Next = nextStop(stops, ev.Delivery.TrackingID)
	return s.render(c, http.StatusOK, page)
}

// nextStop is the first stop after this one that needs a photo, else the first of all.
func nextStop(stops []web.Stop, trackingID string) *audit.Delivery {
	sorted := web.Driver{Stops: stops}.Sorted()
	here := slices.IndexFunc(sorted, func(s web.Stop) bool { return s.Delivery.TrackingID == trackingID })
	for i := range sorted {
		next := sorted[(here+1+i)%len(sorted)]
		if !next.Done() && next.Delivery.TrackingID != trackingID {
			return &next.Delivery
		}
	}
	return nil
}
