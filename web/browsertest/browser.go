package browsertest

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Time is how long a page may take for a single step before a test gives up.
const Time = 4 * time.Minute

// Browser is a running Chromium.
type Browser struct {
	t       testing.TB
	ctx     context.Context
	stop    context.CancelFunc
	profile string
}

// NeedsTime skips a test that takes long, or that a machine with much else to do fails
// (a browser gives up on a position after a while), unless it is asked for: with
// PORCHLIGHT_TEST_PAGES=1, as `make pages` does, or for pictures.
func NeedsTime(t testing.TB) {
	t.Helper()
	if os.Getenv("PORCHLIGHT_TEST_PAGES") == "" && os.Getenv("PORCHLIGHT_TEST_SCREENSHOTS") == "" {
		t.Skip("takes long: make pages")
	}
}

// Start starts Chromium. It ends with the test. profile is the folder that keeps what a
// browser keeps between two starts; empty for one that is gone with the test.
func Start(t testing.TB, profile string, flags ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	program := Program()
	if program == "" {
		if os.Getenv("PORCHLIGHT_TEST_REQUIRE") != "" {
			t.Fatal("Chromium is not installed (Debian: apt-get install chromium)")
		}
		t.Skip("Chromium is not installed")
	}
	if profile == "" {
		profile = t.TempDir()
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(Time))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), append(options, flags...)...)
	ctx, stopFirst := chromedp.NewContext(ctx)
	b := &Browser{t: t, ctx: ctx, stop: func() { stopFirst(); stop() }, profile: profile}
	t.Cleanup(b.stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	return b
}

// Program is the path of the Chromium that is installed; empty for none.
func Program() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless_shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Kill ends the browser as a phone that runs out of power does, without a word to its pages.
func (b *Browser) Kill() {
	b.t.Helper()
	p := chromedp.FromContext(b.ctx).Browser.Process()
	if err := p.Kill(); err != nil {
		b.t.Fatal(err)
	}
	b.stop()
	// The processes that it started end when they miss it; the profile is theirs until then.
	for range 100 {
		if _, err := os.Lstat(b.profile + "/SingletonLock"); err != nil {
			break
		}
		os.Remove(b.profile + "/SingletonLock")
	}
}

// Page is a tab.
type Page struct {
	t      testing.TB
	ctx    context.Context
	mu     sync.Mutex
	faults []string
	loaded map[string]float64 // bytes over the network by URL
	urls   map[network.RequestID]string
	home   string // the server that all requests must go to
}

// Open opens a page in a tab of its own. Cookies are set before.
func (b *Browser) Open(t testing.TB, address string, cookies ...*network.CookieParam) *Page {
	t.Helper()
	ctx, stop := chromedp.NewContext(b.ctx)
	t.Cleanup(stop)
	p := &Page{t: t, ctx: ctx, loaded: map[string]float64{}, urls: map[network.RequestID]string{}}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	Call(p, network.Enable, network.EnableParams{})
	Call(p, log.Enable, cdp.Empty{})
	Call(p, network.SetCookies, network.SetCookiesParams{Cookies: cookies})
	p.Go(address)
	return p
}

// listen notes what must not happen: errors of scripts, what the policy blocked, requests
// to other servers.
func (p *Page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.faults = append(p.faults, "script: "+(&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *log.EventEntryAdded:
		if e.Entry.Source == log.EntrySourceSecurity || e.Entry.Source == log.EntrySourceViolation {
			p.faults = append(p.faults, "log: "+e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		u := e.Request.URL
		p.urls[e.RequestID] = u
		if !strings.HasPrefix(u, p.home) && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") && !strings.HasPrefix(u, "chrome") && !strings.HasPrefix(u, "about:") {
			p.faults = append(p.faults, "a request to "+u)
		}
	case *network.EventLoadingFinished:
		p.loaded[p.urls[e.RequestID]] += e.EncodedDataLength
	}
}

// Faults are what must not have happened on the page so far: errors of scripts, violations of
// the content security policy, requests to other servers.
func (p *Page) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.faults)
}

// Loaded is how many bytes came over the network, headers too, by URL.
func (p *Page) Loaded() map[string]float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]float64{}
	for k, v := range p.loaded {
		out[k] = v
	}
	return out
}

// Go goes to an address in the same tab.
func (p *Page) Go(address string) {
	p.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.home = u.Scheme + "://" + u.Host
	p.mu.Unlock()
	p.Do(chromedp.Navigate(address))
}

// Context is what actions on the page run with.
func (p *Page) Context() context.Context { return p.ctx }

// Do does something on the page, at most for [Time].
func (p *Page) Do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Time)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// Call sends a command of the DevTools protocol to the page.
func Call[P, R any](p *Page, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Time)
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
	return r
}

// CallBrowser sends a command of the DevTools protocol to the browser.
func CallBrowser[P, R any](b *Browser, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	r, err := chromedp.CallBrowser(b.ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return r
}

// Eval is the value of a JavaScript expression; a promise is waited for.
func Eval[T any](p *Page, script string) T {
	p.t.Helper()
	v, err := eval[T](p, script)
	if err != nil {
		p.t.Fatalf("%.300s: %v", script, err)
	}
	return v
}

func eval[T any](p *Page, script string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, Time)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// Wait waits until an expression, or the promise that it is, comes to true, on whatever page the tab has come to by then.
func (p *Page) Wait(script string) {
	p.t.Helper()
	var err error
	for end := time.Now().Add(Time); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var ok bool
		if ok, err = eval[bool](p, "Promise.resolve("+script+").then(v => !!v)"); err == nil && ok {
			return
		}
	}
	text, _ := eval[string](p, `location.href + ": " + document.body.innerText.slice(0, 3000)`)
	p.t.Fatalf("never true: %s: %v\nfaults %v\n%s", script, err, p.Faults(), text)
}
