package sender

import (
	"net/http"
	"strconv"
	"time"
)

// pauses are those between one attempt and the next. After the last one a message is
// given up: 22 to 28 hours after the first attempt.
var pauses = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
}

// spread is the share of a pause by which it is lengthened at most, so that what failed
// together does not come back together.
const spread = .25

// maxRetryAfter is the longest that an endpoint can put us off.
const maxRetryAfter = 12 * time.Hour

// pause is how long to wait after failed attempt number n (1 for the first), with random
// in [0, 1); again is false where the message is to be given up.
func pause(n int, retryAfter time.Duration, random float64) (wait time.Duration, again bool) {
	if n > len(pauses) {
		return 0, false
	}
	p := pauses[max(n, 1)-1]
	p += time.Duration(float64(p) * spread * random)
	return max(p, retryAfter), true
}

// retryAfter reads a Retry-After header (RFC 9110, section 10.2.3: seconds or a date);
// 0 for none, or one that cannot be read, or is over. It is at most [maxRetryAfter].
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		if n > uint64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}
