package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	permission "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/fixtures"
	"porchlight/web"
	"porchlight/web/browsertest"
)

// phone is a driver's phone with a server that may be out of reach.
type phone struct {
	*stack
	front string // URL
	down  atomic.Bool
	delay atomic.Int64 // of each answer, nanoseconds
	*browsertest.Browser
	page *browsertest.Page
}

// pocket puts a server before the stack that can go down and come back.
func pocket(t testing.TB, s *stack) *phone {
	t.Helper()
	p := &phone{stack: s}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.down.Load() {
			panic(http.ErrAbortHandler)
		}
		time.Sleep(time.Duration(p.delay.Load()))
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	p.front = h.URL
	return p
}

// start starts the phone's browser; profile is what it keeps.
func (p *phone) start(t testing.TB, profile string, flags ...chromedp.ExecAllocatorOption) {
	t.Helper()
	p.Browser = browsertest.Start(t, profile, flags...)
	p.permit("geolocation", "granted")
}

func (p *phone) permit(name string, setting permission.PermissionSetting) {
	browsertest.CallBrowser(p.Browser, permission.SetPermission, permission.SetPermissionParams{
		Permission: &permission.PermissionDescriptor{Name: name}, Setting: setting, Origin: p.front})
}

// open opens a page as the driver D1, who stands at the stop.
func (p *phone) open(t testing.TB, path string) {
	t.Helper()
	p.down.Store(false) // after a test that failed
	c := p.signedIn(t, audit.Driver)
	p.page = p.Open(t, "about:blank")
	browsertest.Call(p.page, network.SetCookies, network.SetCookiesParams{Cookies: []*network.CookieParam{{Name: c.Name, Value: c.Value, URL: p.front}}})
	p.stand(40.7501, -73.9967)
	p.page.See(browsertest.Looks[0])
	p.page.Go(p.front + path)
}

func (p *phone) stand(latitude, longitude float64) {
	accuracy := 9.0
	browsertest.Call(p.page, emulation.SetGeolocationOverride, emulation.SetGeolocationOverrideParams{Latitude: &latitude, Longitude: &longitude, Accuracy: &accuracy})
}

// offline takes the network away, or gives it back.
func (p *phone) offline(off bool) {
	p.down.Store(off)
	browsertest.Call(p.page, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: off, DownloadThroughput: -1, UploadThroughput: -1})
}

// worker waits until the service worker has kept what the pages need with the network off.
func (p *phone) keeps(path string) {
	p.page.Wait(fmt.Sprintf(`(async () => await caches.match(%q, {cacheName: "porchlight-pages"}) && (await (await caches.open((await caches.keys()).find(n => n.startsWith("porchlight-files-")))).keys()).some(r => r.url.includes(".wasm")))()`, path))
}

// take takes a photo with the page's camera button.
func (p *phone) take(t testing.TB, b []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "door.jpg")
	must(t, os.WriteFile(file, b, 0o600))
	browsertest.Eval[string](p.page, `document.getElementById("now").dataset.source = ""`)
	if _, err := chromedp.Run(p.page.Context(), chromedp.SetUploadFiles(chromedp.CSS("#photo"), []string{file})); err != nil {
		t.Fatal(err)
	}
}

func (p *phone) verdictIs(source, verdict string) {
	p.page.Wait(fmt.Sprintf(`document.getElementById("now").dataset.source === %q && document.getElementById("now").dataset.verdict === %q`, source, verdict))
}

// queued are the states of what the queue holds.
func (p *phone) queued() string {
	return browsertest.Eval[string](p.page, `porchlight.all().then(all => all.map(i => i.kind + " " + i.state).join(", "))`)
}

// recorded waits until a delivery has so many photos on record.
func (p *phone) recorded(t testing.TB, trackingID string, n int) dispute.Evidence {
	t.Helper()
	for end := time.Now().Add(browsertest.Time); ; time.Sleep(50 * time.Millisecond) {
		ev, err := p.db.Evidence(context.Background(), trackingID)
		must(t, err)
		if len(ev.Photos) >= n {
			return ev
		}
		if time.Now().After(end) {
			t.Fatalf("%d photos on record, want %d; queue: %s; faults %v", len(ev.Photos), n, p.queued(), p.page.Faults())
		}
	}
}

