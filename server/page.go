package server

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/web"
)

const maxFormBytes = 64 << 10 // of a form without a photo

// pageRoutes are the routes for people.
func (s *Server) pageRoutes() []route {
	rows := []route{
		{method: "GET", path: "/", handle: s.home},
		{method: "GET", path: "/signin", handle: s.signInPage},
		{method: "POST", path: "/signin", handle: s.signIn},
		{method: "GET", path: "/signin/oidc", handle: s.toProvider},
		{method: "GET", path: "/signin/callback", handle: s.fromProvider},
		{method: "POST", path: "/signout", roles: everyRole, handle: s.signOut},
		{method: "GET", path: "/static/{file}", bare: true, handle: s.static},
		{method: "GET", path: "/static/phone/{file}", bare: true, handle: s.static},
		{method: "GET", path: "/driver-worker.js", bare: true, handle: s.phoneWorker},

		{method: "GET", path: "/driver", roles: drivers, handle: s.driverPage},
		{method: "GET", path: "/driver/stops/{tracking_id}", roles: drivers, handle: s.stopPage},
		{method: "POST", path: "/driver/stops/{tracking_id}/photos", roles: drivers, handle: s.uploadFromPage},
		{method: "GET", path: "/driver/stops/{tracking_id}/photos/{photo_id}", roles: drivers, handle: s.verdictPage},
		{method: "GET", path: "/driver/standing", roles: drivers, handle: s.ownStandingPage},
		{method: "POST", path: "/driver/stops/{tracking_id}/events", roles: drivers, handle: s.eventFromPage},
		{method: "GET", path: "/driver/session", roles: drivers, handle: s.phoneSession},
		{method: "GET", path: "/driver/checklist", roles: drivers, handle: s.phoneChecklist},
		{method: "GET", path: "/driver/rejects", roles: drivers, handle: s.rejectsPage},
		{method: "GET", path: "/driver/disputes", roles: drivers, handle: s.disputesPage},
		{method: "GET", path: "/driver/disputes/{claim_id}", roles: drivers, handle: s.ownDisputePage},
		{method: "GET", path: "/driver/disputes/{claim_id}/email", roles: drivers, handle: s.ownDisputeEmail},

		{method: "GET", path: "/agent", roles: claimants, handle: s.claimsPage},
		{method: "GET", path: "/agent/import", roles: claimants, handle: s.importPage},
		{method: "POST", path: "/agent/import", roles: claimants, handle: s.importFromPage},
		{method: "POST", path: "/agent/packets", roles: answerers, handle: s.bulkFromPage},
		{method: "GET", path: "/agent/claims/{claim_id}", roles: claimants, handle: s.claimPage},
		{method: "POST", path: "/agent/claims/{claim_id}/packets", roles: answerers, handle: s.issueFromPage},
		{method: "POST", path: "/agent/claims/{claim_id}/outcome", roles: answerers, handle: s.decideFromPage},
		{method: "POST", path: "/agent/claims/{claim_id}/attachments", roles: claimants, handle: s.attachFromPage},
		{method: "GET", path: "/agent/packets/{packet_id}", roles: claimants, handle: s.packetPage},
		{method: "GET", path: "/agent/photos/{photo_id}", roles: claimants, handle: s.photoPage},
		{method: "GET", path: "/agent/review", roles: claimants, handle: s.reviewPage},
		{method: "POST", path: "/agent/review/{upload_id}", roles: answerers, handle: s.reviewFromPage},
		{method: "GET", path: "/agent/fleet", roles: claimants, handle: s.fleetPage},
		{method: "GET", path: "/agent/fleet/carrier", roles: claimants, handle: s.carrierWeekPage},
		{method: "GET", path: "/agent/reuse", roles: claimants, handle: s.reusePage},
		{method: "GET", path: "/agent/checklist", roles: claimants, handle: s.checklistPage},
		{method: "POST", path: "/agent/checklist", roles: claimants, handle: s.tryChecklist},
		{method: "GET", path: "/agent/drivers", roles: claimants, handle: s.driversPage},
		{method: "GET", path: "/agent/drivers/{driver_id}", roles: claimants, handle: s.driverStandingPage},
		{method: "GET", path: "/agent/reaudits", roles: claimants, handle: s.reauditsPage},
		{method: "GET", path: "/agent/reaudits/{run_id}", roles: claimants, handle: s.reauditPage},
		{method: "POST", path: "/agent/reaudits/{run_id}/state", roles: admins, handle: s.changeReauditFromPage},
	}
	for i := range rows {
		rows[i].page = true
	}
	return rows
}

