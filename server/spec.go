package server

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"porchlight/audit"
	"porchlight/audit/rows"
	"porchlight/audit/standing"
)

const schemaPrefix = "#/components/schemas/"

// operation is what the OpenAPI document says of a route beyond its method, path and
// roles.
type operation struct {
	id, summary, text, tag string
	status                 int   // of the answer where all is well; 200 where 0
	errors                 []int // beside those that every route may give
	// by hand, where huma does not read and write the bodies itself
	paths   []string // in place of the route's own, where that stands for several
	params  []*huma.Param
	request *huma.RequestBody
	// answers are those where all is well, of one of the paths: all of them of a route that
	// huma does not write, else those beside the one that it describes.
	answers func(r huma.Registry, path string) map[string]*huma.Response
}

// problems describes the error answers.
func (o *operation) problems() map[string]*huma.Response {
	out := map[string]*huma.Response{}
	for _, status := range slices.Concat([]int{400, 401, 403, 429, 500, 503}, o.errors) {
		out[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{problemMedia: {Schema: &huma.Schema{Ref: schemaPrefix + "Problem"}}},
		}
	}
	return out
}

// responses describes all answers of one path that are not huma's to describe.
func (o *operation) responses(r huma.Registry, path string) map[string]*huma.Response {
	out := o.problems()
	if o.answers != nil {
		maps.Copy(out, o.answers(r, path))
	}
	return out
}

// describe adds an operation whose handler is not huma's.
func (o *operation) describe(doc *huma.OpenAPI, op huma.Operation) {
	op.RequestBody = o.request
	paths := o.paths
	if paths == nil {
		paths = []string{op.Path}
	}
	for i, path := range paths {
		one := op
		one.Path = path
		one.Parameters = slices.Concat(pathParams(path), o.params)
		one.Responses = o.responses(doc.Components.Schemas, path)
		if i > 0 {
			one.OperationID += "-" + path[strings.LastIndex(path, ".")+1:]
		}
		doc.AddOperation(&one)
	}
}

// pathWords says what the parameters of paths name.
var pathWords = map[string]string{
	"tracking_id":   "The package's tracking id",
	"attachment_id": "The attachment's id",
	"channel":       "A channel's name, as in the list of those that the packet fits",
	"upload_id":     "The upload's id, as uploading answered",
	"photo_id":      "SHA-256 of the photo's bytes, 64 hex digits",
	"packet_id":     "The packet's id, as issuing it answered",
}

func pathParams(path string) []*huma.Param {
	var out []*huma.Param
	for rest := path; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			return out
		}
		name, tail, _ := strings.Cut(after, "}")
		out = append(out, &huma.Param{Name: name, In: "path", Required: true, Description: pathWords[name], Schema: &huma.Schema{Type: huma.TypeString}})
		rest = tail
	}
}

// apiConfig is huma's configuration: JSON alone, strict about what it does not know,
// without pages of its own (they load scripts from elsewhere) and without $schema links.
func apiConfig(version string) huma.Config {
	c := huma.DefaultConfig("Porchlight", version)
	c.CreateHooks, c.OpenAPIPath, c.DocsPath, c.SchemasPath = nil, "", "", ""
	c.RejectUnknownQueryParameters = true
	c.Transformers = []huma.Transformer{humaErrors}
	c.Info.Description = "Proof-of-delivery photos, judged at the doorstep and turned into dispute packets. " +
		"Times are RFC 3339, coordinates degrees (WGS 84), distances metres. Every error is an RFC 9457 problem document with a stable code."
	schemas := huma.NewMapRegistry(schemaPrefix, schemaName)
	schemas.RegisterTypeAlias(reflect.TypeFor[audit.Proofs](), reflect.TypeFor[[]audit.Proof]())
	schemas.Schema(reflect.TypeFor[Problem](), true, "")
	c.Components.Schemas = schemas
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"bearer": {
		Type: "http", Scheme: "bearer",
		Description: "A token made with `porchlight token create` or POST /api/v1/tokens. It carries a role and, for a driver, the driver's id.",
	}}
	c.Tags = []*huma.Tag{
		{Name: "deliveries", Description: "What was promised and what happened"},
		{Name: "photos", Description: "Photos, exactly as received, and the reports on them"},
		{Name: "claims", Description: "Claims and the packets that answer them"},
		reviewsTag,
		{Name: "standings", Description: "Drivers' figures, held against the operator's targets, and what they are made of"},
		{Name: "holds", Description: "Legal holds, which keep photos from being deleted"},
		{Name: "tokens", Description: "Credentials of drivers and programs"},
		{Name: "reaudits", Description: "Judging stored photos again"},
		{Name: "webhooks", Description: "Telling other programs what happened"},
		{Name: "custody", Description: "Who uploaded, looked at, exported or changed what"},
	}
	return c
}

// schemaName tells apart types of one name in different packages.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[audit.Problem]():
		return "PhotoProblem"
	case t == reflect.TypeFor[rows.Summary]():
		return "ImportSummary"
	case t == reflect.TypeFor[standing.Event]():
		return "StandingEvent"
	}
	return name
}

// specJSON writes the document, the same bytes each time.
func specJSON(doc *huma.OpenAPI) ([]byte, error) {
	// huma adds its own error type wherever it might answer it; ours stands in its place.
	delete(doc.Components.Schemas.Map(), "ErrorModel")
	delete(doc.Components.Schemas.Map(), "ErrorDetail")
	// A photo that does not decode has no pixels. huma takes the fields of an embedded
	// pointer for required ones.
	if m := doc.Components.Schemas.Map()["Measurement"]; m != nil {
		m.Required = []string{"exif", "version"}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
