package dir_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"porchlight/audit"
	"porchlight/storage"
	"porchlight/storage/dir"
	"porchlight/storage/storagetest"
)

func open(t testing.TB, path string) *dir.Store {
	t.Helper()
	s, err := dir.Open(path)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestObjects(t *testing.T) {
	storagetest.TestObjects(t, func(t *testing.T) func(t *testing.T) storagetest.Objects {
		path := filepath.Join(t.TempDir(), "deep", "photos")
		return func(t *testing.T) storagetest.Objects { return open(t, path) }
	})
}

func TestUnfinishedFilesAreNoObjects(t *testing.T) {
	path := t.TempDir()
	s := open(t, path)
	if err := s.Put(t.Context(), "photos/ab/abcd", []byte("whole"), "image/jpeg"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "photos", "ab", storage.ReservedPrefix+"stale"), []byte("ha"), 0o600); err != nil {
		t.Fatal(err)
	}
	for info, err := range s.List(t.Context(), "") {
		if err != nil || info.Key != "photos/ab/abcd" {
			t.Errorf("List gives %+v, %v; want photos/ab/abcd alone", info, err)
		}
	}
}

func TestPutLeavesNoOtherFile(t *testing.T) {
	path := t.TempDir()
	s := open(t, path)
	for range 2 {
		if err := s.Put(t.Context(), "a/b", []byte("bytes"), ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := filepath.Glob(filepath.Join(path, "*", "*")); len(got) != 1 {
		t.Errorf("files = %v, want one", got)
	}
	if got, _ := filepath.Glob(filepath.Join(path, ".*")); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
	info, err := os.Stat(filepath.Join(path, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("mode = %v, want %v: photos show people's homes", got, want)
	}
}

func TestLinksLeadNowhere(t *testing.T) {
	outside, path := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(path, "photos")); err != nil {
		t.Skip(err)
	}
	s := open(t, path)
	if r, _, err := s.Open(t.Context(), "photos/secret"); err == nil {
		r.Close()
		t.Error("a link led out of the directory")
	}
	if err := s.Put(t.Context(), "photos/new", []byte("x"), ""); err == nil {
		t.Error("an object was written through a link")
	}
}

// A full disk is a real one, asked for by name: no file stands in for a file system
// that has no room left.
func TestFullDisk(t *testing.T) {
	path := os.Getenv("PORCHLIGHT_TEST_SMALL_DISK")
	if path == "" {
		t.Skip("PORCHLIGHT_TEST_SMALL_DISK names no directory on a file system smaller than 25 MB")
	}
	s := open(t, filepath.Join(path, "photos"))
	var err error
	for i := 0; i < 30 && err == nil; i++ {
		err = s.Put(t.Context(), "photos/"+string(rune('a'+i)), make([]byte, audit.MaxPhotoBytes), "")
	}
	if got, want := audit.ErrorCode(err), audit.CodeUnavailable; got != want || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error code %q (%v), want %q for a full disk", got, err, want)
	}
}

func BenchmarkPut(b *testing.B) {
	s := open(b, b.TempDir())
	photo := make([]byte, 3_000_000)
	b.ReportAllocs()
	b.SetBytes(int64(len(photo)))
	for i := 0; b.Loop(); i++ {
		photo[0], photo[1], photo[2] = byte(i), byte(i>>8), byte(i>>16)
		if err := s.Put(b.Context(), audit.ObjectKey(audit.PhotoID(photo)), photo, "image/jpeg"); err != nil {
			b.Fatal(err)
		}
	}
}
