// Package rows reads an import from outside, row by row: a JSON object, a JSON array,
// newline-delimited JSON (https://github.com/ndjson/ndjson-spec) or CSV (RFC 4180),
// all with the same field names, those of the row type's json tags.
//
// It is strict, so that a misspelt column is an answer and not silently lost evidence:
// unknown and repeated fields, text after the end, invalid UTF-8 and NUL characters are
// errors. A bad row is handed on with its line and a message, and reading goes on; only
// a stream whose next row cannot be found ends the reading.
//
// Memory is bounded by [MaxRowBytes], whatever the size of the import. How long an
// import may be in all is the caller's to bound, with [net/http.MaxBytesReader] say.
package rows
