package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"porchlight/fixtures"
)

// TestMalformedUploads sends broken photos to the real server process, each for a
// delivery of its own. Every one is kept and judged or refused with a code; the server
// neither fails nor tells anything of its insides, nor takes more than 512 MiB.
func TestMalformedUploads(t *testing.T) {
	files := damaged()
	if root := os.Getenv("PORCHLIGHT_PHOTOS"); root != "" {
		names, err := filepath.Glob(filepath.Join(root, "malformed", "*"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no malformed photos in %s: %v", root, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(name)] = b
		}
	} else {
		t.Log("PORCHLIGHT_PHOTOS is not set: only damage drawn here is sent")
	}
	at := []string{"--data", t.TempDir()}
	p := startServer(t, append(at, "--judging", "2", "--log-level", "error")...)
	token := newToken(t, at, "--role", "admin")
	var rows bytes.Buffer
	rows.WriteString("tracking_id,address\n")
	for i := range len(files) {
		fmt.Fprintf(&rows, "T%d,%d Elm St\n", i, i)
	}
	p.do(http.StatusOK, "POST", "/api/v1/deliveries", token, "text/csv", rows.Bytes())

	var judged, refused atomic.Int64
	var wg sync.WaitGroup
	turn := make(chan struct{}, 2)
	i := 0
	for name, photo := range files {
		tracking := "T" + strconv.Itoa(i)
		i++
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			got := p.send(t, token, tracking, photo)
			var r receipt
			var problem struct{ Code, Detail string }
			switch {
			case got.status == http.StatusCreated:
				judged.Add(1)
				if err := json.Unmarshal(got.body, &r); err != nil || r.Report.Verdict == "" {
					t.Errorf("%s: no verdict: %.300s", name, got.body)
				}
			case got.status >= 400 && got.status < 500:
				refused.Add(1)
				if err := json.Unmarshal(got.body, &problem); err != nil || problem.Code == "" || problem.Detail == "" {
					t.Errorf("%s: status %d without a code: %.300s", name, got.status, got.body)
				}
			default:
				t.Errorf("%s: status %d: %.300s", name, got.status, got.body)
			}
			if m := insides.Find(got.body); m != nil {
				t.Errorf("%s: the answer tells %q", name, m)
			}
		})
	}
	wg.Wait()
	p.do(http.StatusOK, "GET", "/readyz", "", "", nil)
	peak := p.peakMiB()
	t.Logf("%d broken photos: %d judged, %d refused, peak memory %d MiB", len(files), judged.Load(), refused.Load(), peak)
	if peak > 512 {
		t.Errorf("the server took %d MiB, want 512 at most", peak)
	}
	if judged.Load() == 0 || refused.Load() == 0 {
		t.Error("want some photos judged and some refused")
	}
}

// insides is what no answer may tell: source files, stacks, SQL, Go's own words.
var insides = regexp.MustCompile(`\.go:\d|goroutine \d|(?i)\b(select|insert|update) .* (from|into|set)\b|runtime error|/tmp/|sqlite|pgx|0xc0[0-9a-f]{6}`)

// damaged are broken photos that need no file from elsewhere: cut, overwritten and
// lying about their size, always the same.
func damaged() map[string][]byte {
	whole := fixtures.Scene{Place: 9, Shot: 1, Number: "12", Width: 480, Height: 360}.JPEG()
	files := map[string][]byte{
		"text.jpg":      []byte("this is no photo at all, only its name says so"),
		"one-byte.jpg":  {0xff},
		"only-soi.jpg":  {0xff, 0xd8, 0xff},
		"png-huge.png":  []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\x00\x00\x00\x00\x00\x00\x00"),
		"riff.webp":     []byte("RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff"),
		"box.heic":      []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic\xff\xff\xff\xffmeta"),
		"half.jpg":      fixtures.Truncate(whole),
		"whole.jpg":     whole,
		"trailing.jpg":  append(bytes.Clone(whole), bytes.Repeat([]byte{0xff, 0xd8}, 5000)...),
		"doubled.jpg":   append(bytes.Clone(whole), whole...),
		"no-header.jpg": whole[:20],
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 40 {
		b := bytes.Clone(whole)
		for range 1 + i%8 {
			b[3+rng.IntN(len(b)-3)] = byte(rng.Uint32())
		}
		files[fmt.Sprintf("flipped-%d.jpg", i)] = b
		files[fmt.Sprintf("cut-%d.jpg", i)] = whole[:3+rng.IntN(len(whole)-3)]
	}
	return files
}
