package rows

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jszwec/csvutil"

	"porchlight/audit"
)

// readCSV reads a header, then a row a record.
func readCSV[T any](s *source, f fields, yield func(Row[T], error) bool) error {
	p := &parser{cells: bufio.NewReader(nil)}
	header, err := readHeader(s, p, f, columnsOf[T]())
	if err != nil {
		return err
	}
	dec, err := csvutil.NewDecoder(p, header...)
	if err != nil {
		return err
	}
	dec.Tag = "json"
	dec.WithUnmarshalers(cellReaders)
	for {
		rec, err := s.record(true)
		if err != nil || rec.end {
			return err
		}
		if blank(rec) {
			continue
		}
		var v T
		line := rec.line
		if err = p.parse(rec); err == nil && len(p.record) != len(header) {
			err = audit.Errorf(audit.CodeInvalid, "The header has %d columns, this row has %d", len(header), len(p.record))
		}
		if err == nil {
			if err = dec.Decode(&v); err != nil {
				line, err = wrongCell(p, f, header, rec, err)
			}
		}
		if err := hand(yield, line, v, err); err != nil {
			return err
		}
	}
}

// Columned is a row type whose CSV may also have the columns of somebody else's report.
type Columned interface {
	// Columns are the fields by the names of such columns, as [FoldColumn] writes them. A
	// column without a field is passed over.
	Columns() map[string]string
}

// FoldColumn is a column's name in lower case, its spaces and line breaks as one space
// each: reports break long headers anywhere.
func FoldColumn(name string) string { return strings.Join(strings.Fields(strings.ToLower(name)), " ") }

func columnsOf[T any]() map[string]string {
	var v T
	if c, ok := any(&v).(Columned); ok {
		return c.Columns()
	}
	return nil
}

// readHeader reads the column names and holds them against the fields.
func readHeader(s *source, p *parser, f fields, others map[string]string) ([]string, error) {
	for {
		rec, err := s.record(true)
		if err != nil {
			return nil, err
		}
		if rec.end {
			return nil, audit.Errorf(audit.CodeInvalid, "The file is empty: the first line names the columns, such as %s", f.names())
		}
		if blank(rec) {
			continue
		}
		if err := p.parse(rec); err != nil {
			return nil, audit.Errorf(audit.ErrorCode(err), "Header, line %d: %s", rec.line, audit.ErrorMessage(err))
		}
		names := p.record // the next record is another slice
		seen := map[string]bool{}
		for i, name := range names {
			if field, ok := others[FoldColumn(name)]; ok && f[name] == nil {
				if field == "" {
					names[i] = fmt.Sprint("column ", i+1) // passed over: no field is called so
					continue
				}
				names[i], name = field, field
			}
			if _, ok := f[name]; !ok {
				if len(names) == 1 && strings.ContainsAny(name, ";\t") {
					return nil, audit.Errorf(audit.CodeInvalid, "The columns are separated by commas, not by semicolons or tabs")
				}
				return nil, f.unknown("column", name)
			}
			if seen[name] {
				return nil, audit.Errorf(audit.CodeInvalid, "Column %q is there twice", name)
			}
			seen[name] = true
		}
		return names, nil
	}
}

func blank(rec record) bool {
	return !rec.over && len(bytes.Trim(rec.text, "\r\n")) == 0
}

// parser splits one record at a time, so that a broken one has no hold on the next. It
// is the csvutil decoder's reader.
type parser struct {
	text   bytes.Reader
	cells  *bufio.Reader
	csv    *csv.Reader
	record []string
}

// Read gives the decoder the record that was parsed last.
func (p *parser) Read() ([]string, error) { return p.record, nil }

func (p *parser) parse(rec record) error {
	if rec.open {
		return audit.Errorf(audit.CodeInvalid, "A quote is opened here and never closed")
	}
	if rec.over {
		return audit.Errorf(audit.CodeInvalid, "The row is longer than %d bytes, or a quote in it is not closed", MaxRowBytes)
	}
	if err := plainText(rec.text); err != nil {
		return err
	}
	p.text.Reset(rec.text)
	p.cells.Reset(&p.text)
	p.csv = csv.NewReader(p.cells)
	p.csv.FieldsPerRecord = -1
	var err error
	p.record, err = p.csv.Read()
	if bad := (*csv.ParseError)(nil); errors.As(err, &bad) {
		return audit.Errorf(audit.CodeInvalid, "A quote stands inside a cell (byte %d of line %d): put the whole cell in quotes, and double the quotes in it",
			bad.Column, rec.line+bad.Line-1, err)
	}
	if err != nil || p.text.Len()+p.cells.Buffered() > 0 {
		return audit.Errorf(audit.CodeInvalid, "The row cannot be split into cells", err)
	}
	return nil
}

// wrongCell is the line of the cell that does not fit, and what is wrong with it.
func wrongCell(p *parser, f fields, header []string, rec record, err error) (int, error) {
	var cell *csvutil.DecodeError
	if !errors.As(err, &cell) {
		return rec.line, audit.Errorf(audit.CodeInvalid, "The row cannot be read", err)
	}
	for i, name := range header {
		if name == cell.Field {
			line, _ := p.csv.FieldPos(i)
			return rec.line + line - 1, f.wrong(name, p.record[i], err)
		}
	}
	return rec.line, f.wrong(cell.Field, "", err)
}

var errCell = errors.New("the cell does not fit the field")

// cellReaders read cells as JSON would read the same value, and an empty one as absent.
var cellReaders = csvutil.NewUnmarshalers(
	csvutil.UnmarshalFunc(func(b []byte, v *time.Time) error {
		if len(b) == 0 {
			return nil
		}
		return v.UnmarshalText(b)
	}),
	csvutil.UnmarshalFunc(func(b []byte, v *float64) error {
		if len(b) == 0 {
			return nil
		}
		// strconv also takes inf, nan, hexadecimal and underscores.
		if strings.Trim(string(b), "+-.0123456789eE") != "" {
			return errCell
		}
		n, err := strconv.ParseFloat(string(b), 64)
		if err != nil || math.IsInf(n, 0) {
			return errCell
		}
		*v = n
		return nil
	}),
	csvutil.UnmarshalFunc(func(b []byte, v *int) error {
		if len(b) == 0 {
			return nil
		}
		n, err := strconv.Atoi(string(b))
		*v = n
		return err
	}),
	csvutil.UnmarshalFunc(func(b []byte, v *bool) error {
		switch strings.ToLower(string(b)) {
		case "", "false", "0", "no":
			*v = false
		case "true", "1", "yes", "x", "\u2022", "\u25cf", "\u2713": // bullets and ticks stand in carriers' reports
			*v = true
		default:
			return errCell
		}
		return nil
	}),
)
