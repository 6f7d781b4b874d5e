package sender

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"porchlight/audit"
	"porchlight/audit/webhook"
)

const (
	maxAnswerBytes = 64 << 10
	maxHeaderBytes = 16 << 10 // of an answer
	maxErrorBytes  = 300      // of the words that are kept
)

// newClient makes the client that messages are sent with.
func newClient(allowPrivate bool, perEndpoint int) *http.Client {
	dialer := &net.Dialer{Timeout: attemptTime}
	if !allowPrivate {
		dialer.Control = refusePrivate
	}
	return &http.Client{
		Timeout:       attemptTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil, // one in between would connect to what we refuse
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxConnsPerHost:        webhook.MaxEndpoints * perEndpoint,
			MaxIdleConns:           webhook.MaxEndpoints * perEndpoint,
			MaxIdleConnsPerHost:    perEndpoint,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxHeaderBytes,
		},
	}
}

// errPrivate is what connecting to an address fails with that is not a public one.
var errPrivate = errors.New("the address is private or reserved, which --webhook-allow-private alone permits")

// refusePrivate looks at the address that is about to be dialled, after its name was
// resolved.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !webhook.Public(at.Addr()) {
		return errPrivate
	}
	return nil
}

// attempt sends a message once and tells what came of it.
func (d *Dispatcher) attempt(ctx context.Context, e webhook.Endpoint, m webhook.Message) webhook.Attempt {
	a := webhook.Attempt{EndpointID: e.EndpointID, MessageID: m.MessageID, Number: m.Attempts}
	answer, err := d.post(ctx, e, m)
	a.At, a.Status = d.Now(), answer.status
	switch {
	case err != nil:
		a.Error = words(err)
	case answer.status >= 200 && answer.status <= 299:
		a.State = webhook.Delivered
		return a
	default:
		a.Error = strings.TrimSpace(strconv.Itoa(answer.status) + " " + http.StatusText(answer.status))
		if answer.status >= 300 && answer.status <= 399 {
			a.Error += ": redirects are not followed"
		}
	}
	wait, again := pause(a.Number, answer.retryAfter, d.Random())
	if a.Gone = answer.status == http.StatusGone; a.Gone || !again {
		a.State = webhook.Failed
		return a
	}
	a.State, a.NextAt = webhook.Pending, a.At.Add(wait)
	return a
}

// answer is what the sender wants to know of an endpoint's answer.
type answer struct {
	status     int
	retryAfter time.Duration
}

func (d *Dispatcher) post(ctx context.Context, e webhook.Endpoint, m webhook.Message) (answer, error) {
	now := d.Now()
	headers, err := e.Sign(m, now)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(m.Body))
	if err != nil {
		return answer{}, err
	}
	if req.URL.Scheme != "https" && !d.AllowPrivate {
		return answer{}, errors.New("the URL is not https, which --webhook-allow-private alone permits")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", d.UserAgent)
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := d.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	// What it says is of no interest, but a connection whose answer was read serves again.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswerBytes))
	a := answer{status: res.StatusCode}
	if a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable {
		a.retryAfter = retryAfter(res.Header.Get("Retry-After"), now)
	}
	return a, nil
}

// words says why nothing was answered, for an administrator: without the URL, which
// may hold a secret.
func words(err error) string {
	var outer *url.Error
	var timeout net.Error
	switch {
	case errors.Is(err, errPrivate):
		return errPrivate.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer within " + attemptTime.String()
	case errors.As(err, &outer):
		err = outer.Err
	}
	text := err.Error()
	var known *audit.Error
	if errors.As(err, &known) {
		text = known.Message
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "?")
	if len(text) > maxErrorBytes {
		text = strings.ToValidUTF8(text[:maxErrorBytes], "")
	}
	return text
}
