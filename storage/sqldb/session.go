package sqldb

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bytedance/sonic"

	"porchlight/audit"
)

// conn is a pool or a transaction.
type conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// session runs statements and turns the driver's errors into ours, which is done
// nowhere else.
type session struct {
	conn
	dialect dialect
	now     func() time.Time
	watch   func(operation string) func(*error) // nil within an operation
}

// statement is a query with its arguments.
type statement struct {
	query string
	args  []any
}

// key is the same for the same query with the same arguments.
func (q statement) key() string { return fmt.Sprintf("%s %#v", q.query, q.args) }

// exec runs a statement and tells how many rows it changed.
func (s session) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := checkArgs(args); err != nil {
		return 0, err
	}
	result, err := s.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, s.dialect.fail(err)
	}
	n, err := result.RowsAffected()
	return n, s.dialect.fail(err)
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, s session, scan func(scan func(...any) error) (T, error), query string, args ...any) (all []T, err error) {
	if s.watch != nil {
		defer s.watch("read")(&err)
	}
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	err = s.each(ctx, statement{query, args}, func(row func(...any) error) error {
		v, err := scan(row)
		if err == nil {
			all = append(all, v)
		}
		return err
	})
	if err != nil {
		return nil, s.dialect.fail(err)
	}
	return all, nil
}

