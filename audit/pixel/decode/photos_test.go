package decode

import (
	"encoding/csv"
	"encoding/hex"
	"errors"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"porchlight/audit/pixel"
)

// The tests in this file read labelled photos, which are not part of the project.
func requirePhotos(t *testing.T) string {
	t.Helper()
	dir := photoFolder()
	if dir == "" {
		t.Skip("no labelled photos: set PORCHLIGHT_PHOTOS to their folder")
	}
	return dir
}

func readCSV(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := make(map[string]string)
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out = append(out, m)
	}
	return out
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Every measure must be within its tolerance on at least 95% of the photos, whichever decoder is used; of those through
// image/jpeg, which takes four times as long, every fourth is read.
func TestMeasuresOfLabelledPhotos(t *testing.T) {
	dir := requirePhotos(t)
	want := readCSV(t, filepath.Join(dir, "expected.csv"))
	eachDecoder(t, func(t *testing.T) {
		step := map[string]int{"libturbojpeg": 1, "image/jpeg": 4}[Decoder()]
		off, n := 0, 0
		for i := 0; i < len(want); i += step {
			n++
			if !within(t, want[i], measureFile(t, filepath.Join(dir, want[i]["file"]))) {
				off++
			}
		}
		if 20*off > n {
			t.Errorf("%d of %d photos out of tolerance, want at most 5%%", off, n)
		}
	})
}

func within(t *testing.T, want map[string]string, m pixel.Measures) bool {
	t.Helper()
	ok := true
	for _, c := range []struct {
		name      string
		got       float64
		tolerance float64
	}{
		{"width", float64(m.Width), 0},
		{"height", float64(m.Height), 0},
		{"bright_tile", m.BrightTile, 2},
		{"blown_out", m.BlownOut, .01},
		{"entropy_bits", m.EntropyBits, .1},
		{"fine_detail", m.FineDetail, .08},
		{"weakest_direction", m.WeakestDirection, .08},
		{"blur_extent", m.BlurExtent, .05},
		{"blur", m.Blur, .5},
	} {
		if w := number(t, want[c.name]); !(math.Abs(c.got-w) <= c.tolerance) {
			t.Logf("%s: %s = %.4f, want %.4f", want["file"], c.name, c.got, w)
			ok = false
		}
	}
	return ok
}

func measureFile(t *testing.T, path string) pixel.Measures {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Photo(b)
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(path), err)
	}
	defer f.Release()
	return pixel.Measure(&f.Luma)
}

// The fingerprints in testdata are the reference implementation's. The hints are for review only: usable photos must
// not raise them.
func TestFingerprintsAndHintsOfLabelledPhotos(t *testing.T) {
	dir := requirePhotos(t)
	total := 0
	rows := readCSV(t, filepath.Join("testdata", "fingerprints.csv"))
	for _, row := range rows {
		m := measureFile(t, filepath.Join(dir, row["file"]))
		got, err := hex.DecodeString(m.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(row["fingerprint"])
		if err != nil {
			t.Fatal(err)
		}
		d := 0
		for i := range want {
			d += bits.OnesCount8(got[i] ^ want[i])
		}
		if total += d; d > 10 {
			t.Errorf("%s: fingerprint %d bits away, want at most 10", row["file"], d)
		}
		usable := !strings.HasPrefix(row["file"], "blur/") && !strings.HasPrefix(row["file"], "dark/")
		if usable && (m.LensBlob >= .1 || m.FlatShare >= .2 || m.Moire >= .005) {
			t.Errorf("%s: lens blob %.3f, flat share %.3f, moire %.4f, want under .10, .20, .005", row["file"], m.LensBlob, m.FlatShare, m.Moire)
		}
		if q := number(t, row["quality"]); math.Abs(float64(m.FingerprintQuality)-q) > 2 {
			t.Errorf("%s: quality = %d, want %v", row["file"], m.FingerprintQuality, q)
		}
	}
	if mean := float64(total) / float64(len(rows)); mean > 3 {
		t.Errorf("mean distance = %.1f bits, want at most 3", mean)
	}
}

func TestMalformedPhotosGetAnAnswer(t *testing.T) {
	dir := requirePhotos(t)
	paths, _ := filepath.Glob(filepath.Join(dir, "malformed", "*"))
	if len(paths) < 300 {
		t.Fatalf("%d malformed files, want at least 300", len(paths))
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		answers := make(map[string]string)
		for _, on := range []bool{true, false} {
			UseTurbo(on)
			f, err := Photo(b)
			var e *Error
			switch {
			case err == nil:
				pixel.Measure(&f.Luma)
				f.Release()
			case !errors.As(err, &e):
				t.Errorf("%s: untyped error %v", filepath.Base(p), err)
			default:
				answers[Decoder()] = string(e.Reason)
			}
		}
		UseTurbo(true)
		if a, b := answers["image/jpeg"], answers[Decoder()]; a != b {
			t.Errorf("%s: %q with image/jpeg, %q with %s", filepath.Base(p), a, b, Decoder())
		}
	}
}
