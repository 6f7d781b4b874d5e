package audit

import (
	"testing"
	"time"
)

func TestLasting(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 400 * time.Millisecond: "0 s", 45 * time.Second: "45 s", -11 * time.Second: "-11 s",
		59*time.Second + 600*time.Millisecond: "1 min 00 s", 3*time.Minute + 5*time.Second: "3 min 05 s",
		time.Hour: "1 h 00 min", 90 * time.Minute: "1 h 30 min", 47*time.Hour + 59*time.Minute: "47 h 59 min", 76 * time.Hour: "3 days 4 h",
	} {
		if got := Lasting(d); got != want {
			t.Errorf("Lasting(%v) = %q, want %q", d, got, want)
		}
	}
}
