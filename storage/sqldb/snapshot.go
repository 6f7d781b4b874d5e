package sqldb

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
)

// snapshot is a transaction on Postgres that only reads, in as few trips to the server as
// can be: on a busy machine a trip takes as long as being woken twice, whatever is asked.
// It begins with its first statement, and statements that are known beforehand go
// together. database/sql knows no pipelines, so that pgx is spoken to beneath it.
type snapshot struct {
	*sql.Conn
	pool  *sql.DB
	begun bool
	// foreseen go with the next trip; ahead are the answers that came so, until they are
	// collected. Both by [statement.key].
	foreseen []statement
	ahead    map[string]*answer
}

const beginSnapshot = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`

// answer is the rows of a statement as they came over the wire.
type answer struct {
	types  *pgtype.Map
	fields []fieldType
	rows   [][][]byte
}

type fieldType struct {
	oid    uint32
	format int16
}

func (a *answer) read(rows pgx.Rows) {
	for _, f := range rows.FieldDescriptions() {
		a.fields = append(a.fields, fieldType{f.DataTypeOID, f.Format})
	}
	for rows.Next() {
		row := make([][]byte, len(a.fields))
		for i, v := range rows.RawValues() {
			row[i] = bytes.Clone(v) // NULL, which is nil, stays so
		}
		a.rows = append(a.rows, row)
	}
}

func (a *answer) scan(row [][]byte, to []any) error {
	if len(to) != len(a.fields) {
		return fmt.Errorf("%d columns are scanned into %d values", len(a.fields), len(to))
	}
	for i, f := range a.fields {
		if err := a.types.Scan(f.oid, f.format, row[i], to[i]); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

// foresee has statements go together with the next one that is collected. They will be
// collected in this session too, with these very arguments; one that never is costs its
// work and no more. On a database without trips nothing is gained, and nothing happens.
func (s session) foresee(all ...statement) {
	if t, ok := s.conn.(*snapshot); ok {
		t.foreseen = append(t.foreseen, all...)
	}
}

// each calls row for every row of a query.
func (t *snapshot) each(ctx context.Context, q statement, row func(scan func(...any) error) error) error {
	if len(t.foreseen)+len(t.ahead) == 0 {
		return t.send(ctx, func(b *pgx.Batch, _ *pgtype.Map) { queue(b, q, row) })
	}
	key := q.key()
	a, ok := t.ahead[key]
	if !ok {
		if err := t.fetch(ctx, key, q); err != nil {
			return err
		}
		a = t.ahead[key]
	}
	delete(t.ahead, key)
	for _, r := range a.rows {
		if err := row(func(to ...any) error { return a.scan(r, to) }); err != nil {
			return err
		}
	}
	return nil
}

func queue(b *pgx.Batch, q statement, row func(scan func(...any) error) error) {
	b.Queue(q.query, q.args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := row(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// fetch gets the answers to a statement and to all that are foreseen.
func (t *snapshot) fetch(ctx context.Context, key string, q statement) error {
	asked := map[string]statement{key: q}
	for _, f := range t.foreseen {
		asked[f.key()] = f
	}
	t.foreseen = nil
	return t.send(ctx, func(b *pgx.Batch, types *pgtype.Map) {
		for key, q := range asked {
			a := &answer{types: types}
			b.Queue(q.query, q.args...).Query(func(rows pgx.Rows) error {
				a.read(rows)
				t.ahead[key] = a
				return rows.Err()
			})
		}
	})
}

// send makes one trip, with the transaction's beginning where it has none yet. A
// connection that turns out to be dead before it began is replaced.
func (t *snapshot) send(ctx context.Context, fill func(*pgx.Batch, *pgtype.Map)) error {
	const tries = 3
	for try := 1; ; try++ {
		var err error
		stale := false
		if lost := t.Raw(func(c any) error {
			pg := c.(*stdlib.Conn).Conn()
			var b pgx.Batch
			if !t.begun {
				b.Queue(beginSnapshot).Exec(func(pgconn.CommandTag) error {
					t.begun = true
					return nil
				})
			}
			fill(&b, pg.TypeMap())
			err = pg.SendBatch(ctx, &b).Close()
			if !pg.IsClosed() {
				return nil
			}
			stale = !t.begun
			return driver.ErrBadConn // so that it does not go back to the pool
		}); lost != nil && err == nil {
			err = lost
		}
		if err == nil || !stale || ctx.Err() != nil || try == tries {
			return err
		}
		next, again := t.pool.Conn(ctx)
		if again != nil {
			return again
		}
		t.Conn = next
	}
}

// end ends the transaction and gives its connection back.
func (t *snapshot) end() {
	defer t.Close()
	if !t.begun {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = t.Raw(func(c any) error {
		if _, err := c.(*stdlib.Conn).Conn().Exec(ctx, `ROLLBACK`); err != nil {
			return driver.ErrBadConn
		}
		return nil
	})
}
