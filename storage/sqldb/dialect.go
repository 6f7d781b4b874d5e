package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	driversqlite "modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"

	"porchlight/audit"
)

// dialect is all that differs between the two databases.
type dialect interface {
	goose() goose.Dialect
	// snapshot begins a transaction whose reads all see one state; end ends it.
	snapshot(ctx context.Context, db *DB) (c conn, end func(), err error)
	// mark stands for argument number n in a generated list, whose arguments are in order.
	mark(n int) string
	// list is what stands between an IN's parentheses, the first argument's number given,
	// with its arguments.
	list(first int, ids []string) (marks string, args []any)
	// among follows a column that is one of some numbers, whose mark's number is given;
	// numbers are they as its argument.
	among(mark int) string
	numbers(all []int64) any
	// meeting finds the keys of the photos that may be alike by what is asked.
	meeting(asked []probe) statement
	// insert is an INSERT of rows; head is "INSERT INTO ... VALUES".
	insert(s session, head, tail string, rows [][]any) statement
	// insertRows is how many rows one INSERT adds.
	insertRows() int
	// forUpdate ends a SELECT whose rows stay locked until the transaction ends.
	forUpdate() string
	// skipLocked is the same, but passes over rows that somebody else has locked.
	skipLocked() string
	// lock waits for every other transaction that holds one of the keys, and for those that
	// hold one of the shared ones as theirs alone.
	lock(ctx context.Context, s session, keys []int64, shared ...int64) error
	// appendOnly is the statements that make a table refuse changes.
	appendOnly(table string) []string
	// uncompressed is the statements that have a column's bytes stored as they are.
	uncompressed(table, column string) []string
	// explain asks for a statement's plan.
	explain() string
	// fail turns a driver's error into an [audit.Error], by type.
	fail(err error) error
	// transient tells whether the same transaction may succeed when it runs again.
	transient(err error) bool
}

type sqlite struct{}

func (sqlite) goose() goose.Dialect { return goose.DialectSQLite3 }
func (sqlite) mark(int) string      { return "?" }
func (sqlite) forUpdate() string    { return "" }
func (sqlite) skipLocked() string   { return "" }
func (sqlite) transient(error) bool { return false }
func (sqlite) explain() string      { return "EXPLAIN QUERY PLAN " }

func (sqlite) snapshot(ctx context.Context, db *DB) (conn, func(), error) {
	tx, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	return tx, func() { _ = tx.Rollback() }, err
}

func (sqlite) list(_ int, ids []string) (marks string, args []any) {
	args = padded(ids)
	return strings.Repeat(",?", len(args))[1:], args
}

// A list of marks is read anew each time it is asked for.
func (sqlite) among(mark int) string {
	return fmt.Sprintf("IN (SELECT value FROM json_each($%d))", mark)
}

func (sqlite) numbers(all []int64) any {
	text := []byte{'['}
	for i, n := range all {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, n, 10)
	}
	return string(append(text, ']'))
}

// More rows make a longer statement to parse and save little.
func (sqlite) insertRows() int { return 64 }

func (sqlite) insert(s session, head, tail string, rows [][]any) statement {
	return statement{head + " " + s.values(len(rows), len(rows[0])) + " " + tail, slices.Concat(rows...)}
}

// One transaction writes at a time, so that there is nobody to wait for.
func (sqlite) lock(context.Context, session, []int64, ...int64) error { return nil }

func (sqlite) appendOnly(table string) []string {
	var all []string
	for _, verb := range []string{"UPDATE", "DELETE"} {
		all = append(all, fmt.Sprintf(`CREATE TRIGGER %s_no_%s BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, '%s are append-only'); END`,
			table, strings.ToLower(verb), verb, table, table))
	}
	return all
}

func (sqlite) uncompressed(string, string) []string { return nil } // it never does anything else

