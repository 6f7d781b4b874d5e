package server

import (
	"math"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"porchlight/audit"
)

// limitedClients bounds the client addresses that a throttle knows; the one that was
// quiet for longest is forgotten first. About 2 MB.
const limitedClients = 8192

// throttle bounds attempts by client address. Each address may make perMinute of them at
// once, and as many more each minute.
type throttle struct {
	clients *lru.Cache[string, *rate.Limiter]
	burst   int
}

func newThrottle(perMinute int) *throttle {
	clients, err := lru.New[string, *rate.Limiter](limitedClients)
	if err != nil {
		panic("server: " + err.Error()) // the size is constant and positive
	}
	return &throttle{clients, perMinute}
}

func (t *throttle) client(address string) *rate.Limiter {
	if l, ok := t.clients.Get(address); ok {
		return l
	}
	fresh := rate.NewLimiter(rate.Every(time.Minute/time.Duration(t.burst)), t.burst)
	if l, ok, _ := t.clients.PeekOrAdd(address, fresh); ok {
		return l
	}
	return fresh
}

// take counts an attempt. Errors: [CodeTooMany], with the time until the next one.
func (t *throttle) take(address string, now time.Time) error {
	l := t.client(address)
	if l.AllowN(now, 1) {
		return nil
	}
	return tooMany(l, now)
}

// check tells whether an attempt would be let through, and counts none.
func (t *throttle) check(address string, now time.Time) error {
	if l := t.client(address); l.TokensAt(now) < 1 {
		return tooMany(l, now)
	}
	return nil
}

func tooMany(l *rate.Limiter, now time.Time) error {
	wait := time.Duration((1 - l.TokensAt(now)) / float64(l.Limit()) * float64(time.Second))
	return &Problem{Code: CodeTooMany, Detail: "Too many attempts from this address: try again later", RetryAfter: max(wait, time.Second)}
}

// seconds rounds up, as Retry-After counts.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// goodTokens bounds the tokens that are remembered as good.
const goodTokens = 8192

// tokenGuard bounds failing bearer tokens by client address. A phone with an old token
// must not lock out the others behind its address: tokens that were good before go on
// past an address that is used up.
type tokenGuard struct {
	failing *throttle
	good    *lru.Cache[string, struct{}]
}

func newTokenGuard(perMinute int) *tokenGuard {
	good, err := lru.New[string, struct{}](goodTokens)
	if err != nil {
		panic("server: " + err.Error()) // the size is constant and positive
	}
	return &tokenGuard{newThrottle(perMinute), good}
}

// before refuses a token before it is looked up, where its address is used up.
func (g *tokenGuard) before(address, hash string, now time.Time) error {
	if g.good.Contains(hash) {
		return nil
	}
	return g.failing.check(address, now)
}

// after notes how the look-up went.
func (g *tokenGuard) after(address, hash string, now time.Time, err error) {
	switch audit.ErrorCode(err) {
	case "":
		g.good.Add(hash, struct{}{})
	case audit.CodeUnauthorized, audit.CodeExpired, CodeRevoked:
		g.good.Remove(hash)
		g.failing.client(address).AllowN(now, 1)
	}
}

// clientKey is the address that a request's attempts are counted under: an IPv6 address
// by its /64, which is what one household or one server is given (RFC 6177).
func clientKey(c *gin.Context) string {
	given := c.ClientIP()
	a, err := netip.ParseAddr(given)
	if err != nil {
		return given
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}