// at imports deliveries of D1 at the place where the phone stands.
func (s *stack) at(t testing.TB, instruction audit.Instruction, ids ...string) {
	t.Helper()
	lat, lon, start := 40.7501, -73.9967, time.Now()
	for i, id := range ids {
		d := audit.Delivery{TrackingID: id, DriverID: "D1", Instruction: instruction, WindowStart: &start,
			Stop: audit.Stop{Address: fmt.Sprintf("%d Elm Street", 12+2*i), Locality: "New York", Postcode: "10001", Latitude: &lat, Longitude: &lon, TimeZone: "America/New_York"}}
		_, err := s.db.PutDeliveries(context.Background(), []audit.Delivery{d}, time.Now())
		must(t, err)
	}
}

func scene(place uint64, defect fixtures.Defect) []byte {
	return fixtures.Scene{Place: place, Number: "12", Width: 1200, Height: 900, Defect: defect, Night: defect == fixtures.Dark}.JPEG()
}

func needsCheck(t testing.TB) {
	t.Helper()
	if web.AssetPath("phone/porchlight.wasm") == "" {
		if os.Getenv("PORCHLIGHT_TEST_REQUIRE") != "" {
			t.Fatal("the check on the phone is not built: make wasm")
		}
		t.Skip("the check on the phone is not built: make wasm")
	}
}

