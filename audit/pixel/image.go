package pixel

import (
	"image"
	"image/color"
)

// chromaSide is the long side of the colour that is kept: one sample for each tile that lensBlob looks at.
const chromaSide = 64

// NewChroma shrinks full or subsampled chroma planes (w x h, rows stride bytes apart) to what Measure needs.
func NewChroma(cb, cr []byte, stride, w, h int) Chroma {
	if w <= 0 || h <= 0 {
		return Chroma{}
	}
	c := Chroma{}
	c.Width, c.Height = fitSize(w, h, chromaSide)
	both := make([]byte, 2*c.Width*c.Height)
	c.Cb, c.Cr = both[:c.Width*c.Height], both[c.Width*c.Height:]
	for y := range c.Height {
		for x := range c.Width {
			// Sixteen samples spread over the cell: its mean, near enough for a tone.
			var b, r int
			for i := range 4 {
				at := (8*y + 2*i + 1) * h / (8 * c.Height) * stride
				for j := range 4 {
					k := at + (8*x+2*j+1)*w/(8*c.Width)
					b += int(cb[k])
					r += int(cr[k])
				}
			}
			c.Cb[y*c.Width+x], c.Cr[y*c.Width+x] = byte((b+8)/16), byte((r+8)/16)
		}
	}
	return c
}

// FromImage is an image's luma and chroma, Orientation 1. buf is used for the plane where it is large enough.
//
// A YCbCr image is taken as JFIF defines it (full range) and shares its luma with the result; colours are weighted as
// BT.601 does, and transparency is dropped rather than composed, so that hidden pixels count as what they hold.
func FromImage(img image.Image, buf []byte) *Luma {
	r := img.Bounds()
	w, h := r.Dx(), r.Dy()
	l := &Luma{Stride: w, Width: w, Height: h, Orientation: 1}
	switch m := img.(type) {
	case *image.YCbCr:
		l.setYCbCr(m)
		return l
	case *image.NYCbCrA:
		l.setYCbCr(&m.YCbCr)
		return l
	case *image.Gray:
		l.Pix, l.Stride = m.Pix[m.PixOffset(r.Min.X, r.Min.Y):], m.Stride
		return l
	}
	l.Pix = grow(buf, w*h)
	// Colour comes from a grid of at most 2 samples a chroma cell side, which is all that NewChroma reads.
	cw, ch := fitSize(w, h, 2*chromaSide)
	both := make([]byte, 2*cw*ch)
	cb, cr := both[:cw*ch], both[cw*ch:]
	read := reader(img)
	row := make([]byte, 3*w)
	next := 0
	for y := range h {
		read(row, y)
		out := l.Pix[y*w:][:w]
		for x := range out {
			p := row[3*x : 3*x+3 : 3*x+3]
			out[x] = byte((uint32(p[0])*9798 + uint32(p[1])*19235 + uint32(p[2])*3735 + 1<<14) >> 15)
		}
		for ; next < ch && (2*next+1)*h/(2*ch) == y; next++ {
			for x := range cw {
				p := row[3*((2*x+1)*w/(2*cw)):]
				_, cb[next*cw+x], cr[next*cw+x] = color.RGBToYCbCr(p[0], p[1], p[2])
			}
		}
	}
	l.Chroma = NewChroma(cb, cr, cw, cw, ch)
	return l
}

func (l *Luma) setYCbCr(m *image.YCbCr) {
	r := m.Rect
	l.Pix, l.Stride = m.Y[m.YOffset(r.Min.X, r.Min.Y):], m.YStride
	at := m.COffset(r.Min.X, r.Min.Y)
	last := m.COffset(r.Max.X-1, r.Max.Y-1) - at
	l.Chroma = NewChroma(m.Cb[at:], m.Cr[at:], m.CStride, last%m.CStride+1, last/m.CStride+1)
}

// packHigh keeps the high bytes of 16-bit RGBA.
func packHigh(row, pix []byte) {
	for x := 0; 3*x < len(row); x++ {
		row[3*x], row[3*x+1], row[3*x+2] = pix[8*x], pix[8*x+2], pix[8*x+4]
	}
}

// reader returns what fills a row with straight (not premultiplied) 8-bit RGB.
func reader(img image.Image) func(row []byte, y int) {
	r := img.Bounds()
	pack := func(row, pix []byte, step int) {
		for x := 0; 3*x < len(row); x++ {
			copy(row[3*x:3*x+3], pix[step*x:step*x+3])
		}
	}
	switch m := img.(type) {
	case *image.NRGBA:
		return func(row []byte, y int) { pack(row, m.Pix[y*m.Stride:], 4) }
	case *image.RGBA:
		if m.Opaque() {
			return func(row []byte, y int) { pack(row, m.Pix[y*m.Stride:], 4) }
		}
	case *image.NRGBA64:
		return func(row []byte, y int) { packHigh(row, m.Pix[y*m.Stride:]) }
	case *image.RGBA64:
		if m.Opaque() {
			return func(row []byte, y int) { packHigh(row, m.Pix[y*m.Stride:]) }
		}
	case *image.Gray16:
		return func(row []byte, y int) {
			for x := range r.Dx() {
				v := m.Pix[y*m.Stride+2*x]
				row[3*x], row[3*x+1], row[3*x+2] = v, v, v
			}
		}
	case *image.CMYK:
		return func(row []byte, y int) {
			for x := range r.Dx() {
				p := m.Pix[y*m.Stride+4*x:][:4]
				row[3*x], row[3*x+1], row[3*x+2] = color.CMYKToRGB(p[0], p[1], p[2], p[3])
			}
		}
	case *image.Paletted:
		palette := make([][3]byte, 256)
		for i, c := range m.Palette {
			n := color.NRGBAModel.Convert(c).(color.NRGBA)
			palette[i] = [3]byte{n.R, n.G, n.B}
		}
		return func(row []byte, y int) {
			for x, i := range m.Pix[y*m.Stride:][:r.Dx()] {
				copy(row[3*x:3*x+3], palette[i][:])
			}
		}
	}
	return func(row []byte, y int) {
		for x := range r.Dx() {
			c := color.NRGBAModel.Convert(img.At(r.Min.X+x, r.Min.Y+y)).(color.NRGBA)
			row[3*x], row[3*x+1], row[3*x+2] = c.R, c.G, c.B
		}
	}
}
