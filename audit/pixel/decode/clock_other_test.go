//go:build !linux

package decode

import "time"

var started = time.Now()

func clock() time.Duration { return time.Since(started) }
