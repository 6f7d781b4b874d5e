package dispute

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"aead.dev/minisign"

	"porchlight/audit"
)

// Names of the key files in their folder.
const (
	SecretKeyFile = "porchlight.key"
	PublicKeyFile = "porchlight.pub"
)

// Signer signs packets with a minisign key.
type Signer struct{ key minisign.PrivateKey }

// PublicKey is the key that a signer's packets are verified with.
type PublicKey struct{ key minisign.PublicKey }

// ParsePublicKey reads a minisign public key: the file's two lines, or the key's one.
// Errors: [audit.CodeInvalid].
func ParsePublicKey(text []byte) (*PublicKey, error) {
	var k minisign.PublicKey
	if err := k.UnmarshalText(bytes.TrimSpace(text)); err != nil {
		return nil, audit.Errorf(audit.CodeInvalid, "That is not a minisign public key", err)
	}
	return &PublicKey{key: k}, nil
}

// ID is the key's id as minisign prints it.
func (k *PublicKey) ID() string { return keyID(k.key.ID()) }

// Text is the key as minisign's public key file has it.
func (k *PublicKey) Text() []byte {
	return fmt.Appendf(nil, "untrusted comment: minisign public key %s\n%s\n", k.ID(), k.key.String())
}

// PublicKey is what the signer's packets are verified with.
func (s *Signer) PublicKey() *PublicKey {
	return &PublicKey{key: s.key.Public().(minisign.PublicKey)}
}

// sign makes a minisign signature file of b. Ed25519 is deterministic (RFC 8032, 5.1.6),
// and so is the file.
func (s *Signer) sign(b []byte, trusted string) []byte {
	r := minisign.NewReader(bytes.NewReader(b))
	if _, err := r.Read(make([]byte, len(b))); err != nil && len(b) > 0 {
		panic(err) // a bytes.Reader does not fail
	}
	return r.SignWithComments(s.key, trusted, untrustedComment(s.key.ID()))
}

func untrustedComment(id uint64) string { return "signature from porchlight key " + keyID(id) }

// keyID is a key's id as minisign prints it.
func keyID(id uint64) string { return fmt.Sprintf("%X", id) }

// LoadOrCreateKey reads the signing key in a folder, or makes one: porchlight.key
// (minisign's own format without a password, for its owner alone to read) and
// porchlight.pub. Of several processes that start at once, one makes the key and all
// use it. Errors: [audit.CodeUnreadable], [audit.CodeInvalid] for a file that holds no
// such key, [audit.CodeConflict] where the two files do not belong together.
func LoadOrCreateKey(dir string) (*Signer, error) {
	path := filepath.Join(dir, SecretKeyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createKey(path); err != nil {
			return nil, audit.Errorf(audit.CodeUnreadable, "The signing key %s cannot be written", SecretKeyFile, err)
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, audit.Errorf(audit.CodeUnreadable, "The signing key %s cannot be read", SecretKeyFile, err)
	}
	var s Signer
	if err := s.key.UnmarshalText(bytes.TrimSpace(text)); err != nil {
		return nil, audit.Errorf(audit.CodeInvalid, "%s is no minisign secret key without a password", SecretKeyFile, err)
	}
	if err := s.publish(filepath.Join(dir, PublicKeyFile)); err != nil {
		return nil, err
	}
	return &s, nil
}

func createKey(path string) error {
	_, key, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	text, err := key.MarshalText()
	if err != nil {
		return err
	}
	err = writeOnce(path, append(text, '\n'), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was faster
	}
	return err
}

// publish writes the public key beside the secret one, or checks the one that is there.
func (s *Signer) publish(path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = writeOnce(path, s.PublicKey().Text(), 0o644)
		if err == nil {
			return nil
		}
		if errors.Is(err, fs.ErrExist) {
			text, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return audit.Errorf(audit.CodeUnreadable, "The public key %s cannot be read or written", PublicKeyFile, err)
	}
	have, err := ParsePublicKey(text)
	if err != nil {
		return err
	}
	if !have.key.Equal(s.PublicKey().key) {
		return audit.Errorf(audit.CodeConflict, "%s is not the public key of %s", PublicKeyFile, SecretKeyFile)
	}
	return nil
}

// writeOnce makes a file with all of its bytes or not at all, and never replaces one:
// the error is then [fs.ErrExist].
func writeOnce(path string, b []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		_ = f.Close() // closed below where it matters
		_ = os.Remove(f.Name())
	}()
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// FormerKeyFile is the name of the public key of that id after a rotation.
func FormerKeyFile(keyID string) string { return "porchlight-" + keyID + ".pub" }

// RotateKey makes a new signing key in a folder. The public key of the one before is kept
// under [FormerKeyFile] first; its secret is removed. Errors: those of [LoadOrCreateKey].
func RotateKey(dir string) (*PublicKey, error) {
	old, err := LoadOrCreateKey(dir)
	if err != nil {
		return nil, err
	}
	former := filepath.Join(dir, FormerKeyFile(keyID(old.PublicKey().key.ID())))
	if err := writeOnce(former, old.PublicKey().Text(), 0o644); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, audit.Errorf(audit.CodeUnreadable, "The public key of before cannot be kept", err)
	}
	// The public key goes first: a secret key without one makes its own anew.
	for _, name := range []string{PublicKeyFile, SecretKeyFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return nil, audit.Errorf(audit.CodeUnreadable, "The key %s cannot be replaced", name, err)
		}
	}
	s, err := LoadOrCreateKey(dir)
	if err != nil {
		return nil, err
	}
	return s.PublicKey(), nil
}