// each calls row for every row of a query.
func (s session) each(ctx context.Context, q statement, row func(scan func(...any) error) error) error {
	if t, ok := s.conn.(*snapshot); ok {
		return t.each(ctx, q, row)
	}
	rows, err := s.QueryContext(ctx, q.query, q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// collectAll reads all rows of some statements, one after the other.
func collectAll[T any](ctx context.Context, s session, scan func(scan func(...any) error) (T, error), statements []statement) (all []T, err error) {
	for _, q := range statements {
		rows, err := collect(ctx, s, scan, q.query, q.args...)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = rows
		} else {
			all = append(all, rows...)
		}
	}
	return all, nil
}

// one reads the only row of a query. what names it where it is not there.
func one[T any](ctx context.Context, s session, what string, scan func(scan func(...any) error) (T, error), query string, args ...any) (T, error) {
	all, err := collect(ctx, s, scan, query, args...)
	if err == nil && len(all) == 0 {
		err = audit.Errorf(audit.CodeNotFound, "no such %s", what)
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

// scanText reads one column of text.
func scanText(scan func(...any) error) (s string, err error) {
	err = scan(&s)
	return s, err
}

// scanNumber reads one column of a number.
func scanNumber(scan func(...any) error) (n int64, err error) {
	err = scan(&n)
	return n, err
}

// fastJSON reads and writes what encoding/json does, in about half the time. Uploads,
// measurements and reports go through it, which are read by the million.
var fastJSON = sonic.ConfigStd

// keptJSON reads what was written by fastJSON and [encode], in half the time once more: texts
// are parts of what was read instead of copies, and are not looked through again for what
// cannot be kept.
var keptJSON = sonic.Config{}.Froze()

// scanJSON reads one column of JSON.
func scanJSON[T any](scan func(...any) error) (v T, err error) {
	var text string
	if err = scan(&text); err == nil {
		err = keptJSON.UnmarshalFromString(text, &v)
	}
	return v, err
}

// encode writes v as it is kept. What comes from outside goes through [checkText]
// first: JSON would turn a broken text into another one.
func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", audit.Errorf(audit.CodeInvalid, "a value cannot be stored", err)
	}
	return string(b), nil
}

// checkArgs refuses texts that Postgres would not store, on both databases alike.
func checkArgs(args []any) error {
	for _, a := range args {
		good := true
		switch t := a.(type) {
		case string:
			good = storable(t)
		case []string: // as Postgres takes lists and columns
			good = !slices.ContainsFunc(t, func(t string) bool { return !storable(t) })
		}
		if !good {
			return audit.Errorf(audit.CodeInvalid, "a text holds a NUL byte or is not UTF-8")
		}
	}
	return nil
}

func storable(t string) bool { return utf8.ValidString(t) && !strings.Contains(t, "\x00") }

// checkText looks for texts that cannot be stored anywhere in v, and names the field.
func checkText(v any) error { return checkValue("", reflect.ValueOf(v)) }

func checkValue(name string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		if !storable(v.String()) {
			return audit.Errorf(audit.CodeInvalid, "%s holds a NUL byte or is not UTF-8", name)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return checkValue(name, v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := checkValue(name, v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return nil
		}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if tag == "" || tag == "-" {
				tag = strings.ToLower(field.Name)
			}
			if err := checkValue(tag, v.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// chunkRows is how many ids one statement names at most, far below the 32,766 arguments
// that SQLite takes.
const chunkRows = 1024

// list is what stands between an IN's parentheses, with its arguments; no other argument
// may come before it.
func (s session) list(ids []string) (marks string, args []any) { return s.listFrom(1, ids) }

// listFrom is list where the first mark has another number.
func (s session) listFrom(first int, ids []string) (marks string, args []any) {
	return s.dialect.list(first, ids)
}

// among is the statements "head (ids) tail", where head ends in IN, of at most
// [chunkRows] ids each.
func (s session) among(head string, ids []string, tail string) (all []statement) {
	for chunk := range slices.Chunk(ids, chunkRows) {
		marks, args := s.list(chunk)
		all = append(all, statement{head + "(" + marks + ")" + tail, args})
	}
	return all
}

// padded is ids as arguments, whose number is a power of two, the last id repeated, so
// that a prepared statement is found again.
func padded(ids []string) (args []any) {
	n := 1
	for n < len(ids) {
		n *= 2
	}
	args = make([]any, n)
	for i := range args {
		args[i] = ids[min(i, len(ids)-1)]
	}
	return args
}

// marks is n marks for arguments, the first one's number given. Both databases know
// $1, but SQLite takes it for a name and looks each one up among all before it: a list
// that is long is written with bare question marks there.
func (s session) marks(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s.dialect.mark(first + i))
	}
	return b.String()
}

// values is "(...),(...)", the rows of an INSERT.
func (s session) values(rows, width int) string {
	groups := make([]string, rows)
	for i := range groups {
		groups[i] = "(" + s.marks(1+i*width, width) + ")"
	}
	return strings.Join(groups, ",")
}

// insertNew adds the rows that are not there yet, and returns what their id column says
// of those. head is "INSERT INTO ... VALUES".
func (s session) insertNew(ctx context.Context, head, id string, rows [][]any) (added []string, err error) {
	for chunk := range slices.Chunk(rows, s.dialect.insertRows()) {
		q := s.dialect.insert(s, head, ` ON CONFLICT DO NOTHING RETURNING `+id, chunk)
		ids, err := collect(ctx, s, scanText, q.query, q.args...)
		if err != nil {
			return nil, err
		}
		added = append(added, ids...)
	}
	return added, nil
}

// insert adds rows. head is "INSERT INTO ... VALUES", tail an ON CONFLICT clause or
// nothing.
func (s session) insert(ctx context.Context, head, tail string, rows [][]any) error {
	many := s.dialect.insertRows()
	if _, ok := s.dialect.(sqlite); ok && len(rows) > 2*many {
		// Reading the statement takes longer than inserting its rows.
		prepared, err := s.PrepareContext(ctx, s.dialect.insert(s, head, tail, rows[:many]).query)
		if err != nil {
			return s.dialect.fail(err)
		}
		defer prepared.Close()
		for ; len(rows) >= many; rows = rows[many:] {
			args := slices.Concat(rows[:many]...)
			if err := checkArgs(args); err != nil {
				return err
			}
			if _, err := prepared.ExecContext(ctx, args...); err != nil {
				return s.dialect.fail(err)
			}
		}
	}
	for chunk := range slices.Chunk(rows, many) {
		q := s.dialect.insert(s, head, tail, chunk)
		if _, err := s.exec(ctx, q.query, q.args...); err != nil {
			return err
		}
	}
	return nil
}

// cursor is where a list goes on: the sort key of the last row that was given.
type cursor struct {
	N  int64  `json:"n"`
	ID string `json:"id"`
}

func (c cursor) String() string {
	b, _ := json.Marshal(c) // a number and a text always encode
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string, first cursor) (cursor, error) {
	if s == "" {
		return first, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	var c cursor
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return c, audit.Errorf(audit.CodeInvalid, "the cursor is not one that was given out", err)
	}
	return c, nil
}

func micros(t time.Time) int64 { return t.UnixMicro() }

// fromMicros is the time a column holds, nil for 0.
func fromMicros(n int64) *time.Time {
	if n == 0 {
		return nil
	}
	t := time.UnixMicro(n).UTC()
	return &t
}

func fromJSON[T any](b []byte) (v T, err error) {
	err = json.Unmarshal(b, &v)
	return v, err
}

// page reads one page of a list. The query's last argument is its limit; part takes
// what is listed, and the cursor behind it, from a row.
func page[R, T any](ctx context.Context, db *DB, limit int, scan func(scan func(...any) error) (R, error), part func(R) (T, string), query string, args ...any) (all []T, next string, err error) {
	if limit <= 0 {
		return nil, "", audit.Errorf(audit.CodeInvalid, "a page has at least one row")
	}
	// One row more than asked tells whether there is a next page.
	rows, err := collect(ctx, db.on(db.reader), scan, query, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	for _, r := range rows[:min(len(rows), limit)] {
		var v T
		v, next = part(r)
		all = append(all, v)
	}
	if len(rows) <= limit {
		next = ""
	}
	return all, next, nil
}
