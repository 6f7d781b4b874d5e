package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"porchlight/audit"
	"porchlight/audit/geo"
	"porchlight/fixtures"
)

var at = time.Date(2026, 5, 4, 18, 0, 0, 0, time.UTC)

// drawn are photos with what the check looks for, and one without.
func drawn() map[string]fixtures.Scene {
	return map[string]fixtures.Scene{
		"good":           {Place: 1, Number: "12", Width: 1600, Height: 1200},
		"upright":        {Place: 2, Number: "7", Width: 1000, Height: 1333, Meta: &fixtures.Meta{Orientation: 6, TakenAt: at}},
		"dark":           {Place: 3, Defect: fixtures.Dark, Night: true, Width: 1200, Height: 900},
		"overexposed":    {Place: 4, Defect: fixtures.Overexposed, Width: 1200, Height: 900},
		"defocused":      {Place: 5, Defect: fixtures.Defocused, Width: 1200, Height: 900},
		"motion blurred": {Place: 6, Defect: fixtures.MotionBlurred, Width: 1200, Height: 900},
		"finger":         {Place: 7, Defect: fixtures.Finger, Width: 1200, Height: 900},
		"hidden":         {Place: 8, Hidden: true, View: fixtures.Context, Width: 1024, Height: 768},
		"close up":       {Place: 8, Hidden: true, View: fixtures.CloseUp, Width: 1024, Height: 768},
		"small":          {Place: 9, Width: 640, Height: 480},
	}
}

// sample is a photo as a browser hands it to the check.
type sample struct {
	file   []byte
	pixels []byte
	in     request
}

// newSample is a drawn photo as a browser's decoder leaves it (frame), or as a canvas shows it.
func newSample(t *testing.T, s fixtures.Scene, frame bool) sample {
	t.Helper()
	out := sample{file: s.JPEG()}
	img, err := jpeg.Decode(bytes.NewReader(out.file))
	if err != nil {
		t.Fatal(err)
	}
	var shape string
	if frame {
		out.pixels, shape = planar(t, img)
	} else {
		if s.Meta != nil && s.Meta.Orientation == 6 {
			img = clockwise(img)
		}
		b := img.Bounds()
		rgba := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(rgba, rgba.Bounds(), img, b.Min, draw.Src)
		out.pixels, shape = rgba.Pix, fmt.Sprintf(`{"width":%d,"height":%d}`, b.Dx(), b.Dy())
	}
	var p picture
	if err := json.Unmarshal([]byte(shape), &p); err != nil {
		t.Fatal(err)
	}
	lat, lon := 47.6205, -122.3493
	accuracy := 8.0
	captured := at
	out.in = request{Now: at.Add(time.Minute), Picture: p,
		Delivery: audit.Delivery{TrackingID: "T1", Instruction: audit.Hidden, Stop: audit.Stop{Address: "12 Elm St", Latitude: &lat, Longitude: &lon, TimeZone: "America/Los_Angeles"}},
		Upload:   audit.Upload{TrackingID: "T1", Role: audit.Context, CapturedAt: &captured, Fix: &audit.Fix{Point: geo.Point{Latitude: lat + 0.001, Longitude: lon}, AccuracyM: &accuracy}},
		Others:   []other{{Role: audit.CloseUp, Verdict: audit.Retake}},
	}
	return out
}

// planar is a decoded JPEG as the bytes of a video frame, luma before Cb and Cr, and where they lie.
func planar(t *testing.T, img image.Image) (pixels []byte, shape string) {
	t.Helper()
	m, ok := img.(*image.YCbCr)
	if !ok {
		t.Fatalf("decoded to %T", img)
	}
	b := m.Rect
	format, cw, ch := "I444", b.Dx(), b.Dy()
	if m.SubsampleRatio == image.YCbCrSubsampleRatio420 {
		format, cw, ch = "I420", (cw+1)/2, (ch+1)/2
	}
	plane := func(pix []byte, stride, w, h int) {
		for y := range h {
			pixels = append(pixels, pix[y*stride:][:w]...)
		}
	}
	plane(m.Y, m.YStride, b.Dx(), b.Dy())
	plane(m.Cb, m.CStride, cw, ch)
	plane(m.Cr, m.CStride, cw, ch)
	return pixels, fmt.Sprintf(`{"width":%d,"height":%d,"format":%q,"planes":[{"offset":0,"stride":%d},{"offset":%d,"stride":%d},{"offset":%d,"stride":%d}]}`,
		b.Dx(), b.Dy(), format, b.Dx(), b.Dx()*b.Dy(), cw, b.Dx()*b.Dy()+cw*ch, cw)
}

