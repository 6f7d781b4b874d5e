//go:build cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"math"
	"runtime/debug"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"porchlight/audit/exif"
	"porchlight/audit/pixel/decode"
	"porchlight/audit/vision"
	"porchlight/audit/vision/head"
	"porchlight/audit/vision/objects"
	"porchlight/audit/vision/ocr"
	"porchlight/audit/vision/scene"
	"porchlight/storage/weights"
	"porchlight/storage/weights/onnx"
)

// engine holds the models, ready to run. It is used by several goroutines at once.
type engine struct {
	text    *ocr.Reader
	objects *objects.Detector
	head    *head.Head // nil where none was trained
	models  []string

	mu   sync.Mutex
	open []*ort.DynamicAdvancedSession

	// What takes the most memory is done for one or two photos at a time.
	decoding  sync.Mutex    // 200 MB for one of 50 MP
	detecting chan struct{} // where text is looked for, a place for each of two
}

// newEngine starts ONNX Runtime and opens the models.
func newEngine(set *weights.Set) (*engine, error) {
	ort.SetSharedLibraryPath(set.Library)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return nil, fmt.Errorf("%s: %w", set.Library, err)
	}
	seeing, err := onnx.Pool(set.Objects, weights.BackboneTensor, "pooled")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", weights.Objects, err)
	}
	e := &engine{head: set.Head, detecting: make(chan struct{}, 2), models: append(set.Descriptions, "reading "+ocr.Version+"+"+objects.Version+"+"+scene.Version+" on ONNX Runtime "+ort.GetVersion())}
	networks, errs := make([]vision.Network, 3), make([]error, 3)
	var opening sync.WaitGroup
	for i, m := range []struct {
		model []byte
		text  bool
	}{{set.Detection, true}, {set.Recognition, true}, {seeing, false}} {
		opening.Go(func() {
			model := m.model
			if m.text { // half of the time that they took; in the other there is nothing to fuse
				model, errs[i] = onnx.Fuse(model)
			}
			if errs[i] == nil {
				networks[i], errs[i] = e.session(model)
			}
			if errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", set.Descriptions[i], errs[i])
			}
		})
	}
	opening.Wait()
	if err := errors.Join(errs...); err != nil {
		e.Close()
		return nil, err
	}
	detect := networks[0]
	e.text = ocr.NewReader(func(ctx context.Context, in vision.Tensor) ([]vision.Tensor, error) {
		e.detecting <- struct{}{}
		defer func() { <-e.detecting }()
		return detect(ctx, in)
	}, networks[1], set.Alphabet)
	e.objects = objects.NewDetector(networks[2])
	return e, nil
}

// Close gives the models' memory back.
func (e *engine) Close() {
	for _, s := range e.open {
		s.Destroy()
	}
	ort.DestroyEnvironment()
}

// session opens a model. One thread a session does the most photos a second: several
// photos are read at once instead.
func (e *engine) session(model []byte) (vision.Network, error) {
	inputs, outputs, err := onnx.Names(model)
	if err != nil {
		return nil, err
	}
	if len(inputs) != 1 || len(outputs) == 0 {
		return nil, fmt.Errorf("%d inputs and %d outputs", len(inputs), len(outputs))
	}
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	if err := errors.Join(o.SetIntraOpNumThreads(1), o.SetInterOpNumThreads(1), o.SetCpuMemArena(true),
		o.SetMemPattern(false), // a plan for each of the many shapes of input would be kept
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll)); err != nil {
		return nil, err
	}
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(model, inputs, outputs, o)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.open = append(e.open, s)
	e.mu.Unlock()
	return func(ctx context.Context, in vision.Tensor) ([]vision.Tensor, error) {
		return runSession(ctx, s, in, len(outputs))
	}, nil
}

// runSession runs a model, and stops it when ctx ends.
func runSession(ctx context.Context, s *ort.DynamicAdvancedSession, in vision.Tensor, outputs int) ([]vision.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	input, err := ort.NewTensor(ort.NewShape(in.Shape...), in.Data)
	if err != nil {
		return nil, err
	}
	defer input.Destroy()
	o, err := ort.NewRunOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	over := make(chan struct{})
	stopped := context.AfterFunc(ctx, func() {
		o.Terminate()
		close(over)
	})
	defer func() {
		if !stopped() {
			<-over // the options must not go before they were used
		}
	}()
	values := make([]ort.Value, outputs)
	err = s.RunWithOptions([]ort.Value{input}, values, o)
	defer func() {
		for _, v := range values {
			if v != nil {
				v.Destroy()
			}
		}
	}()
	if cause := ctx.Err(); cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, err
	}
	out := make([]vision.Tensor, outputs)
	for i, v := range values {
		t, ok := v.(*ort.Tensor[float32])
		if !ok {
			return nil, fmt.Errorf("output %d holds no 32-bit floats", i)
		}
		out[i] = vision.Tensor{Shape: append([]int64(nil), t.GetShape()...), Data: append([]float32(nil), t.GetData()...)}
	}
	return out, nil
}

