package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"porchlight/audit"
)

// Config says which database, and how much of it to use.
type Config struct {
	// URL is postgres://..., sqlite:///absolute/file.db, or the path of an SQLite file,
	// which is made where absent.
	URL string
	// ReadConns bounds the connections that read, and on Postgres those that write: who
	// reads never waits for a connection behind writers who wait for each other. 0 means 8.
	ReadConns int
	// Now is the custody log's clock. nil means [time.Now].
	Now func() time.Time
	// Observe is told of each operation, read or write, how long it took with all its tries
	// and waits, and how it ended. nil means nobody.
	Observe func(operation string, took time.Duration, err error)
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect dialect
	reader  *sql.DB
	writer  *sql.DB
	ending  sync.WaitGroup // reads that give their connections back
	now     func() time.Time
	observe func(operation string, took time.Duration, err error)
}

// Open opens the database and brings its tables up to date. Errors:
// [audit.CodeInvalid] for a URL that names none, [audit.CodeUnavailable] where it
// cannot be reached.
func Open(ctx context.Context, c Config) (*DB, error) {
	if c.ReadConns <= 0 {
		c.ReadConns = 8
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(string, time.Duration, error) {}
	}
	db, err := connect(c)
	if err != nil {
		return nil, err
	}
	db.now, db.observe = c.Now, c.Observe
	// Of several who open a new file at once SQLite refuses those who come while another makes it
	// what it is to be, instead of having them wait.
	if err = again(ctx, 20, 10*time.Millisecond, busy, func() error { return db.Ping(ctx) }); err == nil {
		err = db.migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func connect(c Config) (*DB, error) {
	if strings.HasPrefix(c.URL, "postgres://") || strings.HasPrefix(c.URL, "postgresql://") {
		return connectPostgres(c)
	}
	path, isURL := strings.CutPrefix(c.URL, "sqlite://")
	if path == "" || !isURL && strings.Contains(path, "://") || strings.Contains(path, ":memory:") || strings.ContainsRune(path, 0) {
		return nil, audit.Errorf(audit.CodeInvalid, "a database is postgres://..., sqlite:///absolute/file.db or the path of a file")
	}
	return connectSQLite(path, c.ReadConns)
}

func connectPostgres(c Config) (*DB, error) {
	config, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, audit.Errorf(audit.CodeInvalid, "the database URL is not one of Postgres", err)
	}
	open := func() *sql.DB {
		pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
			// Durability does not depend on how the server was set up, and no lock is waited for
			// longer than SQLite's busy_timeout.
			_, err := conn.Exec(ctx, `SELECT set_config('lock_timeout', '10s', false),
				CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END`)
			return err
		}))
		pool.SetMaxOpenConns(c.ReadConns)
		pool.SetMaxIdleConns(c.ReadConns)
		return pool
	}
	return &DB{dialect: postgres{}, reader: open(), writer: open()}, nil
}

func connectSQLite(path string, readers int) (*DB, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		// SQLite would make it readable by all; its WAL takes the file's mode.
		var f *os.File
		if f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return nil, audit.Errorf(audit.CodeUnavailable, "the database file cannot be opened", err)
	}
	dsn := func(pragmas ...string) string {
		q := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{
			"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)"}, pragmas...)}
		return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
	}
	writer, err := sql.Open("sqlite", dsn("cache_size(-65536)"))
	if err != nil {
		return nil, audit.Errorf(audit.CodeInternal, "the database cannot be opened", err)
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", dsn("query_only(1)"))
	if err != nil {
		return nil, audit.Errorf(audit.CodeInternal, "the database cannot be opened", errors.Join(err, writer.Close()))
	}
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	return &DB{dialect: sqlite{}, reader: reader, writer: writer}, nil
}

// Close closes all connections.
func (db *DB) Close() error {
	db.ending.Wait()
	return errors.Join(db.reader.Close(), db.writer.Close())
}

// Pools are the connections by what they are for, for whoever watches them.
func (db *DB) Pools() map[string]*sql.DB {
	return map[string]*sql.DB{"records_read": db.reader, "records_write": db.writer}
}

// Warm opens as many connections as the pools may have: opened one by one under load, each
// would keep those waiting who come with it. What fails is opened when it is asked for.
func (db *DB) Warm(ctx context.Context) {
	for _, pool := range db.Pools() {
		var open []*sql.Conn
		for range pool.Stats().MaxOpenConnections {
			c, err := pool.Conn(ctx)
			if err != nil {
				break
			}
			open = append(open, c)
		}
		for _, c := range open {
			_ = c.Close()
		}
	}
}

// Ping tells whether the database answers. Errors: [audit.CodeUnavailable].
func (db *DB) Ping(ctx context.Context) error {
	// The writer's own connection may be busy for as long as a transaction takes, which
	// is no sign of ill health; but it is the one that makes the file's WAL.
	_, err := db.on(db.reader).exec(ctx, `SELECT 1`)
	return err
}

// again runs f up to so many times, after longer and longer pauses, until it succeeds or fails
// in a way that does not pass.
func again(ctx context.Context, tries int, pause time.Duration, passes func(error) bool, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if err == nil || try == tries || !passes(err) || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try) * pause):
		}
	}
}

// read runs f on one snapshot.
func (db *DB) read(ctx context.Context, f func(s session) error) (err error) {
	defer db.watch("read")(&err)
	c, end, err := db.dialect.snapshot(ctx, db)
	if err != nil {
		return db.dialect.fail(err)
	}
	defer end()
	return f(db.on(c))
}

// write runs f in one transaction, which is durable when write returns nil. f runs
// again where the database gave up on the transaction in favour of another.
func (db *DB) write(ctx context.Context, f func(s session) error) (err error) {
	defer db.watch("write")(&err)
	const tries = 4
	for try := 1; ; try++ {
		err := db.writeOnce(ctx, f)
		if err == nil || try == tries || !db.dialect.transient(err) {
			return err
		}
	}
}

func (db *DB) writeOnce(ctx context.Context, f func(s session) error) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return db.dialect.fail(err)
	}
	defer tx.Rollback()
	if err := f(db.on(tx)); err != nil {
		return err
	}
	return db.dialect.fail(tx.Commit())
}

// on is a session on a pool, whose statements are each an operation, or on a transaction,
// which is one as a whole.
func (db *DB) on(c conn) session {
	s := session{conn: c, dialect: db.dialect, now: db.now}
	if _, ok := c.(*sql.DB); ok {
		s.watch = db.watch
	}
	return s
}

// watch begins an operation; what it returns ends it.
func (db *DB) watch(operation string) func(*error) {
	start := time.Now()
	return func(err *error) { db.observe(operation, time.Since(start), *err) }
}
