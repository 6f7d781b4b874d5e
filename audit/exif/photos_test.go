package exif

import (
	"encoding/csv"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// photos returns a folder of the labelled photos, or skips the test.
func photos(t testing.TB, folder string) string {
	t.Helper()
	root := os.Getenv("PORCHLIGHT_PHOTOS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "photos")
	}
	dir := filepath.Join(root, folder)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no labelled photos at %s: set PORCHLIGHT_PHOTOS", dir)
	}
	return dir
}

// TestReadAgreesWithExiftool compares every field with what exiftool reads.
func TestReadAgreesWithExiftool(t *testing.T) {
	dir := photos(t, "exif")
	f, err := os.Open(filepath.Join(dir, "truth.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	compared, positions := 0, 0
	for _, row := range rows[1:] {
		want := map[string]string{}
		for i, name := range rows[0] {
			want[name] = row[i]
		}
		name := want["SourceFile"]
		if strings.HasSuffix(name, ".csv") {
			continue
		}
		if name == "thompson-springs.jpg" {
			// exiftool takes these two from IPTC and XMP, which are not the camera's.
			want["DateTimeOriginal"], want["Orientation"] = "", ""
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		compared++
		if want["GPSLatitude"] != "" {
			positions++
		}
		t.Run(name, func(t *testing.T) {
			m, err := Read(b)
			if err != nil {
				t.Errorf("Read: %v", err)
			}
			near(t, "latitude", m.Latitude, want["GPSLatitude"])
			near(t, "longitude", m.Longitude, want["GPSLongitude"])
			near(t, "accuracy", m.AccuracyM, want["GPSHPositioningError"])
			near(t, "direction", m.ImageDirection, want["GPSImgDirection"])
			near(t, "digital zoom", m.DigitalZoom, want["DigitalZoomRatio"])
			near(t, "width", float(m.PixelWidth), want["ExifImageWidth"])
			near(t, "height", float(m.PixelHeight), want["ExifImageHeight"])

			orientation, _ := strconv.Atoi(want["Orientation"])
			same(t, "orientation", m.Orientation, orientation)
			same(t, "make", m.Make, want["Make"])
			same(t, "model", m.Model, want["Model"])
			same(t, "software", m.Software, want["Software"])
			same(t, "flash known", m.FlashFired != nil, want["Flash"] != "")
			if flash, err := strconv.Atoi(want["Flash"]); err == nil && m.FlashFired != nil {
				same(t, "flash", *m.FlashFired, flash&1 == 1)
			}
			takenAt := ""
			if at, err := time.Parse("2006:01:02 15:04:05", want["DateTimeOriginal"]); err == nil {
				takenAt = at.Format("2006-01-02T15:04:05") + want["OffsetTimeOriginal"]
			}
			same(t, "taken at", m.TakenAt, takenAt)
		})
	}
	if compared < 34 || positions < 12 {
		t.Errorf("compared %d files, %d with a position; want at least 34 and 12", compared, positions)
	}
}

func float(v *int) *float64 {
	if v == nil {
		return nil
	}
	f := float64(*v)
	return &f
}

func near(t *testing.T, what string, got *float64, want string) {
	t.Helper()
	if want == "" {
		if got != nil {
			t.Errorf("%s = %v, want none", what, *got)
		}
		return
	}
	v, err := strconv.ParseFloat(want, 64)
	if err != nil {
		t.Fatal(err)
	}
	if got == nil || math.Abs(*got-v) > 1e-5 {
		t.Errorf("%s = %v, want %v", what, got, v)
	}
}

func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// TestReadMalformed reads the broken and hostile files. Each has an answer or
// a typed error, and what a read allocates does not depend on what it claims.
func TestReadMalformed(t *testing.T) {
	dir := photos(t, "malformed")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Read(b)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%s: %v is not an *Error", f.Name(), err)
		}
		check(t, m)
		if bytes := allocated(func() { Read(b) }); bytes > 64<<10 {
			t.Errorf("%s: Read allocates %d bytes", f.Name(), bytes)
		}
	}
	if len(files) < 300 {
		t.Errorf("read %d files, want at least 300", len(files))
	}
}
