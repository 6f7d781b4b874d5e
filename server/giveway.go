package server

import (
	"context"
	"time"
)

// A re-audit beside uploads works a quarter of its time: a driver waits at the door, and
// nobody waits for the batch.
const (
	restTimes = 3                    // as long as the work before, at most
	restLook  = 2 * time.Millisecond // how often who rests looks whether the photos are through
)

// GiveWay is [audit.WorkOptions.GiveWay] of those who work in the same process: while
// photos are received it rests three times as long as was worked.
func (s *Server) GiveWay(ctx context.Context, worked time.Duration) {
	for rest := restTimes * worked; rest > 0 && s.receiving.Load() > 0 && ctx.Err() == nil; rest -= restLook {
		time.Sleep(min(rest, restLook))
	}
}