// A driver's day on the phone: with a network, without one, with a server that is down, and
// with what a phone may refuse.
func TestDriversDay(t *testing.T) {
	browsertest.NeedsTime(t)
	needsCheck(t)
	s := newStack(t)
	s.at(t, audit.Hidden, "T1")
	s.at(t, audit.FrontDoor, "T2", "T3", "T4", "T5", "T6", "T7", "T8")
	p := pocket(t, s)
	p.start(t, "")

	t.Run("online", func(t *testing.T) {
		p.open(t, "/driver/stops/T1")
		p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
		if got := browsertest.Eval[string](p.page, `document.querySelector(".take").textContent`); got != "Photo 1 of 2: the hiding place with the door" {
			t.Errorf("asked for %q", got)
		}
		first, second := scene(21, fixtures.None), scene(22, fixtures.None)
		p.take(t, first)
		ev := p.recorded(t, "T1", 1)
		u := ev.Photos[0]
		if u.Upload.PhotoID != audit.PhotoID(first) || u.Upload.Role != audit.Context || u.Upload.CapturedAt == nil || u.Upload.Fix == nil || u.Upload.Fix.AccuracyM == nil || *u.Upload.Fix.AccuracyM != 9 {
			t.Errorf("upload = %+v", u.Upload)
		}
		if f, _ := u.Report.Finding("location"); f.Result != audit.Pass || f.Source != "phone" {
			t.Errorf("location = %+v", f)
		}
		p.verdictIs("server", string(u.Report.Verdict))
		p.page.Wait(`document.querySelector(".take").textContent === "Photo 2 of 2: the package in its hiding place"`)
		p.take(t, second)
		ev = p.recorded(t, "T1", 2)
		if ev.Photos[1].Upload.Role != audit.CloseUp {
			t.Errorf("role = %s", ev.Photos[1].Upload.Role)
		}
		p.verdictIs("server", "accept")
		p.page.Wait(`document.querySelector(".take").textContent === "Take another photo"`)
		// The phone's own findings are the server's, but for what only the server can know.
		local := browsertest.Eval[map[string]string](p.page, `porchlight.all().then(all => Object.fromEntries(all[0].local.findings.map(f => [f.check, f.result])))`)
		for _, f := range u.Report.Findings {
			if got, ok := local[f.Check]; ok && got != string(f.Result) && f.Check != "set" {
				t.Errorf("%s: %s on the phone, %s by the server", f.Check, got, f.Result)
			}
		}
		t.Logf("the check took %s", browsertest.Eval[string](p.page, `document.getElementById("camera").dataset.took`))
	})

	t.Run("offline", func(t *testing.T) {
		p.open(t, "/driver")
		p.keeps("/driver/stops/T2")
		p.offline(true)
		p.page.Go(p.front + "/driver/stops/T2")
		p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
		p.take(t, scene(31, fixtures.Dark))
		p.verdictIs("phone", "retake")
		if got := browsertest.Eval[string](p.page, `document.querySelector("#now .advice").textContent`); !strings.Contains(got, "flash") {
			t.Errorf("advice %q", got)
		}
		p.take(t, scene(32, fixtures.None))
		p.verdictIs("phone", "accept")
		p.page.Wait(`document.getElementById("queue-words").textContent.startsWith("2 photos not on record yet")`)
		browsertest.Eval[string](p.page, `document.querySelector('#happenings button[value=texted]').click(), ""`)
		p.page.Wait(`document.getElementById("timer").dataset.step === "wait"`)
		p.page.Wait(`document.querySelector("#recorded li")`)
		p.page.Go(p.front + "/driver/rejects")
		p.page.Wait(`document.querySelector("h1").textContent === "Your rejects"`)
		p.offline(false)
		ev := p.recorded(t, "T2", 2)
		p.page.Wait(`porchlight.all().then(all => all.every(i => i.state === "kept"))`)
		if ev, err := p.db.Evidence(t.Context(), "T2"); err != nil || len(ev.Events) != 1 || ev.Events[0].Kind != "contact_text" || ev.Events[0].Latitude == nil || ev.Events[0].Source != "driver" {
			t.Errorf("events %+v, %v", ev.Events, err)
		}
		for _, u := range ev.Photos {
			if u.Upload.CapturedAt == nil || u.Upload.Fix == nil {
				t.Errorf("upload = %+v", u.Upload)
			}
		}
	})

	t.Run("server down and back", func(t *testing.T) {
		p.open(t, "/driver/stops/T3")
		p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
		p.down.Store(true)
		p.take(t, scene(41, fixtures.None))
		p.verdictIs("phone", "accept")
		p.page.Wait(`porchlight.all().then(all => all.some(i => i.state === "waiting" && i.attempts > 0))`)
		p.down.Store(false)
		p.recorded(t, "T3", 1)
		p.verdictIs("server", "accept")
	})

	t.Run("slow network", func(t *testing.T) {
		p.open(t, "/driver/stops/T8")
		p.keeps("/driver/stops/T8")
		p.delay.Store(int64(8 * time.Second)) // longer than a page waits for
		defer p.delay.Store(0)
		p.page.Go(p.front + "/driver/stops/T8")
		p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
		p.take(t, scene(45, fixtures.None))
		p.verdictIs("phone", "accept")
		p.recorded(t, "T8", 1)
	})

	t.Run("signed out", func(t *testing.T) {
		p.open(t, "/driver/stops/T4")
		p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
		browsertest.Call(p.page, network.DeleteCookies, network.DeleteCookiesParams{Name: p.sessions.Cookie.Name, URL: p.front})
		p.take(t, scene(51, fixtures.None))
		p.page.Wait(`document.querySelector("#notice a[href^='/signin']")`)
		if got := p.queued(); !strings.HasSuffix(got, "photo waiting") {
			t.Errorf("queue: %s", got)
		}
		p.open(t, "/driver")
		p.recorded(t, "T4", 1)
	})

	t.Run("no position, no camera", func(t *testing.T) {
		p.permit("geolocation", permission.PermissionSettingDenied)
		p.permit("camera", permission.PermissionSettingDenied)
		defer p.permit("geolocation", permission.PermissionSettingGranted)
		p.open(t, "/driver/stops/T5")
		p.page.Wait(`document.getElementById("place").textContent.includes("never fails you")`)
		p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
		p.take(t, scene(61, fixtures.None))
		ev := p.recorded(t, "T5", 1)
		if f, _ := ev.Photos[0].Report.Finding("location"); f.Result != audit.Unknown || ev.Photos[0].Upload.Fix != nil {
			t.Errorf("location %+v, fix %+v", f, ev.Photos[0].Upload.Fix)
		}
	})

	t.Run("no room", func(t *testing.T) {
		p.open(t, "/driver/stops/T6")
		p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
		p.down.Store(true)
		p.take(t, scene(71, fixtures.None))
		p.verdictIs("phone", "accept")
		room := 1e3
		browsertest.Call(p.page, storage.OverrideQuotaForOrigin, storage.OverrideQuotaForOriginParams{Origin: p.front, QuotaSize: &room})
		time.Sleep(31 * time.Second) // Chromium remembers for half a minute how much room there was
		p.take(t, scene(72, fixtures.None))
		p.page.Wait(`document.querySelector("#now .advice")?.textContent.includes("no room left")`)
		if got := browsertest.Eval[int](p.page, `porchlight.all().then(all => all.filter(i => i.state !== "kept").length)`); got != 1 {
			t.Errorf("%d photos wait, want the one from before", got)
		}
		browsertest.Call(p.page, storage.OverrideQuotaForOrigin, storage.OverrideQuotaForOriginParams{Origin: p.front})
		p.down.Store(false)
		ev := p.recorded(t, "T6", 1)
		if ev.Photos[0].Upload.PhotoID != audit.PhotoID(scene(71, fixtures.None)) {
			t.Error("the photo that waited is not the one on record")
		}
	})

	t.Run("refused", func(t *testing.T) {
		p.open(t, "/driver/stops/T7")
		p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
		p.take(t, []byte("this is no photo"))
		p.page.Wait(`document.querySelector('#queue-items li[data-state=refused]')?.textContent.includes("not a photo")`)
	})
	for _, f := range p.page.Faults() {
		t.Error(f)
	}
}

