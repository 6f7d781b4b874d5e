package pixel

import (
	"math"
	"math/rand/v2"
)

// canvas is a generated grey photo.
type canvas struct {
	pix  []float64
	w, h int
}

func newCanvas(w, h int, at func(x, y int) float64) *canvas {
	c := &canvas{pix: make([]float64, w*h), w: w, h: h}
	for i := range c.pix {
		c.pix[i] = at(i%w, i/w)
	}
	return c
}

func (c *canvas) luma() *Luma {
	l := &Luma{Pix: make([]byte, len(c.pix)), Stride: c.w, Width: c.w, Height: c.h, Orientation: 1}
	for i, v := range c.pix {
		l.Pix[i] = byte(math.Round(max(0, min(255, v))))
	}
	return l
}

// scene is textured like a doorstep: blocks of different light, sharp edges, grain.
func scene(w, h int) *canvas {
	r := rand.New(rand.NewPCG(3, 5))
	tone := make([]float64, 64*64)
	for i := range tone {
		tone[i] = 60 + 140*r.Float64()
	}
	return newCanvas(w, h, func(x, y int) float64 {
		u, v := float64(x)/float64(w), float64(y)/float64(h)
		big := tone[int(9*u+2*v)+8*int(7*v+u)]
		small := tone[int(61*u+9*v)%64+64*(int(53*v+7*u)%64)]
		return .6*big + .4*small + 16*(r.Float64()-.5)
	})
}

// blurred is c under a Gaussian of sigma pixels.
func (c *canvas) blurred(sigma float64) *canvas {
	if sigma == 0 {
		return c
	}
	reach := int(3*sigma) + 1
	kernel, sum := make([]float64, 2*reach+1), 0.
	for i := range kernel {
		d := float64(i - reach)
		kernel[i] = math.Exp(-d * d / (2 * sigma * sigma))
		sum += kernel[i]
	}
	pass := func(src *canvas, dx, dy int) *canvas {
		return newCanvas(c.w, c.h, func(x, y int) (v float64) {
			for i, k := range kernel {
				u := max(0, min(c.w-1, x+dx*(i-reach)))
				t := max(0, min(c.h-1, y+dy*(i-reach)))
				v += k / sum * src.pix[t*c.w+u]
			}
			return v
		})
	}
	return pass(pass(c, 1, 0), 0, 1)
}

// cover lays a disc of one tone over c, share of the frame large, from the middle of the left border; its edge is as
// wide as a Gaussian of sigma pixels makes it. It returns the disc's opacity too.
func (c *canvas) cover(tone, share, sigma float64) (*canvas, []float64) {
	radius := math.Sqrt(2 * share * float64(c.w*c.h) / math.Pi)
	opacity := make([]float64, len(c.pix))
	out := newCanvas(c.w, c.h, func(x, y int) float64 {
		d := radius - math.Hypot(float64(x), float64(y-c.h/2))
		a := .5 + .5*math.Erf(d/(sigma*math.Sqrt2))
		opacity[y*c.w+x] = a
		return a*tone + (1-a)*c.pix[y*c.w+x]
	})
	return out, opacity
}
