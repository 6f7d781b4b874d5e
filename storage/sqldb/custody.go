package sqldb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
)

// custodyLock makes those who append to the custody log take turns on Postgres. It is
// the last lock that a transaction takes.
const custodyLock = importLock + 1

const queryCustodyHead = `SELECT seq, hash FROM custody ORDER BY seq DESC LIMIT 1`

// log appends entries to the custody log, done by the context's actor unless they name
// one. It must be the last thing that a transaction does. Without entries it does
// nothing.
func (s session) log(ctx context.Context, entries ...custody.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := s.dialect.lock(ctx, s, []int64{custodyLock}); err != nil {
		return err
	}
	head, err := s.custodyHead(ctx)
	if err != nil {
		return err
	}
	rows := make([][]any, len(entries))
	for i, e := range entries {
		if e.Actor == "" {
			e = custody.By(ctx, e)
		}
		if e.At.IsZero() {
			e.At = s.now()
		}
		e = custody.Seal(head, e)
		head = e.Head()
		rows[i] = []any{e.Seq, micros(e.At), e.Actor, string(e.Role), string(e.Action), string(e.Kind), e.ID, e.Detail, e.Previous, e.Hash}
	}
	return s.insert(ctx, `INSERT INTO custody (seq, at, actor, role, action, subject_kind, subject_id, detail, previous, hash) VALUES`, "", rows)
}

// logRows logs the rows that an import changed, with the digest of what is kept of each
// now. A row that is in the import twice is logged once.
func (s session) logRows(ctx context.Context, action custody.Action, kind custody.Kind, ids []string, changes []audit.Change, kept func(id string) string) error {
	var entries []custody.Entry
	logged := map[string]bool{}
	for i, id := range ids {
		if changes[i] == audit.Unchanged || logged[id] {
			continue
		}
		logged[id] = true
		entries = append(entries, custody.Entry{Action: action, Subject: custody.Subject{Kind: kind, ID: id},
			Detail: custody.Details(map[string]string{"change": string(changes[i]), "sha256": textDigest(kept(id))})})
	}
	return s.log(ctx, entries...)
}

// textDigest is the SHA-256 of a text, in hex.
func textDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (s session) custodyHead(ctx context.Context) (custody.Head, error) {
	all, err := collect(ctx, s, func(scan func(...any) error) (h custody.Head, err error) {
		err = scan(&h.Seq, &h.Hash)
		return h, err
	}, queryCustodyHead)
	if err != nil || len(all) == 0 {
		return custody.Head{}, err
	}
	return all[0], nil
}

// CustodyHead is the custody log's last entry, the zero head where it has none.
func (db *DB) CustodyHead(ctx context.Context) (custody.Head, error) {
	return db.on(db.reader).custodyHead(ctx)
}

// AppendCustody appends entries that say who acted; all are durable when it returns nil.
func (db *DB) AppendCustody(ctx context.Context, entries []custody.Entry) error {
	return db.write(ctx, func(s session) error { return s.log(ctx, entries...) })
}

const (
	queryCustody        = `SELECT seq, at, actor, role, action, subject_kind, subject_id, detail, previous, hash FROM custody`
	queryCustodyPage    = queryCustody + ` WHERE seq > $1 ORDER BY seq LIMIT $2`
	queryCustodySubject = queryCustody + ` WHERE seq > $1 AND subject_kind = $2 AND subject_id = $3 ORDER BY seq LIMIT $4`
)

// Custody lists the custody log in its order, at most limit entries from the one after
// the cursor; next is "" at the end. A subject with an id chooses what was done to that
// alone. Errors: [audit.CodeInvalid] for a cursor of another make.
func (db *DB) Custody(ctx context.Context, of custody.Subject, after string, limit int) ([]custody.Entry, string, error) {
	c, err := parseCursor(after, cursor{})
	if err != nil {
		return nil, "", err
	}
	query, args := queryCustodyPage, []any{c.N}
	if of.ID != "" {
		query, args = queryCustodySubject, []any{c.N, string(of.Kind), of.ID}
	}
	return page(ctx, db, limit, scanCustody, func(e custody.Entry) (custody.Entry, string) { return e, cursor{N: e.Seq}.String() }, query, args...)
}

// CustodyEntries is the whole custody log in its order, row by row as the database gives
// it, one state of it. A row whose values are not of their kind is given as far as it
// can be read: it does not match its hash then.
func (db *DB) CustodyEntries(ctx context.Context) iter.Seq2[custody.Entry, error] {
	return func(yield func(custody.Entry, error) bool) {
		rows, err := db.reader.QueryContext(ctx, queryCustody+` ORDER BY seq`)
		if err != nil {
			yield(custody.Entry{}, db.dialect.fail(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			e, err := scanCustody(rows.Scan)
			if err != nil {
				err = db.dialect.fail(err)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(custody.Entry{}, db.dialect.fail(err))
		}
	}
}

// scanCustody reads an entry. SQLite keeps values of any kind in a column, so that
// whoever alters the file may have left a text where a number was.
func scanCustody(scan func(...any) error) (e custody.Entry, err error) {
	var seq, at any
	var texts [8]sql.NullString
	err = scan(&seq, &at, &texts[0], &texts[1], &texts[2], &texts[3], &texts[4], &texts[5], &texts[6], &texts[7])
	e.Seq, e.At = wholeNumber(seq, 0), time.UnixMicro(wholeNumber(at, math.MinInt64)).UTC()
	e.Actor, e.Role, e.Action = texts[0].String, audit.Role(texts[1].String), custody.Action(texts[2].String)
	e.Kind, e.ID, e.Detail = custody.Kind(texts[3].String), texts[4].String, texts[5].String
	e.Previous, e.Hash = texts[6].String, texts[7].String
	return e, err
}

func wholeNumber(v any, otherwise int64) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case float64:
		if math.Abs(n) < 1<<53 {
			return int64(math.Floor(n))
		}
	case string:
		if i, err := strconv.ParseInt(n, 10, 64); err == nil {
			return i
		}
	}
	return otherwise
}

// PacketHeads are the heads of the custody log that the issued packets carry. A packet
// that cannot be read has none.
func (db *DB) PacketHeads(ctx context.Context) ([]custody.Head, error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT json FROM packets`)
	if err != nil {
		return nil, db.dialect.fail(err)
	}
	defer rows.Close()
	var heads []custody.Head
	var text sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&text); err != nil {
			return nil, db.dialect.fail(err)
		}
		var p struct {
			Integrity struct {
				Custody custody.Head `json:"custody"`
			} `json:"integrity"`
		}
		if json.Unmarshal(text, &p) == nil && p.Integrity.Custody.Seq > 0 {
			heads = append(heads, p.Integrity.Custody)
		}
	}
	return heads, db.dialect.fail(rows.Err())
}
