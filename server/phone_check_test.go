package server

import (
	"encoding/base64"
	"fmt"
	"math"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/pixel"
	"porchlight/fixtures"
	"porchlight/web/browsertest"
)

// judge is what the page's worker answers for a photo.
const judge = `(async () => {
  self.judged ||= (() => {
    const {check, go, worker} = document.getElementById("camera").dataset, w = new Worker(worker), waiting = new Map();
    w.onmessage = (e) => { if (e.data.id && e.data.type !== "picture") waiting.get(e.data.id)(e.data) };
    w.postMessage({type: "load", wasm: check, go, checklist: "/driver/checklist"});
    return (id, bytes, media, request) => new Promise((done) => { waiting.set(id, done); w.postMessage({type: "check", id, bytes, media, request}) });
  })();
  const bytes = Uint8Array.from(atob(%q), (c) => c.charCodeAt(0)).buffer;
  const m = await self.judged(%q, bytes, %q, {delivery: {tracking_id: "T1"}, upload: {role: "placement"}, others: []});
  if (m.type !== "answer") throw new Error(m.why);
  return {by: m.took.by, measures: m.answer.measures};
})()`

// A browser's own decoder gives the check the pixels that the server measures, turned or not,
// by way of its frames and of a canvas: the measures differ by no more than decoders do.
func TestCheckInABrowserMeasuresWhatTheServerDoes(t *testing.T) {
	needsCheck(t)
	s := newStack(t)
	s.at(t, audit.FrontDoor, "T1")
	p := pocket(t, s)
	p.start(t, "")
	p.open(t, "/driver/stops/T1")
	p.page.Wait(`document.getElementById("camera").dataset.ready === "yes"`)
	turned := func(orientation int) *fixtures.Meta {
		return &fixtures.Meta{Orientation: orientation, TakenAt: time.Now()}
	}
	for name, scene := range map[string]fixtures.Scene{
		"good": {Place: 1, Number: "12", Width: 1600, Height: 1200}, "turned right": {Place: 2, Number: "7", Width: 1000, Height: 1333, Meta: turned(6)},
		"odd sides": {Place: 8, Hidden: true, Width: 1001, Height: 751}, "dark": {Place: 3, Defect: fixtures.Dark, Night: true, Width: 1200, Height: 900},
		"overexposed": {Place: 4, Defect: fixtures.Overexposed, Width: 1200, Height: 900}, "defocused": {Place: 5, Defect: fixtures.Defocused, Width: 1200, Height: 900},
		"finger": {Place: 7, Defect: fixtures.Finger, Width: 1200, Height: 900},
	} {
		photo := scene.JPEG()
		m, err := audit.Measure(photo)
		must(t, err)
		want := m.Measures
		for media, by := range map[string]string{"image/jpeg": "I420", "": "canvas"} {
			out := browsertest.Eval[struct {
				By       string
				Measures pixel.Measures
			}](p.page, fmt.Sprintf(judge, base64.StdEncoding.EncodeToString(photo), name+by, media))
			got := out.Measures
			if out.By != by {
				t.Errorf("%s: decoded by %s, want %s", name, out.By, by)
			}
			if got.Width != want.Width || got.Height != want.Height {
				t.Errorf("%s, %s: %dx%d, the server has %dx%d", name, by, got.Width, got.Height, want.Width, want.Height)
			}
			for _, v := range []struct {
				what      string
				got, want float64
				within    float64
			}{
				{"bright_tile", got.BrightTile, want.BrightTile, 1}, {"blown_out", got.BlownOut, want.BlownOut, 0.01}, {"entropy_bits", got.EntropyBits, want.EntropyBits, 0.05},
				{"blur", got.Blur, want.Blur, 0.25}, {"lens_blob", got.LensBlob, want.LensBlob, 0.05}, {"flat_share", got.FlatShare, want.FlatShare, 0.02}, {"moire", got.Moire, want.Moire, 0.05},
			} {
				if d := math.Abs(v.got - v.want); d > v.within {
					t.Errorf("%s, %s: %s %.4f, the server has %.4f", name, by, v.what, v.got, v.want)
				}
			}
			t.Logf("%-12s %-6s bright_tile %+.3f blown_out %+.5f entropy_bits %+.4f blur %+.4f lens_blob %+.4f flat_share %+.4f moire %+.4f", name, by, got.BrightTile-want.BrightTile,
				got.BlownOut-want.BlownOut, got.EntropyBits-want.EntropyBits, got.Blur-want.Blur, got.LensBlob-want.LensBlob, got.FlatShare-want.FlatShare, got.Moire-want.Moire)
		}
	}
	for _, f := range p.page.Faults() {
		t.Error(f)
	}
}
