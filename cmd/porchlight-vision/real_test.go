//go:build cgo

package main

import (
	"bytes"
	"encoding/csv"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/disintegration/imaging"
	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
	"porchlight/audit/exif"
	"porchlight/audit/pixel/decode"
	"porchlight/audit/vision"
	"porchlight/fixtures"
	"porchlight/storage/weights"
	"porchlight/storage/weights/onnx"
)

// modelFolder is where the installed models are, as PORCHLIGHT_TEST_MODELS says.
func modelFolder(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("PORCHLIGHT_TEST_MODELS")
	if dir == "" {
		t.Skip("PORCHLIGHT_TEST_MODELS names no folder with models")
	}
	return dir
}

// models opens the installed models.
func models(t testing.TB) *engine {
	t.Helper()
	set, err := weights.Load(modelFolder(t))
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEngine(set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// photoFolder is where the labelled photos are.
func photoFolder(t testing.TB) string {
	t.Helper()
	photos := os.Getenv("PORCHLIGHT_PHOTOS")
	if photos == "" {
		t.Skip("PORCHLIGHT_PHOTOS names no folder with labelled photos")
	}
	return photos
}

// variant is a way that a photo may have come: phones and dispatch programs scale photos
// and write them anew.
type variant struct {
	name    string
	side    int // the longest side in pixels; as it is where 0
	quality int // of the JPEG, as of image/jpeg; untouched where 0
}

// variants are the photos as they were taken; with PORCHLIGHT_TEST_VARIANTS, as `make bench`
// sets it, also as others may have changed them. Each takes minutes.
func variants() []variant {
	v := []variant{{name: "as taken"}}
	if os.Getenv("PORCHLIGHT_TEST_VARIANTS") != "" {
		v = append(v, variant{"1280 px at quality 60", 1280, 60}, variant{"quality 60", 0, 60}, variant{"1280 px", 1280, 95})
	}
	return v
}

// open reads a photo as it came in the variant.
func (v variant) open(t testing.TB, path string) []byte {
	t.Helper()
	photo, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if v.quality == 0 {
		return photo
	}
	img, err := decode.Image(photo, 0)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	m, _ := exif.Read(photo)
	img = decode.Upright(img, m.Upright())
	if size := img.Bounds().Size(); v.side > 0 && max(size.X, size.Y) > v.side {
		img = imaging.Fit(img, v.side, v.side, imaging.Box)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: v.quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// look decodes a photo as the worker does.
func look(t testing.TB, path string) (photo []byte, img *image.RGBA) {
	t.Helper()
	photo = variant{}.open(t, path)
	img, err := upright(photo)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return photo, img
}

// labelled reads a table of the labelled photos.
func labelled(t testing.TB, name string) (rows []map[string]string) {
	t.Helper()
	photos := photoFolder(t)
	f, err := os.Open(filepath.Join(photos, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range all[1:] {
		m := map[string]string{"path": filepath.Join(photos, filepath.Dir(name), row[0])}
		for i, column := range all[0] {
			m[column] = row[i]
		}
		rows = append(rows, m)
	}
	return rows
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// TestHouseNumbers holds how many of the labelled house numbers are read exactly, that
// none of them is called wrong when it is right, and that no package is found on these
// photos, which show none.
func TestHouseNumbers(t *testing.T) {
	rows := labelled(t, "house-numbers/labels.csv")
	e := models(t)
	limits := audit.Guide2026().Checks
	for _, v := range variants() {
		read := 0
		for _, row := range rows {
			r, err := e.read(t.Context(), v.open(t, row["path"]))
			if err != nil {
				t.Fatalf("%s: %v", row["file"], err)
			}
			hit, texts := false, []string{}
			for _, text := range r.Texts {
				hit = hit || onlyDigits(text.Text) == row["number"]
				texts = append(texts, text.Text)
			}
			match, text := vision.MatchNumber(vision.ParseAddress(row["number"]+" Elm Street", ""), "", r,
				vision.NumberLimits{Read: limits.HouseNumber.MinScore, Mismatch: limits.HouseNumber.MismatchScore})
			if match == vision.Different {
				t.Errorf("%s, %s: %q is called another number than %s", v.name, row["file"], text.Text, row["number"])
			}
			if hit {
				read++
			} else {
				t.Logf("%s, %s: %s is not among %q", v.name, row["file"], row["number"], texts)
			}
			for _, d := range r.Boxes {
				if d.Label == vision.Package && d.Score >= limits.Package.FoundScore {
					t.Errorf("%s, %s: a package is found with %.2f where there is none", v.name, row["file"], d.Score)
				}
			}
		}
		if t.Logf("%s: %d of %d house numbers read exactly", v.name, read, len(rows)); 100*read < 85*len(rows) {
			t.Errorf("%s: %d of %d house numbers read exactly, want 85%%", v.name, read, len(rows))
		}
	}
}

// TestPackages holds on how many photos of deliveries a package is found where it is.
func TestPackages(t *testing.T) {
	e := models(t)
	for _, folder := range []string{"deliveries", "doors"} {
		truth := map[string][]vision.Box{}
		for _, row := range labelled(t, folder+"/boxes.csv") {
			var b vision.Box
			for i, column := range []string{"x0", "y0", "x1", "y1"} {
				v, err := strconv.ParseFloat(row[column], 64)
				if err != nil {
					t.Fatal(err)
				}
				b[i] = v
			}
			truth[row["path"]] = append(truth[row["path"]], b)
		}
		for _, v := range variants() {
			hits := 0
			for path, boxes := range truth {
				img, err := upright(v.open(t, path))
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				found, _, err := e.objects.Detect(t.Context(), img)
				if err != nil {
					t.Fatal(err)
				}
				if slices.ContainsFunc(boxes, func(b vision.Box) bool {
					return slices.ContainsFunc(found, func(d vision.Detection) bool { return d.Label == vision.Package && d.Box.IoU(b) >= .5 })
				}) {
					hits++
				} else {
					t.Logf("%s, %s: no package is found", v.name, filepath.Base(path))
				}
			}
			if t.Logf("%s, %s: a package is found on %d of %d photos", folder, v.name, hits, len(truth)); 100*hits < 90*len(truth) {
				t.Errorf("%s, %s: a package is found on %d of %d photos, want 90%%", folder, v.name, hits, len(truth))
			}
		}
	}
}

// What fusing leaves of the models must answer as they do.
func TestFusedModelsAnswerAlike(t *testing.T) {
	set, err := weights.Load(modelFolder(t))
	if err != nil {
		t.Fatal(err)
	}
	e := models(t) // starts ONNX Runtime
	img := drawnDoor(t)
	for _, test := range []struct {
		name  string
		model []byte
		w, h  int
	}{
		{"detection", set.Detection, 640, 480},
		{"detection, another shape", set.Detection, 320, 256},
		{"recognition", set.Recognition, 320, 48},
		{"recognition, short", set.Recognition, 96, 48},
	} {
		t.Run(test.name, func(t *testing.T) {
			small := vision.Scale(img, img.Rect, test.w, test.h)
			in := vision.Tensor{Shape: []int64{1, 3, int64(test.h), int64(test.w)}, Data: make([]float32, 3*test.w*test.h)}
			for i := range in.Data {
				in.Data[i] = float32(small.Pix[i%(test.w*test.h)*4+i/(test.w*test.h)])/127.5 - 1
			}
			fused, err := onnx.Fuse(test.model)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(fused, test.model) {
				t.Error("nothing was fused")
			}
			var answers [2]vision.Tensor
			for i, model := range [][]byte{test.model, fused} {
				network, err := e.session(model)
				if err != nil {
					t.Fatal(err)
				}
				out, err := network(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				answers[i] = out[0]
			}
			if diff := cmp.Diff(answers[0].Shape, answers[1].Shape); diff != "" {
				t.Fatal(diff)
			}
			most, worst := float32(0), float32(0)
			for i, want := range answers[0].Data {
				most, worst = max(most, want), max(worst, max(want-answers[1].Data[i], answers[1].Data[i]-want))
			}
			t.Logf("probabilities up to %.3f differ by %.1g at most", most, worst)
			if worst > 1e-3 {
				t.Errorf("a probability differs by %g, want 0.001 at most", worst)
			}
			if most < 0.5 {
				t.Errorf("the highest probability is %g: the photo says nothing", most)
			}
		})
	}
}

// drawnDoor is a door with a number as the worker sees it.
func drawnDoor(t *testing.T) *image.RGBA {
	t.Helper()
	img, err := upright(fixtures.Scene{Place: 1, Shot: 1, Number: "4702", Width: 1600, Height: 1200}.JPEG())
	if err != nil {
		t.Fatal(err)
	}
	return img
}
