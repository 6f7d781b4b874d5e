package sqldb

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/s2"

	"porchlight/audit"
)

// packedRows is how many reports a row of run_reports holds, and how many flips one of
// run_flips: looking up one unpacks them all, which takes about a millisecond.
const packedRows = 256

// packing holds what rows are put together in: the texts, and all of a row.
var packing = sync.Pool{New: func() any { return new([2][]byte) }}

// pack writes values, which are in order of upload id, as one row: their number, then the
// length of each one's upload id and JSON, then those texts, compressed by S2. The numbers
// are unsigned varints.
func pack[T any](values []T, uploadID func(T) string) ([]byte, error) {
	head := binary.AppendUvarint(nil, uint64(len(values)))
	buffers := packing.Get().(*[2][]byte)
	defer packing.Put(buffers)
	texts := buffers[0][:0]
	for _, v := range values {
		id := uploadID(v)
		text, err := fastJSON.Marshal(v)
		if err != nil {
			return nil, audit.Errorf(audit.CodeInvalid, "what a run found cannot be stored", err)
		}
		head = binary.AppendUvarint(binary.AppendUvarint(head, uint64(len(id))), uint64(len(text)))
		texts = append(append(texts, id...), text...)
	}
	buffers[0], buffers[1] = texts, append(append(buffers[1][:0], head...), texts...)
	return s2.Encode(nil, buffers[1]), nil
}

// packAll packs values as rows of a run: its id, the last upload id of each row, the first,
// and the values.
func packAll[T any](runID string, values []T, uploadID func(T) string) (rows [][]any, err error) {
	for part := range slices.Chunk(values, packedRows) {
		b, err := pack(part, uploadID)
		if err != nil {
			return nil, err
		}
		rows = append(rows, []any{runID, uploadID(part[len(part)-1]), uploadID(part[0]), b})
	}
	return rows, nil
}

// packed is a row of run_reports or run_flips, opened.
type packed struct {
	first, last string
	ids         []string
	texts       [][]byte
}

// maxPacked bounds what a row unpacks to.
const maxPacked = 64 << 20

func unpack(first, last string, b []byte) (packed, error) {
	broken := audit.Errorf(audit.CodeCorrupted, "a row of what a run found cannot be read")
	if n, err := s2.DecodedLen(b); err != nil || n > maxPacked {
		return packed{}, broken
	}
	b, err := s2.Decode(nil, b)
	if err != nil {
		return packed{}, broken
	}
	next := func() int {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > maxPacked {
			b = nil
			return -1
		}
		b = b[n:]
		return int(v)
	}
	count := next()
	if count < 0 || count > len(b) {
		return packed{}, broken
	}
	lengths := make([]int, 0, 2*count)
	for range 2 * count {
		n := next()
		if n < 0 {
			return packed{}, broken
		}
		lengths = append(lengths, n)
	}
	p := packed{first: first, last: last, ids: make([]string, 0, count), texts: make([][]byte, 0, count)}
	for i := 0; i < len(lengths); i += 2 {
		id, text := lengths[i], lengths[i+1]
		if id+text > len(b) {
			return packed{}, broken
		}
		p.ids, p.texts = append(p.ids, string(b[:id])), append(p.texts, b[id:id+text])
		b = b[id+text:]
	}
	if len(b) > 0 {
		return packed{}, broken
	}
	return p, nil
}

func scanPacked(scan func(...any) error) (packed, error) {
	var first, last string
	var b []byte
	if err := scan(&first, &last, &b); err != nil {
		return packed{}, err
	}
	return unpack(first, last, b)
}

// report finds an upload's report, and whether there is one.
func (p packed) report(uploadID string) (r audit.Report, ok bool, err error) {
	i, ok := slices.BinarySearch(p.ids, uploadID)
	if !ok {
		return r, false, nil
	}
	err = keptJSON.Unmarshal(p.texts[i], &r)
	return r, err == nil, err
}

// packs finds reports of one run. It keeps the row that it read last, so that uploads in
// order of their ids are found with few look-ups.
type packs struct {
	session
	runID string
	at    packed // the first row that ends at or after what was asked for last
	read  bool
	none  bool // there is no such row
}

const queryPack = `SELECT first_id, last_id, reports FROM run_reports WHERE run_id = $1 AND last_id >= $2 ORDER BY last_id LIMIT 1`

func (p *packs) report(ctx context.Context, uploadID string) (audit.Report, bool, error) {
	if p.none {
		return audit.Report{}, false, nil
	}
	if !p.read || uploadID > p.at.last {
		rows, err := collect(ctx, p.session, scanPacked, queryPack, p.runID, uploadID)
		if err != nil {
			return audit.Report{}, false, err
		}
		p.read, p.none = true, len(rows) == 0
		if p.none {
			return audit.Report{}, false, nil
		}
		p.at = rows[0]
	}
	return p.at.report(uploadID)
}

// RunReport finds the report that a run made of an upload, whether it counts already or
// not. ok is false where it made none.
func (db *DB) RunReport(ctx context.Context, runID, uploadID string) (r audit.Report, ok bool, err error) {
	p := packs{session: db.on(db.reader), runID: runID}
	return p.report(ctx, uploadID)
}

// queryPublished finds the runs whose reports may be later than a time, the latest first.
const queryPublished = `SELECT published_at, run_id FROM runs WHERE published_at > 0 AND published_at >= $1 ORDER BY published_at DESC, run_id DESC`

type published struct {
	at    int64
	packs packs
}

func (s session) published(ctx context.Context, since int64) ([]published, error) {
	return collect(ctx, s, func(scan func(...any) error) (p published, err error) {
		p.packs.session = s
		err = scan(&p.at, &p.packs.runID)
		return p, err
	}, queryPublished, since)
}

// later tells whether one report was made after another.
func later(a, b audit.Report) bool {
	if n := a.JudgedAt.Compare(b.JudgedAt); n != 0 {
		return n > 0
	}
	return strings.Compare(a.ReportID, b.ReportID) > 0
}

// overlay gives each upload the latest report of a published run where that is later than
// the one in the table of reports.
func (s session) overlay(ctx context.Context, judged []audit.JudgedUpload) error {
	if len(judged) == 0 {
		return nil
	}
	since := micros(judged[0].Report.JudgedAt)
	order := make([]*audit.JudgedUpload, len(judged))
	for i := range judged {
		since = min(since, micros(judged[i].Report.JudgedAt))
		order[i] = &judged[i]
	}
	runs, err := s.published(ctx, since)
	if err != nil || len(runs) == 0 {
		return err
	}
	slices.SortFunc(order, func(a, b *audit.JudgedUpload) int { return strings.Compare(a.Upload.UploadID, b.Upload.UploadID) })
	for _, j := range order {
		for i := range runs {
			if runs[i].at < micros(j.Report.JudgedAt) {
				break // it and those before it were published before
			}
			r, ok, err := runs[i].packs.report(ctx, j.Upload.UploadID)
			if err != nil {
				return err
			}
			if ok && later(r, j.Report) {
				j.Report = r
			}
		}
	}
	return nil
}
