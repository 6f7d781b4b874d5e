//go:build cgo && linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"porchlight/audit/vision"
	"porchlight/audit/vision/objects"
	"porchlight/audit/vision/ocr"
)

// asWorker makes a child of the test binary the worker itself.
const asWorker = "PORCHLIGHT_TEST_AS_VISION_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// most is the memory that a worker may come to hold, KiB.
const most = 600 << 10

// TestHostilePhotosEndNothing sends a worker with the real models photos that are broken,
// as large as may be, or of no sensible shape: each gets an answer or an error, in
// bounded memory, from one and the same process.
func TestHostilePhotosEndNothing(t *testing.T) {
	dir := modelFolder(t)
	socket := filepath.Join(t.TempDir(), "socket")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "--listen", "unix:"+socket, "--models", dir, "--deadline", "20s", "--photos", "2")
	cmd.Env = append(os.Environ(), asWorker+"=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		<-ended
	})
	client := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if res, err := client.Get("http://worker/healthz"); err == nil {
			res.Body.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the worker does not answer: %s", said.String())
		}
	}
	t.Logf("%d MiB with the models open", peak(t, cmd.Process.Pid)>>10)
	photos := hostile(t)
	for i, s := range malformed(t) {
		if i%8 == 0 { // TestHostilePhotosWithoutModels decodes all of them
			photos = append(photos, s)
		}
	}
	answers := map[int]int{}
	var mu sync.Mutex
	send := func(s sample) {
		res, err := client.Post("http://worker/v1/read", "application/octet-stream", bytes.NewReader(s.photo))
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		holdAnswer(t, s.name, res.StatusCode, body, err)
		mu.Lock()
		answers[res.StatusCode]++
		mu.Unlock()
	}
	queue := make(chan sample)
	var senders sync.WaitGroup
	for range 2 {
		senders.Go(func() {
			for s := range queue {
				before := peak(t, cmd.Process.Pid)
				send(s)
				if after := peak(t, cmd.Process.Pid); after > max(before, most/2)+10<<10 {
					t.Logf("%s: the peak goes from %d to %d MiB", s.name, before>>10, after>>10)
				}
			}
		})
	}
	for _, s := range photos {
		queue <- s
	}
	close(queue)
	senders.Wait()
	select {
	case err := <-ended:
		ended <- err
		t.Fatalf("the worker ended: %v: %s", err, said.String())
	default:
	}
	kib := peak(t, cmd.Process.Pid)
	if t.Logf("%d photos, answers by status %v, %d MiB at most", len(photos), answers, kib>>10); kib > most {
		t.Errorf("the worker came to hold %d MiB, want at most %d", kib>>10, most>>10)
	}
	if strings.Contains(said.String(), "panic") {
		t.Errorf("the worker said %s", said.String())
	}
}

// TestHostilePhotosWithoutModels reads the same photos with networks that see text and
// things everywhere.
func TestHostilePhotosWithoutModels(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	fill := func(n int) []float32 {
		mu.Lock()
		defer mu.Unlock()
		v := make([]float32, n)
		for i := range v {
			v[i] = noise.Float32()
		}
		return v
	}
	detect := func(_ context.Context, in vision.Tensor) ([]vision.Tensor, error) {
		return []vision.Tensor{{Data: fill(int(in.Shape[2] * in.Shape[3]))}}, nil
	}
	const characters = 12
	recognise := func(_ context.Context, in vision.Tensor) ([]vision.Tensor, error) {
		steps := in.Shape[3] / 8
		return []vision.Tensor{{Shape: []int64{1, steps, characters}, Data: fill(int(steps) * characters)}}, nil
	}
	find := func(context.Context, vision.Tensor) ([]vision.Tensor, error) {
		return []vision.Tensor{{Data: fill(1917 * 4)}, {Data: fill(1917 * 24)}}, nil
	}
	e := &engine{models: []string{"noise 1"}, text: ocr.NewReader(detect, recognise, []byte("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n")), objects: objects.NewDetector(find)}
	h := newWorker(e.read, e.embed, e.models, 1, time.Minute, slog.New(slog.NewTextHandler(t.Output(), nil)))
	read := func(photos []sample) {
		for _, s := range photos {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/read", bytes.NewReader(s.photo)))
			holdAnswer(t, s.name, w.Code, w.Body.Bytes(), nil)
		}
	}
	read(hostile(t))
	// Broken files are about the decoders: networks that see nothing do for them.
	fill = func(n int) []float32 { return make([]float32, n) }
	read(malformed(t))
}

