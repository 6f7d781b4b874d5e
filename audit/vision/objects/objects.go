// Package objects finds packages and persons in a photo with a single-shot detector
// (SSD, Liu et al. 2016) trained on Open Images.
//
// The whole photo goes through the model once. Parcels at a distance are small at the
// model's 300 px, so where that finds none, five overlapping tiles follow.
package objects

import (
	"context"
	"fmt"
	"image"
	"math"

	"porchlight/audit/vision"
)

// Version names this code: the tiles and limits below.
const Version = "ob3"

// side is the model's input, pixels.
const side = 300

// classes is how many classes the model tells apart, with the background.
const classes = 24

// labels are the classes that Porchlight looks at, by number.
var labels = map[int]vision.Label{4: vision.Person, 11: vision.Package}

const (
	// least is the score from which a box is told at all.
	least = 0.2
	// sure is the score of a package from which no tiles are looked at.
	sure = 0.3
	// overlap of two boxes beyond which they are one thing.
	overlap = 0.45
	// halved is how many pixels a pixel of the model's input is at least made of, across and
	// down, after the photo was halved.
	halved = 1.5
	// frame is the share of what the model was shown from which a box is the frame itself:
	// the model says so of a wall, and nothing so large could be told from one.
	frame = 0.9
)

// Detector finds packages and persons.
type Detector struct {
	network vision.Network
	anchors []anchor
}

// NewDetector makes a detector of a network that answers box codes and class scores.
func NewDetector(n vision.Network) *Detector { return &Detector{n, anchors()} }

// tiles are the parts of the photo that are looked at when the whole shows no package:
// the four corners and the middle, 60% of each side.
var tiles = []vision.Box{{0, 0, .6, .6}, {.4, 0, 1, .6}, {0, .4, .6, 1}, {.4, .4, 1, 1}, {.2, .2, .8, .8}}

// whole is all of a photo.
var whole = vision.Box{0, 0, 1, 1}

// Detect finds packages and persons, the best score first. pooled is what the network's
// backbone makes of the whole photo, where the network tells that as its third output.
func (d *Detector) Detect(ctx context.Context, img *image.RGBA) (found []vision.Detection, pooled []float32, err error) {
	found, pooled, err = d.pass(ctx, img, whole)
	if err != nil {
		return nil, nil, err
	}
	if !hasPackage(found) {
		for _, tile := range tiles {
			more, _, err := d.pass(ctx, img, tile)
			if err != nil {
				return nil, nil, err
			}
			found = append(found, more...)
		}
	}
	return vision.Suppress(found, overlap), pooled, nil
}

// Pooled is what the network's backbone makes of the whole photo.
func (d *Detector) Pooled(ctx context.Context, img *image.RGBA) ([]float32, error) {
	_, pooled, err := d.pass(ctx, img, whole)
	return pooled, err
}

func hasPackage(found []vision.Detection) bool {
	for _, f := range found {
		if f.Label == vision.Package && f.Score >= sure {
			return true
		}
	}
	return false
}

// pass runs the model over a part of the photo.
func (d *Detector) pass(ctx context.Context, img *image.RGBA, part vision.Box) (found []vision.Detection, pooled []float32, err error) {
	w, h := float64(img.Rect.Dx()), float64(img.Rect.Dy())
	from := image.Rect(int(part[0]*w), int(part[1]*h), int(math.Ceil(part[2]*w)), int(math.Ceil(part[3]*h))).Add(img.Rect.Min)
	out, err := d.network(ctx, input(img, from))
	if err != nil {
		return nil, nil, err
	}
	if len(out) > 2 {
		pooled, out = out[2].Data, out[:2]
	}
	if len(out) != 2 || len(out[0].Data) != 4*len(d.anchors) || len(out[1].Data) != classes*len(d.anchors) {
		return nil, nil, fmt.Errorf("objects: the model answered %d tensors of the wrong shape", len(out))
	}
	for i, a := range d.anchors {
		for class, label := range labels {
			score := 1 / (1 + math.Exp(-float64(out[1].Data[i*classes+class])))
			if score < least {
				continue
			}
			x0, y0, x1, y1 := a.at(out[0].Data[4*i:])
			box := vision.Box{x0, y0, x1, y1}.Clip()
			if box.Area() <= 0 || (label == vision.Package && box.Area() >= frame) {
				continue
			}
			found = append(found, vision.Detection{Label: label, Score: score, Box: place(box, part)})
		}
	}
	return vision.Suppress(found, overlap), pooled, nil
}

// place turns shares of a part into shares of the photo.
func place(b, part vision.Box) vision.Box {
	w, h := part[2]-part[0], part[3]-part[1]
	return vision.Box{part[0] + b[0]*w, part[1] + b[1]*h, part[0] + b[2]*w, part[1] + b[3]*h}.Clip()
}

// input scales a part of the photo to the model's input: planes of red, green and blue,
// -1..1.
func input(img *image.RGBA, from image.Rectangle) vision.Tensor {
	for float64(min(from.Dx(), from.Dy())) >= 2*halved*side { // most of the pixels go in a step that costs little
		img = vision.Half(img, from)
		from = img.Rect
	}
	scaled := vision.Scale(img, from, side, side)
	const plane = side * side
	data := make([]float32, 3*plane)
	for i := range plane {
		for c := range 3 {
			data[c*plane+i] = float32(scaled.Pix[4*i+c])/127.5 - 1
		}
	}
	return vision.Tensor{Shape: []int64{1, 3, side, side}, Data: data}
}
