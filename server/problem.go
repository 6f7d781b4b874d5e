package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/rows"
)

// Codes that only the server gives.
const (
	CodeRevoked    audit.Code = "token_revoked"          // the credentials were taken back
	CodeMethod     audit.Code = "method_not_allowed"     // the path exists, not with this method
	CodeTooMuch    audit.Code = "body_too_large"         // a body that is no photo, over its bound
	CodeMediaType  audit.Code = "media_type_unsupported" // a body of a type that the path does not take
	CodeTimeout    audit.Code = "timeout"                // the body took too long to arrive
	CodeCrossSite  audit.Code = "cross_site"             // a form that was not sent from our own page
	CodeRejected   audit.Code = "rows_rejected"          // every row of an import was rejected
	CodeTooMany    audit.Code = "too_many_attempts"      // from one address; Retry-After says when to go on
	CodeSignIn     audit.Code = "sign_in_failed"         // the OpenID provider's answer is no good
	CodeProvider   audit.Code = "provider_unavailable"   // the OpenID provider does not answer
	CodeNoRole     audit.Code = "role_missing"           // the OpenID provider knows the person, Porchlight has no role for them
	CodeCancelled  audit.Code = "cancelled"              // the client went away
	problemType               = "about:blank"
	problemMedia              = "application/problem+json"
	retryAfterSecs            = "2"
)

// statuses is the one place where codes become HTTP statuses. A code that is not here
// is an internal error.
var statuses = map[audit.Code]int{
	audit.CodeInternal:       http.StatusInternalServerError,
	audit.CodeInvalid:        http.StatusUnprocessableEntity,
	audit.CodeUnknownField:   http.StatusBadRequest,
	audit.CodeNotFound:       http.StatusNotFound,
	audit.CodeConflict:       http.StatusConflict,
	audit.CodeImmutable:      http.StatusConflict,
	audit.CodeForbidden:      http.StatusForbidden,
	audit.CodeUnauthorized:   http.StatusUnauthorized,
	audit.CodeExpired:        http.StatusUnauthorized,
	audit.CodeEmpty:          http.StatusBadRequest,
	audit.CodeTooLarge:       http.StatusRequestEntityTooLarge,
	audit.CodeTooManyPix:     http.StatusRequestEntityTooLarge,
	audit.CodeNotAPhoto:      http.StatusUnsupportedMediaType,
	audit.CodeUndecodable:    http.StatusUnprocessableEntity,
	audit.CodeUnreadable:     http.StatusBadRequest,
	audit.CodeDelivery:       http.StatusNotFound,
	audit.CodeNotYours:       http.StatusForbidden,
	audit.CodeChecklist:      http.StatusUnprocessableEntity,
	audit.CodeUnavailable:    http.StatusServiceUnavailable,
	audit.CodeBusy:           http.StatusServiceUnavailable,
	audit.CodeCorrupted:      http.StatusInternalServerError,
	audit.CodeDeleted:        http.StatusGone,
	dispute.CodeChannelLimit: http.StatusUnprocessableEntity,
	CodeRevoked:              http.StatusUnauthorized,
	CodeMethod:               http.StatusMethodNotAllowed,
	CodeTooMuch:              http.StatusRequestEntityTooLarge,
	CodeMediaType:            http.StatusUnsupportedMediaType,
	CodeTimeout:              http.StatusRequestTimeout,
	CodeCrossSite:            http.StatusForbidden,
	CodeRejected:             http.StatusUnprocessableEntity,
	CodeTooMany:              http.StatusTooManyRequests,
	CodeSignIn:               http.StatusUnauthorized,
	CodeProvider:             http.StatusServiceUnavailable,
	CodeNoRole:               http.StatusForbidden,
	CodeCancelled:            499, // nobody reads it; for the log and the metrics
}

// Status is the HTTP status of a code.
func Status(code audit.Code) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Problem is the body of every error: an RFC 9457 problem document with a stable code.
type Problem struct {
	Type      string     `json:"type"`
	Title     string     `json:"title"` // the status in words
	Status    int        `json:"status"`
	Detail    string     `json:"detail"` // for people; it may change
	Code      audit.Code `json:"code"`   // for programs; it does not
	RequestID string     `json:"request_id,omitempty"`
	// Kept says what became of the rows of an import that failed on the way.
	Kept *Kept `json:"kept,omitempty"`
	// Rejected are the rows of an import that were not taken.
	Rejected []rows.Rejection `json:"rejected,omitempty"`
	// RetryAfter is sent as the header of that name.
	RetryAfter time.Duration `json:"-"`
}

// Error is the problem in words.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status; the name is huma's.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is the media type of problem documents; the name is huma's.
func (p *Problem) ContentType(string) string { return problemMedia }