// TestDeadlineHoldsWithoutHelp gives a worker a photo whose decoder never looks up: the
// answer comes at the deadline, and the slot is the next photo's once it is done.
func TestDeadlineHoldsWithoutHelp(t *testing.T) {
	release := make(chan struct{})
	read := func(context.Context, []byte) (vision.Reading, error) {
		<-release
		return vision.Reading{Models: []string{"slow 1"}}, nil
	}
	h := newWorker(read, nil, []string{"slow 1"}, 1, 50*time.Millisecond, slog.New(slog.DiscardHandler))
	ask := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/read", strings.NewReader("photo")))
		return w.Code
	}
	if got := ask(); got != http.StatusGatewayTimeout {
		t.Errorf("the slow photo is answered with %d, want %d", got, http.StatusGatewayTimeout)
	}
	if got := ask(); got != http.StatusServiceUnavailable {
		t.Errorf("while it is being read, another is answered with %d, want %d", got, http.StatusServiceUnavailable)
	}
	close(release)
	for end := time.Now().Add(time.Minute); ask() != http.StatusOK; {
		if time.Now().After(end) {
			t.Fatal("no photo is read after it")
		}
	}
}

// holdAnswer holds that an answer is a reading or says why there is none.
func holdAnswer(t *testing.T, name string, status int, body []byte, err error) {
	t.Helper()
	var said struct {
		Models []string
		Error  struct{ Code, Message string }
	}
	if err == nil {
		err = json.Unmarshal(body, &said)
	}
	read := status == http.StatusOK && len(said.Models) > 0
	refused := said.Error.Message != "" && (status == http.StatusUnprocessableEntity || status == http.StatusGatewayTimeout || status == http.StatusServiceUnavailable)
	if err != nil || (!read && !refused) {
		t.Errorf("%s: %d %.200s: %v", name, status, body, err)
	}
}

// peak is the most memory that a process has held, KiB.
func peak(t testing.TB, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Error(err)
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Error(err)
	}
	return n
}

type sample struct {
	name  string
	photo []byte
}

// malformed are the broken files among the labelled photos; none where there are none.
func malformed(t *testing.T) (out []sample) {
	t.Helper()
	folder := os.Getenv("PORCHLIGHT_PHOTOS")
	if folder == "" {
		return nil
	}
	names, _ := filepath.Glob(filepath.Join(folder, "malformed", "*"))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, sample{filepath.Base(name), b})
	}
	return out
}

// hostile are drawn photos of the largest size, of no sensible shape, and with nothing on
// them.
func hostile(t *testing.T) []sample {
	t.Helper()
	noise := rand.New(rand.NewPCG(3, 4))
	grainy := func(w, h int) *image.YCbCr {
		img := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
		for y := 0; y < h; y += 7 { // a row copied is as noisy as one drawn
			for x := range w {
				img.Y[y*img.YStride+x] = byte(noise.Uint32())
			}
			for more := 1; more < 7 && y+more < h; more++ {
				copy(img.Y[(y+more)*img.YStride:], img.Y[y*img.YStride:][:img.YStride])
			}
		}
		return img
	}
	grey := func(w, h int) *image.Gray {
		img := image.NewGray(image.Rect(0, 0, w, h))
		for i := range img.Pix {
			img.Pix[i] = byte(i * 7)
		}
		return img
	}
	var out []sample
	add := func(name string, write func(io.Writer) error) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, sample{name, b.Bytes()})
	}
	asJPEG := func(img image.Image) func(io.Writer) error {
		return func(w io.Writer) error { return jpeg.Encode(w, img, &jpeg.Options{Quality: 60}) }
	}
	asPNG := func(img image.Image) func(io.Writer) error {
		return func(w io.Writer) error { return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, img) }
	}
	add("empty body", func(io.Writer) error { return nil })
	add("text", func(w io.Writer) error { _, err := io.WriteString(w, "no photo"); return err })
	add("50 MP PNG", asPNG(image.NewRGBA(image.Rect(0, 0, 8660, 5773))))
	out = append(out, out[len(out)-1]) // at the same time
	add("50 MP JPEG of noise", asJPEG(grainy(8660, 5773)))
	add("50 MP square JPEG", asJPEG(grey(7071, 7071)))
	add("over 50 MP", asPNG(image.NewPaletted(image.Rect(0, 0, 8000, 6300), color.Palette{color.Black})))
	for _, size := range []image.Point{{1, 1}, {1, 10000}, {10000, 1}, {40, 10000}, {65535, 1}} {
		add(fmt.Sprintf("%v JPEG", size), asJPEG(grey(size.X, size.Y)))
		add(fmt.Sprintf("%v PNG", size), asPNG(grey(size.X, size.Y)))
	}
	white := image.NewGray(image.Rect(0, 0, 3000, 4000))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	add("black", asJPEG(image.NewGray(image.Rect(0, 0, 4000, 3000))))
	add("white", asJPEG(white))
	add("noise", asJPEG(grainy(4000, 3000)))
	add("square noise", asJPEG(grainy(3000, 3000)))
	out = append(out, out[len(out)-1])
	return out
}
