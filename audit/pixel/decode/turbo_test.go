//go:build (linux || darwin) && (amd64 || arm64)

package decode

import (
	"testing"
	"time"
)

// lumaOnly times libjpeg-turbo's own luma decode, the yardstick of the audit's budget; 0 without the library.
func lumaOnly(tb testing.TB, data []byte) time.Duration {
	t := loadTurbo()
	if t == nil {
		return 0
	}
	_, w, h, err := Config(data)
	if err != nil {
		tb.Fatal(err)
	}
	out := lumaBuffers.take(w * h)
	defer lumaBuffers.put(out)
	handle := t.handle()
	defer t.put(handle)
	start := clock()
	if t.decompress2(handle, &data[0], uint64(len(data)), &out[0], int32(w), int32(w), int32(h), tjGray, 0) != 0 {
		tb.Fatal("luma decode failed")
	}
	return clock() - start
}
