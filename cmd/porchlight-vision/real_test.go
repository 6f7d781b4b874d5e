//go:build cgo

package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"porchlight/storage/weights"
)

// models opens the installed models in PORCHLIGHT_TEST_MODELS.
func models(t testing.TB) *engine {
	t.Helper()
	dir := os.Getenv("PORCHLIGHT_TEST_MODELS")
	if dir == "" {
		if os.Getenv("PORCHLIGHT_TEST_REQUIRE") == "1" {
			t.Fatal("PORCHLIGHT_TEST_MODELS names no folder with models")
		}
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

// labelled reads a table of the labelled photos.
func labelled(t testing.TB, name string) (rows []map[string]string) {
	t.Helper()
	photos := os.Getenv("PORCHLIGHT_PHOTOS")
	if photos == "" {
		t.Skip("PORCHLIGHT_PHOTOS names no folder with labelled photos")
	}
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

// TestHouseNumbers holds how many of the labelled house numbers are read exactly.
func TestHouseNumbers(t *testing.T) {
	rows := labelled(t, "house-numbers/labels.csv")
	e := models(t)
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
