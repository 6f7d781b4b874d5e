package sqldb

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
)

// FuzzCursor holds that a cursor from outside is read or refused, and that one that was
// given out comes back as it was.
func FuzzCursor(f *testing.F) {
	for _, text := range []string{"", "x", "e30", cursor{N: -5, ID: "C1"}.String(), cursor{ID: "\u2028 \""}.String()} {
		f.Add(text)
	}
	first := cursor{N: 7, ID: "first"}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text, first)
		if err != nil {
			if got, want := audit.ErrorCode(err), audit.CodeInvalid; got != want {
				t.Errorf("code %q, want %q", got, want)
			}
			return
		}
		again, err := parseCursor(c.String(), first)
		if err != nil || again != c {
			t.Errorf("%+v came back as %+v, %v", c, again, err)
		}
	})
}

func TestBands(t *testing.T) {
	f, ok := audit.ParseFingerprint("0001000200030004" + "0005000600070008" + "0009000a000b000c" + "000d000e000ff00f")
	if !ok {
		t.Fatal("no fingerprint")
	}
	var want [bandCount]int64
	for i := range want {
		want[i] = int64(i)*65536 + int64(i) + 1
	}
	want[15] = 15*65536 + 0xf00f
	if diff := cmp.Diff(want, bandsOf(f)); diff != "" {
		t.Errorf("bands (-want +got):\n%s", diff)
	}
}

// TestSketch holds that a sketch takes four bits of each row and column, and that two meet
// where those differ in [nearSketch] bits and not where they differ in one more.
func TestSketch(t *testing.T) {
	var of audit.Fingerprint // the fingerprint's bits that the sketch is of
	rows, columns := [16]int{}, [16]int{}
	for bit := range 256 {
		var f audit.Fingerprint
		f[bit/64] = 1 << (63 - bit%64)
		if sketchOf(f) != 0 {
			of[bit/64] |= f[bit/64]
			rows[bit/16]++
			columns[bit%16]++
		}
	}
	for i := range 16 {
		if rows[i] != 4 || columns[i] != 4 {
			t.Errorf("of row %d %d bits are taken, of column %d %d", i, rows[i], i, columns[i])
		}
	}
	f := audit.Fingerprint{1, 2, 3, 4}
	asked := probeOf(f)
	differ := 0
	for bit := range 256 {
		at := uint64(1) << (63 - bit%64)
		if of[bit/64]&at == 0 {
			continue
		}
		f[bit/64] ^= at
		differ++
		if met, want := meet(asked.sketch, sketchOf(f), asked.certain), differ <= nearSketch; met != want {
			t.Errorf("at %d bits: %v", differ, met)
		}
	}
}

func TestMarks(t *testing.T) {
	for _, test := range []struct {
		dialect dialect
		list    string
		args    []any
		values  string
	}{
		{sqlite{}, "?,?,?,?", []any{"a", "b", "c", "c"}, "(?,?),(?,?)"},
		{postgres{}, "SELECT unnest($1::text[])", []any{[]string{"a", "b", "c"}}, "($1,$2),($3,$4)"},
	} {
		s := session{dialect: test.dialect}
		marks, args := s.list([]string{"a", "b", "c"})
		if marks != test.list || !cmp.Equal(args, test.args) {
			t.Errorf("list = %s %v, want %s %v", marks, args, test.list, test.args)
		}
		if got := s.values(2, 2); got != test.values {
			t.Errorf("values = %s, want %s", got, test.values)
		}
	}
}

func TestInsert(t *testing.T) {
	rows := [][]any{{"a", int64(1), 2, []byte{3}, 0.5}, {"b", int64(4), 5, []byte{6}, 1.5}}
	const head, tail = `INSERT INTO t (a, b, c, d, e) VALUES`, `ON CONFLICT DO NOTHING`
	for _, test := range []struct {
		dialect dialect
		rows    [][]any
		want    statement
	}{
		{sqlite{}, rows, statement{head + ` (?,?,?,?,?),(?,?,?,?,?) ` + tail, slices.Concat(rows...)}},
		{postgres{}, rows, statement{
			`INSERT INTO t (a, b, c, d, e) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::double precision[]) ` + tail,
			[]any{[]string{"a", "b"}, []int64{1, 4}, []int{2, 5}, [][]byte{{3}, {6}}, []float64{0.5, 1.5}},
		}},
		{postgres{}, [][]any{{"a", nil}, {"b", 1}}, statement{head + ` ($1,$2),($3,$4) ` + tail, []any{"a", nil, "b", 1}}},
		{postgres{}, [][]any{{1}, {"b"}}, statement{head + ` ($1),($2) ` + tail, []any{1, "b"}}},
	} {
		got := test.dialect.insert(session{dialect: test.dialect}, head, tail, test.rows)
		if diff := cmp.Diff([]any{test.want.query, test.want.args}, []any{got.query, got.args}); diff != "" {
			t.Error(diff)
		}
	}
}

func TestStatementKey(t *testing.T) {
	const query = `SELECT 1`
	keys := map[string]statement{}
	for _, q := range []statement{
		{query, nil}, {query + " ", nil}, {query, []any{1}}, {query, []any{"1"}}, {query, []any{"1", "2"}}, {query, []any{`1" "2`}},
		{query, []any{int64(1_763_870_000_000_000)}}, {query, []any{int64(1_763_870_000_000_001)}},
		{query, []any{[]string{"a", "b"}}}, {query, []any{[]string{"a b"}}},
	} {
		if other, taken := keys[q.key()]; taken {
			t.Errorf("%#v and %#v have one key", q, other)
		}
		keys[q.key()] = q
	}
}
