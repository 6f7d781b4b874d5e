package pixel

import (
	"math"
	"math/bits"
)

// fftBatch transforms run side by side: element i of transform b is at i*fftBatch + b. The inner loops are then long,
// contiguous and share a twiddle factor, and 8 complex64 are one cache line.
const fftBatch = 8

// largestRadix is the largest prime that is cheaper as a plain sum than through Bluestein's algorithm.
const largestRadix = 31

// fft is a forward complex DFT of one size: mixed-radix Stockham passes, which need no reordering, or Bluestein's
// chirp where the size has a large prime factor. It is read-only after newFFT and may be shared.
type fft struct {
	n      int
	passes []fftPass
	chirp  *bluestein
}

type fftPass struct {
	radix, m int
	// twiddles are w^(p*j), w = exp(-2 pi i / (radix*m)), radix-1 of them for each p in 0..m-1.
	twiddles []complex64
	// roots are exp(-2 pi i k / radix), for radices that have no butterfly of their own.
	roots []complex64
}

type bluestein struct {
	inner *fft
	// chirp is exp(-pi i k^2 / n); kernel the transform of its conjugate, divided by the inner size.
	chirp, kernel []complex64
}

func newFFT(n int) *fft {
	f := &fft{n: n}
	rest := n
	for _, r := range []int{4, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, largestRadix} {
		for rest%r == 0 {
			f.passes = append(f.passes, newPass(r, rest/r))
			rest /= r
		}
	}
	if rest > 1 {
		f.passes, f.chirp = nil, newBluestein(n)
	}
	return f
}

func newPass(r, m int) fftPass {
	p := fftPass{radix: r, m: m, twiddles: make([]complex64, 0, m*(r-1))}
	for k := range m {
		for j := 1; j < r; j++ {
			p.twiddles = append(p.twiddles, unit(k*j, r*m))
		}
	}
	if r > 4 || r == 3 {
		for k := range r {
			p.roots = append(p.roots, unit(k, r))
		}
	}
	return p
}

// unit is exp(-2 pi i k / n).
func unit(k, n int) complex64 {
	sin, cos := math.Sincos(-2 * math.Pi * float64(k%n) / float64(n))
	return complex(float32(cos), float32(sin))
}

func newBluestein(n int) *bluestein {
	size := 1 << bits.Len(uint(2*n-2))
	b := &bluestein{inner: newFFT(size), chirp: make([]complex64, n), kernel: make([]complex64, size)}
	wide := make([]complex64, size*fftBatch)
	for k := range n {
		b.chirp[k] = unit(k*k%(2*n), 2*n)
		c := conj(b.chirp[k])
		wide[k*fftBatch] = c
		if k > 0 {
			wide[(size-k)*fftBatch] = c
		}
	}
	out, _ := b.inner.transform(wide, make([]complex64, len(wide)))
	for k := range b.kernel {
		b.kernel[k] = out[k*fftBatch] * complex(1/float32(size), 0)
	}
	return b
}

func conj(c complex64) complex64 { return complex(real(c), -imag(c)) }

// room is how many complex64 each of transform's two buffers must hold.
func (f *fft) room() int {
	if f.chirp != nil {
		return f.chirp.inner.n * fftBatch
	}
	return f.n * fftBatch
}

// transform transforms the batch in x, using y as well; it returns the buffer with the result first.
func (f *fft) transform(x, y []complex64) (result, other []complex64) {
	if f.chirp != nil {
		return f.chirp.transform(x, y)
	}
	s := fftBatch
	for i := range f.passes {
		p := &f.passes[i]
		switch p.radix {
		case 4:
			p.radix4(x, y, s)
		case 2:
			p.radix2(x, y, s)
		case 3:
			p.radix3(x, y, s)
		default:
			p.plain(x, y, s)
		}
		x, y = y, x
		s *= p.radix
	}
	return x, y
}

func (b *bluestein) transform(x, y []complex64) (result, other []complex64) {
	n := len(b.chirp)
	for k, c := range b.chirp {
		for q, v := range x[k*fftBatch : (k+1)*fftBatch] {
			x[k*fftBatch+q] = v * c
		}
	}
	clear(x[n*fftBatch : b.inner.n*fftBatch])
	x, y = b.inner.transform(x, y)
	// The inverse transform is the forward one of the conjugate, conjugated.
	for k, c := range b.kernel {
		for q, v := range x[k*fftBatch : (k+1)*fftBatch] {
			x[k*fftBatch+q] = conj(v * c)
		}
	}
	x, y = b.inner.transform(x, y)
	for k, c := range b.chirp {
		for q, v := range x[k*fftBatch : (k+1)*fftBatch] {
			x[k*fftBatch+q] = conj(v) * c
		}
	}
	return x, y
}