// render draws a page. What it shows is somebody's own: no cache keeps it.
func (s *Server) render(c *gin.Context, status int, p web.Page) error {
	c.Header("Cache-Control", "no-store")
	return s.pages.Render(c.Writer, p, status)
}

// base is what every page knows about its reader.
func (s *Server) base(c *gin.Context) web.Base {
	x := exchangeOf(c.Request.Context())
	return web.Base{Role: x.principal.Role, DriverID: x.principal.DriverID, Name: x.principal.Name, CSRF: x.csrf, Now: s.now()}
}

// problemPage answers an error with a page.
func (s *Server) problemPage(c *gin.Context, p *Problem) {
	page := web.Problem{Base: s.base(c), Status: p.Status, Code: p.Code, Message: p.Detail, RequestID: p.RequestID}
	if err := s.render(c, p.Status, page); err != nil {
		s.log.ErrorContext(c.Request.Context(), "the problem page cannot be drawn", "cause", err)
		if !c.Writer.Written() {
			c.String(p.Status, "%s\n", p.Detail)
		}
	}
}

// static serves style sheets, scripts and pictures.
func (s *Server) static(c *gin.Context) error {
	a, ok := web.FindAsset(strings.TrimPrefix(c.Request.URL.Path, web.StaticPath))
	if !ok {
		return audit.Errorf(audit.CodeNotFound, "There is nothing at this address")
	}
	a.Serve(c.Writer, c.Request)
	return nil
}

// home is GET /: a driver's stops, else the page to begin from.
func (s *Server) home(c *gin.Context) error {
	x := exchangeOf(c.Request.Context())
	if !x.session.none() {
		if err := s.authenticate(c, x); err != nil && Status(audit.ErrorCode(err)) != http.StatusUnauthorized {
			return err
		}
	}
	switch x.principal.Role {
	case audit.Driver:
		return s.seeOther(c, "/driver")
	case audit.Agent, audit.Admin:
		return s.seeOther(c, "/agent")
	}
	return s.render(c, http.StatusOK, web.Home{Base: s.base(c)})
}

// seeOther sends a browser on, with GET.
func (s *Server) seeOther(c *gin.Context, to string) error {
	c.Header("Cache-Control", "no-store")
	c.Redirect(http.StatusSeeOther, to)
	return nil
}

// sendToSignIn asks a person to sign in, and remembers where they wanted to go.
func (s *Server) sendToSignIn(c *gin.Context) {
	c.Abort()
	s.drain(c.Request)
	to := "/signin"
	if c.Request.Method == http.MethodGet {
		to += "?next=" + url.QueryEscape(c.Request.URL.EscapedPath())
	}
	_ = s.seeOther(c, to)
}

// smallForm reads a form without a photo.
func (s *Server) smallForm(c *gin.Context) (url.Values, error) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxFormBytes)
	if err := c.Request.ParseForm(); err != nil {
		if worded := bodyError(err); worded != nil {
			return nil, worded
		}
		return nil, audit.Errorf(audit.CodeUnreadable, "The form cannot be read", err)
	}
	return c.Request.PostForm, nil
}

// checkedForm reads a form without a photo and checks that our own page made it.
func (s *Server) checkedForm(c *gin.Context) error {
	f, err := s.smallForm(c)
	if err != nil {
		return err
	}
	return s.checkCSRF(c, f.Get("csrf"))
}

// fileForm reads a form with a file and the fields named beside it, and checks that our own
// page made it. The form is to be done with in any case.
func (s *Server) fileForm(c *gin.Context, fields ...string) (form, error) {
	f, err := s.readForm(c, "file", func(name string) bool { return name == "csrf" || slices.Contains(fields, name) })
	if err == nil {
		err = s.checkCSRF(c, strings.Join(f.fields["csrf"], ""))
	}
	return f, err
}

// checkCSRF holds a form's csrf field against the session's.
func (s *Server) checkCSRF(c *gin.Context, given string) error {
	want := exchangeOf(c.Request.Context()).csrf
	if want == "" || subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		return audit.Errorf(CodeCrossSite, "This form is out of date: go back, load the page again and send it once more")
	}
	return nil
}

// localPath is a path on this server; anything else is empty, so that nobody is sent
// elsewhere after signing in.
func localPath(p string) string {
	u, err := url.Parse(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n\t") || path.Clean(u.Path) == "/signin" || strings.HasPrefix(path.Clean(u.Path), "/signin/") {
		return ""
	}
	return u.EscapedPath()
}

// at joins a path from segments that may hold anything but slashes.
func at(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}
