package storage_test

import (
	"path"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"porchlight/audit"
	"porchlight/storage"
)

// FuzzCheckKey holds that a key that is admitted names one place, below where it is
// looked for.
func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"photos/ab/abcd", "", ".", "..", "a/../b", "/a", "a//b", "a/", "a\\b", "c:x", "a\x00b", "\xff", ".porchlight-x", "a/.porchlight-x", "日本"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if err := storage.CheckKey(key); err != nil {
			if got, want := audit.ErrorCode(err), audit.CodeInvalid; got != want {
				t.Errorf("code %q, want %q", got, want)
			}
			return
		}
		if !filepath.IsLocal(key) || path.Clean(key) != key || !utf8.ValidString(key) || len(key) > storage.MaxKeyBytes {
			t.Errorf("%q was admitted", key)
		}
	})
}
