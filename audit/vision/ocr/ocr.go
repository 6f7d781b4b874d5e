// Package ocr reads texts in a photo with PaddleOCR's two networks: one marks where
// there is text (differentiable binarization, Liao et al. 2020), one reads a line of it
// (connectionist temporal classification, CTC).
//
// House numbers are often not lines: their digits stand one below the other, or far
// apart. So a tall region is also read as a stack, and lone digits in a row or a column
// are joined.
package ocr

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"

	"porchlight/audit/vision"
)

// Version names this code: the limits and the ways of reading below.
const Version = "oc4"

// Reader reads texts.
type Reader struct {
	detect, recognise vision.Network
	alphabet          []string // by class; class 0 is no character
}

// NewReader makes a reader. The alphabet's file has a character a line, in the order of
// the recogniser's classes.
func NewReader(detect, recognise vision.Network, alphabet []byte) *Reader {
	characters := strings.Split(strings.TrimRight(strings.ReplaceAll(string(alphabet), "\r\n", "\n"), "\n"), "\n")
	all := append([]string{""}, characters...)
	return &Reader{detect, recognise, append(all, " ")}
}

// The longest sides, in pixels, that text is looked for at: small characters
// show at the first, those that fill the photo are too large for the network there and
// show at the second. Photos between the two are taken as they are, smaller ones are
// enlarged. Larger sides read no more of the labelled house numbers, smaller ones fewer
// (DESIGN.md, vision).
const (
	largeSide = 1024
	smallSide = 640
)

// sameRegion is the overlap from which two regions are one.
const sameRegion = 0.5

// least is the score from which a text is told.
const least = 0.5

// Read reads all texts of an image whose bounds start at 0, top to bottom.
func (r *Reader) Read(ctx context.Context, img *image.RGBA) ([]vision.Text, error) {
	w, h := float64(img.Rect.Dx()), float64(img.Rect.Dy())
	sides := []int{min(max(img.Rect.Dx(), img.Rect.Dy(), smallSide), largeSide)}
	if sides[0] > smallSide {
		sides = append(sides, smallSide)
	}
	var found []quad
	for _, side := range sides {
		more, err := r.find(ctx, img, side)
		if err != nil {
			return nil, err
		}
		for _, q := range more {
			if !slices.ContainsFunc(found, func(o quad) bool { return o.box(w, h).IoU(q.box(w, h)) > sameRegion }) {
				found = append(found, q)
			}
		}
	}
	var out []vision.Text
	for _, q := range found {
		readings, err := r.region(ctx, crop(img, q))
		if err != nil {
			return nil, err
		}
		for _, l := range readings {
			if l.text != "" && l.score >= least {
				out = append(out, vision.Text{Text: l.text, Score: l.score, Box: q.box(w, h)})
			}
		}
	}
	return append(out, joined(out, w/h)...), nil
}

// box is the upright box around a quad, as shares.
func (q quad) box(w, h float64) vision.Box {
	b := vision.Box{1, 1, 0, 0}
	for _, p := range q {
		b = b.Union(vision.Box{p.x / w, p.y / h, p.x / w, p.y / h})
	}
	return b.Clip()
}

// find runs the detector on the image scaled to a longest side.
func (r *Reader) find(ctx context.Context, img *image.RGBA, side int) ([]quad, error) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	scale := float64(side) / float64(max(w, h))
	multiple := func(side int) int { return max(int(math.Round(float64(side)*scale/32))*32, 32) } // what the network's strides take
	dw, dh := multiple(w), multiple(h)
	data := make([]float32, 3*dw*dh)
	from := img
	for max(from.Rect.Dx(), from.Rect.Dy()) >= 2*side && min(from.Rect.Dx(), from.Rect.Dy()) > 1 { // or pixels would be passed over
		from = vision.Half(from, from.Rect)
	}
	input(from, dw, dh, data)
	out, err := r.detect(ctx, vision.Tensor{Shape: []int64{1, 3, int64(dh), int64(dw)}, Data: data})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 || len(out[0].Data) != dw*dh {
		return nil, errors.New("ocr: the detector's map has another size than its input")
	}
	var found []quad
	fx, fy := float64(w)/float64(dw), float64(h)/float64(dh)
	for _, region := range regions(out[0].Data, dw, dh) {
		q := region.quad
		for i := range q {
			q[i] = point{q[i].x * fx, q[i].y * fy}
		}
		found = append(found, q)
	}
	return found, nil
}

// line is what was read in a region.
type line struct {
	text  string
	score float64 // mean probability of its characters
}

