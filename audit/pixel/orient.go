package pixel

// upright turns p as EXIF orientation o asks (TIFF 6.0, tag 274).
func (s *scratch) upright(p *plane, o int) {
	if o < 2 || o > 8 {
		return
	}
	t := &s.turned
	if o >= 5 {
		t.resize(p.h, p.w)
	} else {
		t.resize(p.w, p.h)
	}
	turn(t.pix, p.pix, p.w, p.h, o)
	*p, *t = *t, *p
}

// turn writes src (w x h) into dst upright; from orientation 5 on, dst is h x w.
func turn[T any](dst, src []T, w, h, o int) {
	// origin is where the upright photo's top left pixel is stored, right and down the steps from there.
	var origin, right, down int
	dw, dh := w, h
	switch o {
	case 2:
		origin, right, down = w-1, -1, w
	case 3:
		origin, right, down = w*h-1, -1, -w
	case 4:
		origin, right, down = (h-1)*w, 1, -w
	case 5:
		origin, right, down = 0, w, 1
	case 6:
		origin, right, down = (h-1)*w, -w, 1
	case 7:
		origin, right, down = w*h-1, -w, -1
	case 8:
		origin, right, down = w-1, w, -1
	default:
		origin, right, down = 0, 1, w
	}
	if o >= 5 && o <= 8 {
		dw, dh = h, w
	}
	for y := range dh {
		at := origin + y*down
		for x := range dw {
			dst[y*dw+x] = src[at]
			at += right
		}
	}
}
