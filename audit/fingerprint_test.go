package audit_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"

	"github.com/disintegration/imaging"

	"porchlight/audit"
	"porchlight/fixtures"
)

// TestTurnedFingerprints holds that a photo's turned fingerprints are those of the
// picture that was turned and mirrored, within ten bits, and of no other one.
func TestTurnedFingerprints(t *testing.T) {
	ways := [7]func(image.Image) image.Image{
		func(m image.Image) image.Image { return imaging.FlipH(m) },
		func(m image.Image) image.Image { return imaging.FlipV(m) },
		func(m image.Image) image.Image { return imaging.Rotate180(m) },
		func(m image.Image) image.Image { return imaging.FlipH(imaging.Transpose(m)) },
		func(m image.Image) image.Image { return imaging.FlipV(imaging.Transpose(m)) },
		func(m image.Image) image.Image { return imaging.Rotate180(imaging.Transpose(m)) },
		func(m image.Image) image.Image { return imaging.Transpose(m) },
	}
	parse := func(digits string) audit.Fingerprint {
		f, ok := audit.ParseFingerprint(digits)
		if !ok {
			t.Fatalf("%q is no fingerprint", digits)
		}
		return f
	}
	measure := func(m image.Image) audit.Measurement {
		t.Helper()
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
			t.Fatal(err)
		}
		measured, err := audit.Measure(b.Bytes())
		if err != nil || !measured.Decoded() {
			t.Fatal(measured.Problem, err)
		}
		return measured
	}
	most := 0
	for place := range uint64(3) {
		m, err := jpeg.Decode(bytes.NewReader(fixtures.Scene{Place: place, Number: "4702", Width: 800, Height: 600}.JPEG()))
		if err != nil {
			t.Fatal(err)
		}
		turned := measure(m).Turned
		for i, turn := range ways {
			f := parse(measure(turn(m)).Fingerprint)
			for j := range turned {
				d := f.Distance(parse(turned[j]))
				if i == j && d > 10 {
					t.Errorf("place %d, way %d: %d bits off, want at most 10", place, i, d)
				}
				if i != j && d <= 31 {
					t.Errorf("place %d: way %d is %d bits from way %d", place, i, d, j)
				}
				if i == j {
					most = max(most, d)
				}
			}
		}
	}
	t.Logf("at most %d bits off", most)
}
