package worker

import (
	"sync"
	"time"
)

const (
	failuresBefore = 3                // in a row, before the worker is left alone
	shortPause     = time.Second      // the first one; each after it is twice as long
	longPause      = 30 * time.Second // the longest one
)

// breaker leaves a worker alone that failed several times in a row; after a pause one
// photo may try it. Its zero value asks.
type breaker struct {
	mu       sync.Mutex
	failures int
	until    time.Time
	pause    time.Duration
	trying   bool
	now      func() time.Time // time.Now where nil
}

func (b *breaker) time() time.Time {
	if b.now != nil {
		return b.now()
	}
	return time.Now()
}

// allow tells whether the worker may be asked.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < failuresBefore {
		return true
	}
	if b.trying && b.time().Before(b.until.Add(longPause)) || b.time().Before(b.until) {
		return false
	}
	b.trying = true
	return true
}

// note tells how asking went.
func (b *breaker) note(ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	if ok {
		b.failures, b.pause = 0, 0
		return
	}
	if b.failures++; b.failures >= failuresBefore {
		b.pause = min(max(2*b.pause, shortPause), longPause)
		b.until = b.time().Add(b.pause)
	}
}