// GetHeaders are the headers that go with the problem; the name is huma's.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	switch p.Status {
	case http.StatusTooManyRequests:
		h.Set("Retry-After", strconv.Itoa(seconds(p.RetryAfter)))
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfterSecs)
	case http.StatusUnauthorized:
		challenge := `Bearer realm="porchlight"`
		if p.Code != audit.CodeUnauthorized {
			challenge += `, error="invalid_token"`
		}
		h.Set("WWW-Authenticate", challenge)
	}
	return h
}

// problemOf is what a client may know of an error. The cause stays behind: in the
// exchange, for the log.
func problemOf(ctx context.Context, err error) *Problem {
	var p *Problem
	if !errors.As(err, &p) {
		code, detail := audit.ErrorCode(err), audit.ErrorMessage(err)
		switch {
		case code != audit.CodeInternal:
		case errors.Is(err, context.Canceled):
			code, detail = CodeCancelled, "The request was cancelled"
		case errors.Is(err, context.DeadlineExceeded):
			code, detail = audit.CodeUnavailable, "That took too long: try again"
		}
		if Status(code) == http.StatusInternalServerError && code != audit.CodeCorrupted {
			code, detail = audit.CodeInternal, "Internal error"
		}
		p = &Problem{Detail: detail, Code: code}
	}
	p.Type = problemType
	if p.Status == 0 {
		p.Status = Status(p.Code)
	}
	if p.Title = http.StatusText(p.Status); p.Title == "" {
		p.Title = "Client Closed Request"
	}
	x := exchangeOf(ctx)
	p.RequestID, x.code = x.id, p.Code
	if p.Status >= 500 && x.err == nil {
		x.err = err
	}
	return p
}

// fail answers an error: a page to people who look at pages, else a problem document.
func (s *Server) fail(c *gin.Context, err error) {
	p := problemOf(c.Request.Context(), err)
	c.Abort()
	if c.Writer.Written() {
		// The answer is under way: only a broken connection still tells the client.
		panic(http.ErrAbortHandler)
	}
	if p.Code != CodeTimeout {
		s.drain(c.Request)
	}
	for k, v := range p.GetHeaders() {
		c.Writer.Header()[k] = v
	}
	c.Header("Cache-Control", "no-store")
	if s.wantsPage(c) {
		s.problemPage(c, p)
		return
	}
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"type":"about:blank","title":"Internal Server Error","status":500,"code":"internal"}`)
	}
	c.Data(p.Status, problemMedia, append(body, '\n'))
}

// wantsPage tells whether a person is looking: a page's route, but for what a page's script
// asks, or no route at all outside the API with a browser asking.
func (s *Server) wantsPage(c *gin.Context) bool {
	if rt := exchangeOf(c.Request.Context()).route; rt != nil {
		return rt.page && !byScript(c)
	}
	return !strings.HasPrefix(c.Request.URL.Path, "/api/") && strings.Contains(c.GetHeader("Accept"), "text/html")
}

const (
	drainBytes = 40 << 20
	drainTime  = 5 * time.Second
)

// drain reads what a client is still sending, within bounds, before an error is
// answered: many clients send the whole body before they listen, and a connection
// closed on them looks like a network failure instead of our answer. A client that
// asked first (Expect: 100-continue) is sending nothing.
func (s *Server) drain(r *http.Request) {
	x := exchangeOf(r.Context())
	if x.body == nil || r.ContentLength == 0 || strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return
	}
	if x.control != nil {
		// The deadline matters to a client that stalls; where it cannot be set the server's own holds.
		_ = x.control.SetReadDeadline(time.Now().Add(drainTime))
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(x.body, drainBytes))
}

// humaErrors turns the errors that huma makes itself (a query that does not validate,
// a body that is no JSON) into problem documents. Values that the client sent are not
// sent back.
func humaErrors(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := audit.CodeInvalid
	switch m.Status {
	case http.StatusBadRequest:
		code = audit.CodeUnreadable
	case http.StatusRequestEntityTooLarge:
		code = CodeTooMuch
	case http.StatusUnsupportedMediaType:
		code = CodeMediaType
	case http.StatusRequestTimeout:
		code = CodeTimeout
	}
	if m.Status >= 500 {
		return problemOf(ctx.Context(), errors.New(m.Detail)), nil
	}
	words := []string{}
	for _, e := range m.Errors {
		w := e.Message
		if e.Location != "" {
			w = e.Location + ": " + w
		}
		words = append(words, w)
		if e.Message == "unexpected property" || strings.HasPrefix(e.Message, "unknown query") {
			code = audit.CodeUnknownField
		}
	}
	if len(words) == 0 {
		words = append(words, m.Detail)
	}
	return problemOf(ctx.Context(), &Problem{Code: code, Status: m.Status, Detail: strings.Join(words, "; ")}), nil
}

// answer writes a JSON answer.
func answer(c *gin.Context, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.Data(status, "application/json", append(body, '\n'))
	return nil
}

// invalid is a value that is out of its range.
func invalid(format string, args ...any) error {
	return &audit.Error{Code: audit.CodeInvalid, Message: fmt.Sprintf(format, args...)}
}