func (sqlite) fail(err error) error {
	if e := (*driversqlite.Error)(nil); errors.As(err, &e) {
		switch e.Code() {
		case sqlitecode.SQLITE_CONSTRAINT_UNIQUE, sqlitecode.SQLITE_CONSTRAINT_PRIMARYKEY, sqlitecode.SQLITE_CONSTRAINT_ROWID:
			return failure(audit.CodeConflict, err)
		case sqlitecode.SQLITE_CONSTRAINT_FOREIGNKEY:
			return failure(audit.CodeNotFound, err)
		case sqlitecode.SQLITE_CONSTRAINT_TRIGGER:
			return failure(audit.CodeImmutable, err)
		}
		switch e.Code() & 0xff { // the primary code
		case sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED, sqlitecode.SQLITE_FULL, sqlitecode.SQLITE_IOERR,
			sqlitecode.SQLITE_CANTOPEN, sqlitecode.SQLITE_READONLY, sqlitecode.SQLITE_NOMEM, sqlitecode.SQLITE_INTERRUPT,
			sqlitecode.SQLITE_PROTOCOL:
			return failure(audit.CodeUnavailable, err)
		case sqlitecode.SQLITE_TOOBIG:
			return failure(audit.CodeInvalid, err)
		}
	}
	return failCommon(err)
}

// busy tells whether SQLite had no turn for something.
func busy(err error) bool {
	e := (*driversqlite.Error)(nil)
	return errors.As(err, &e) && e.Code()&0xff == sqlitecode.SQLITE_BUSY
}

type postgres struct{}

func (postgres) goose() goose.Dialect { return goose.DialectPostgres }
func (postgres) mark(n int) string    { return "$" + strconv.Itoa(n) }
func (postgres) forUpdate() string    { return " FOR UPDATE" }
func (postgres) skipLocked() string   { return " FOR UPDATE SKIP LOCKED" }
func (postgres) explain() string      { return "EXPLAIN " }

// Nobody waits for its end: it has only read.
func (postgres) snapshot(ctx context.Context, db *DB) (conn, func(), error) {
	c, err := db.reader.Conn(ctx)
	t := &snapshot{Conn: c, pool: db.reader, ahead: map[string]*answer{}}
	return t, func() { db.ending.Go(t.end) }, err
}

// Reading and binding a thousand arguments takes Postgres as long as finding their rows.
func (postgres) list(first int, ids []string) (marks string, args []any) {
	return fmt.Sprintf("SELECT unnest($%d::text[])", first), []any{ids}
}

func (postgres) among(mark int) string { return fmt.Sprintf("= ANY($%d::bigint[])", mark) }

func (postgres) numbers(all []int64) any { return all }

func (postgres) insertRows() int { return chunkRows }

// insert gives Postgres an array a column, which it reads far faster than a mark a value.
func (postgres) insert(s session, head, tail string, rows [][]any) statement {
	var kinds []string
	var args []any
	for i := range rows[0] {
		kind, column, ok := array(rows, i)
		if !ok {
			return statement{head + " " + s.values(len(rows), len(rows[0])) + " " + tail, slices.Concat(rows...)}
		}
		args = append(args, column)
		kinds = append(kinds, fmt.Sprintf("$%d::%s[]", i+1, kind))
	}
	return statement{strings.TrimSuffix(head, "VALUES") + "SELECT * FROM unnest(" + strings.Join(kinds, ", ") + ") " + tail, args}
}

// array is a column of rows as an array, with Postgres's name for what it holds; false for
// anything but texts, bytes and numbers.
func array(rows [][]any, column int) (kind string, values any, ok bool) {
	switch rows[0][column].(type) {
	case string:
		values, ok = all[string](rows, column)
		return "text", values, ok
	case []byte:
		values, ok = all[[]byte](rows, column)
		return "bytea", values, ok
	case int64:
		values, ok = all[int64](rows, column)
		return "bigint", values, ok
	case int:
		values, ok = all[int](rows, column)
		return "bigint", values, ok
	case float64:
		values, ok = all[float64](rows, column)
		return "double precision", values, ok
	}
	return "", nil, false
}

