// Package nominatim asks a geocoding service that speaks Nominatim's search API where
// an address is (https://nominatim.org/release-docs/latest/api/Search/).
//
// It keeps to the usage policy of the public service, which others follow
// (https://operations.osmfoundation.org/policies/nominatim/): at most one request a
// second, with the program's name and, where one is given, an address to complain to.
// Errors never hold the address that was asked about.
package nominatim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

const (
	// MaxAnswerBytes bounds an answer; one place takes about 1 KiB.
	MaxAnswerBytes = 256 << 10
	// Timeout is how long one request may take.
	Timeout = 10 * time.Second
	// DefaultInterval is the time between two requests.
	DefaultInterval = time.Second
)

// Address is what is searched for. Empty parts are left out.
type Address struct {
	Street   string // house number and street, or the whole address in a line
	Locality string
	Postcode string
	Country  string // a name, or a code of two letters (ISO 3166-1)
}

// Config says which service to ask, and how. URL is required.
type Config struct {
	URL       string // where the service stands: its search is at URL/search
	UserAgent string // names the program
	Email     string // who runs it, sent along where given
	// Interval is the least time between two requests; default one second.
	Interval time.Duration
	HTTP     *http.Client // default one that follows no redirects
	Now      func() time.Time
	Sleep    func(ctx context.Context, d time.Duration) error // ends early with ctx's error
}

// Client asks one service, one request after another.
type Client struct {
	Config
	search *url.URL
	pace   *rate.Limiter
}

// New makes a client. The error says what is wrong with the URL.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not https://HOST or https://HOST/PATH", c.URL)
	}
	if c.Interval <= 0 {
		c.Interval = DefaultInterval
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	return &Client{Config: c, search: u.JoinPath("search"), pace: rate.NewLimiter(rate.Every(c.Interval), 1)}, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Host names the service.
func (c *Client) Host() string { return c.search.Host }

// StatusError is an answer other than 200.
type StatusError struct {
	Status     int
	RetryAfter time.Duration // that the service asks for; 0 for none
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("the geocoding service answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Status >= 300 && e.Status < 400 {
		s += ": redirects are not followed, it has to be named by its own URL"
	}
	return s
}

// Search looks for an address: by its parts, and where nothing is found, in the way
// that somebody would type it. found is false where the service knows no such place.
// Errors: [*StatusError], [ErrAnswer], those of the connection and the context.
func (c *Client) Search(ctx context.Context, a Address) (p Place, found bool, err error) {
	for _, q := range a.queries() {
		p, found, err = c.ask(ctx, q)
		if err != nil || found {
			return p, found, err
		}
	}
	return Place{}, false, nil
}

// queries are what to ask, one after another.
func (a Address) queries() []url.Values {
	parts, typed := url.Values{}, []string{}
	country := strings.TrimSpace(a.Country)
	code := len(country) == 2
	for _, p := range []struct{ name, value string }{
		{"street", a.Street}, {"city", a.Locality}, {"postalcode", a.Postcode}, {"country", country},
	} {
		if p.value == "" || p.name == "country" && code {
			continue
		}
		parts.Set(p.name, p.value)
		typed = append(typed, p.value)
	}
	all := []url.Values{parts, {"q": {strings.Join(typed, ", ")}}}
	if a.Locality == "" && a.Postcode == "" {
		all = all[1:] // the whole address in a line: no street's name
	}
	for _, q := range all {
		q.Set("format", "jsonv2")
		q.Set("limit", "1")
		q.Set("addressdetails", "0")
		if code {
			q.Set("countrycodes", strings.ToLower(country))
		}
	}
	return all
}

// ask sends one request, when its time has come.
func (c *Client) ask(ctx context.Context, q url.Values) (Place, bool, error) {
	now := c.Now()
	if wait := c.pace.ReserveN(now, 1).DelayFrom(now); wait > 0 {
		if err := c.Sleep(ctx, wait); err != nil {
			return Place{}, false, err
		}
	}
	if c.Email != "" {
		q.Set("email", c.Email)
	}
	u := *c.search
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Place{}, false, errors.New("the geocoding service cannot be asked") // err would quote the URL
	}
	req.Header.Set("Accept", "application/json")
	if c.UserAgent != "" {
		req.Header.Set("User-Agent", c.UserAgent)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return Place{}, false, fmt.Errorf("the geocoding service does not answer: %w", plain(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return Place{}, false, &StatusError{res.StatusCode, retryAfter(res.Header.Get("Retry-After"), c.Now())}
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, MaxAnswerBytes+1))
	if err != nil {
		return Place{}, false, fmt.Errorf("the geocoding service's answer breaks off: %w", plain(err))
	}
	p, found, err := Parse(b)
	p.Source = c.Host()
	return p, found, err
}

// plain is an error without the URL, which holds the address.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// retryAfter reads the header: seconds, or a time (RFC 9110, section 10.2.3).
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
