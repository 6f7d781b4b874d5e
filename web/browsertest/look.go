package browsertest

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Look is a way in which somebody looks at a page.
type Look struct {
	Name          string
	Width, Height int64
	Scale         float64 // device pixels to one of the page; 2 with half the width is a zoom of 200%
	Dark, Still   bool    // dark mode; reduced motion
	Text          int     // the browser's text size in percent; 0 for 100
}

// Looks are the ways in which every page must work.
var Looks = []Look{
	{Name: "phone", Width: 360, Height: 740, Scale: 1},
	{Name: "phone-dark", Width: 360, Height: 740, Scale: 1, Dark: true, Still: true},
	{Name: "phone-large-text", Width: 360, Height: 740, Scale: 1, Text: 200},
	{Name: "zoomed", Width: 640, Height: 400, Scale: 2},
	{Name: "desktop", Width: 1280, Height: 800, Scale: 1},
	{Name: "desktop-dark", Width: 1280, Height: 800, Scale: 1, Dark: true},
}

// See shows the page in a look.
func (p *Page) See(l Look) {
	p.t.Helper()
	scheme, motion, text := "light", "no-preference", ""
	if l.Dark {
		scheme = "dark"
	}
	if l.Still {
		motion = "reduce"
	}
	if l.Text != 0 {
		text = fmt.Sprintf("%d%%", l.Text)
	}
	Call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.Width, Height: l.Height, DeviceScaleFactor: l.Scale})
	Call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion}}})
	Eval[string](p, fmt.Sprintf(`document.documentElement.style.fontSize = %q`, text))
}

// overflow lists what is wider than the page, but for what scrolls inside itself.
const overflow = `(() => {
  const wide = document.documentElement.clientWidth, out = [];
  for (const e of document.body.querySelectorAll('*')) {
    const r = e.getBoundingClientRect();
    if (!r.width || !r.height || r.right <= wide + 1 && r.left >= -1) continue;
    let inside = false;
    for (let up = e; up && up !== document.body; up = up.parentElement) {
      const s = getComputedStyle(up);
      if (s.overflowX === 'auto' || s.overflowX === 'scroll' || s.overflowX === 'hidden' || s.clipPath !== 'none' || s.position === 'absolute' && r.right <= 0) { inside = true; break }
    }
    if (!inside) out.push(e.tagName.toLowerCase() + '.' + e.className + ' to ' + Math.round(r.right) + ' of ' + wide + ': ' + (e.textContent || '').trim().slice(0, 60));
  }
  if (document.documentElement.scrollWidth > wide + 1) out.push('the page scrolls to ' + document.documentElement.scrollWidth + ' of ' + wide);
  return out.slice(0, 10);
})()`

// Overflow lists what is wider than the page.
func (p *Page) Overflow() []string {
	p.t.Helper()
	return Eval[[]string](p, overflow)
}

// small lists what is to be touched and smaller than 24 by 24 pixels, but for links in a
// line of text (WCAG 2.2, 2.5.8).
const small = `[...document.querySelectorAll('button, input:not([type=hidden]), select, summary, a.button')].filter(e => {
  const r = e.getBoundingClientRect(), s = getComputedStyle(e);
  return r.width && r.height && s.clipPath === 'none' && (r.width < 24 || r.height < 24) && !e.closest('label');
}).map(e => e.outerHTML.slice(0, 120))`

// axe is axe-core's text; empty where it is not installed.
var axe = sync.OnceValue(func() string {
	b, err := os.ReadFile(os.Getenv("PORCHLIGHT_TEST_AXE"))
	if err != nil {
		return ""
	}
	return string(b)
})

// Axe lists axe-core's violations on the page as it is.
func (p *Page) Axe() []string {
	p.t.Helper()
	if axe() == "" {
		if os.Getenv("PORCHLIGHT_TEST_AXE") != "" {
			p.t.Fatal("axe-core cannot be read: " + os.Getenv("PORCHLIGHT_TEST_AXE"))
		}
		p.t.Log("axe-core is not installed: PORCHLIGHT_TEST_AXE names none")
		return nil
	}
	Eval[int](p, axe()+";0")
	found := Eval[string](p, `axe.run(document).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html.slice(0, 160) + ' ' + (n.failureSummary || '').replace(/\s+/g, ' ').slice(0, 300))}))))`)
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		p.t.Fatal(err)
	}
	var out []string
	for _, v := range violations {
		out = append(out, v.ID+": "+v.Help+"\n    "+strings.Join(v.Nodes, "\n    "))
	}
	return out
}

// Sound checks the page in every look: nothing is wider than it, axe-core finds nothing,
// what is touched is large enough, and nothing happened that must not. A screenshot of each
// goes into the folder PORCHLIGHT_TEST_SCREENSHOTS, as name-look.png, where that is set.
func (p *Page) Sound(name string) {
	p.t.Helper()
	for _, l := range Looks {
		p.See(l)
		for what, found := range map[string][]string{"too wide": p.Overflow(), "axe-core": p.Axe(), "too small": Eval[[]string](p, small)} {
			for _, f := range found {
				p.t.Errorf("%s, %s: %s: %s", name, l.Name, what, f)
			}
		}
		if folder := os.Getenv("PORCHLIGHT_TEST_SCREENSHOTS"); folder != "" {
			p.Screenshot(folder + "/" + name + "-" + l.Name + ".png")
		}
	}
	for _, f := range p.Faults() {
		p.t.Errorf("%s: %s", name, f)
	}
	p.See(Looks[0])
}

// Screenshot keeps a picture of the whole page.
func (p *Page) Screenshot(file string) {
	p.t.Helper()
	b, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
