package server

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestOpenAPI holds the committed document to the one that is served.
func TestOpenAPI(t *testing.T) {
	got := servedSpec(t, newStack(t, unversioned))
	if *update {
		must(t, os.WriteFile("openapi.json", got, 0o644))
	}
	want, err := os.ReadFile("openapi.json")
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("openapi.json is not what is served; to write it anew: go test ./server -run TestOpenAPI -update\n(-committed +served)\n%s",
			cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
	}
	if again := servedSpec(t, newStack(t, unversioned)); !bytes.Equal(got, again) {
		t.Error("two servers describe themselves differently")
	}
}

// unversioned keeps the program's version out of the document.
func unversioned(c *Config) { c.Version = "" }

func servedSpec(t *testing.T, s *stack) []byte {
	t.Helper()
	r := s.send(t, s.request(t, "GET", "/openapi.json", "", nil))
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s", r.StatusCode, r.Header.Get("Content-Type"))
	}
	return r.body
}

func loadSpec(t *testing.T, spec []byte) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	must(t, err)
	return doc
}

// TestOpenAPIKeepsTheRules validates the document as OpenAPI 3.1 and holds it to the
// rules below.
func TestOpenAPIKeepsTheRules(t *testing.T) {
	s := newStack(t, unversioned)
	spec := servedSpec(t, s)
	doc := loadSpec(t, spec)
	if !doc.IsOpenAPI31OrLater() || strings.Contains(string(spec), "$schema") {
		t.Errorf("openapi %q with or without $schema links, want 3.1 without", doc.OpenAPI)
	}
	must(t, doc.Validate(t.Context(), openapi3.EnableMultiError()))
	for _, fault := range lint(doc, s.apiRoutes()) {
		t.Error(fault)
	}
}

// operationRules say what is wrong with an operation; "" where nothing is.
var operationRules = []func(path, method string, op *openapi3.Operation) string{
	func(_, _ string, op *openapi3.Operation) string {
		if op.OperationID == "" || op.Summary == "" || strings.HasSuffix(op.Summary, ".") {
			return "has no id, or no summary without a full stop"
		}
		return ""
	},
	func(_, _ string, op *openapi3.Operation) string {
		if len(op.Tags) != 1 {
			return fmt.Sprintf("has %d tags, not one", len(op.Tags))
		}
		return ""
	},
	func(_, _ string, op *openapi3.Operation) string {
		if op.Security == nil || len(*op.Security) == 0 || (*op.Security)[0]["bearer"] == nil {
			return "does not say what credentials it takes"
		}
		return ""
	},
	func(_, _ string, op *openapi3.Operation) string {
		for _, status := range []int{400, 401, 403, 429, 500, 503} {
			if op.Responses.Status(status) == nil {
				return fmt.Sprintf("has no answer %d", status)
			}
		}
		return ""
	},
	func(_, _ string, op *openapi3.Operation) string {
		for status, r := range op.Responses.Map() {
			if media := r.Value.Content[problemMedia]; status >= "4" &&
				(media == nil || len(r.Value.Content) != 1 || media.Schema == nil || media.Schema.Ref != schemaPrefix+"Problem") {
				return "answers " + status + " with something other than a problem document"
			}
		}
		return ""
	},
	func(_, _ string, op *openapi3.Operation) string {
		good := 0
		for status, r := range op.Responses.Map() {
			if status >= "3" {
				continue
			}
			good++
			if status != "204" && len(r.Value.Content) == 0 {
				return "answers " + status + " without a body"
			}
			for name, media := range r.Value.Content {
				if media.Schema == nil || name == "application/json" && media.Schema.Ref == "" {
					return "answers " + status + " with " + name + " of no named schema"
				}
			}
		}
		if good == 0 {
			return "has no good answer"
		}
		return ""
	},
	func(path, _ string, op *openapi3.Operation) string {
		var want, got []string
		for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
			want = append(want, name[1])
		}
		for _, p := range op.Parameters {
			if p.Value.Description == "" || p.Value.Schema == nil {
				return "does not say what " + p.Value.Name + " is"
			}
			if p.Value.In == "path" {
				got = append(got, p.Value.Name)
			}
		}
		return cmp.Diff(want, got)
	},
	func(path, method string, op *openapi3.Operation) string {
		bare := strings.HasSuffix(path, "/packets") || strings.HasSuffix(path, "/test")
		if method == "POST" && op.RequestBody == nil && !bare {
			return "takes no body"
		}
		return ""
	},
	func(_, method string, op *openapi3.Operation) string {
		r := op.Responses.Status(200)
		if method != "GET" || r == nil || r.Value.Content["application/json"] == nil {
			return ""
		}
		fields := r.Value.Content["application/json"].Schema.Value.Properties
		list, next, takes := fields["items"] != nil, fields["next"] != nil, op.Parameters.GetByInAndName("query", "cursor") != nil
		if list != next || next != takes {
			return fmt.Sprintf("is a list (%v), answers a cursor (%v) and takes one (%v)", list, next, takes)
		}
		return ""
	},
}

