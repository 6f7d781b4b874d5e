package rows

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"unicode/utf8"

	"porchlight/audit"
)

const (
	// MaxRowBytes is the most that one row may weigh as it is written in the import.
	MaxRowBytes = 64 << 10
	// MaxNesting is how deep objects and arrays may stand in each other in a row.
	MaxNesting = 16
)

// Row is one row of an import.
type Row[T any] struct {
	Line  int // of the import, from 1: where the row starts, in CSV the wrong cell's own
	Value T
	// Err says what is wrong with the row: an [audit.Error] with [audit.CodeInvalid] or
	// [audit.CodeUnknownField], or what the value's Validate method returned. Value is
	// then not to be used.
	Err error
}

// Read reads rows one after another. A row with its Err set is bad by itself, and the
// next one follows. The sequence's error is the stream's: it comes once and last, with
// a zero row, where no next row can be found (an array that is not closed, a CSV header
// with an unknown or repeated column, a failing reader). It is an [audit.Error]; a
// failing reader's own error is its cause.
//
// Where T or *T has a method Validate() error, it is called on each row.
func Read[T any](r io.Reader, f Format) iter.Seq2[Row[T], error] {
	return func(yield func(Row[T], error) bool) {
		fields, err := fieldsOf[T]()
		if err == nil {
			s := newSource(r)
			switch f {
			case JSON:
				err = readJSON(s, fields, yield)
			case NDJSON:
				err = readLines(s, fields, yield)
			case CSV:
				err = readCSV(s, fields, yield)
			default:
				err = audit.Errorf(audit.CodeInvalid, "Format %q is none of json, ndjson and csv", f)
			}
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(Row[T]{}, err)
		}
	}
}

// errStopped says that the loop over the sequence was left.
var errStopped = errors.New("stopped")

// hand gives a row to the loop, after its own validation.
func hand[T any](yield func(Row[T], error) bool, line int, v T, err error) error {
	if err == nil {
		err = validate(&v)
	}
	if !yield(Row[T]{Line: line, Value: v, Err: err}, nil) {
		return errStopped
	}
	return nil
}

func validate(v any) error {
	checked, ok := v.(interface{ Validate() error })
	if !ok {
		return nil
	}
	err := checked.Validate()
	if err == nil {
		return nil
	}
	if e := (*audit.Error)(nil); errors.As(err, &e) {
		return err
	}
	return &audit.Error{Code: audit.CodeInvalid, Message: err.Error()}
}

func readLines[T any](s *source, f fields, yield func(Row[T], error) bool) error {
	for {
		rec, err := s.record(false)
		if err != nil || rec.end {
			return err
		}
		text := bytes.TrimSpace(rec.text)
		if len(text) == 0 && !rec.over {
			continue
		}
		var v T
		if rec.over {
			err = tooLong()
		} else {
			v, err = decodeObject[T](text, f)
		}
		if err := hand(yield, rec.line, v, err); err != nil {
			return err
		}
	}
}

func tooLong() error {
	return audit.Errorf(audit.CodeInvalid, "The row is longer than %d bytes", MaxRowBytes)
}

// source reads the import's bytes and counts its lines.
type source struct {
	br   *bufio.Reader
	line int // of the next byte
	buf  []byte
}

func newSource(r io.Reader) *source {
	s := &source{br: bufio.NewReaderSize(r, 32<<10), line: 1}
	if head, _ := s.br.Peek(len(bom)); bytes.Equal(head, bom) {
		_, _ = s.br.Discard(len(bom))
	}
	return s
}

func (s *source) fault(err error) error {
	return audit.Errorf(audit.CodeUnreadable, "The import cannot be read on after line %d", s.line, err)
}

// record is one line, or in CSV the lines of one record.
type record struct {
	text []byte // valid until the next record
	line int    // its first
	over bool   // longer than MaxRowBytes; text is then cut
	open bool   // a quote was opened and not closed
	end  bool   // there is no further record
}

// record reads up to the next line end, in CSV up to the next one outside quotes. It
// keeps no more than MaxRowBytes.
func (s *source) record(csv bool) (record, error) {
	rec := record{line: s.line}
	s.buf = s.buf[:0]
	q := cellStart
	for n := 0; ; {
		chunk, err := s.br.ReadSlice('\n')
		n += len(chunk)
		if room := MaxRowBytes - len(s.buf); len(chunk) > room {
			s.buf, rec.over = append(s.buf, chunk[:room]...), true
		} else {
			s.buf = append(s.buf, chunk...)
		}
		if csv {
			q = q.after(chunk)
		}
		rec.text = s.buf
		switch {
		case err == nil:
			s.line++
			if q != inQuotes {
				return rec, nil
			}
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			rec.end, rec.open = n == 0, q == inQuotes
			return rec, nil
		default:
			return rec, s.fault(err)
		}
	}
}

// cell is where a CSV reader stands in a cell.
type cell byte

const (
	cellStart cell = iota
	inPlain
	inQuotes
	afterQuote // in quotes, after a quote that either closes them or escapes another
)

func (c cell) after(b []byte) cell {
	for _, v := range b {
		switch {
		case c == inQuotes:
			if v == '"' {
				c = afterQuote
			}
		case v == ',' || v == '\n':
			c = cellStart
		case v == '"' && c != inPlain:
			c = inQuotes
		case v == '\r' && c == afterQuote: // of a line end
		default:
			c = inPlain
		}
	}
	return c
}

// plainText checks what no field of a row may hold.
func plainText(b []byte) error {
	if !utf8.Valid(b) {
		return audit.Errorf(audit.CodeInvalid, "The row is not UTF-8: save the file as UTF-8")
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return audit.Errorf(audit.CodeInvalid, "The row holds a NUL character")
	}
	return nil
}
