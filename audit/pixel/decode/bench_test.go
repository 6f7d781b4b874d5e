package decode

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"porchlight/audit/pixel"
)

// textured is a generated 12 megapixel JPEG with about as much detail as a phone's.
var textured = sync.OnceValue(func() []byte {
	img := image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)
	r := rand.New(rand.NewPCG(1, 2))
	for y := range 3000 {
		for x := range 4000 {
			v := 60 + (x*y>>14)&127
			if (x/97+y/61)%3 == 0 {
				v += 40 + r.IntN(24)
			}
			img.Y[y*img.YStride+x] = byte(v)
		}
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = byte(120+i/9000%16), byte(130+i%1488/100)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		panic(err)
	}
	return b.Bytes()
})

// photoFolder is where the labelled photos are, or "" where they are absent.
func photoFolder() string {
	dir := os.Getenv("PORCHLIGHT_PHOTOS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "photos")
	}
	if _, err := os.Stat(filepath.Join(dir, "expected.csv")); err != nil {
		return ""
	}
	return dir
}

// BenchmarkAudit times decoding and measuring against libjpeg-turbo's own luma decode of the same photo, turn by turn.
// It keeps the fastest of each, which a busy machine spoils least: x-decode is their ratio.
func BenchmarkAudit(b *testing.B) {
	files := map[string][][]byte{"generated": {textured()}}
	if dir := photoFolder(); dir != "" {
		paths, _ := filepath.Glob(filepath.Join(dir, "deliveries", "*.jpg"))
		for _, p := range paths {
			data, err := os.ReadFile(p)
			if err != nil {
				b.Fatal(err)
			}
			files["deliveries"] = append(files["deliveries"], data)
		}
	}
	for name, photos := range files {
		for _, on := range []bool{true, false} {
			UseTurbo(on)
			b.Run(name+"/"+filepath.Base(Decoder()), func(b *testing.B) {
				b.ReportAllocs()
				runtime.LockOSThread() // for clock
				defer runtime.UnlockOSThread()
				fastest := make([][2]time.Duration, len(photos))
				for i := range fastest {
					fastest[i] = [2]time.Duration{math.MaxInt64, math.MaxInt64}
				}
				for b.Loop() {
					for i, data := range photos {
						fastest[i][0] = min(fastest[i][0], lumaOnly(b, data))
						start := clock()
						f, err := Photo(data)
						if err != nil {
							b.Fatal(err)
						}
						pixel.Measure(&f.Luma)
						f.Release()
						fastest[i][1] = min(fastest[i][1], clock()-start)
					}
				}
				var decode, audit time.Duration
				for _, f := range fastest {
					decode, audit = decode+f[0], audit+f[1]
				}
				b.ReportMetric(float64(audit)/float64(len(photos)), "audit-ns/photo")
				if decode > 0 {
					b.ReportMetric(float64(decode)/float64(len(photos)), "decode-ns/photo")
					b.ReportMetric(float64(audit)/float64(decode), "x-decode")
				}
			})
		}
	}
	UseTurbo(true)
}

// BenchmarkMeasure times the measures alone.
func BenchmarkMeasure(b *testing.B) {
	f, err := Photo(textured())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		pixel.Measure(&f.Luma)
	}
}
