// Package pixel measures what a photo's pixels say: light, detail, blur, a fingerprint that survives re-encoding,
// and three hints that a photo needs a second look (something over the lens, a screenshot, a photo of a screen).
//
// It holds the mathematics alone: no decoder, no I/O, nothing that a browser's WebAssembly could not run. A photo
// arrives as a [Luma], a plane of bytes that package decode (or a canvas, through [FromImage]) fills.
//
// The measures are those that the built-in checklist's limits were fitted on; each function names its source.
// All of them are taken on the upright photo, area-averaged so that its long side is 512 or 1024 pixels.
package pixel

// Version names the measuring code. It is stored with every measurement: a change that moves any number past the
// tolerances of the checklist's limits changes it too, so that a re-audit knows which photos to read again.
const Version = "px2"

// Measures are the pixel part of a measurement. No field is ever NaN or infinite.
type Measures struct {
	// Width and Height are the upright photo's pixels.
	Width  int `json:"width"`
	Height int `json:"height"`

	// BrightTile is the 90th percentile of the means of 8x8 tiles, luma 0..255: how light the lit part is.
	BrightTile float64 `json:"bright_tile"`
	// BlownOut is the share of luma at or above 250, 0..1.
	BlownOut float64 `json:"blown_out"`
	// EntropyBits is the entropy of the luma histogram, 0..8 bits.
	EntropyBits float64 `json:"entropy_bits"`

	// FineDetail is log10 of the share of spectral power above a quarter cycle a pixel at 512 px; -9 on a flat photo.
	FineDetail float64 `json:"fine_detail"`
	// WeakestDirection is the same in the weakest of eight overlapping directions; -9 on a flat photo.
	WeakestDirection float64 `json:"weakest_direction"`
	// BlurExtent is the share of edges that have lost their sharpness, 0..1.
	BlurExtent float64 `json:"blur_extent"`
	// Blur joins the three: above 1 blurred, 0..1 doubtful, below 0 sharp.
	Blur float64 `json:"blur"`

	// Fingerprint is the photo's PDQ hash, 64 hex digits; FingerprintQuality (0..100) says how much there was to hash.
	Fingerprint        string `json:"fingerprint"`
	FingerprintQuality int    `json:"fingerprint_quality"`
	// Turned are the hashes of the photo mirrored left to right, upside down and both, and of those three and itself with
	// rows and columns exchanged: what a copy is looked for by. They are not kept.
	Turned [7]string `json:"-"`

	// Trimmed is the hash of the picture without uniform borders and caption bars; empty where there are none.
	Trimmed        string `json:"trimmed_fingerprint,omitempty"`
	TrimmedQuality int    `json:"trimmed_quality,omitempty"`
	// TrimmedTurned are the hashes of the trimmed picture turned, in Turned's order.
	TrimmedTurned [7]string `json:"-"`
	// Uncovered is the hash of the photo as it may have been before something was written over its upper or lower edge, and
	// Certain the bits of it that are the same whatever was there; empty where there is no such bar. They are not kept.
	Uncovered, Certain string `json:"-"`

	// LensBlob is the share of the frame, 0..1, under the largest smooth skin-toned or dark blob joined to a border.
	LensBlob float64 `json:"lens_blob"`
	// FlatShare is the share of the frame, 0..1, in perfectly flat areas: high on screenshots.
	FlatShare float64 `json:"flat_share"`
	// Moire is the strength, 0..1, of isolated periodic peaks: above 0 where a screen may have been photographed.
	Moire float64 `json:"moire"`
}

// Luma is a photo decoded to BT.601 luma, 0..255, as it is stored: Orientation is applied to the measures, not to it.
type Luma struct {
	// Pix holds Height rows of Width bytes, Stride bytes apart.
	Pix    []byte
	Stride int
	Width  int
	Height int
	// Orientation is EXIF's, 1..8; anything else counts as 1.
	Orientation int
	// Chroma is optional; without it nothing counts as skin-toned.
	Chroma Chroma
}

// Chroma is a photo's colour at a fraction of its size (a few thousand samples are plenty), stored as Luma is.
type Chroma struct {
	// Cb and Cr hold Height rows of Width BT.601 samples, 128 being neutral. Nil when unknown.
	Cb, Cr        []byte
	Width, Height int
}

// Measure takes all measures of l. A plane without pixels measures as zero. It allocates little and starts no
// goroutine: callers bound the work by how many photos they measure at once.
func Measure(l *Luma) Measures {
	if l.Width <= 0 || l.Height <= 0 || len(l.Pix) < (l.Height-1)*l.Stride+l.Width || l.Stride < l.Width {
		return Measures{FineDetail: noPower, WeakestDirection: noPower, Blur: blur(noPower, noPower, 0)}
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.fit(l)

	var m Measures
	m.Width, m.Height = l.Width, l.Height
	if l.Orientation >= 5 && l.Orientation <= 8 {
		m.Width, m.Height = l.Height, l.Width
	}
	m.BrightTile = brightTile(&s.p512)
	m.BlownOut, m.EntropyBits = light(&s.p512)
	p := planFor(s.p512.w, s.p512.h)
	sums := p.spectrum(s)
	m.FineDetail, m.WeakestDirection = sums.fineDetail(), sums.weakestDirection()
	m.BlurExtent = blurExtent(s, &s.p1024)
	m.Blur = blur(m.FineDetail, m.WeakestDirection, m.BlurExtent)
	whole := p.grid.pdq(s, s.p512.pix, s.p512.w)
	m.Fingerprint, m.Turned, m.FingerprintQuality = whole.upright, whole.turned, whole.quality
	if inner := s.p512.inner(); inner != s.p512.bounds() {
		trimmed := hashTrimmed(s, inner)
		m.Trimmed, m.TrimmedTurned, m.TrimmedQuality = trimmed.upright, trimmed.turned, trimmed.quality
		m.Uncovered, m.Certain = p.grid.uncovered(s, inner)
	}
	m.LensBlob, m.FlatShare, m.Moire = lensBlob(s, l), flatShare(l), p.moire(s)
	return m
}

// blur is the fitted score; see the checklist's own limits for what it means.
func blur(fineDetail, weakestDirection, extent float64) float64 {
	return -11.61 - 1.66*fineDetail - 4.02*weakestDirection + 3.25*extent
}
