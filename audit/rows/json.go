package rows

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"porchlight/audit"
)

// readJSON reads one object, or the elements of one array as they come. It finds an
// element's end by its brackets and strings alone, so that a broken element costs that
// row, not the rest.
func readJSON[T any](s *source, f fields, yield func(Row[T], error) bool) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		s.back()
		e, err := s.element()
		if err != nil {
			return err
		}
		// Before the row is handed on: a second object here means that the file is in another format.
		if err := s.nothingMore(); err != nil {
			return err
		}
		return handElement(yield, e, f)
	case '[':
	default:
		return s.broken("a JSON object or array is wanted, not %q", c)
	}
	for first := true; ; first = false {
		c, err := s.next()
		if err != nil {
			return err
		}
		if c == ']' && first {
			return s.nothingMore()
		}
		s.back()
		e, err := s.element()
		if err != nil {
			return err
		}
		if err := handElement(yield, e, f); err != nil {
			return err
		}
		switch c, err := s.next(); {
		case err != nil:
			return err
		case c == ']':
			return s.nothingMore()
		case c != ',':
			return s.broken("a comma or ] is wanted after a row, not %q", c)
		}
	}
}

func handElement[T any](yield func(Row[T], error) bool, e record, f fields) error {
	var v T
	err := tooLong()
	if !e.over {
		v, err = decodeObject[T](e.text, f)
	}
	return hand(yield, e.line, v, err)
}

func (s *source) broken(format string, args ...any) error {
	e := audit.Errorf(audit.CodeInvalid, format, args...)
	return audit.Errorf(audit.CodeInvalid, "Line %d: %s", s.line, e.Message)
}

// next is the next byte that is no space.
func (s *source) next() (byte, error) {
	for {
		c, err := s.br.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, s.broken("the import ends too early: brackets are not closed")
		case err != nil:
			return 0, s.fault(err)
		case c == '\n':
			s.line++
		case c != ' ' && c != '\t' && c != '\r':
			return c, nil
		}
	}
}

// back takes back the byte that next returned last.
func (s *source) back() { _ = s.br.UnreadByte() }

func (s *source) nothingMore() error {
	for {
		c, err := s.br.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return s.fault(err)
		case c == '\n':
			s.line++
		case c != ' ' && c != '\t' && c != '\r':
			return s.broken("nothing may follow the end of the JSON (for an object a line, send NDJSON)")
		}
	}
}

// element reads one value, right or wrong, up to its end.
func (s *source) element() (record, error) {
	e := record{line: s.line}
	s.buf = s.buf[:0]
	depth, quoted, escaped := 0, false, false
	for n := 0; ; n++ {
		c, err := s.br.ReadByte()
		if errors.Is(err, io.EOF) {
			return e, s.broken("the import ends inside the row of line %d", e.line)
		}
		if err != nil {
			return e, s.fault(err)
		}
		if depth == 0 && !quoted && strings.IndexByte(",]} \t\r\n", c) >= 0 {
			s.back()
			if n == 0 {
				return e, s.broken("a row is wanted, not %q", c)
			}
			e.text = s.buf
			return e, nil
		}
		if len(s.buf) < MaxRowBytes {
			s.buf = append(s.buf, c)
		} else {
			e.over = true
		}
		if c == '\n' {
			s.line++
		}
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				e.text = s.buf
				return e, nil
			}
		}
	}
}

// decodeObject decodes one row strictly.
func decodeObject[T any](raw []byte, f fields) (T, error) {
	var v, zero T
	if err := plainText(raw); err != nil {
		return zero, err
	}
	if len(raw) == 0 || raw[0] != '{' {
		return zero, audit.Errorf(audit.CodeInvalid, "A row is a JSON object with field names, not %q", clip(string(raw)))
	}
	// Nesting is checked before encoding/json, which would go 10,000 deep, and names
	// after it, on text that is known to be JSON.
	if depth(raw) > MaxNesting {
		return zero, audit.Errorf(audit.CodeInvalid, "Objects and arrays stand more than %d deep in each other", MaxNesting)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	failed := dec.Decode(&v)
	if !json.Valid(raw) {
		if e := json.Unmarshal(raw, new(json.RawMessage)); e != nil {
			failed = e
		}
		return zero, audit.Errorf(audit.CodeInvalid, "The row is not JSON: %s", strings.TrimPrefix(failed.Error(), "json: "))
	}
	if err := f.check(raw); err != nil {
		return zero, err
	}
	if failed != nil {
		return zero, wrongMember[T](raw, f, failed)
	}
	return v, nil
}

func depth(raw []byte) int {
	depth, most, quoted, escaped := 0, 0, false, false
	for _, c := range raw {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

// check looks for names that encoding/json would let pass: unknown in their case
// alone, or repeated; and for NUL characters, which Postgres cannot keep.
func (f fields) check(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value func(name string, top bool) error
	value = func(name string, top bool) error {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'):
			seen := map[string]bool{}
			for dec.More() {
				t, err := dec.Token()
				if err != nil {
					return err
				}
				key, _ := t.(string)
				if _, known := f[key]; top && !known {
					return f.unknown("field", key)
				}
				if seen[key] {
					return audit.Errorf(audit.CodeInvalid, "%s is given twice", clip(key))
				}
				seen[key] = true
				if top {
					name = key
				}
				if err := value(name, false); err != nil {
					return err
				}
			}
			_, err = dec.Token()
		case json.Delim('['):
			for dec.More() {
				if err := value(name, false); err != nil {
					return err
				}
			}
			_, err = dec.Token()
		default:
			if text, ok := t.(string); ok && strings.IndexByte(text, 0) >= 0 {
				return audit.Errorf(audit.CodeInvalid, "%s holds a NUL character", name)
			}
		}
		return err
	}
	return value("", true)
}

// wrongMember finds the member that does not fit, which encoding/json names for some
// types only, by decoding each alone.
func wrongMember[T any](raw []byte, f fields, cause error) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return audit.Errorf(audit.CodeInvalid, "The row cannot be read", err)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		member := members[name]
		one, err := json.Marshal(map[string]json.RawMessage{name: member})
		if err != nil {
			continue
		}
		if err := json.Unmarshal(one, new(T)); err != nil {
			text := string(member)
			if member[0] == '"' {
				_ = json.Unmarshal(member, &text) // a text is shown without its quotes
			}
			return f.wrong(name, text, err)
		}
	}
	return audit.Errorf(audit.CodeInvalid, "The row cannot be read", cause)
}
