package ocr

import (
	"encoding/binary"
	"image"
	"math"

	"golang.org/x/image/draw"
)

// crop cuts a region out and straightens it.
func crop(img *image.RGBA, q quad) *image.RGBA {
	w, h := max(int(q.width()), 2), max(int(q.height()), 2)
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	right, bottom := float64(img.Rect.Dx()-1), float64(img.Rect.Dy()-1)
	for y := range h {
		fy := (float64(y) + 0.5) / float64(h)
		for x := range w {
			fx := (float64(x) + 0.5) / float64(w)
			top, low := between(q[0], q[1], fx), between(q[3], q[2], fx)
			at := between(top, low, fy)
			bilinear(img, min(max(at.x-0.5, 0), right), min(max(at.y-0.5, 0), bottom), out.Pix[out.PixOffset(x, y):])
		}
	}
	return out
}

func between(a, b point, f float64) point { return point{a.x + (b.x-a.x)*f, a.y + (b.y-a.y)*f} }

// bilinear writes the colour at a place within the image.
func bilinear(img *image.RGBA, x, y float64, to []byte) {
	ix, iy := int(x), int(y)
	fx, fy := x-float64(ix), y-float64(iy)
	dx, dy := 4, img.Stride
	if ix+1 >= img.Rect.Dx() {
		dx = 0
	}
	if iy+1 >= img.Rect.Dy() {
		dy = 0
	}
	p := img.Pix[iy*img.Stride+4*ix:]
	for c := range 3 {
		top := (1-fx)*float64(p[c]) + fx*float64(p[c+dx])
		low := (1-fx)*float64(p[c+dy]) + fx*float64(p[c+dx+dy])
		to[c] = byte((1-fy)*top + fy*low + 0.5)
	}
	to[3] = 255
}

// quarter turns an image by 90 degrees, counterclockwise.
func quarter(m *image.RGBA) *image.RGBA {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := image.NewRGBA(image.Rect(0, 0, h, w))
	for y := range h {
		for x := range w {
			copy(out.Pix[out.PixOffset(y, w-1-x):][:4], m.Pix[m.PixOffset(x, y):][:4])
		}
	}
	return out
}

// scaled is the image at another size.
func scaled(m *image.RGBA, w, h int) *image.RGBA {
	if w == m.Rect.Dx() && h == m.Rect.Dy() {
		return m
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.ApproxBiLinear.Scale(out, out.Rect, m, m.Rect, draw.Src, nil)
	return out
}

// input scales an image to the detector's input, planes of w x h: as [scaled] does, without
// an image between. PaddleOCR was trained on blue, green, red, normalised as ImageNet.
func input(img *image.RGBA, w, h int, planes []float32) {
	mean, deviation := [3]float32{0.485, 0.456, 0.406}, [3]float32{0.229, 0.224, 0.225}
	var value [3][256]float32
	for c := range value {
		for v := range value[c] {
			value[c][v] = (float32(v)/255 - mean[c]) / deviation[c]
		}
	}
	blue, green, red := planes[:w*h], planes[w*h:2*w*h], planes[2*w*h:3*w*h]
	columns, rows := neighbours(img.Rect.Dx(), w), neighbours(img.Rect.Dy(), h)
	const even = 0x00ff00ff // two of the four bytes, with room above each
	for y, row := range rows {
		above, below := img.Pix[row.a*img.Stride:][:4*img.Rect.Dx()], img.Pix[row.b*img.Stride:][:4*img.Rect.Dx()]
		low := row.share
		high := 256 - low
		b, g, r := blue[y*w:][:w], green[y*w:][:w], red[y*w:][:w]
		for x, column := range columns {
			right := column.share
			left := 256 - right
			p, q := binary.LittleEndian.Uint32(above[4*column.a:]), binary.LittleEndian.Uint32(above[4*column.b:])
			s, t := binary.LittleEndian.Uint32(below[4*column.a:]), binary.LittleEndian.Uint32(below[4*column.b:])
			rb := (p&even*left + q&even*right) >> 8 & even * high
			rb = (rb + (s&even*left+t&even*right)>>8&even*low) >> 8
			gs := (p>>8&even*left + q>>8&even*right) >> 8 & even * high
			gs = (gs + (s>>8&even*left+t>>8&even*right)>>8&even*low) >> 8
			b[x], g[x], r[x] = value[0][rb>>16&0xff], value[1][gs&0xff], value[2][rb&0xff]
		}
	}
}

// neighbour is what a pixel is mixed of: a and b, of which b has so many 256ths.
type neighbour struct {
	a, b  int
	share uint32
}

// neighbours are those of each of so many pixels.
func neighbours(from, to int) []neighbour {
	all := make([]neighbour, to)
	for i := range all {
		at := min(max((float64(i)+0.5)*float64(from)/float64(to)-0.5, 0), float64(from-1))
		a := int(at)
		all[i] = neighbour{a, min(a+1, from-1), uint32((at - float64(a)) * 256)}
	}
	return all
}

// inked are the first row and the row past the last that hold strokes, by the strength
// of their edges: at most a quarter is cut from either end.
func inked(m *image.RGBA) (from, to int) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	edges, most := make([]float64, h), 0.0
	for y := range h {
		row := m.Pix[y*m.Stride:]
		for x := 1; x < w; x++ {
			edges[y] += math.Abs(float64(row[4*x+1]) - float64(row[4*x-3]))
		}
		most = max(most, edges[y])
	}
	from, to = 0, h
	for from < h/4 && edges[from] < most/4 {
		from++
	}
	for to > 3*h/4 && edges[to-1] < most/4 {
		to--
	}
	return from, to
}
