package decode

import "sync"

// buffers holds planes for the next photo. They come back as pointers, so that returning one allocates nothing.
var buffers sync.Pool

func buffer(n int) []byte {
	if p, ok := buffers.Get().(*[]byte); ok && cap(*p) >= n {
		return (*p)[:n]
	}
	return make([]byte, n)
}

func putBuffer(b []byte) {
	if cap(b) > 0 {
		buffers.Put(&b)
	}
}