func all[T any](rows [][]any, column int) ([]T, bool) {
	out := make([]T, len(rows))
	for i, row := range rows {
		v, ok := row[column].(T)
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

// lockSpace keeps our advisory locks apart from those of other programs in the
// database: "porc" in the upper half of the key.
const lockSpace = 0x706f7263 << 32

func (postgres) lock(ctx context.Context, s session, keys []int64, shared ...int64) error {
	alone := make(map[int64]bool, len(keys)+len(shared))
	for _, k := range shared {
		alone[lockSpace|k&0xffffffff] = false
	}
	for _, k := range keys {
		alone[lockSpace|k&0xffffffff] = true
	}
	all := slices.Sorted(maps.Keys(alone)) // all take them in one order, so that no two wait for each other
	how := make([]bool, len(all))
	for i, k := range all {
		how[i] = alone[k]
	}
	_, err := s.exec(ctx, `SELECT CASE WHEN alone THEN pg_advisory_xact_lock(k) ELSE pg_advisory_xact_lock_shared(k) END
		FROM unnest($1::bigint[], $2::boolean[]) AS t(k, alone)`, all, how)
	return err
}

func (postgres) appendOnly(table string) []string {
	return []string{
		`CREATE OR REPLACE FUNCTION porchlight_append_only() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION '% are append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END $$`,
		fmt.Sprintf(`CREATE TRIGGER %s_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
		FOR EACH STATEMENT EXECUTE FUNCTION porchlight_append_only()`, table, table),
	}
}

func (postgres) uncompressed(table, column string) []string {
	return []string{fmt.Sprintf(`ALTER TABLE %s ALTER COLUMN %s SET STORAGE EXTERNAL`, table, column)}
}

func (postgres) fail(err error) error {
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		switch e.Code {
		case "23505": // unique_violation
			return failure(audit.CodeConflict, err)
		case "23503": // foreign_key_violation
			return failure(audit.CodeNotFound, err)
		case "23000": // integrity_constraint_violation, by our triggers
			return failure(audit.CodeImmutable, err)
		case "22021", "22P05", "54000": // a character that cannot be stored, a value too large
			return failure(audit.CodeInvalid, err)
		case "55P03", "25006": // lock_not_available, read_only_sql_transaction (a standby)
			return failure(audit.CodeUnavailable, err)
		}
		switch e.Code[:min(2, len(e.Code))] {
		// connection, authorization, no such database, rollback, resources, operator intervention, system
		case "08", "28", "3D", "40", "53", "57", "58":
			return failure(audit.CodeUnavailable, err)
		}
	}
	if e := (*pgconn.ConnectError)(nil); errors.As(err, &e) {
		return failure(audit.CodeUnavailable, err)
	}
	return failCommon(err)
}

func (postgres) transient(err error) bool {
	e := (*pgconn.PgError)(nil)
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01") // serialization_failure, deadlock_detected
}

func failCommon(err error) error {
	var known *audit.Error
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return failure(audit.CodeNotFound, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, driver.ErrBadConn),
		errors.Is(err, sql.ErrConnDone), errors.Is(err, sql.ErrTxDone), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.As(err, &network):
		return failure(audit.CodeUnavailable, err)
	}
	return failure(audit.CodeInternal, err)
}

// messages are what a user may see of a failure that no method words better.
var messages = map[audit.Code]string{
	audit.CodeConflict:    "that id is taken",
	audit.CodeNotFound:    "not on record",
	audit.CodeImmutable:   "records of this kind never change",
	audit.CodeInvalid:     "a text cannot be stored",
	audit.CodeUnavailable: "the records are not available, try again",
	audit.CodeInternal:    "the records could not be read or written",
}

func failure(code audit.Code, err error) error {
	return &audit.Error{Code: code, Message: messages[code], Err: err}
}
