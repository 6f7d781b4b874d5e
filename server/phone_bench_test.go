package server

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"porchlight/audit"
	"porchlight/fixtures"
	"porchlight/web/browsertest"
)

// stopwatch notes when a photo is chosen and when its verdict is on the screen, in
// milliseconds since the page was asked for.
const stopwatch = `(() => {
  const now = document.getElementById("now");
  document.getElementById("photo").addEventListener("change", () => { self.chosen = performance.now(); self.shown = 0 }, {capture: true});
  new MutationObserver(() => {
    if (["accept", "retake", "review"].includes(now.dataset.verdict) && !self.shown) requestAnimationFrame(() => setTimeout(() => { self.shown = performance.now() }));
  }).observe(now, {attributes: true, childList: true});
  return true;
})()`

// twelve are photos of some 12 megapixels: a drawn one, and the largest of the labelled ones
// where there are any.
func twelve(b *testing.B) map[string][]byte {
	out := map[string][]byte{"drawn": fixtures.Scene{Place: 21, Number: "12", Width: 4000, Height: 3000}.JPEG()}
	names, err := filepath.Glob(filepath.Join(os.Getenv("PORCHLIGHT_PHOTOS"), "deliveries", "*.jp*g"))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		photo, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if len(photo) > len(out["labelled"]) {
			out["labelled"] = photo
		}
	}
	return out
}

// BenchmarkVerdictAtTheDoor is the time from the choice of a photo until its verdict is on
// the screen, by the check on the phone, with no network: in a browser that has one core.
// "ready" is a page at which the driver has been for a while, "touched" one whose check is
// loaded and has judged nothing yet, "opened" counts from the moment when the page is asked
// for and the photo is chosen as soon as there is a button.
func BenchmarkVerdictAtTheDoor(b *testing.B) {
	needsCheck(b)
	one := filepath.Join(b.TempDir(), "chromium")
	if _, err := exec.LookPath("taskset"); err != nil {
		b.Skip("taskset is not installed: a browser cannot be kept to one core")
	}
	must(b, os.WriteFile(one, []byte(fmt.Sprintf("#!/bin/sh\nexec taskset -c 0 %s \"$@\"\n", browsertest.Program())), 0o700))
	s := newStack(b)
	s.at(b, audit.FrontDoor, "T1")
	for name, photo := range twelve(b) {
		size, _, err := image.DecodeConfig(bytes.NewReader(photo))
		must(b, err)
		file := filepath.Join(b.TempDir(), "door.jpg")
		must(b, os.WriteFile(file, photo, 0o600))
		for _, when := range []string{"ready", "touched", "opened"} {
			b.Run(name+"/"+when, func(b *testing.B) {
				p := pocket(b, s)
				p.start(b, "", chromedp.ExecPath(one))
				var all []float64
				var decode, check float64
				for b.Loop() {
					if when != "ready" || all == nil {
						p.open(b, "/driver/stops/T1")
						browsertest.Eval[bool](p.page, stopwatch)
						if when != "opened" {
							p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
						}
						if when == "ready" {
							p.page.Wait(`new Promise(done => setTimeout(() => done(true), 8000))`)
						}
						p.page.Wait(`document.getElementById("place").textContent.includes("known")`)
						p.down.Store(when != "opened")
					}
					// The same photo again would be the one that is kept.
					browsertest.Eval[bool](p.page, `porchlight.all().then(all => Promise.all(all.map(i => porchlight.remove(i.id)))).then(() => true)`)
					if _, err := chromedp.Run(p.page.Context(), chromedp.SetUploadFiles(chromedp.CSS("#photo"), []string{file})); err != nil {
						b.Fatal(err)
					}
					p.page.Wait(`self.shown > 0`)
					from := "self.chosen"
					if when == "opened" {
						from = "0"
					}
					all = append(all, browsertest.Eval[float64](p.page, "self.shown - "+from))
					took := browsertest.Eval[struct{ Decode, Check float64 }](p.page, `JSON.parse(document.getElementById("camera").dataset.took)`)
					decode, check = decode+took.Decode, check+took.Check
				}
				n := float64(b.N)
				b.ReportMetric(float64(size.Width*size.Height)/1e6, "MP")
				slices.Sort(all) // what else the machine does moves some of them
				b.ReportMetric(all[len(all)/2], "ms/verdict")
				b.ReportMetric(all[0], "ms/least")
				b.ReportMetric(decode/n, "ms/decode")
				b.ReportMetric(check/n, "ms/check")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
