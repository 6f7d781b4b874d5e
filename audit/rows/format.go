package rows

import (
	"bytes"
	"encoding/json"
	"mime"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"porchlight/audit"
)

// Format is the notation of an import.
type Format string

const (
	JSON   Format = "json"   // one object, or an array of objects
	NDJSON Format = "ndjson" // an object a line
	CSV    Format = "csv"    // a header with the field names, then a record a row
)

var mediaTypes = map[string]Format{
	"application/json": JSON, "text/json": JSON,
	"application/x-ndjson": NDJSON, "application/ndjson": NDJSON, "application/jsonl": NDJSON,
	"application/x-jsonl": NDJSON, "application/jsonlines": NDJSON, "application/x-jsonlines": NDJSON,
	"text/csv": CSV, "application/csv": CSV,
}

var extensions = map[string]Format{".json": JSON, ".ndjson": NDJSON, ".jsonl": NDJSON, ".csv": CSV}

var bom = []byte("\xef\xbb\xbf")

// Detect tells the format by the content type, where that names one; else by the file
// name's extension; else by the first bytes (a few hundred are enough). Content types
// that say nothing (application/octet-stream, what curl or Excel send) count as absent.
// The error has [audit.CodeInvalid].
func Detect(contentType, fileName string, head []byte) (Format, error) {
	if mt, _, err := mime.ParseMediaType(contentType); err == nil {
		if f, ok := mediaTypes[mt]; ok {
			return f, nil
		}
	}
	if f, ok := extensions[strings.ToLower(filepath.Ext(fileName))]; ok {
		return f, nil
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, bom), " \t\r\n")
	if len(text) == 0 || bytes.IndexByte(text, 0) >= 0 {
		return "", audit.Errorf(audit.CodeInvalid, "This is neither JSON nor CSV")
	}
	line, rest, more := bytes.Cut(text, []byte("\n"))
	switch {
	case text[0] == '[':
		return JSON, nil
	case text[0] != '{':
		if !utf8.Valid(line) && more {
			return "", audit.Errorf(audit.CodeInvalid, "This is neither JSON nor CSV in UTF-8")
		}
		return CSV, nil
	case json.Valid(line):
		if len(bytes.TrimSpace(rest)) > 0 {
			return NDJSON, nil
		}
		return JSON, nil
	case more:
		return JSON, nil // an object over several lines
	}
	return NDJSON, nil // one line longer than head: read alike either way, unless more lines follow
}
