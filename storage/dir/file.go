package dir

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"porchlight/storage"
)

// temporary makes a new file in a folder, which is on the file system that the object
// will be linked on. What a crash leaves behind under its name is no object.
func (s *Store) temporary(folder string) (*os.File, string, error) {
	name := filepath.Join(folder, storage.ReservedPrefix+rand.Text())
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return f, name, err
}

// makeFolder makes a folder with all above it, each durable in its parent.
func (s *Store) makeFolder(folder string) error {
	if folder == "." {
		return nil
	}
	if info, err := s.root.Stat(folder); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(folder)
	if err := s.makeFolder(parent); err != nil {
		return err
	}
	if err := s.root.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.syncFolder(parent)
}

// syncFolder makes the names in a folder durable.
func (s *Store) syncFolder(folder string) error {
	if runtime.GOOS == "windows" { // which has no such call, and journals names itself
		return nil
	}
	f, err := s.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
