package custody

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// FaultKind says what is wrong with a log.
type FaultKind string

const (
	Removed    FaultKind = "removed"    // rows that must have been there are not
	Altered    FaultKind = "altered"    // a row is not as it was sealed
	Inserted   FaultKind = "inserted"   // a row that was never sealed into the chain
	Disordered FaultKind = "disordered" // a row stands in another place than its number says
)

// Fault is one thing that is wrong with a log.
type Fault struct {
	Kind    FaultKind `json:"kind"`
	Seq     int64     `json:"seq"`               // of the row, or of the first of several
	Through int64     `json:"through,omitempty"` // of the last of several
	Detail  string    `json:"detail"`
}

// String is the fault in plain words.
func (f Fault) String() string {
	if f.Through > f.Seq {
		return fmt.Sprintf("rows %d to %d %s: %s", f.Seq, f.Through, f.Kind, f.Detail)
	}
	return fmt.Sprintf("row %d %s: %s", f.Seq, f.Kind, f.Detail)
}

// Result is what checking a log found.
type Result struct {
	Rows   int64 `json:"rows"`
	Head   Head  `json:"head"`   // of the row with the highest number
	Faults int64 `json:"faults"` // how many were reported
}

// Intact tells whether nothing is wrong.
func (r Result) Intact() bool { return r.Faults == 0 }

// Verify checks a log, its rows given in order, and reports every fault as it is found;
// memory does not grow with the rows. known are heads from elsewhere that the log must
// contain. The error is the iterator's own.
func Verify(rows iter.Seq2[Entry, error], known []Head, report func(Fault)) (Result, error) {
	v := verifier{report: report, known: slices.Clone(known), tips: []string{Genesis}}
	slices.SortFunc(v.known, func(a, b Head) int { return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Hash, b.Hash)) })
	v.known = slices.Compact(v.known)
	for e, err := range rows {
		if err != nil {
			return v.result, err
		}
		v.row(e)
	}
	v.end()
	return v.result, nil
}

// maxTips bounds how many rows of one number are remembered.
const maxTips = 16

type verifier struct {
	report func(Fault)
	known  []Head // by number, those that are not checked yet
	result Result
	// tips are the hashes that the next row may name as its previous one: the last row's
	// as it is kept, and as it should be where that is another.
	tips    []string
	doubted bool  // whether the last row was reported
	from    int64 // the gap that is not reported yet: a row of it may still come
	through int64
}

func (v *verifier) fault(kind FaultKind, seq, through int64, format string, args ...any) {
	v.result.Faults++
	v.report(Fault{Kind: kind, Seq: seq, Through: through, Detail: fmt.Sprintf(format, args...)})
}

func (v *verifier) row(e Entry) {
	v.result.Rows++
	last := v.result.Head.Seq
	should := e.digest()
	switch {
	case e.Seq < 1:
		v.fault(Inserted, e.Seq, 0, "rows are numbered from 1")
	case e.Seq == last:
		v.fault(Inserted, e.Seq, 0, "there is more than one row of that number")
		if len(v.tips) < maxTips {
			v.tips = append(v.tips, e.Hash, should)
		}
	case e.Seq < last:
		v.fault(Disordered, e.Seq, 0, "it stands after row %d", last)
		v.found(e.Seq)
		if should != e.Hash {
			v.fault(Altered, e.Seq, 0, "it does not match its hash")
		}
	default:
		v.next(e, should)
	}
}

// next takes the row with the highest number so far.
func (v *verifier) next(e Entry, should string) {
	last := v.result.Head.Seq
	sound := should == e.Hash
	gap := e.Seq > last+1
	if gap {
		v.gap()
		v.from, v.through = last+1, e.Seq-1
	}
	linked := gap || slices.Contains(v.tips, e.Previous)
	switch {
	case !sound && linked:
		v.fault(Altered, e.Seq, 0, "it does not match its hash")
	case !sound && slices.ContainsFunc(v.tips, func(tip string) bool { e.Previous = tip; return e.digest() == e.Hash }):
		v.fault(Altered, e.Seq, 0, "its previous hash is not that of row %d", last)
	case !sound:
		v.fault(Altered, e.Seq, 0, "it matches neither its hash nor that of row %d, which it cannot vouch for", last)
	case !linked && last == 0:
		v.fault(Altered, e.Seq, 0, "it does not begin a log: its previous hash is not all zeros")
	case !linked && !v.doubted:
		v.fault(Altered, last, 0, "it is not the row that row %d was sealed after: it was changed and given a new hash, or row %d was", e.Seq, e.Seq)
	}
	v.doubted = !sound
	v.tips = append(v.tips[:0], e.Hash)
	if !sound {
		v.tips = append(v.tips, should)
	}
	v.result.Head = e.Head()
	v.hold(e, should)
}

// hold holds a row against the heads that are known of it.
func (v *verifier) hold(e Entry, should string) {
	for len(v.known) > 0 && v.known[0].Seq <= e.Seq {
		k := v.known[0]
		v.known = v.known[1:]
		if k.Seq == e.Seq && k.Hash != e.Hash && k.Hash != should {
			v.fault(Altered, e.Seq, 0, "it was known with the hash %s: it, or a row before it, was changed and the rows since were given new hashes", k.Hash)
			v.doubted = true
		}
	}
}

// found takes a row that comes late out of the gap.
func (v *verifier) found(seq int64) {
	if v.from == 0 || seq < v.from || seq > v.through {
		return
	}
	through := v.through
	v.through = seq - 1
	v.gap()
	if seq < through {
		v.from, v.through = seq+1, through
	}
}

// gap reports the gap, if there is one.
func (v *verifier) gap() {
	if v.from != 0 && v.from <= v.through {
		v.fault(Removed, v.from, v.through, "the numbers have a gap")
	}
	v.from, v.through = 0, 0
}

func (v *verifier) end() {
	v.gap()
	if n := len(v.known); n > 0 {
		k := v.known[n-1]
		v.fault(Removed, v.result.Head.Seq+1, k.Seq, "the log was cut off: it was known up to row %d", k.Seq)
	}
}
