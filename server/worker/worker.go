// Package worker asks a vision worker, `porchlight-vision`, what it reads in a photo.
// A worker that fails costs a photo its reading and nothing else: every question has a
// deadline, answers are bounded and checked, and one that fails again and again is left
// alone for a while.
package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"porchlight/audit"
	"porchlight/audit/vision"
)

// Config is how a worker is reached.
type Config struct {
	// URL is http://HOST:PORT, https://HOST or unix:PATH. Several workers may stand
	// behind it.
	URL     string
	Timeout time.Duration // for one photo; 30 s where 0
}

// Client asks a worker. It is used by several goroutines at once.
type Client struct {
	http    *http.Client
	base    string
	timeout time.Duration
	breaker breaker
}

// New checks the URL; it does not connect.
func New(c Config) (*Client, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second}
	w := &Client{timeout: c.Timeout, base: strings.TrimRight(c.URL, "/")}
	if w.timeout <= 0 {
		w.timeout = 30 * time.Second
	}
	if path, ok := strings.CutPrefix(c.URL, "unix:"); ok {
		if path == "" {
			return nil, errors.New("unix: needs the path of a socket")
		}
		w.base = "http://worker"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	} else if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not http://HOST:PORT, https://HOST or unix:PATH", c.URL)
	}
	w.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return w, nil
}

// Read reads texts, packages and persons in a photo.
//
// Errors: [audit.CodeUnavailable] where no worker answers in time,
// [audit.CodeUndecodable] where the worker cannot read this photo.
func (c *Client) Read(ctx context.Context, photo []byte) (vision.Reading, error) {
	return look(ctx, c, "/v1/read", photo, ParseReading)
}

// Embed is what the worker's backbone makes of a photo, which a head is trained on.
// Errors: those of Read.
func (c *Client) Embed(ctx context.Context, photo []byte) (vision.Embedding, error) {
	return look(ctx, c, "/v1/embed", photo, ParseEmbedding)
}

// look sends a photo, unless the worker is left alone, and parses the answer.
func look[T any](ctx context.Context, c *Client, path string, photo []byte, parse func([]byte) (T, error)) (seen T, err error) {
	if !c.breaker.allow() {
		return seen, audit.Errorf(audit.CodeUnavailable, "The vision worker does not answer")
	}
	seen, err = send(ctx, c, path, photo, parse)
	if ctx.Err() == nil { // a caller who went away says nothing of the worker
		c.breaker.note(audit.ErrorCode(err) != audit.CodeUnavailable)
	}
	return seen, err
}

func send[T any](ctx context.Context, c *Client, path string, photo []byte, parse func([]byte) (T, error)) (none T, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for {
		res, body, err := c.ask(ctx, http.MethodPost, path, photo)
		if err != nil {
			return none, err
		}
		switch res.StatusCode {
		case http.StatusOK:
			r, err := parse(body)
			if err != nil {
				return none, audit.Errorf(audit.CodeUnavailable, "The vision worker does not answer as it should", err)
			}
			return r, nil
		case http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusRequestEntityTooLarge:
			return none, audit.Errorf(audit.CodeUndecodable, "The vision worker cannot read the photo", said(res, body))
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
			if err == nil && wait(ctx, time.Duration(min(max(seconds, 1), 5))*time.Second) {
				continue // busy, not broken
			}
		}
		return none, audit.Errorf(audit.CodeUnavailable, "The vision worker does not answer", said(res, body))
	}
}

// wait waits and tells whether the context has not ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Models are the names of the models that the worker runs.
// Errors: [audit.CodeUnavailable].
func (c *Client) Models(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, min(c.timeout, 5*time.Second))
	defer cancel()
	res, body, err := c.ask(ctx, http.MethodGet, "/healthz", nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, audit.Errorf(audit.CodeUnavailable, "The vision worker does not answer", said(res, body))
	}
	models, err := parseModels(body)
	if err != nil {
		return nil, audit.Errorf(audit.CodeUnavailable, "The vision worker does not answer as it should", err)
	}
	return models, nil
}

func (c *Client) ask(ctx context.Context, method, path string, body []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, audit.Errorf(audit.CodeInternal, "The vision worker's address is wrong", err)
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, nil, audit.Errorf(audit.CodeUnavailable, "The vision worker does not answer", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, audit.Errorf(audit.CodeUnavailable, "The vision worker does not answer", err)
	}
	return res, answer, nil
}

func said(res *http.Response, body []byte) error {
	return fmt.Errorf("%s: %.200s", res.Status, bytes.ToValidUTF8(body, []byte("?")))
}
