// Package stamper asks a time-stamp authority over HTTP (RFC 3161, 3.4).
package stamper

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"porchlight/audit/dispute"
)

// Client is a [dispute.Authority] that is asked over HTTP.
type Client struct {
	url       *url.URL
	userAgent string
	http      *http.Client
}

// New makes a client of the authority at that URL, which may hold a user and password.
// The error says what is wrong with it.
func New(authority, userAgent string) (*Client, error) {
	u, err := url.Parse(authority)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, fmt.Errorf("the time-stamp authority is not https://HOST/PATH")
	}
	return &Client{url: u, userAgent: userAgent,
		http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Name is the authority's URL without user, password and query.
func (c *Client) Name() string {
	return (&url.URL{Scheme: c.url.Scheme, Host: c.url.Host, Path: c.url.Path}).String()
}

// Stamp sends a request and reads the response, both in DER. Errors never hold the
// authority's password.
func (c *Client) Stamp(ctx context.Context, request []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Name(), bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = c.url.RawQuery
	if c.url.User != nil {
		password, _ := c.url.User.Password()
		req.SetBasicAuth(c.url.User.Username(), password)
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	req.Header.Set("User-Agent", c.userAgent)
	res, err := c.http.Do(req)
	if err != nil {
		if waited := ctx.Err(); waited != nil {
			return nil, fmt.Errorf("it does not answer")
		}
		return nil, fmt.Errorf("it cannot be reached")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, dispute.MaxTimestampBytes+1))
	if err != nil {
		return nil, fmt.Errorf("its answer breaks off")
	}
	return b, nil
}
