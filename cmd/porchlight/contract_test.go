package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

func init() {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.PlainBodyDecoder)
	for _, media := range []string{"application/zip", "image/jpeg", "image/png", "image/webp", "image/heic"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
	}
}

// contract is a service's own OpenAPI document, which its requests and answers are held to.
type contract struct{ paths []contractPath }

type contractPath struct {
	template string
	pattern  *regexp.Regexp
	item     *openapi3.PathItem
	doc      *openapi3.T
}

// readContract reads the document that a service serves.
func readContract(t testing.TB, service string) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromURI(&url.URL{Scheme: "http", Host: strings.TrimPrefix(service, "http://"), Path: "/openapi.json"})
	if err != nil {
		t.Fatalf("/openapi.json: %v", err)
	}
	c := &contract{}
	for template, item := range doc.Paths.Map() {
		pattern := regexp.MustCompile(`\\\{(\w+)\\\}`).ReplaceAllString(regexp.QuoteMeta(template), `(?P<$1>[^/]+?)`)
		c.paths = append(c.paths, contractPath{template, regexp.MustCompile("^" + pattern + "$"), item, doc})
	}
	return c
}

// route finds a request's operation. A path with a suffix goes before one without.
func (c *contract) route(method, path string) (r *routers.Route, params map[string]string, err error) {
	for _, p := range c.paths {
		found := p.pattern.FindStringSubmatch(path)
		if found == nil || r != nil && len(r.Path) > len(p.template) {
			continue
		}
		op := p.item.GetOperation(method)
		if op == nil {
			continue
		}
		r, params = &routers.Route{Spec: p.doc, Path: p.template, PathItem: p.item, Method: method, Operation: op}, map[string]string{}
		for i, name := range p.pattern.SubexpNames() {
			if name != "" {
				params[name] = found[i]
			}
		}
	}
	if r == nil {
		return nil, nil, fmt.Errorf("%s %s is not described", method, path)
	}
	return r, params, nil
}

// check holds a request with its answer to the document. A request that is meant to be
// invalid is not checked itself; its answer is, unless there is nothing at its address.
func (c *contract) check(req *http.Request, body []byte, invalid bool, a answer) error {
	route, params, err := c.route(req.Method, req.URL.Path)
	if err != nil {
		if invalid && (a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed) {
			return nil
		}
		return err
	}
	req = req.Clone(context.Background())
	req.Body = http.NoBody
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
		RejectWhenRequestBodyNotSpecified: len(body) > 0, SkipSettingDefaults: true,
	}}
	if len(body) > 0 {
		req.Body, req.ContentLength = readCloser{bytes.NewReader(body)}, int64(len(body))
	}
	if !invalid {
		if err := openapi3filter.ValidateRequest(req.Context(), in); err != nil {
			return fmt.Errorf("the request: %w", err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: a.status, Header: a.header, Options: in.Options}
	out.SetBodyBytes(a.body)
	if err := openapi3filter.ValidateResponse(req.Context(), out); err != nil {
		return fmt.Errorf("the answer %d: %w", a.status, err)
	}
	return nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// TestContractFindsFaults shows that a request or an answer against the document is seen.
func TestContractFindsFaults(t *testing.T) {
	at := []string{"--data", t.TempDir(), "--log-level", "error"}
	p := startServer(t, at...)
	c := readContract(t, p.url)
	good := answer{200, http.Header{"Content-Type": {"application/json"}}, []byte(`{"items":[],"next":""}`)}
	form, formType := form(t, []byte("photo"), map[string]string{"role": "placement", "latitude": "47.6"})
	spoiled := bytes.Replace(form, []byte("47.6"), []byte("north"), 1)
	created := answer{201, http.Header{"Content-Type": {"application/json"}}, []byte(`{"event_id":"E1"}`)}
	refused := func(body string) answer {
		return answer{422, http.Header{"Content-Type": {"application/problem+json"}}, []byte(body)}
	}
	problem := refused(`{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"limit is at least 1","code":"invalid"}`)
	const event = `{"kind":"note","at":"2026-05-04T12:00:00Z"}`
	for _, test := range []struct {
		name, method, path, contentType, body string
		invalid                               bool
		answer                                answer
		want                                  string // within the fault; "" for none
	}{
		{name: "as described", method: "GET", path: "/api/v1/claims?limit=5", answer: good},
		{name: "a query out of range", method: "GET", path: "/api/v1/claims?limit=0", answer: good, want: "the request"},
		{name: "meant so", method: "GET", path: "/api/v1/claims?limit=0", invalid: true, answer: problem},
		{name: "no such path", method: "GET", path: "/api/v1/nothing", answer: good, want: "not described"},
		{name: "no such method", method: "PATCH", path: "/api/v1/claims", answer: good, want: "not described"},
		{name: "a field too many", method: "GET", path: "/api/v1/claims", want: "the answer 200",
			answer: answer{200, good.header, []byte(`{"items":[],"next":"","more":1}`)}},
		{name: "a field too few", method: "GET", path: "/api/v1/claims", answer: answer{200, good.header, []byte(`{"items":[]}`)}, want: "the answer 200"},
		{name: "another status", method: "GET", path: "/api/v1/claims", answer: answer{418, good.header, good.body}, want: "the answer 418"},
		{name: "another media type", method: "GET", path: "/api/v1/claims", answer: answer{200, http.Header{"Content-Type": {"text/html"}}, good.body}, want: "the answer 200"},
		{name: "a problem without a code", method: "GET", path: "/api/v1/claims", answer: refused(`{"type":"about:blank","title":"","status":422}`), want: "the answer 422"},
		{name: "a body", method: "POST", path: "/api/v1/deliveries/T1/events", contentType: "application/json", body: event, answer: created},
		{name: "a body without its time", method: "POST", path: "/api/v1/deliveries/T1/events", contentType: "application/json",
			body: `{"kind":"note"}`, answer: created, want: "the request"},
		{name: "another body", method: "POST", path: "/api/v1/deliveries/T1/events", contentType: "text/plain", body: event, answer: created, want: "the request"},
		{name: "a form", method: "POST", path: "/api/v1/deliveries/T1/photos", contentType: formType, body: string(form), answer: problem},
		{name: "a form with a word for a number", method: "POST", path: "/api/v1/deliveries/T1/photos", contentType: formType, body: string(spoiled),
			answer: problem, want: "the request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := http.NewRequest(test.method, p.url+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.contentType != "" {
				req.Header.Set("Content-Type", test.contentType)
			}
			err = c.check(req, []byte(test.body), test.invalid, test.answer)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
