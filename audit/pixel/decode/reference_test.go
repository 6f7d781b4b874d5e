package decode

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"porchlight/audit/exif"
	"porchlight/audit/pixel"
)

// fingerprintReference prints, for each file named on its input, the reference's hash and quality, and its hashes of the
// picture turned in the order of [pixel.Measures.Turned]; nothing for a file that it cannot read.
const fingerprintReference = `
import sys
from PIL import Image, ImageOps
from pdq import pdq, to_hex
T = Image.Transpose
for path in sys.stdin.read().splitlines():
    try:
        im = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    except Exception:
        continue
    bits, quality = pdq(im)
    if max(im.size) > 512:
        s = 512 / max(im.size)
        im = im.resize((max(1, round(im.width * s)), max(1, round(im.height * s))), Image.BOX)
    flip, over, both = im.transpose(T.FLIP_LEFT_RIGHT), im.transpose(T.FLIP_TOP_BOTTOM), im.transpose(T.ROTATE_180)
    x = im.transpose(T.TRANSPOSE)
    turned = [flip, over, both, x.transpose(T.FLIP_LEFT_RIGHT), x.transpose(T.FLIP_TOP_BOTTOM), x.transpose(T.ROTATE_180), x]
    print("\t".join([path, str(quality), to_hex(bits)] + [to_hex(pdq(t)[0]) for t in turned]))
`

// TestFingerprintsAreTheReferences holds every labelled photo's fingerprint, upright and turned in seven ways, to the
// reference implementation, where that and what it is written in are there.
func TestFingerprintsAreTheReferences(t *testing.T) {
	dir := requirePhotos(t)
	reference := filepath.Join(dir, "..", "reference")
	python := exec.Command("/usr/bin/python3", "-c", fingerprintReference)
	python.Env = append(os.Environ(), "PYTHONPATH="+reference, "PYTHONDONTWRITEBYTECODE=1")
	if err := exec.Command(python.Path, "-c", "import numpy, PIL").Run(); err != nil {
		t.Skip("the reference needs /usr/bin/python3 with numpy and PIL (Debian: python3-numpy python3-pil)")
	}
	if _, err := os.Stat(filepath.Join(reference, "pdq.py")); err != nil {
		t.Skip("no pdq.py beside the labelled photos")
	}
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "malformed" {
			return fs.SkipDir
		}
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, ".csv") && !strings.HasSuffix(path, ".md") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	python.Stdin = strings.NewReader(strings.Join(paths, "\n"))
	var failure bytes.Buffer
	python.Stderr = &failure
	answer, err := python.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, failure.String())
	}
	lines := strings.Split(strings.TrimSpace(string(answer)), "\n")
	if len(lines) < 50 {
		t.Fatalf("the reference read %d of %d photos", len(lines), len(paths))
	}
	var worst [8]int
	for _, line := range lines {
		fields := strings.Split(line, "\t")
		name, _ := filepath.Rel(dir, fields[0])
		m, err := measureUpright(fields[0])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want, _ := strconv.Atoi(fields[1]); math.Abs(float64(m.FingerprintQuality-want)) > 2 {
			t.Errorf("%s: quality = %d, want %d", name, m.FingerprintQuality, want)
		}
		for i, got := range append([]string{m.Fingerprint}, m.Turned[:]...) {
			d := apart(t, got, fields[2+i])
			if worst[i] = max(worst[i], d); d > 10 {
				t.Errorf("%s, way %d: %d bits away, want at most 10", name, i, d)
			}
		}
	}
	t.Logf("%d photos of %d, upright and turned at most %v bits away", len(lines), len(paths), worst)
}

func measureUpright(path string) (pixel.Measures, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return pixel.Measures{}, err
	}
	f, err := Photo(b)
	if err != nil {
		return pixel.Measures{}, err
	}
	defer f.Release()
	if !f.Upright {
		e, _ := exif.Read(b) // what cannot be read is absent
		f.Luma.Orientation = e.Upright()
	}
	return pixel.Measure(&f.Luma), nil
}

func apart(t *testing.T, a, b string) (n int) {
	t.Helper()
	x, err1 := hex.DecodeString(a)
	y, err2 := hex.DecodeString(b)
	if err := errors.Join(err1, err2); err != nil || len(x) != len(y) {
		t.Fatalf("fingerprints %q and %q: %v", a, b, err)
	}
	for i := range x {
		n += bits.OnesCount8(x[i] ^ y[i])
	}
	return n
}
