// Package dir keeps objects as files of one directory, each under its key. It is the
// default store and needs nothing but a file system with hard links.
//
// An object appears whole or not at all: its bytes go to a temporary file beside it,
// are synced, and are then linked to the object's name, which fails where the name is
// taken. Directories are synced too before a method returns.
package dir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"porchlight/audit"
	"porchlight/storage"
)

// Store is a directory of objects. It is safe for concurrent use, by several programs
// too.
type Store struct {
	root *os.Root
	path string
}

// Info is what is known of an object without reading it.
type Info = storage.Info

// Open opens a directory, and makes it where absent. Errors: [audit.CodeUnavailable].
func Open(path string) (*Store, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, failure("the photo directory cannot be opened", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, failure("the photo directory cannot be opened", err)
	}
	return &Store{root: root, path: path}, nil
}

// Close releases the directory.
func (s *Store) Close() error { return s.root.Close() }

// Ping tells whether the directory can be read and written. Errors:
// [audit.CodeUnavailable].
func (s *Store) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return failure("the photo directory was not asked", err)
	}
	f, name, err := s.temporary(".")
	if err != nil {
		return failure("the photo directory cannot be written", err)
	}
	if err := errors.Join(f.Close(), s.root.Remove(name)); err != nil {
		return failure("the photo directory cannot be written", err)
	}
	return nil
}

// Put makes an object durable under its key, unless there is one: then it leaves that
// and returns nil. The media type is not kept. Errors: [audit.CodeInvalid] for a key
// that is none, [audit.CodeConflict] where the object there has another size,
// [audit.CodeUnavailable] where the disk is full or fails.
func (s *Store) Put(ctx context.Context, key string, b []byte, mediaType string) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return failure("the photo was not stored", err)
	}
	folder := filepath.Dir(filepath.FromSlash(key))
	if done, err := s.there(key, len(b), folder); done || err != nil {
		return err
	}
	if err := s.makeFolder(folder); err != nil {
		return failure("the photo's folder cannot be made", err)
	}
	f, name, err := s.temporary(folder)
	if err != nil {
		return failure("the photo cannot be stored", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.root.Link(name, filepath.FromSlash(key))
	}
	removed := s.root.Remove(name)
	if errors.Is(err, fs.ErrExist) {
		_, err = s.there(key, len(b), folder)
		return err
	}
	if err = errors.Join(err, removed); err != nil {
		return failure("the photo cannot be stored", err)
	}
	if err := s.syncFolder(folder); err != nil {
		return failure("the photo cannot be stored", err)
	}
	return nil
}

// there tells whether an object of that size is stored, durably.
func (s *Store) there(key string, size int, folder string) (bool, error) {
	info, err := s.root.Stat(filepath.FromSlash(key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, failure("the photo cannot be looked up", err)
	}
	if !info.Mode().IsRegular() || info.Size() != int64(size) {
		return false, audit.Errorf(audit.CodeConflict, "an object %s of %d bytes is stored, not of %d", key, info.Size(), size)
	}
	// Whoever won may not have come to the sync yet.
	if err := s.syncFolder(folder); err != nil {
		return false, failure("the photo cannot be stored", err)
	}
	return true, nil
}

// Open streams an object; the size is in bytes. Errors: [audit.CodeNotFound],
// [audit.CodeInvalid], [audit.CodeUnavailable].
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, 0, err
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, failure("the object was not read", err)
	}
	f, err := s.root.Open(filepath.FromSlash(key))
	if err != nil {
		return nil, 0, readFailure(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, 0, errors.Join(readFailure(err), f.Close())
	}
	return f, info.Size(), nil
}

// Stat describes an object. Errors: as [Store.Open].
func (s *Store) Stat(ctx context.Context, key string) (Info, error) {
	if err := storage.CheckKey(key); err != nil {
		return Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return Info{}, failure("the object was not read", err)
	}
	info, err := s.root.Stat(filepath.FromSlash(key))
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Info{}, readFailure(err)
	}
	return Info{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

// List gives the objects whose keys begin with the prefix, in no particular order;
// what was never finished is left out. Errors end the list.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		err := fs.WalkDir(s.root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			switch {
			case errors.Is(err, fs.ErrNotExist): // deleted under the walk
				return nil
			case err != nil:
				return err
			case entry.IsDir() && path != "." && !strings.HasPrefix(path+"/", prefix) && !strings.HasPrefix(prefix, path+"/"):
				return fs.SkipDir
			case !entry.Type().IsRegular() || !strings.HasPrefix(path, prefix) || strings.HasPrefix(entry.Name(), storage.ReservedPrefix):
				return nil
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && !yield(Info{Key: path, Size: info.Size(), Modified: info.ModTime()}, nil) {
				return fs.SkipAll
			}
			return err
		})
		if err != nil {
			yield(Info{}, failure("the objects cannot be listed", err))
		}
	}
}

// Delete removes an object, durably; one that is not there is removed already.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return failure("the object was not deleted", err)
	}
	err := s.root.Remove(filepath.FromSlash(key))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err == nil {
		err = s.syncFolder(filepath.Dir(filepath.FromSlash(key)))
	}
	if err != nil {
		return failure("the object cannot be deleted", err)
	}
	return nil
}

// failure words an error of the file system, by type.
func failure(message string, err error) error {
	code := audit.CodeUnavailable
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		code = audit.CodeConflict
		message += ": part of the key is an object itself"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		message += ": the disk is full"
	case errors.Is(err, fs.ErrPermission):
		message += ": permission denied"
	case errors.Is(err, syscall.ENAMETOOLONG):
		code = audit.CodeInvalid
		message += ": the key is too long"
	}
	return &audit.Error{Code: code, Message: message, Err: err}
}

// readFailure is a failure to find or read an object.
func readFailure(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return audit.Errorf(audit.CodeNotFound, "no such object", err)
	}
	return failure("the object cannot be read", err)
}
