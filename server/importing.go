package server

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/rows"
	"porchlight/audit/standing"
)

const (
	importBatch = 500     // rows a transaction
	importHead  = 2 << 10 // bytes that tell the format where the content type does not
)

// Kept is how many rows of an import were kept.
type Kept struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
}

// importRows reads a body row by row, puts the good rows and answers what became of
// all. Rows that were kept stay kept, whatever follows: the same import again resumes.
func importRows[T any](s *Server, put func(context.Context, []T, time.Time) ([]audit.Change, error)) func(*gin.Context) error {
	return func(c *gin.Context) error {
		ctx := c.Request.Context()
		body := bufio.NewReaderSize(&steady{
			r:       http.MaxBytesReader(c.Writer, c.Request.Body, s.limits.ImportBytes),
			control: exchangeOf(ctx).control, idle: s.limits.IdleTime,
		}, importHead)
		head, err := body.Peek(importHead)
		if len(head) == 0 {
			if err := bodyError(err); err != nil {
				return err
			}
			return audit.Errorf(audit.CodeUnreadable, "The import is empty")
		}
		format, err := rows.Detect(c.GetHeader("Content-Type"), "", head)
		if err != nil {
			return audit.Errorf(CodeMediaType, "Send application/json, application/x-ndjson or text/csv: %s", audit.ErrorMessage(err))
		}
		sum, err := putRows(ctx, s, body, format, put)
		if err != nil {
			if worded := bodyError(err); worded != nil {
				err = worded
			}
			p := problemOf(ctx, err)
			if p.Code == audit.CodeInvalid || p.Code == audit.CodeUnknownField {
				// Not a row is wrong but the whole: a header, an array that never ends.
				p.Status, p.Title = http.StatusBadRequest, http.StatusText(http.StatusBadRequest)
			}
			p.Kept, p.Rejected = &Kept{sum.Created, sum.Updated, sum.Unchanged}, sum.Rejected
			return p
		}
		switch {
		case sum.Rows() == 0:
			return audit.Errorf(audit.CodeUnreadable, "The import has no rows")
		case sum.RejectedCount == sum.Rows():
			return &Problem{Code: CodeRejected, Detail: "No row was kept: " + sum.Rejected[0].Message, Kept: &Kept{}, Rejected: sum.Rejected}
		}
		return answer(c, http.StatusOK, sum)
	}
}

// putRows puts the good rows of a body on record.
func putRows[T any](ctx context.Context, s *Server, body io.Reader, format rows.Format, put func(context.Context, []T, time.Time) ([]audit.Change, error)) (rows.Summary, error) {
	at := s.now().UTC()
	// A client that goes away or stalls ends the body, and that ends the import. What
	// arrived until then is kept, which a cancelled context would prevent.
	sum, err := rows.Import(context.WithoutCancel(ctx), rows.Read[T](body, format), importBatch,
		func(ctx context.Context, batch []T) ([]audit.Change, error) { return put(ctx, batch, at) }, nil)
	s.metrics.imported(sum)
	return sum, err
}

// importPhotoReports is POST /api/v1/photo-reports.
func (s *Server) importPhotoReports(c *gin.Context) error {
	week := c.Query("week")
	if week != "" {
		if _, err := standing.WeekStart(week); err != nil {
			return err
		}
	}
	return importRows(s, func(ctx context.Context, rows []standing.PhotoWeek, at time.Time) ([]audit.Change, error) {
		for i := range rows {
			rows[i].Week = cmp.Or(rows[i].Week, week)
		}
		return s.records.PutPhotoWeeks(ctx, rows, at)
	})(c)
}

// bodyError words what went wrong while a body arrived; nil for anything else.
func bodyError(err error) error {
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return audit.Errorf(CodeTooMuch, "The body is larger than %d MiB: send it in parts", over.Limit>>20)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return audit.Errorf(CodeTimeout, "The body stopped arriving")
	}
	return nil
}

// steady reads a body that may take long as long as it keeps arriving.
type steady struct {
	r       io.Reader
	control *http.ResponseController
	idle    time.Duration
}

func (s *steady) Read(p []byte) (int, error) {
	now := time.Now()
	err := errors.Join(s.control.SetReadDeadline(now.Add(s.idle)), s.control.SetWriteDeadline(now.Add(answerTime)))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.r.Read(p)
}