// Photos that wait survive a browser that is killed, and go up when it is started again.
func TestBrowserKilled(t *testing.T) {
	needsCheck(t)
	s := newStack(t)
	s.at(t, audit.FrontDoor, "T1")
	p := pocket(t, s)
	profile := t.TempDir()
	p.start(t, profile)
	p.open(t, "/driver/stops/T1")
	p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
	p.down.Store(true)
	photo := scene(81, fixtures.None)
	p.take(t, photo)
	p.verdictIs("phone", "accept")
	p.Kill()
	p.down.Store(false)
	p.start(t, profile)
	p.open(t, "/driver")
	ev := p.recorded(t, "T1", 1)
	if u := ev.Photos[0].Upload; u.PhotoID != audit.PhotoID(photo) || u.CapturedAt == nil || u.Role != audit.Placement {
		t.Errorf("upload = %+v", u)
	}
}

// A driver's first load is light: pages, styles and scripts, all but the check itself.
func TestFirstLoadIsLight(t *testing.T) {
	needsCheck(t)
	s := newStack(t)
	s.at(t, audit.FrontDoor, "T1", "T2")
	p := pocket(t, s)
	p.start(t, "")
	p.open(t, "/driver")
	p.page.Wait(`performance.getEntriesByName("first-paint").length`)
	p.page.Go(p.front + "/driver/stops/T1")
	p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
	// Workers load theirs apart from the page: those files and the service worker are added.
	sum, all := float64(len(web.Worker())), p.page.Loaded()
	for u, n := range all {
		if !strings.Contains(u, ".wasm") {
			sum += n
		}
	}
	for _, name := range []string{"phone/check.js", "phone/wasm_exec.js"} {
		a, _ := web.FindAsset(name)
		sum += float64(len(a.Gzipped))
	}
	sum += float64(len(s.audit.Checklist().Text()))
	t.Logf("%.0f bytes: %v", sum, all)
	if len(all) < 6 || sum > 60_000 {
		t.Errorf("%.0f bytes in %d requests, 60000 are the most", sum, len(all))
	}
	if paint := browsertest.Eval[float64](p.page, `performance.getEntriesByType("resource").filter(r => r.name.includes(".wasm") && r.startTime < (performance.getEntriesByName("first-paint")[0]?.startTime ?? 0)).length`); paint != 0 {
		t.Error("the check is loaded before the first paint")
	}
}
