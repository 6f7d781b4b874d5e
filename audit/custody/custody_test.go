package custody

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
)

// chain is a log of n rows.
func chain(n int) []Entry {
	var rows []Entry
	var head Head
	for i := range n {
		e := Seal(head, Entry{At: time.Date(2026, 5, 4, 12, 0, i, 123456789, time.UTC), Actor: fmt.Sprint("token:", i%3), Role: audit.Agent,
			Action: PhotoViewed, Subject: Subject{Photo, fmt.Sprint("photo ", i)}, Detail: Details(map[string]string{"n": fmt.Sprint(i)})})
		rows, head = append(rows, e), e.Head()
	}
	return rows
}

func values(rows []Entry) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, e := range rows {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// check is what verifying finds, each fault as "kind seq" or "kind from-through".
func check(t *testing.T, rows []Entry, known ...Head) (Result, []string) {
	t.Helper()
	var found []string
	r, err := Verify(values(rows), known, func(f Fault) {
		s := fmt.Sprint(f.Kind, " ", f.Seq)
		if f.Through > f.Seq {
			s += fmt.Sprint("-", f.Through)
		}
		found = append(found, s)
		if f.Detail == "" || !strings.Contains(f.String(), f.Detail) {
			t.Errorf("fault %+v in words: %q", f, f)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if int(r.Faults) != len(found) || r.Intact() != (len(found) == 0) || int(r.Rows) != len(rows) {
		t.Errorf("result %+v of %d rows with faults %v", r, len(rows), found)
	}
	return r, found
}

func TestEncodingIsAsDocumented(t *testing.T) {
	field := func(s string) string { return fmt.Sprintf("%d:%s,", len(s), s) }
	sum := func(texts ...string) string {
		var b strings.Builder
		for _, s := range texts {
			b.WriteString(field(s))
		}
		return fmt.Sprintf("%x", sha256.Sum256([]byte(b.String())))
	}
	first := Seal(Head{}, Entry{At: time.UnixMicro(0)})
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte("20:porchlight-custody/1,1:1,1:0,0:,0:,0:,0:,0:,0:,64:"+strings.Repeat("0", 64)+","))); first.Hash != want {
		t.Errorf("the empty entry's hash = %s, want %s", first.Hash, want)
	}
	second := Seal(first.Head(), Entry{At: time.Date(2026, 5, 4, 12, 0, 0, 1999, time.FixedZone("", 3600)), Actor: "token:Zoë", Role: audit.Agent,
		Action: ClaimViewed, Subject: Subject{Claim, "C,1"}, Detail: `{"a":"b"}`})
	want := sum("porchlight-custody/1", "2", "1777892400000001", "token:Zoë", "agent", "claim.viewed", "claim", "C,1", `{"a":"b"}`, first.Hash)
	if second.Hash != want || second.Seq != 2 || second.Previous != first.Hash {
		t.Errorf("the second entry is %+v, want hash %s", second, want)
	}
}

// Every single change to one row is found, and no other row is blamed.
func TestAlteredFields(t *testing.T) {
	for name, change := range map[string]func(*Entry){
		"at":       func(e *Entry) { e.At = e.At.Add(time.Microsecond) },
		"actor":    func(e *Entry) { e.Actor += "x" },
		"role":     func(e *Entry) { e.Role = audit.Admin },
		"action":   func(e *Entry) { e.Action = PhotoUploaded },
		"kind":     func(e *Entry) { e.Kind = Claim },
		"id":       func(e *Entry) { e.ID = "" },
		"detail":   func(e *Entry) { e.Detail = "{}" },
		"shifted":  func(e *Entry) { e.ID, e.Detail = e.ID+e.Detail[:1], e.Detail[1:] },
		"previous": func(e *Entry) { e.Previous = strings.Repeat("a", 64) },
		"hash":     func(e *Entry) { e.Hash = strings.Repeat("b", 64) },
		"no hash":  func(e *Entry) { e.Hash = "" },
	} {
		for _, n := range []int{1, 4, 7} {
			rows := chain(7)
			change(&rows[n-1])
			_, got := check(t, rows)
			if diff := cmp.Diff([]string{fmt.Sprint("altered ", n)}, got); diff != "" {
				t.Errorf("%s of row %d (-want +got):\n%s", name, n, diff)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	reseal := func(rows []Entry, from int) []Entry {
		for i := from; i < len(rows); i++ {
			var head Head
			if i > 0 {
				head = rows[i-1].Head()
			}
			rows[i] = Seal(head, rows[i])
		}
		return rows
	}
	whole := chain(8)
	foreign := Seal(Head{3, strings.Repeat("c", 64)}, whole[0])
	for _, c := range []struct {
		name  string
		rows  func(rows []Entry) []Entry
		known []Head
		want  []string
	}{
		{"whole", func(r []Entry) []Entry { return r }, []Head{whole[7].Head(), whole[2].Head(), whole[2].Head()}, nil},
		{"empty", func(r []Entry) []Entry { return nil }, nil, nil},
		{"one removed", func(r []Entry) []Entry { return slices.Delete(r, 3, 4) }, nil, []string{"removed 4"}},
		{"several removed", func(r []Entry) []Entry { return slices.Delete(r, 3, 6) }, nil, []string{"removed 4-6"}},
		{"first removed", func(r []Entry) []Entry { return r[1:] }, nil, []string{"removed 1"}},
		{"two gaps", func(r []Entry) []Entry { return slices.Delete(slices.Delete(r, 5, 6), 1, 3) }, nil, []string{"removed 2-3", "removed 6"}},
		{"tail cut, unknown", func(r []Entry) []Entry { return r[:5] }, nil, nil},
		{"tail cut, known", func(r []Entry) []Entry { return r[:5] }, []Head{whole[2].Head(), whole[7].Head()}, []string{"removed 6-8"}},
		{"all cut, known", func(r []Entry) []Entry { return nil }, []Head{whole[2].Head()}, []string{"removed 1-3"}},
		{"removed and known", func(r []Entry) []Entry { return slices.Delete(r, 3, 4) }, []Head{whole[3].Head()}, []string{"removed 4"}},
		{"removed, the rest sealed anew", func(r []Entry) []Entry { return reseal(slices.Delete(r, 3, 4), 3) }, []Head{whole[4].Head()}, []string{"altered 5"}},
		{"removed, the rest sealed anew, tail known", func(r []Entry) []Entry { return reseal(slices.Delete(r, 3, 4), 3) }, []Head{whole[7].Head()}, []string{"removed 8"}},
		{"changed and given a new hash", func(r []Entry) []Entry { r[3].Detail = "{}"; r[3].Hash = r[3].digest(); return r }, nil, []string{"altered 4"}},
		{"changed and given a new hash, known", func(r []Entry) []Entry { r[3].Detail = "{}"; r[3].Hash = r[3].digest(); return r },
			[]Head{whole[3].Head()}, []string{"altered 4"}},
		{"last changed and given a new hash, known", func(r []Entry) []Entry { r[7].Actor = "x"; r[7].Hash = r[7].digest(); return r },
			[]Head{whole[7].Head()}, []string{"altered 8"}},
		{"first begins elsewhere", func(r []Entry) []Entry {
			r[0].Previous = strings.Repeat("d", 64)
			r[0].Hash = r[0].digest()
			return r[:1]
		}, nil, []string{"altered 1"}},
		{"numbers exchanged", func(r []Entry) []Entry {
			r[2].Seq, r[3].Seq = 4, 3
			r[2], r[3] = r[3], r[2]
			return r
		}, nil, []string{"altered 3", "altered 4"}},
		{"places exchanged", func(r []Entry) []Entry { r[2], r[3] = r[3], r[2]; return r }, nil, []string{"disordered 3"}},
		{"one comes last", func(r []Entry) []Entry { return append(slices.Delete(r, 3, 4), whole[3]) }, nil, []string{"disordered 4"}},
		{"one of a gap comes late", func(r []Entry) []Entry { return append(slices.Delete(r, 2, 5), whole[3]) }, nil, []string{"disordered 4", "removed 3", "removed 5"}},
		{"twice", func(r []Entry) []Entry { return slices.Insert(r, 3, r[3]) }, nil, []string{"inserted 4"}},
		{"another of the same number before", func(r []Entry) []Entry { return slices.Insert(r, 3, foreign) }, nil, []string{"altered 3", "inserted 4"}},
		{"another of the same number behind", func(r []Entry) []Entry { return slices.Insert(r, 4, foreign) }, nil, []string{"inserted 4"}},
		{"below one", func(r []Entry) []Entry { return slices.Insert(r, 0, Seal(Head{-1, Genesis}, r[0])) }, nil, []string{"inserted 0"}},
		{"inserted and the rest renumbered", func(r []Entry) []Entry {
			r = slices.Insert(r, 6, Seal(r[5].Head(), r[0]))
			r[7].Seq, r[8].Seq = 8, 9
			return r
		}, nil, []string{"altered 8", "altered 9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := check(t, c.rows(chain(8)), c.known...)
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerifyTellsTheIteratorsError(t *testing.T) {
	broken := errors.New("broken")
	_, err := Verify(func(yield func(Entry, error) bool) { yield(Entry{}, broken) }, nil, func(Fault) { t.Error("a fault") })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestActor(t *testing.T) {
	if got := By(t.Context(), Entry{}).Actor; got != "system" {
		t.Errorf("without an actor: %q", got)
	}
	ctx := WithActor(t.Context(), Actor{"token:1", audit.Agent})
	if got := By(ctx, Entry{}); got.Actor != "token:1" || got.Role != audit.Agent {
		t.Errorf("got %+v", got)
	}
}

// FuzzParseHead holds that a head from outside is read or refused, and that what is read
// is written the same way again.
func FuzzParseHead(f *testing.F) {
	for _, s := range []string{"", ":", "1", "0:" + Genesis, "1:" + Genesis, "+1:" + Genesis, "01:" + Genesis, "9223372036854775808:" + Genesis,
		"7:" + strings.Repeat("AB", 32), "7:" + strings.Repeat("g", 64), "-7:" + Genesis, "7:" + Genesis + "0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHead(s)
		if err != nil {
			if got := audit.ErrorCode(err); got != audit.CodeInvalid {
				t.Errorf("code %q", got)
			}
			return
		}
		if h.Seq < 1 || len(h.Hash) != 64 || h.String() != strings.ToLower(s) {
			t.Errorf("%q is read as %+v", s, h)
		}
	})
}

func TestParseHead(t *testing.T) {
	for s, ok := range map[string]bool{"": false, "0:" + Genesis: false, "12:" + Genesis: true, "012:" + Genesis: false, "12:" + Genesis[1:]: false,
		"12:" + strings.Repeat("F", 64): true, " 12:" + Genesis: false, "12": false} {
		if _, err := ParseHead(s); (err == nil) != ok {
			t.Errorf("ParseHead(%q): %v", s, err)
		}
	}
}
