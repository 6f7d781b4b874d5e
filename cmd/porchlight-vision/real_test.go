//go:build cgo

package main

import (
	"encoding/csv"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"porchlight/audit"
	"porchlight/audit/vision"
	"porchlight/storage/weights"
)

// models opens the installed models in PORCHLIGHT_TEST_MODELS.
func models(t testing.TB) *engine {
	t.Helper()
	dir := os.Getenv("PORCHLIGHT_TEST_MODELS")
	if dir == "" {
		t.Skip("PORCHLIGHT_TEST_MODELS names no folder with models")
	}
	set, err := weights.Load(dir)
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

// look decodes a photo as the worker does.
func look(t testing.TB, path string) (photo []byte, img *image.RGBA) {
	t.Helper()
	photo, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if img, err = upright(photo); err != nil {
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

// TestHouseNumbers holds how many of the labelled house numbers are read exactly, and that
// none of them is called wrong when it is right.
func TestHouseNumbers(t *testing.T) {
	rows := labelled(t, "house-numbers/labels.csv")
	e := models(t)
	limits := audit.Guide2026().Checks.HouseNumber
	read := 0
	for _, row := range rows {
		b, err := os.ReadFile(row["path"])
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.read(t.Context(), b)
		if err != nil {
			t.Fatalf("%s: %v", row["file"], err)
		}
		hit, texts := false, []string{}
		for _, text := range r.Texts {
			hit = hit || onlyDigits(text.Text) == row["number"]
			texts = append(texts, text.Text)
		}
		match, text := vision.MatchNumber(vision.ParseAddress(row["number"]+" Elm Street", ""), "", r, vision.NumberLimits{Read: limits.MinScore, Mismatch: limits.MismatchScore})
		if match == vision.Different {
			t.Errorf("%s: %q is called another number than %s", row["file"], text.Text, row["number"])
		}
		if hit {
			read++
		} else {
			t.Logf("%s: %s is not among %q", row["file"], row["number"], texts)
		}
	}
	if t.Logf("%d of %d house numbers read exactly", read, len(rows)); 100*read < 85*len(rows) {
		t.Errorf("%d of %d house numbers read exactly, want 85%%", read, len(rows))
	}
}

// TestPackages holds on how many photos of deliveries a package is found where it is, and
// that none is found where there is none.
func TestPackages(t *testing.T) {
	e := models(t)
	detect := func(path string) []vision.Detection {
		t.Helper()
		_, img := look(t, path)
		found, err := e.objects.Detect(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(found, func(d vision.Detection) bool { return d.Label != vision.Package })
	}
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
		hits := 0
		for path, boxes := range truth {
			found := detect(path)
			if slices.ContainsFunc(boxes, func(b vision.Box) bool {
				return slices.ContainsFunc(found, func(d vision.Detection) bool { return d.Box.IoU(b) >= .5 })
			}) {
				hits++
			}
		}
		if t.Logf("%s: a package is found on %d of %d photos", folder, hits, len(truth)); 100*hits < 90*len(truth) {
			t.Errorf("%s: a package is found on %d of %d photos, want 90%%", folder, hits, len(truth))
		}
	}
	for _, row := range labelled(t, "house-numbers/labels.csv") {
		for _, d := range detect(row["path"]) {
			if d.Score >= .3 {
				t.Errorf("%s: a package is found with %.2f where there is none", row["file"], d.Score)
			}
		}
	}
}