// region reads a cut-out region every way it may be meant: as a line; where it is tall,
// as a line turned either way, and as characters one below the other.
func (r *Reader) region(ctx context.Context, m *image.RGBA) ([]line, error) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if float64(h) < 1.3*float64(w) {
		l, err := r.line(ctx, m)
		return []line{l}, err
	}
	ways := []*image.RGBA{quarter(m)}
	if float64(h) >= 1.5*float64(w) {
		ways = append(ways, quarter(quarter(ways[0])))
	} else {
		ways = append(ways, m)
	}
	var best line
	var read []line
	for _, way := range ways {
		l, err := r.line(ctx, way)
		if err != nil {
			return nil, err
		}
		read = append(read, l)
		if l.score > best.score {
			best = l
		}
	}
	stack, err := r.stack(ctx, m)
	if err != nil {
		return nil, err
	}
	// A stack of digits reads by chance less often than a turned line.
	if stack.text != "" && (stack.score > 0.8 || stack.score > best.score) {
		return []line{stack}, nil
	}
	// Upside down, digits read as other digits, nearly as well.
	return slices.DeleteFunc(read, func(l line) bool { return l.score < best.score-bothWays }), nil
}

// bothWays is how much worse one way of reading may be than the best to be told too.
const bothWays = 0.2

// A digit's height by the width of the region that it was found in, which is wider than the digit.
const leastCell, mostCell = 0.6, 1.9

// stack reads a tall region as 2 to 6 digits one below the other, of equal height.
func (r *Reader) stack(ctx context.Context, m *image.RGBA) (line, error) {
	var best line
	from, to := inked(m)
	for n := 2; n <= 6; n++ {
		cell := float64(to-from) / float64(n)
		if shape := cell / float64(m.Rect.Dx()); shape < leastCell || shape > mostCell {
			continue
		}
		l, err := r.cells(ctx, m, float64(from), cell, n)
		if err != nil {
			return line{}, err
		}
		if l.score > best.score {
			best = l
		}
	}
	return best, nil
}

// cells reads n digits below each other; nothing where one of them is none.
func (r *Reader) cells(ctx context.Context, m *image.RGBA, from, cell float64, n int) (line, error) {
	var text strings.Builder
	sum := 0.0
	for i := range n {
		top, bottom := from+(float64(i)-0.08)*cell, from+(float64(i)+1.08)*cell
		part := image.Rect(0, max(0, int(top)), m.Rect.Dx(), min(m.Rect.Dy(), int(bottom)+1))
		l, err := r.line(ctx, m.SubImage(part).(*image.RGBA))
		if err != nil {
			return line{}, err
		}
		if len(l.text) != 1 || !digits(l.text) || l.score < least {
			return line{}, nil
		}
		text.WriteString(l.text)
		sum += l.score
	}
	return line{text.String(), sum / float64(n)}, nil
}

// The recogniser's input, pixels: lines are as long as they are, up to the next step, so
// that few shapes come up. In training short ones were padded to 320, which reads no
// number better and takes three times as long.
const (
	lineHeight = 48
	lineStep   = 32
	shortLine  = 96
)

// line reads an image as one line of text.
func (r *Reader) line(ctx context.Context, m *image.RGBA) (line, error) {
	w := int(math.Ceil(lineHeight * float64(m.Rect.Dx()) / float64(m.Rect.Dy())))
	w = min(max(w, 16), 2000)
	small := scaled(m, w, lineHeight)
	full := max((w+lineStep-1)/lineStep*lineStep, shortLine) // padded with grey, as in training
	data := make([]float32, 3*full*lineHeight)
	for c := range 3 {
		for y := range lineHeight {
			row := data[(c*lineHeight+y)*full:]
			for x := range w {
				row[x] = float32(small.Pix[y*small.Stride+4*x+2-c])/127.5 - 1
			}
		}
	}
	out, err := r.recognise(ctx, vision.Tensor{Shape: []int64{1, 3, lineHeight, int64(full)}, Data: data})
	if err != nil {
		return line{}, err
	}
	if len(out) == 0 || len(out[0].Shape) != 3 || out[0].Shape[2] != int64(len(r.alphabet)) {
		return line{}, fmt.Errorf("ocr: the recogniser does not answer with %d classes", len(r.alphabet))
	}
	return r.decode(out[0].Data), nil
}

// decode reads the recogniser's answer: the best class of each step, repeats and blanks
// left out.
func (r *Reader) decode(steps []float32) line {
	var text strings.Builder
	sum, n, last := 0.0, 0, 0
	for ; len(steps) >= len(r.alphabet); steps = steps[len(r.alphabet):] {
		best := 0
		for class, p := range steps[:len(r.alphabet)] {
			if p > steps[best] {
				best = class
			}
		}
		if best != 0 && best != last {
			text.WriteString(r.alphabet[best])
			sum, n = sum+float64(steps[best]), n+1
		}
		last = best
	}
	return line{text.String(), sum / float64(max(n, 1))}
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
