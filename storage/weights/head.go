package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"porchlight/audit/vision/head"
)

// LandmarkHead is the file of the head that `porchlight models train` makes. It is the
// operator's own, so nothing pins it; it names the backbone that it fits.
const LandmarkHead = "landmark-head.json"

// BackboneTensor is the tensor of the installed objects model that stands for a whole
// photo: what MobileNetV2's last layer of 1280 channels gives, before the boxes are read off.
const BackboneTensor = "t213"

// Backbone names what embeddings are made by: the objects model and the tensor.
func Backbone() string {
	for _, f := range catalogue {
		if f.Name == Objects {
			s := sha256.Sum256([]byte(f.Digest + " " + BackboneTensor))
			return hex.EncodeToString(s[:])
		}
	}
	return ""
}

// ErrOtherBackbone says that a head was trained on another model than is installed.
var ErrOtherBackbone = errors.New("trained on another objects model: run `porchlight models train` again")

// LoadHead reads the folder's head. It fails with [fs.ErrNotExist] where none was trained
// and with [ErrOtherBackbone] where it does not fit.
func LoadHead(dir string) (*head.Head, error) {
	f, err := os.Open(filepath.Join(dir, LandmarkHead))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, head.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	h, err := head.Parse(b)
	if err == nil && h.Backbone != Backbone() {
		err = ErrOtherBackbone
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", LandmarkHead, err)
	}
	return h, nil
}

// SaveHead puts a head into the folder, whole or not at all, in the place of the one before.
func SaveHead(dir string, h *head.Head) error {
	b, err := h.Encode()
	if err == nil {
		_, err = head.Parse(b)
	}
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(dir, ".train-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	return place(filepath.Join(dir, LandmarkHead), scratch, b)
}