// lint is what is wrong with the document, and where it and the routes differ.
func lint(doc *openapi3.T, routes []route) []string {
	var faults []string
	ids, tags, described := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, tag := range doc.Tags {
		tags[tag.Name] = tag.Description != ""
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			key := method + " " + path
			described[key] = true
			for _, rule := range operationRules {
				if fault := rule(path, method, op); fault != "" {
					faults = append(faults, key+" "+fault)
				}
			}
			if ids[op.OperationID] {
				faults = append(faults, key+" has another's id "+op.OperationID)
			}
			ids[op.OperationID] = true
			for _, tag := range op.Tags {
				if !tags[tag] {
					faults = append(faults, key+" has the tag "+tag+", which is not explained")
				}
			}
		}
	}
	for _, r := range routes {
		if !strings.HasPrefix(r.path, "/api/") {
			continue
		}
		paths := []string{r.path}
		if r.doc != nil && r.doc.paths != nil {
			paths = r.doc.paths
		}
		for _, path := range paths {
			if key := r.method + " " + path; !described[key] {
				faults = append(faults, key+" is not described")
			} else {
				delete(described, key)
			}
		}
	}
	for key := range described {
		faults = append(faults, key+" is described and is no route")
	}
	slices.Sort(faults)
	return faults
}

// TestOpenAPIRulesFindFaults spoils the document in one place at a time.
func TestOpenAPIRulesFindFaults(t *testing.T) {
	s := newStack(t, unversioned)
	spec := servedSpec(t, s)
	for want, spoil := range map[string]func(doc *openapi3.T, op *openapi3.Operation){
		"has no id":            func(_ *openapi3.T, op *openapi3.Operation) { op.OperationID = "" },
		"another's id":         func(_ *openapi3.T, op *openapi3.Operation) { op.OperationID = "list-tokens" },
		"0 tags":               func(_ *openapi3.T, op *openapi3.Operation) { op.Tags = nil },
		"not explained":        func(doc *openapi3.T, _ *openapi3.Operation) { doc.Tags = doc.Tags[1:] },
		"credentials":          func(_ *openapi3.T, op *openapi3.Operation) { op.Security = nil },
		"no answer 429":        func(_ *openapi3.T, op *openapi3.Operation) { op.Responses.Delete("429") },
		"other than a problem": func(_ *openapi3.T, op *openapi3.Operation) { op.Responses.Status(404).Value.Content = nil },
		"without a body":       func(_ *openapi3.T, op *openapi3.Operation) { op.Responses.Status(200).Value.Content = nil },
		"no named schema": func(_ *openapi3.T, op *openapi3.Operation) {
			op.Responses.Status(200).Value.Content["application/json"].Schema.Ref = ""
		},
		"no good answer":               func(_ *openapi3.T, op *openapi3.Operation) { op.Responses.Delete("200") },
		"does not say what":            func(_ *openapi3.T, op *openapi3.Operation) { op.Parameters[0].Value.Description = "" },
		"run_id":                       func(_ *openapi3.T, op *openapi3.Operation) { op.Parameters = op.Parameters[1:] },
		"takes no body":                func(doc *openapi3.T, _ *openapi3.Operation) { doc.Paths.Value("/api/v1/tokens").Post.RequestBody = nil },
		"is a list":                    func(_ *openapi3.T, op *openapi3.Operation) { op.Parameters = op.Parameters[:1] },
		"is not described":             func(doc *openapi3.T, _ *openapi3.Operation) { doc.Paths.Delete("/api/v1/tokens") },
		"is described and is no route": func(doc *openapi3.T, op *openapi3.Operation) { doc.Paths.Value("/api/v1/tokens").Patch = op },
	} {
		t.Run(want, func(t *testing.T) {
			doc := loadSpec(t, spec)
			spoil(doc, doc.Paths.Value("/api/v1/reaudits/{run_id}").Get)
			if faults := lint(doc, s.apiRoutes()); !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, want) }) {
				t.Errorf("the faults found are %q", faults)
			}
		})
	}
}
