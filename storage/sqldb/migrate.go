package sqldb

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"porchlight/audit"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the tables up to date, forward only, one transaction a step.
func (db *DB) migrate(ctx context.Context) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return audit.Errorf(audit.CodeInternal, "the migrations are missing", err)
	}
	options := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()),
		goose.WithGoMigrations(goose.NewGoMigration(2, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			return db.makeAppendOnly(ctx, tx, "measurements", "reports", "packets")
		}}, nil)),
		// Its triggers are not the same on both databases: they are made in one step with
		// its table, so that there is no custody log without them.
		goose.WithExcludeNames([]string{custodyMigration, geocodingMigration, standingMigration, reviewMigration, flipsMigration, sketchesMigration}),
		goose.WithGoMigrations(goose.NewGoMigration(3, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			if err := runStatements(ctx, tx, folder, custodyMigration); err != nil {
				return err
			}
			return db.makeAppendOnly(ctx, tx, "custody")
		}}, nil)),
		// Its keys are made of what deliveries hold as JSON, which no SQL of both databases reads.
		goose.WithGoMigrations(goose.NewGoMigration(6, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			return db.addGeocoding(ctx, tx, folder)
		}}, nil)),
		// Likewise what each delivery counts for.
		goose.WithGoMigrations(goose.NewGoMigration(8, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			return db.addStandings(ctx, tx, folder)
		}}, nil)),
		goose.WithGoMigrations(goose.NewGoMigration(12, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			if err := runStatements(ctx, tx, folder, reviewMigration); err != nil {
				return err
			}
			return db.makeAppendOnly(ctx, tx, "rulings")
		}}, nil)),
		goose.WithGoMigrations(goose.NewGoMigration(17, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			return db.packFlips(ctx, tx, folder)
		}}, nil)),
		goose.WithGoMigrations(goose.NewGoMigration(18, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			return db.addSketches(ctx, tx, folder)
		}}, nil)),
	}
	if db.dialect.goose() == goose.DialectPostgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // ask every second
		if err != nil {
			return db.dialect.fail(err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(db.dialect.goose(), db.writer, folder, options...)
	if err != nil {
		return audit.Errorf(audit.CodeInternal, "the migrations cannot be read", err)
	}
	// SQLite has no lock that outlives a transaction: where two programs start on a new
	// file, one of them may find a table made under its hands, and finds it done the next
	// time it looks.
	err = again(ctx, 5, 50*time.Millisecond, func(error) bool { return true }, func() error {
		_, err := provider.Up(ctx)
		return err
	})
	if err != nil {
		return audit.Errorf(audit.CodeUnavailable, "the database's tables cannot be brought up to date", err)
	}
	return nil
}

const custodyMigration = "00003_custody.sql"

// runStatements runs a migration's statements, which end with a semicolon at the end of
// a line.
func runStatements(ctx context.Context, tx *sql.Tx, folder fs.FS, name string) error {
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		return err
	}
	for statement := range strings.SplitSeq(string(text), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) makeAppendOnly(ctx context.Context, tx *sql.Tx, tables ...string) error {
	for _, table := range tables {
		for _, statement := range db.dialect.appendOnly(table) {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	}
	return nil
}
