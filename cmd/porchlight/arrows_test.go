package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// floors are the packages from the ground up. A package imports only packages of lower
// floors, and of its own floor only what is named in beside.
var floors = [][]string{
	{"audit/pixel", "audit/exif", "audit/geo", "audit/vision"},
	{"audit/pixel/decode", "audit/geo/nominatim", "audit/vision/ocr", "audit/vision/objects", "audit/vision/scene", "audit/vision/head"},
	{"audit"},
	{"audit/rows", "audit/custody"},
	{"audit/dispute", "audit/standing"},
	{"audit/webhook", "audit/dispute/pdf"},
	{"storage"},
	{"storage/sqldb", "storage/dir", "storage/s3", "storage/storagetest", "storage/weights/onnx"},
	{"storage/weights/tflite"},
	{"storage/weights"},
	{"web", "web/browsertest", "server/sender", "server/geocoder", "server/stamper", "server/worker"},
	{"server"},
	{"cmd/porchlight", "cmd/porchlight-vision", "cmd/porchlight-wasm"},
}

// forbidden are imports that a part of the house does without, whatever its floor.
var forbidden = map[string][]string{
	"audit":   {"database/sql", "net/http", "github.com/gin-gonic/", "github.com/minio/", "modernc.org/", "github.com/jackc/"},
	"server":  {"porchlight/storage"},
	"web":     {"porchlight/storage", "porchlight/server", "github.com/gin-gonic/"},
	"storage": {"porchlight/server", "porchlight/web", "github.com/gin-gonic/"},
}

// allowed are the exceptions: the leaf that asks another service is an HTTP client, which
// nothing in audit imports.
var allowed = map[string][]string{"porchlight/audit/geo/nominatim": {"net/http"}}

func TestArrows(t *testing.T) {
	floor := map[string]int{}
	for n, names := range floors {
		for _, name := range names {
			floor["porchlight/"+name] = n
		}
	}
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "porchlight/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath == "porchlight/fixtures" { // beside the floors: drawn for tests and the demo
			continue
		}
		own, ok := floor[p.ImportPath]
		if !ok {
			t.Errorf("%s stands on no floor", p.ImportPath)
		}
		seen++
		for _, i := range p.Imports {
			if n, ok := floor[i]; ok && n >= own {
				t.Errorf("%s imports %s: imports only go down", p.ImportPath, i)
			}
			part, _, _ := strings.Cut(strings.TrimPrefix(p.ImportPath, "porchlight/"), "/")
			for _, f := range forbidden[part] {
				if strings.HasPrefix(i, f) && !slices.Contains(allowed[p.ImportPath], i) {
					t.Errorf("%s imports %s", p.ImportPath, i)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d packages seen", seen)
	}
}