// lookSide is the long side that photos are decoded at: a little more than text is
// looked for at, so that what is found can be read from finer pixels.
const lookSide = 1280

// read reads a photo. Errors are of [decode.Error] where the photo does not decode.
func (e *engine) read(ctx context.Context, b []byte) (vision.Reading, error) {
	img, err := e.decode(ctx, b)
	if err != nil {
		return vision.Reading{}, err
	}
	texts, err := e.text.Read(ctx, img)
	if err != nil {
		return vision.Reading{}, err
	}
	boxes, pooled, err := e.objects.Detect(ctx, img)
	if err != nil {
		return vision.Reading{}, err
	}
	r := vision.Reading{Models: e.models, Texts: texts, Boxes: boxes, Scene: scene.Encode(scene.Find(img, vision.BoxesOf(boxes)))}
	if e.head != nil {
		r.Landmark = e.head.Score(vision.Embedding{Backbone: weights.Backbone(), Values: pooled})
	}
	for i := range r.Texts {
		r.Texts[i].Score, r.Texts[i].Box = round(r.Texts[i].Score), rounded(r.Texts[i].Box)
	}
	for i := range r.Boxes {
		r.Boxes[i].Score, r.Boxes[i].Box = round(r.Boxes[i].Score), rounded(r.Boxes[i].Box)
	}
	return r, nil
}

// embed is what the backbone makes of a photo, for training a head.
func (e *engine) embed(ctx context.Context, b []byte) (vision.Embedding, error) {
	img, err := e.decode(ctx, b)
	if err != nil {
		return vision.Embedding{}, err
	}
	pooled, err := e.objects.Pooled(ctx, img)
	return vision.Embedding{Backbone: weights.Backbone(), Values: pooled}, err
}

// decode decodes a photo when no other is being decoded.
func (e *engine) decode(ctx context.Context, b []byte) (*image.RGBA, error) {
	e.decoding.Lock()
	defer e.decoding.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return upright(b)
}

// upright decodes a photo as people look at it.
func upright(b []byte) (*image.RGBA, error) {
	decoded, err := decode.Image(b, lookSide)
	if err != nil {
		return nil, err
	}
	if size := decoded.Bounds().Size(); max(size.X, size.Y) >= 2*lookSide {
		decoded = reduced(decoded, max(size.X, size.Y)/lookSide)
		// What was decoded whole can be 200 MB, which the system must have back before the models run.
		debug.FreeOSMemory()
	}
	if mt, _ := decode.Sniff(b); mt != decode.HEIC { // whose decoder turns it
		m, _ := exif.Read(b)
		decoded = decode.Upright(decoded, m.Upright())
	}
	if img, ok := decoded.(*image.RGBA); ok && img.Rect.Min == (image.Point{}) {
		return img, nil
	}
	img := image.NewRGBA(image.Rectangle{Max: decoded.Bounds().Size()})
	draw.Draw(img, img.Rect, decoded, decoded.Bounds().Min, draw.Src)
	return img, nil
}

// reduced is the image at 1/n of its size: means of n x n pixels, of fewer at its end. It
// holds no more than n rows of the large image beside it.
func reduced(img image.Image, n int) *image.RGBA {
	from := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, (from.Dx()+n-1)/n, (from.Dy()+n-1)/n))
	rows := image.NewRGBA(image.Rect(0, 0, from.Dx(), n))
	for y := range out.Rect.Dy() {
		high := min(n, from.Dy()-y*n)
		draw.Draw(rows, image.Rect(0, 0, from.Dx(), high), img, image.Pt(from.Min.X, from.Min.Y+y*n), draw.Src)
		for x := range out.Rect.Dx() {
			wide := min(n, from.Dx()-x*n)
			var sum [4]int
			for dy := range high {
				for p := rows.Pix[dy*rows.Stride+4*x*n:][:4*wide]; len(p) > 0; p = p[4:] {
					for c := range sum {
						sum[c] += int(p[c])
					}
				}
			}
			for c, v := range sum {
				out.Pix[y*out.Stride+4*x+c] = byte((v + wide*high/2) / (wide * high))
			}
		}
	}
	return out
}

// round leaves the four decimals that a score or a share of a photo is good for.
func round(v float64) float64 { return math.Round(v*1e4) / 1e4 }

func rounded(b vision.Box) vision.Box {
	for i := range b {
		b[i] = round(b[i])
	}
	return b
}
