package server

import (
	"testing"
	"time"
)

// TestGiveWay holds that who works beside uploads rests while a photo is received, and no
// longer.
func TestGiveWay(t *testing.T) {
	s := &Server{}
	s.GiveWay(t.Context(), time.Hour) // nobody is there: it would not come back
	s.receiving.Add(1)
	s.GiveWay(t.Context(), time.Millisecond) // it gives way for a while, not for as long as photos come
	rested := make(chan struct{})
	go func() {
		defer close(rested)
		s.GiveWay(t.Context(), time.Hour)
	}()
	select {
	case <-rested:
		t.Error("it goes on although a photo is being received")
	case <-time.After(20 * time.Millisecond):
	}
	s.receiving.Add(-1)
	<-rested
}
