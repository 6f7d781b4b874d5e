package dispute

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"porchlight/audit"
)

func TestKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			s, err := LoadOrCreateKey(dir)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = s.PublicKey().ID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Errorf("keys %v, want one", ids)
		}
	}
	for name, want := range map[string]os.FileMode{SecretKeyFile: 0o600, PublicKeyFile: 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 2 {
		t.Errorf("the folder holds %v, want two files", left)
	}
}

func TestKeyFilesThatCannotBeUsed(t *testing.T) {
	other := newSigner(t)
	for _, c := range []struct {
		name, file string
		text       []byte
		want       audit.Code
	}{
		{"damaged secret key", SecretKeyFile, []byte("untrusted comment: minisign encrypted secret key\nAAAA\n"), audit.CodeInvalid},
		{"empty secret key", SecretKeyFile, nil, audit.CodeInvalid},
		{"damaged public key", PublicKeyFile, []byte("RWQ\n"), audit.CodeInvalid},
		{"another public key", PublicKeyFile, other.PublicKey().Text(), audit.CodeConflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := LoadOrCreateKey(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, c.file), c.text, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadOrCreateKey(dir); audit.ErrorCode(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	if _, err := LoadOrCreateKey(filepath.Join(t.TempDir(), "nowhere")); audit.ErrorCode(err) != audit.CodeUnreadable {
		t.Errorf("no folder: got %v, want %s", err, audit.CodeUnreadable)
	}
	dir := t.TempDir()
	if _, err := LoadOrCreateKey(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, PublicKeyFile)); err != nil {
		t.Fatal(err)
	}
	s, err := LoadOrCreateKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, PublicKeyFile))
	if err != nil || !bytes.Equal(text, s.PublicKey().Text()) {
		t.Errorf("the public key was not written again: %q, %v", text, err)
	}
}

func TestParsePublicKey(t *testing.T) {
	want := newSigner(t).PublicKey()
	line := strings.Split(string(want.Text()), "\n")[1]
	for _, text := range []string{string(want.Text()), line, line + "\r\n", "  " + line} {
		got, err := ParsePublicKey([]byte(text))
		if err != nil || got.ID() != want.ID() {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "RWQ", "untrusted comment: only", strings.Repeat("A", 1<<16)} {
		if _, err := ParsePublicKey([]byte(text)); audit.ErrorCode(err) != audit.CodeInvalid {
			t.Errorf("%.20q: got %v, want %s", text, err, audit.CodeInvalid)
		}
	}
}

// The minisign program itself accepts our signatures and our keys, and nothing altered.
func TestMinisignProgram(t *testing.T) {
	program, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("minisign is not installed")
	}
	dir := t.TempDir()
	signer, err := LoadOrCreateKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range unpack(t, strong().zipped(t, signer)) {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f.name)), f.data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), program, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		return string(out), err
	}
	out, err := run("-V", "-H", "-p", PublicKeyFile, "-m", manifestName)
	if err != nil || !strings.Contains(out, "porchlight packet 0195-packet-1 issued 2026-03-07T10:00:01.234567Z") {
		t.Errorf("minisign -V: %v\n%s", err, out)
	}
	// Our secret key is a minisign key: the program signs with it, and we agree.
	if out, err := run("-S", "-W", "-s", SecretKeyFile, "-m", packetName); err != nil {
		t.Errorf("minisign -S: %v\n%s", err, out)
	} else if out, err := run("-V", "-p", PublicKeyFile, "-m", packetName); err != nil {
		t.Errorf("minisign -V of its own signature: %v\n%s", err, out)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, manifestName), flip(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := run("-V", "-p", PublicKeyFile, "-m", manifestName); err == nil {
		t.Errorf("minisign takes an altered manifest:\n%s", out)
	}
}
