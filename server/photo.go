package server

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/pixel/decode"
)

const (
	previewSide    = 1280
	minPreviewSide = 160
	maxPreviewSide = 2048
	previewQuality = 82
	immutable      = "private, max-age=31536000, immutable"
)

// photo finds a photo's uploads as far as the caller may see them: a driver those of
// own deliveries. A photo that the caller may not see is not there.
// Errors: [audit.CodeNotFound], [audit.CodeUnavailable].
func (s *Server) photo(ctx context.Context, photoID string) ([]audit.JudgedUpload, error) {
	missing := audit.Errorf(audit.CodeNotFound, "There is no photo with that id")
	if b, err := hex.DecodeString(photoID); err != nil || len(b) != 32 || hex.EncodeToString(b) != photoID {
		return nil, missing
	}
	all, err := s.records.PhotoUploads(ctx, photoID)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	p := principalOf(ctx)
	if p.Role != audit.Driver {
		return all, nil
	}
	var own []audit.JudgedUpload
	for _, u := range all {
		if u.Upload.DriverID == p.DriverID {
			own = append(own, u)
		}
	}
	if len(own) == 0 {
		return nil, missing
	}
	return own, nil
}

// original is GET /api/v1/photos/{photo_id}: the bytes exactly as first received,
// checked against their digest before the first of them is sent.
func (s *Server) original(c *gin.Context) error {
	uploads, err := s.photo(c.Request.Context(), c.Param("photo_id"))
	if err != nil {
		return err
	}
	u := uploads[0].Upload
	if fresh(c, u.PhotoID) {
		return nil
	}
	b, err := s.audit.Original(c.Request.Context(), u.PhotoID)
	if err != nil {
		return lost(err)
	}
	if err := s.custody.log(c.Request.Context(), custody.PhotoExported, custody.Photo, u.PhotoID); err != nil {
		return err
	}
	c.Header("Content-Disposition", fmt.Sprintf("inline; filename=%q", u.PhotoID[:16]+audit.Extension(u.MediaType)))
	return sendPhoto(c, u.MediaType, b)
}

// lost words a stored photo that is not there: the row says it should be, so that is
// our fault and not the client's.
func lost(err error) error {
	if audit.ErrorCode(err) == audit.CodeNotFound {
		return audit.Errorf(audit.CodeCorrupted, "The stored photo is missing", err)
	}
	return err
}

// previewsAtOnce bounds the previews that are drawn at once; each takes up to 50 MiB.
const previewsAtOnce = 4

// preview is GET /api/v1/photos/{photo_id}/preview: the photo upright, as JPEG, its
// long side at most ?side= pixels (160..2048, default 1280).
func (s *Server) preview(c *gin.Context) error {
	ctx := c.Request.Context()
	side := previewSide
	if v := c.Query("side"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < minPreviewSide || n > maxPreviewSide {
			return invalid("side is a number of pixels from %d to %d", minPreviewSide, maxPreviewSide)
		}
		side = n
	}
	uploads, err := s.photo(ctx, c.Param("photo_id"))
	if err != nil {
		return err
	}
	first := uploads[0]
	if fresh(c, fmt.Sprintf("%s-%d", first.Upload.PhotoID, side)) {
		return nil
	}
	release, err := s.draw(ctx)
	if err != nil {
		return err
	}
	defer release()
	b, err := s.audit.Original(ctx, first.Upload.PhotoID)
	if err != nil {
		return lost(err)
	}
	jpeg, err := renderPreview(b, first.Measurement, side)
	if err != nil {
		return audit.Errorf(audit.CodeUndecodable, "The photo does not decode, so that there is no preview; the original is kept", err)
	}
	if err := s.custody.look(ctx, custody.PhotoViewed, custody.Photo, first.Upload.PhotoID); err != nil {
		return err
	}
	return sendPhoto(c, "image/jpeg", jpeg)
}

// renderPreview draws a photo upright and no larger than side.
func renderPreview(b []byte, m audit.Measurement, side int) ([]byte, error) {
	img, err := decode.Fit(b, m.Exif.Upright(), side)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = decode.EncodeJPEG(&out, img, previewQuality)
	return out.Bytes(), err
}

// fresh answers 304 where the client has the photo already: under its digest it never
// changes.
func fresh(c *gin.Context, tag string) bool {
	tag = strconv.Quote(tag)
	c.Header("ETag", tag)
	c.Header("Cache-Control", immutable)
	if c.GetHeader("If-None-Match") != tag {
		return false
	}
	c.Status(http.StatusNotModified)
	c.Writer.WriteHeaderNow()
	return true
}

func sendPhoto(c *gin.Context, mediaType string, b []byte) error {
	c.Header("Content-Length", strconv.Itoa(len(b)))
	c.Header("Content-Security-Policy", "default-src 'none'; sandbox")
	c.Data(http.StatusOK, mediaType, b)
	return nil
}

// PhotoReports are all reports on a photo.
type PhotoReports struct {
	PhotoID string         `json:"photo_id"`
	Items   []audit.Report `json:"items"` // oldest first, without the measurement
	Next    string         `json:"next"`  // the cursor of the next page; empty at the end
}

// PhotoPath names a photo.
type PhotoPath struct {
	PhotoID string `path:"photo_id" doc:"SHA-256 of the photo's bytes, 64 hex digits"`
}

type reportsInput struct {
	PhotoPath
	Paging
}

// photoReports is GET /api/v1/photos/{photo_id}/reports.
func (s *Server) photoReports(ctx context.Context, in *reportsInput) (*body[PhotoReports], error) {
	uploads, err := s.photo(ctx, in.PhotoID)
	if err != nil {
		return nil, err
	}
	all, err := s.records.Reports(ctx, in.PhotoID)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, u := range uploads {
		seen[u.Upload.UploadID] = true
	}
	out := PhotoReports{PhotoID: in.PhotoID, Items: []audit.Report{}}
	for _, r := range all {
		if seen[r.UploadID] {
			out.Items = append(out.Items, r)
		}
	}
	out.Items, out.Next, err = pageOf(out.Items, func(r audit.Report) string { return r.ReportID }, in.Paging)
	if err != nil {
		return nil, err
	}
	return &body[PhotoReports]{out}, nil
}
