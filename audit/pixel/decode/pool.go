package decode

import "sync"

// planes keeps buffers for the next photo. There is a pool for each plane, so that a small chroma buffer never comes
// back where a luma buffer is asked for.
type planes struct{ sync.Pool }

var lumaBuffers, chromaBuffers planes

func (p *planes) take(n int) []byte {
	if b, ok := p.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:n]
	}
	return make([]byte, n)
}

func (p *planes) put(b []byte) {
	if cap(b) > 0 {
		p.Put(&b)
	}
}
