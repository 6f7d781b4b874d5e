//go:build cgo && linux

package main

import (
	"context"
	"fmt"
	"image"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"porchlight/audit/vision"
	"porchlight/audit/vision/objects"
	"porchlight/audit/vision/scene"
	"porchlight/storage/weights"
)

// BenchmarkRead is what each stage of reading a photo costs: cpu-ms of all threads, a
// photo, over the labelled photos of deliveries.
func BenchmarkRead(b *testing.B) {
	e := models(b)
	photos, images := deliveries(b)
	at := foundAtOnce(b, e, images)
	for _, stage := range []struct {
		name string
		run  func(ctx context.Context, i int) error
	}{
		{"decode", func(_ context.Context, i int) error { _, err := upright(photos[i]); return err }},
		{"texts", func(ctx context.Context, i int) error { _, err := e.text.Read(ctx, images[i]); return err }},
		{"packages and persons", func(ctx context.Context, i int) error { _, _, err := e.objects.Detect(ctx, images[i]); return err }},
		{"features of the place", func(_ context.Context, i int) error { scene.Find(images[i], nil); return nil }},
		{"all", func(ctx context.Context, i int) error { _, err := e.read(ctx, photos[i]); return err }},
		{"all, package at first sight", func(ctx context.Context, i int) error { _, err := e.read(ctx, photos[at[i%len(at)]]); return err }},
	} {
		b.Run(stage.name, func(b *testing.B) {
			if err := stage.run(b.Context(), 0); err != nil { // the first run makes what all others use
				b.Fatal(err)
			}
			began, n := cpu(), 0
			for b.Loop() {
				if err := stage.run(b.Context(), n%len(photos)); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64((cpu()-began).Microseconds())/1000/float64(n), "cpu-ms")
		})
	}
}

// foundAtOnce are the images on which a package is found without tiles.
func foundAtOnce(b *testing.B, e *engine, images []*image.RGBA) (at []int) {
	b.Helper()
	set, err := weights.Load(modelFolder(b))
	if err != nil {
		b.Fatal(err)
	}
	network, err := e.session(set.Objects)
	if err != nil {
		b.Fatal(err)
	}
	passes := 0
	d := objects.NewDetector(func(ctx context.Context, in vision.Tensor) ([]vision.Tensor, error) {
		passes++
		return network(ctx, in)
	})
	for i, img := range images {
		passes = 0
		if _, _, err := d.Detect(b.Context(), img); err != nil {
			b.Fatal(err)
		}
		if passes == 1 {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		b.Fatal("no photo shows a package at first sight")
	}
	return at
}

// BenchmarkSideBySide is how many photos a second one worker reads, one at a time and as
// many at once as there are processors.
func BenchmarkSideBySide(b *testing.B) {
	e := models(b)
	photos, _ := deliveries(b)
	for _, at := range []int{1, runtime.NumCPU()} {
		b.Run(fmt.Sprint(at, " at once"), func(b *testing.B) {
			var next atomic.Int64
			for b.Loop() {
				var group errgroup.Group
				group.SetLimit(at)
				for range photos {
					group.Go(func() error {
						_, err := e.read(b.Context(), photos[int(next.Add(1))%len(photos)])
						return err
					})
				}
				if err := group.Wait(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(next.Load())/b.Elapsed().Seconds(), "photos/s")
		})
	}
}

// deliveries are the labelled photos of deliveries, as they came and as they are looked at.
func deliveries(b *testing.B) (photos [][]byte, images []*image.RGBA) {
	b.Helper()
	names, _ := filepath.Glob(filepath.Join(photoFolder(b), "deliveries", "*.jp*g"))
	if len(names) == 0 {
		b.Skip("there are no photos of deliveries")
	}
	for _, name := range names {
		photo, img := look(b, name)
		photos, images = append(photos, photo), append(images, img)
	}
	return photos, images
}

// cpu is the CPU time that the process has taken.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkStart is what starting a worker costs before its first photo.
func BenchmarkStart(b *testing.B) {
	dir := modelFolder(b)
	for _, stage := range []struct {
		name string
		run  func() error
	}{
		{"check files", func() error { _, err := weights.Load(dir); return err }},
		{"open models", func() error {
			set, err := weights.Load(dir)
			if err != nil {
				return err
			}
			e, err := newEngine(set)
			if err == nil {
				e.Close()
			}
			return err
		}},
	} {
		b.Run(stage.name, func(b *testing.B) {
			began, n := cpu(), 0
			for b.Loop() {
				if err := stage.run(); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64((cpu()-began).Microseconds())/1000/float64(n), "cpu-ms")
		})
	}
}
