// Package storage holds what the object stores share: what an object's key may be, and
// what is known of an object without reading it. The stores are in its folders: dir and
// s3 keep objects, sqldb keeps records, and storagetest holds them all to one contract.
package storage

import (
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"

	"porchlight/audit"
)

// ReservedPrefix begins names that no key may hold: the stores' own files.
const ReservedPrefix = ".porchlight-"

// MaxKeyBytes bounds a key, as S3 does.
const MaxKeyBytes = 1024

// Info is what is known of an object without reading it.
type Info struct {
	Key      string
	Size     int64 // bytes
	Modified time.Time
	// RetainUntil is when the store lets it be deleted again; zero where nothing holds it.
	RetainUntil time.Time
}

// CheckKey admits keys that name the same object on every store: names between single
// slashes that climb nowhere, in UTF-8 without control characters. The error is an
// [audit.Error] with [audit.CodeInvalid].
func CheckKey(key string) error {
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == ':' }
	bad := !fs.ValidPath(key) || key == "." || len(key) > MaxKeyBytes || !utf8.ValidString(key) || strings.ContainsFunc(key, odd)
	for name := range strings.SplitSeq(key, "/") {
		bad = bad || strings.HasPrefix(name, ReservedPrefix) || len(name) > 255
	}
	if bad {
		return audit.Errorf(audit.CodeInvalid, "%q is no object key", key)
	}
	return nil
}
