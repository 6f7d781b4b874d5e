package server

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/network"

	"porchlight/audit"
	"porchlight/fixtures"
	"porchlight/web/browsertest"
)

// Every page of the driver's works for everybody: on a phone, enlarged, in the dark.
func TestDriversPagesAreSound(t *testing.T) {
	browsertest.NeedsTime(t)
	s := newStack(t)
	s.at(t, audit.Hidden, "T1")
	s.at(t, audit.FrontDoor, "T2")
	s.addClaim(t, "C1", "T1")
	b := scene(91, fixtures.Dark)
	if r := s.upload(t, audit.Driver, "T1", photoPart(b), part{name: "role", value: "context"}); r.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	p := pocket(t, s)
	p.start(t, "")
	p.open(t, "/driver")
	for name, path := range map[string]string{"stops": "/driver", "stop": "/driver/stops/T1", "verdict": "/driver/stops/T1/photos/" + audit.PhotoID(b), "rejects": "/driver/rejects",
		"disputes": "/driver/disputes", "dispute": "/driver/disputes/C1", "standing": "/driver/standing", "problem": "/driver/stops/none"} {
		p.page.Go(p.front + path)
		p.page.Wait(seen)
		p.page.Sound("driver-" + name)
	}
	// With something in the queue, and a verdict.
	p.page.Go(p.front + "/driver/stops/T2")
	p.down.Store(true)
	p.take(t, scene(92, fixtures.Dark))
	p.page.Wait(`document.querySelector("#now .verdict .advice")`)
	browsertest.Eval[string](p.page, `document.querySelector('#happenings button[value=texted]').click(), document.getElementById("queue").open = true, ""`)
	p.page.Wait(`document.getElementById("timer").dataset.step === "wait"`)
	p.page.Sound("driver-door")
}

// Pages that are the same for everybody, and a driver's on a day with nothing to do.
func TestEmptyAndSignedOutPagesAreSound(t *testing.T) {
	browsertest.NeedsTime(t)
	s := newStack(t)
	p := pocket(t, s)
	p.start(t, "")
	p.open(t, "/driver")
	for name, path := range map[string]string{"stops": "/driver", "rejects": "/driver/rejects", "disputes": "/driver/disputes"} {
		p.page.Go(p.front + path)
		p.page.Wait(seen)
		p.page.Sound("driver-" + name + "-none")
	}
	browsertest.Call(p.page, network.DeleteCookies, network.DeleteCookiesParams{Name: p.sessions.Cookie.Name, URL: p.front})
	p.page.Go(p.front + "/signin")
	p.page.Wait(seen)
	p.page.Sound("signin")
	browsertest.Eval[bool](p.page, `(document.getElementById("token").value = "wrong", document.querySelector("main form").submit(), true)`)
	p.page.Wait(`document.querySelector("[role=alert]")`)
	p.page.Sound("signin-refused")
}

// A driver's day with keys alone: to the stop, a photo, what happened, the pages, out.
func TestDriversKeysInABrowser(t *testing.T) {
	needsCheck(t)
	s := newStack(t)
	s.at(t, audit.FrontDoor, "T1")
	s.addClaim(t, "C1", "T1")
	p := pocket(t, s)
	p.start(t, "")
	p.open(t, "/driver")
	k := keyboard{t, p.page}
	k.tab(`a.stop`)
	k.leave("\r", `location.pathname === "/driver/stops/T1"`)
	k.tab(`#photo`)
	if got := browsertest.Eval[string](p.page, `getComputedStyle(document.querySelector(".take")).outlineStyle`); got != "solid" {
		t.Errorf("the camera button with the focus has outline %q", got)
	}
	p.take(t, scene(95, fixtures.None))
	ev := p.recorded(t, "T1", 1)
	p.verdictIs("server", string(ev.Photos[0].Report.Verdict))
	k.tab(`#happenings button[value=texted]`)
	k.press("\r")
	p.page.Wait(`document.getElementById("timer").dataset.step === "wait" && document.querySelector("#recorded li")`)
	k.tab(`#now .verdict a`)
	k.leave("\r", `location.pathname.startsWith("/driver/stops/T1/photos/")`)
	for _, to := range []string{"rejects", "standing", "disputes"} {
		k.tab(fmt.Sprintf(`.top a[href="/driver/%s"]`, to))
		k.leave("\r", fmt.Sprintf(`location.pathname === "/driver/%s" && document.querySelector('.top a[aria-current]').getAttribute("href") === "/driver/%s"`, to, to))
	}
	k.tab(`main a.stop`)
	k.leave("\r", `location.pathname === "/driver/disputes/C1"`)
	k.tab(`form[action="/signout"] button`)
	k.leave("\r", `!document.querySelector("nav")`)
	for _, f := range p.page.Faults() {
		t.Error(f)
	}
}

// seen tells that a page is there with its pictures, those further down too.
const seen = `(document.querySelectorAll("img").forEach(i => { i.loading = "eager" }), document.readyState === "complete" && [...document.images].every(i => i.complete && i.naturalWidth > 0))`
