package objects

import "math"

// anchor is a default box: centre and size as shares of the frame.
type anchor struct{ cx, cy, w, h float64 }

// grids are the sides of the six feature maps of a 300 px input.
var grids = []int{19, 10, 5, 3, 2, 1}

// anchors lists the default boxes in the order of the model's outputs, as TensorFlow's
// ssd_anchor_generator makes them: scales from 0.2 to 0.95, three boxes a cell on the
// first map and six on the others.
func anchors() []anchor {
	scale := func(layer int) float64 {
		if layer == len(grids) {
			return 1
		}
		return 0.2 + (0.95-0.2)*float64(layer)/float64(len(grids)-1)
	}
	box := func(scale, aspect float64) anchor {
		return anchor{w: scale * math.Sqrt(aspect), h: scale / math.Sqrt(aspect)}
	}
	var out []anchor
	for layer, side := range grids {
		s := scale(layer)
		shapes := []anchor{box(0.1, 1), box(s, 2), box(s, 0.5)}
		if layer > 0 {
			shapes = []anchor{box(s, 1), box(s, 2), box(s, 0.5), box(s, 3), box(s, 1.0/3), box(math.Sqrt(s*scale(layer+1)), 1)}
		}
		for y := range side {
			for x := range side {
				for _, a := range shapes {
					a.cx, a.cy = (float64(x)+0.5)/float64(side), (float64(y)+0.5)/float64(side)
					out = append(out, a)
				}
			}
		}
	}
	return out
}

// at is the box that the model's four numbers make of the anchor: centre and size
// relative to it, scaled by 10 and 5.
func (a anchor) at(code []float32) (x0, y0, x1, y1 float64) {
	cy, cx := float64(code[0])/10*a.h+a.cy, float64(code[1])/10*a.w+a.cx
	h, w := math.Exp(min(float64(code[2])/5, 4))*a.h, math.Exp(min(float64(code[3])/5, 4))*a.w
	return cx - w/2, cy - h/2, cx + w/2, cy + h/2
}
