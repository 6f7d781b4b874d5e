package rows

import (
	"context"
	"iter"
	"slices"

	"porchlight/audit"
)

// MaxRejections is the most rejections that a [Summary] lists; it counts them all.
const MaxRejections = 1000

// Summary is what an import came to.
type Summary struct {
	Created       int         `json:"created"`
	Updated       int         `json:"updated"`
	Unchanged     int         `json:"unchanged"`
	RejectedCount int         `json:"rejected_count"`
	Rejected      []Rejection `json:"rejected"` // the first MaxRejections, in the import's order within a batch
}

// Rejection is a row that was not kept, and why.
type Rejection struct {
	Line    int        `json:"line"`
	Code    audit.Code `json:"code"`
	Message string     `json:"message"`
}

// Rows is how many rows the summary speaks of.
func (s Summary) Rows() int { return s.Created + s.Updated + s.Unchanged + s.RejectedCount }

func (s *Summary) reject(line int, err error) {
	s.RejectedCount++
	if len(s.Rejected) < MaxRejections {
		s.Rejected = append(s.Rejected, Rejection{Line: line, Code: audit.ErrorCode(err), Message: audit.ErrorMessage(err)})
	}
}

// rowCodes are the errors of put that are one row's own fault.
var rowCodes = []audit.Code{audit.CodeInvalid, audit.CodeUnknownField, audit.CodeNotFound, audit.CodeConflict,
	audit.CodeImmutable, audit.CodeForbidden, audit.CodeDelivery, audit.CodeNotYours, audit.CodeEmpty, audit.CodeTooLarge, audit.CodeNotAPhoto}

// OwnFault tells whether an error of put is one row's own fault, and no other's.
func OwnFault(err error) bool { return slices.Contains(rowCodes, audit.ErrorCode(err)) }

// Import puts the good rows of a sequence in batches of at most batch rows (1 where it
// is less) and sums up. put keeps all of its rows or none, and answers what it did with
// each; since the same row again is [audit.Unchanged], an import that broke off is
// resumed by running it again.
//
// Where put refuses a batch for a fault of one row (not found, invalid, conflict, ...),
// the batch's rows are put one by one and the faulty ones rejected. Any other error of
// put ends the import, as do the stream's own and ctx; the summary then tells what was
// kept until then. Rows ahead of a broken stream are kept. progress, where it is not
// nil, is told the summary so far after each batch.
func Import[T any](ctx context.Context, seq iter.Seq2[Row[T], error], batch int,
	put func(context.Context, []T) ([]audit.Change, error), progress func(Summary),
) (Summary, error) {
	sum := Summary{Rejected: []Rejection{}}
	batch = max(batch, 1)
	var values []T
	var lines []int
	flush := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(values) > 0 {
			if err := sum.put(ctx, lines, len(values), func(i, j int) ([]audit.Change, error) { return put(ctx, values[i:j]) }); err != nil {
				return err
			}
		}
		clear(values)
		values, lines = values[:0], lines[:0]
		if progress != nil {
			progress(sum)
		}
		return nil
	}
	seen := 0
	for row, err := range seq {
		if err != nil {
			if failed := flush(); failed != nil {
				return sum, failed
			}
			return sum, err
		}
		if row.Err != nil {
			sum.reject(row.Line, row.Err)
		} else {
			values, lines = append(values, row.Value), append(lines, row.Line)
		}
		// Rejected rows count, so that a file of bad rows reports progress and stops with ctx.
		if seen++; seen%batch == 0 {
			if err := flush(); err != nil {
				return sum, err
			}
		}
	}
	return sum, flush()
}

// put puts rows 0..n, one by one where they do not go together.
func (s *Summary) put(ctx context.Context, lines []int, n int, put func(i, j int) ([]audit.Change, error)) error {
	changes, err := put(0, n)
	switch {
	case err == nil:
		return s.count(changes, n)
	case !OwnFault(err):
		return err
	case n == 1:
		s.reject(lines[0], err)
		return nil
	}
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		changes, err := put(i, i+1)
		if err == nil {
			err = s.count(changes, 1)
			if err != nil {
				return err
			}
			continue
		}
		if !OwnFault(err) {
			return err
		}
		s.reject(lines[i], err)
	}
	return nil
}

func (s *Summary) count(changes []audit.Change, want int) error {
	if len(changes) != want {
		return audit.Errorf(audit.CodeInternal, "%d rows were put, %d changes answered", want, len(changes))
	}
	for _, c := range changes {
		switch c {
		case audit.Created:
			s.Created++
		case audit.Updated:
			s.Updated++
		default:
			s.Unchanged++
		}
	}
	return nil
}
