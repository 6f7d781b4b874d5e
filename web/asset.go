package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

// Asset is a static file as it is served.
type Asset struct {
	MediaType string
	// Tag is the head of its digest. Under an address with ?v= and the tag the file never
	// changes, so that caches keep it for good; see [AssetPath].
	Tag     string
	Gzipped []byte
	Plain   []byte // nil where the file was built compressed
}

// mediaTypes are those that a system's own table may lack.
var mediaTypes = map[string]string{".webmanifest": "application/manifest+json", ".js": "text/javascript; charset=utf-8", ".wasm": "application/wasm",
	".svg": "image/svg+xml", ".css": "text/css; charset=utf-8", ".png": "image/png"}

// assets are all static files by name, compressed once. A file that the build compressed, as
// the check on the phone, goes by its name without .gz.
var assets = sync.OnceValue(func() map[string]Asset {
	out := map[string]Asset{}
	err := fs.WalkDir(Static(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(Static(), name)
		if err != nil {
			return err
		}
		a := Asset{Plain: b}
		if strings.HasSuffix(name, ".gz") {
			name, a.Plain, a.Gzipped = strings.TrimSuffix(name, ".gz"), nil, b
		} else {
			a.Gzipped = gzipped(b)
		}
		sum := sha256.Sum256(b)
		a.Tag = hex.EncodeToString(sum[:8])
		if a.MediaType = mediaTypes[path.Ext(name)]; a.MediaType == "" {
			a.MediaType = mime.TypeByExtension(path.Ext(name))
		}
		out[name] = a
		return nil
	})
	if err != nil {
		panic("web: " + err.Error()) // embedded files are always there to be read
	}
	return out
})

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // a level that exists
	_, _ = w.Write(b)                                       // into memory
	_ = w.Close()
	return out.Bytes()
}

// FindAsset finds a static file by its name below [StaticPath].
func FindAsset(name string) (Asset, bool) {
	a, ok := assets()[name]
	return a, ok
}

// AssetPath is a static file's address for good; empty where there is no such file.
func AssetPath(name string) string {
	a, ok := FindAsset(name)
	if !ok {
		return ""
	}
	return StaticPath + name + "?v=" + a.Tag
}

// Serve writes the file, compressed where the client takes that.
func (a Asset) Serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.MediaType)
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", `"`+a.Tag+`"`)
	h.Set("Cache-Control", "public, max-age=3600")
	if r.URL.Query().Get("v") == a.Tag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if r.Header.Get("If-None-Match") == `"`+a.Tag+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.Plain
	switch {
	case strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"):
		h.Set("Content-Encoding", "gzip")
		body = a.Gzipped
	case body == nil:
		unzip, err := gzip.NewReader(bytes.NewReader(a.Gzipped))
		if err == nil {
			_, _ = io.Copy(w, unzip) // a client that went away
		}
		return
	}
	_, _ = w.Write(body)
}

// shell are the files that a driver's pages need with the network off.
var shell = []string{"porchlight.css", "phone.css", "icon.svg", "phone/queue.js", "phone/app.js", "phone/stop.js", "phone/check.js",
	"phone/manifest.webmanifest", "phone/wasm_exec.js", "phone/porchlight.wasm"}

// Worker is the service worker of the drivers' pages: its script after the addresses of the
// files that it keeps, so that it changes whenever one of them does.
var Worker = sync.OnceValue(func() []byte {
	about := struct {
		Version string   `json:"version"`
		Files   []string `json:"files"`
		Queue   string   `json:"queue"`
	}{Queue: AssetPath("phone/queue.js")}
	sum := sha256.New()
	for _, name := range shell {
		if to := AssetPath(name); to != "" {
			about.Files = append(about.Files, to)
			sum.Write([]byte(to))
		}
	}
	about.Version = hex.EncodeToString(sum.Sum(nil)[:8])
	b, err := json.Marshal(about)
	if err != nil {
		panic("web: " + err.Error()) // a struct of texts
	}
	script, _ := FindAsset("phone/worker.js")
	return append([]byte("const shell = "+string(b)+";\n"), script.Plain...)
})