// clockwise turns an image as orientation 6 asks for.
func clockwise(img image.Image) image.Image {
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dy(), b.Dx()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			out.Set(b.Dy()-1-y, x, img.At(b.Min.X+x, b.Min.Y+y))
		}
	}
	return out
}

// The check says what the server says, within what decoding otherwise may move: the checks'
// results are the same, and the measures lie within the tolerances of the checklist's limits.
func TestCheckAgreesWithTheServer(t *testing.T) {
	tolerance := map[string]float64{"brightness": 2, "exposure": 0.01, "detail": 0.1, "blur": 0.5, "lens": 0.05, "original": 0.05}
	list := audit.Guide2026()
	for name, s := range samples(t) {
		var c checker
		got, err := c.check(s.in, s.pixels, s.file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := audit.Measure(s.file)
		if err != nil {
			t.Fatal(err)
		}
		subject := audit.Subject{Upload: s.in.Upload, Known: audit.Known{Delivery: s.in.Delivery}}
		subject.ReceivedAt = s.in.Now
		for _, o := range s.in.Others {
			subject.Others = append(subject.Others, audit.JudgedUpload{Upload: audit.Upload{Role: o.Role}, Report: audit.Report{Verdict: o.Verdict}})
		}
		want := list.Judge(m, subject)
		if got.Verdict != want.Verdict {
			t.Errorf("%s: verdict %s, the server's is %s", name, got.Verdict, want.Verdict)
		}
		if len(got.Findings) != len(want.Findings)-len(left) {
			t.Errorf("%s: %d findings, the server has %d", name, len(got.Findings), len(want.Findings))
		}
		for _, f := range got.Findings {
			w, _ := want.Finding(f.Check)
			a, number := f.Value.(float64)
			b, _ := w.Value.(float64)
			if f.Result != w.Result || f.Advice != w.Advice || number && math.Abs(a-b) > tolerance[f.Check] || !number && fmt.Sprint(f.Value) != fmt.Sprint(w.Value) {
				t.Errorf("%s, %s: %s %v %q, the server: %s %v %q", name, f.Check, f.Result, f.Value, f.Advice, w.Result, w.Value, w.Advice)
			}
		}
	}
}

// samples are the drawn photos, each both ways.
func samples(t *testing.T) map[string]sample {
	t.Helper()
	out := map[string]sample{}
	for name, scene := range drawn() {
		out[name], out[name+", a frame"] = newSample(t, scene, false), newSample(t, scene, true)
	}
	return out
}

func TestCheckAsksForWhatIsMissing(t *testing.T) {
	s := newSample(t, drawn()["hidden"], false)
	s.in.Upload.Fix = nil
	var c checker
	got, err := c.check(s.in, s.pixels, s.file)
	if err != nil || !got.Keep || len(got.Missing) != 1 || got.Missing[0] != audit.CloseUp || got.Advice != "Add a photo showing the hidden package close up" {
		t.Errorf("%+v, %v", got, err)
	}
	s.in.Others[0].Verdict = audit.Accept
	if got, err = c.check(s.in, s.pixels, s.file); err != nil || len(got.Missing) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	strict := bytes.Replace([]byte(audit.Guide2026().Text()), []byte("fail_below: 60"), []byte("fail_below: 250"), 1)
	strict = bytes.Replace(strict, []byte("warn_below: 80"), []byte("warn_below: 251"), 1)
	s.in.Checklist = string(strict)
	if got, err = c.check(s.in, s.pixels, s.file); err != nil || got.Keep {
		t.Errorf("by a checklist of the operator's: %+v, %v", got, err)
	}
	const planes = `[{"offset":0,"stride":2},{"offset":4,"stride":1},{"offset":5,"stride":1}]`
	for _, bad := range []string{`{`, `{"checklist":"checks: 1","picture":{"width":1,"height":1}}`, `{}`, `{"picture":{"width":2,"height":2}}`, `{"picture":{"width":99999999,"height":99999999}}`,
		`{"picture":{"width":2,"height":2,"format":"NV12","planes":` + planes + `}}`, `{"picture":{"width":2,"height":2,"format":"I420","planes":[]}}`,
		`{"picture":{"width":2,"height":2,"format":"I420","planes":` + planes + `}}`, `{"picture":{"width":2,"height":1,"format":"I420","planes":` + strings.Replace(planes, `"offset":0`, `"offset":-1`, 1) + `}}`} {
		var told map[string]string
		if err := json.Unmarshal([]byte(c.checkJSON(bad, make([]byte, 4), nil)), &told); err != nil || told["error"] == "" {
			t.Errorf("%s: %v, %v", bad, told, err)
		}
	}
}

// run is what the WebAssembly answers, in Node, which gives it no more than a browser does.
const run = `
const fs = require("fs"), [exec, wasm, list] = process.argv.slice(2);
require(exec);
const go = new Go();
globalThis.porchlightReady = () => {
  const out = JSON.parse(fs.readFileSync(list)).map(c => porchlightCheck(c.request, new Uint8Array(fs.readFileSync(c.pixels)), new Uint8Array(fs.readFileSync(c.file))));
  fs.writeFileSync(list + ".out", JSON.stringify(out));
  process.exit(0);
};
WebAssembly.instantiate(fs.readFileSync(wasm), go.importObject).then(r => go.run(r.instance));
`

// The WebAssembly finds to the last digits what the same code finds here.
func TestWebAssemblyAgrees(t *testing.T) {
	folder, err := filepath.Abs("../../web/static/phone")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := os.Open(filepath.Join(folder, "porchlight.wasm.gz"))
	node, noNode := exec.LookPath("node")
	if err != nil || noNode != nil {
		if os.Getenv("PORCHLIGHT_TEST_REQUIRE") != "" && err != nil {
			t.Fatal("the check on the phone is not built: make wasm")
		}
		t.Skip("the check on the phone is not built (make wasm), or node is not installed")
	}
	defer packed.Close()
	info, err := packed.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 2_500_000 {
		t.Errorf("the check has %d bytes compressed, 2500000 are the most", info.Size())
	}
	work := t.TempDir()
	unzip, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := io.ReadAll(unzip)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(name string, b []byte) string {
		path := filepath.Join(work, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	type entry struct {
		Request string `json:"request"`
		Pixels  string `json:"pixels"`
		File    string `json:"file"`
	}
	var list []entry
	var want []answer
	for name, s := range samples(t) {
		b, err := json.Marshal(s.in)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, entry{string(b), keep(name+".rgba", s.pixels), keep(name+".jpg", s.file)})
		var c checker
		var a answer
		if err := json.Unmarshal([]byte(c.checkJSON(string(b), s.pixels, s.file)), &a); err != nil {
			t.Fatal(err)
		}
		want = append(want, a)
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	path := keep("list.json", b)
	if out, err := exec.Command(node, keep("run.js", []byte(run)), filepath.Join(folder, "wasm_exec.js"), keep("check.wasm", wasm), path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err = os.ReadFile(path + ".out")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	if err := json.Unmarshal(b, &texts); err != nil {
		t.Fatal(err)
	}
	var got []answer
	for _, text := range texts {
		var a answer
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		got = append(got, a)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
		t.Errorf("(-here +WebAssembly):\n%s", diff)
	}
}
