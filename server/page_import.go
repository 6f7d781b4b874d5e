package server

import (
	"bytes"
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/rows"
	"porchlight/web"
)

// importPage is GET /agent/import.
func (s *Server) importPage(c *gin.Context) error {
	return s.render(c, http.StatusOK, web.ImportClaims{Base: s.base(c)})
}

// importFromPage is POST /agent/import, as multipart. The page says what became of each
// row; the same file again does no harm.
func (s *Server) importFromPage(c *gin.Context) (err error) {
	ctx := c.Request.Context()
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	f, err := s.fileForm(c)
	defer func() { f.done(err) }()
	if err != nil {
		return err
	}
	sum, err := s.importClaims(ctx, f.bytes())
	page := web.ImportClaims{Base: s.base(c)}
	switch audit.ErrorCode(err) {
	case "":
	case audit.CodeInvalid, audit.CodeUnknownField, audit.CodeUnreadable:
		page.Message = audit.ErrorMessage(err)
	default:
		return err
	}
	if sum.Rows() > 0 {
		page.Summary = &sum
	}
	return s.render(c, http.StatusOK, page)
}

// importClaims takes a file of claims in. Rows that were kept before an error stay kept.
func (s *Server) importClaims(ctx context.Context, b []byte) (sum rows.Summary, err error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return sum, audit.Errorf(audit.CodeInvalid, "The file is empty: choose one with a row for each claim")
	}
	format, err := rows.Detect("", "", b[:min(len(b), importHead)])
	if err != nil {
		return sum, err
	}
	sum, err = putRows(ctx, s, bytes.NewReader(b), format, s.records.PutClaims)
	if err == nil && sum.Rows() == 0 {
		err = audit.Errorf(audit.CodeUnreadable, "The file has no rows")
	}
	return sum, err
}
