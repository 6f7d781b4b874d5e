package main

import (
	"errors"
	"image"
)

// picture says how a photo's pixels lie in the bytes that come with it.
type picture struct {
	Width  int `json:"width"`
	Height int `json:"height"`
	// Format is a video frame's: I420, I422 or I444, which is what a browser's decoder makes of
	// a JPEG: luma and chroma as they are stored, not turned. Empty for a canvas's: rows
	// upright, four bytes a pixel, red, green, blue and opacity.
	Format string `json:"format"`
	// Planes are where luma, Cb and Cr begin, and how far apart their rows are.
	Planes []struct {
		Offset int `json:"offset"`
		Stride int `json:"stride"`
	} `json:"planes"`
}

// subsampling is what the formats keep of chroma.
var subsampling = map[string]image.YCbCrSubsampleRatio{"I420": image.YCbCrSubsampleRatio420, "I422": image.YCbCrSubsampleRatio422, "I444": image.YCbCrSubsampleRatio444}

// maxSide keeps sizes from running over.
const maxSide = 1 << 16

// over is an image over the pixels, and whether it is upright.
func (p picture) over(pixels []byte) (img image.Image, upright bool, err error) {
	misfit := errors.New("the pixels do not fit the photo's size")
	if p.Width <= 0 || p.Height <= 0 || p.Width > maxSide || p.Height > maxSide {
		return nil, false, misfit
	}
	r := image.Rect(0, 0, p.Width, p.Height)
	if p.Format == "" {
		if len(pixels) != 4*p.Width*p.Height {
			return nil, false, misfit
		}
		return &image.NRGBA{Pix: pixels, Stride: 4 * p.Width, Rect: r}, true, nil
	}
	ratio, ok := subsampling[p.Format]
	if !ok || len(p.Planes) != 3 || p.Planes[1].Stride != p.Planes[2].Stride {
		return nil, false, errors.New("the pixels' format is unknown")
	}
	w, h := p.Width, p.Height
	if ratio != image.YCbCrSubsampleRatio444 {
		w = (w + 1) / 2
	}
	if ratio == image.YCbCrSubsampleRatio420 {
		h = (h + 1) / 2
	}
	var planes [3][]byte
	for i, at := range p.Planes {
		wide, high := w, h
		if i == 0 {
			wide, high = p.Width, p.Height
		}
		size := (high-1)*at.Stride + wide
		if at.Stride < wide || at.Stride > maxSide || at.Offset < 0 || at.Offset > len(pixels)-size {
			return nil, false, misfit
		}
		planes[i] = pixels[at.Offset : at.Offset+size]
	}
	return &image.YCbCr{Y: planes[0], Cb: planes[1], Cr: planes[2], YStride: p.Planes[0].Stride, CStride: p.Planes[1].Stride, SubsampleRatio: ratio, Rect: r}, false, nil
}
