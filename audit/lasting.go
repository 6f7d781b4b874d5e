package audit

import (
	"fmt"
	"time"
)

// Lasting is a length of time for people, to the second: "45 s", "3 min 05 s",
// "1 h 30 min", "3 days 4 h".
func Lasting(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 0 {
		return "-" + Lasting(-d)
	}
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 2*day:
		return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days %d h", d/day, d%day/time.Hour)
}