func (p *fftPass) radix4(x, y []complex64, s int) {
	for k := range p.m {
		w1, w2, w3 := p.twiddles[3*k], p.twiddles[3*k+1], p.twiddles[3*k+2]
		r1, i1, r2, i2, r3, i3 := real(w1), imag(w1), real(w2), imag(w2), real(w3), imag(w3)
		a := x[s*k:][:s]
		b, c, d := x[s*(k+p.m):][:len(a)], x[s*(k+2*p.m):][:len(a)], x[s*(k+3*p.m):][:len(a)]
		y0, y1, y2, y3 := y[s*4*k:][:len(a)], y[s*(4*k+1):][:len(a)], y[s*(4*k+2):][:len(a)], y[s*(4*k+3):][:len(a)]
		for q, av := range a {
			bv, cv, dv := b[q], c[q], d[q]
			apcr, apci, amcr, amci := real(av)+real(cv), imag(av)+imag(cv), real(av)-real(cv), imag(av)-imag(cv)
			bpdr, bpdi, bmdr, bmdi := real(bv)+real(dv), imag(bv)+imag(dv), real(bv)-real(dv), imag(bv)-imag(dv)
			y0[q] = complex(apcr+bpdr, apci+bpdi)
			ur, ui := amcr+bmdi, amci-bmdr
			y1[q] = complex(ur*r1-ui*i1, ur*i1+ui*r1)
			ur, ui = apcr-bpdr, apci-bpdi
			y2[q] = complex(ur*r2-ui*i2, ur*i2+ui*r2)
			ur, ui = amcr-bmdi, amci+bmdr
			y3[q] = complex(ur*r3-ui*i3, ur*i3+ui*r3)
		}
	}
}

func (p *fftPass) radix2(x, y []complex64, s int) {
	for k := range p.m {
		wr, wi := real(p.twiddles[k]), imag(p.twiddles[k])
		a := x[s*k:][:s]
		b := x[s*(k+p.m):][:len(a)]
		y0, y1 := y[s*2*k:][:len(a)], y[s*(2*k+1):][:len(a)]
		for q, av := range a {
			bv := b[q]
			y0[q] = complex(real(av)+real(bv), imag(av)+imag(bv))
			ur, ui := real(av)-real(bv), imag(av)-imag(bv)
			y1[q] = complex(ur*wr-ui*wi, ur*wi+ui*wr)
		}
	}
}

func (p *fftPass) radix3(x, y []complex64, s int) {
	const half = -.5
	sin := imag(p.roots[1])
	for k := range p.m {
		w1, w2 := p.twiddles[2*k], p.twiddles[2*k+1]
		r1, i1, r2, i2 := real(w1), imag(w1), real(w2), imag(w2)
		a := x[s*k:][:s]
		b, c := x[s*(k+p.m):][:len(a)], x[s*(k+2*p.m):][:len(a)]
		y0, y1, y2 := y[s*3*k:][:len(a)], y[s*(3*k+1):][:len(a)], y[s*(3*k+2):][:len(a)]
		for q, av := range a {
			bv, cv := b[q], c[q]
			sr, si := real(bv)+real(cv), imag(bv)+imag(cv)
			y0[q] = complex(real(av)+sr, imag(av)+si)
			mr, mi := real(av)+half*sr, imag(av)+half*si
			dr, di := -sin*(imag(bv)-imag(cv)), sin*(real(bv)-real(cv))
			ur, ui := mr+dr, mi+di
			y1[q] = complex(ur*r1-ui*i1, ur*i1+ui*r1)
			ur, ui = mr-dr, mi-di
			y2[q] = complex(ur*r2-ui*i2, ur*i2+ui*r2)
		}
	}
}

func (p *fftPass) plain(x, y []complex64, s int) {
	r := p.radix
	for k := range p.m {
		for j := range r {
			out := y[s*(r*k+j):][:s]
			copy(out, x[s*k:][:s])
			for i := 1; i < r; i++ {
				wr, wi := real(p.roots[i*j%r]), imag(p.roots[i*j%r])
				for q, v := range x[s*(k+i*p.m):][:len(out)] {
					out[q] += complex(real(v)*wr-imag(v)*wi, real(v)*wi+imag(v)*wr)
				}
			}
			if j == 0 {
				continue
			}
			wr, wi := real(p.twiddles[k*(r-1)+j-1]), imag(p.twiddles[k*(r-1)+j-1])
			for q, v := range out {
				out[q] = complex(real(v)*wr-imag(v)*wi, real(v)*wi+imag(v)*wr)
			}
		}
	}
}
