package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

// Attachments are the documents that people added to deliveries.
type Attachments interface {
	// AddAttachment keeps one. Errors: [audit.CodeDelivery], [audit.CodeConflict] where the
	// delivery has as many as it can have.
	AddAttachment(ctx context.Context, a dispute.Attachment) error
	// Attachment finds one. Errors: [audit.CodeNotFound].
	Attachment(ctx context.Context, attachmentID string) (dispute.Attachment, error)
}

// addAttachment is POST /api/v1/deliveries/{tracking_id}/attachments: the body is the file.
func (s *Server) addAttachment(c *gin.Context) error {
	ctx := c.Request.Context()
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	d, err := s.delivery(ctx, c.Param("tracking_id"))
	if err != nil {
		return err
	}
	a := s.newAttachment(ctx, d, c.Query("name"), c.Query("what"))
	if v := c.Query("at"); v != "" {
		if a.At, err = instant("at", v); err != nil {
			return err
		}
		a.At = a.At.UTC()
	}
	if err := a.Validate(); err != nil {
		return err
	}
	body := &steady{r: http.MaxBytesReader(c.Writer, c.Request.Body, audit.MaxPhotoBytes), control: exchangeOf(ctx).control, idle: s.limits.IdleTime}
	b, err := io.ReadAll(body)
	if err != nil {
		return formError(err)
	}
	if a, err = s.attach(ctx, a, b); err != nil {
		return err
	}
	c.Header("Location", "/api/v1/attachments/"+a.AttachmentID)
	return answer(c, http.StatusCreated, a)
}

// newAttachment is what the caller adds to a delivery now.
func (s *Server) newAttachment(ctx context.Context, d audit.Delivery, name, what string) dispute.Attachment {
	now := s.now().UTC().Truncate(time.Microsecond)
	return dispute.Attachment{AttachmentID: s.newID(), TrackingID: d.TrackingID, Name: name, What: strings.TrimSpace(what),
		AddedBy: principalOf(ctx).Actor(), AddedAt: now, At: now}
}

// attach keeps an attachment with its bytes: object first, row last, as with photos.
func (s *Server) attach(ctx context.Context, a dispute.Attachment, b []byte) (dispute.Attachment, error) {
	if err := a.Validate(); err != nil {
		return a, err
	}
	var err error
	if a.MediaType, err = dispute.AttachmentType(b); err != nil {
		return a, err
	}
	a.SHA256, a.Bytes = audit.PhotoID(b), int64(len(b))
	if err := s.audit.Objects.Put(ctx, dispute.AttachmentKey(a.SHA256), b, a.MediaType); err != nil {
		return a, err
	}
	return a, s.records.AddAttachment(ctx, a)
}

// attachmentFile is GET /api/v1/attachments/{attachment_id}.
func (s *Server) attachmentFile(c *gin.Context) error {
	ctx := c.Request.Context()
	a, err := s.records.Attachment(ctx, c.Param("attachment_id"))
	if err != nil {
		return err
	}
	b, err := audit.ReadObject(ctx, s.audit.Objects, dispute.AttachmentKey(a.SHA256), a.SHA256)
	if err != nil {
		return lost(err)
	}
	c.Header("Content-Length", strconv.Itoa(len(b)))
	_, err = bytes.NewReader(b).WriteTo(&attachment{c: c, name: "attachment-" + a.AttachmentID + a.Ext(), mediaType: a.MediaType, log: func() error {
		return s.custody.log(ctx, custody.AttachmentExported, custody.Attachment, a.AttachmentID)
	}})
	return err
}

var addAttachmentDoc = operation{
	id: "add-attachment", tag: "deliveries", summary: "Add a document or picture to a delivery",
	text: "The body is the file itself, whatever its Content-Type says: a JPEG, PNG, WebP, HEIC or PDF of at most 25 MB. " +
		"It goes into the delivery's timeline and its packets, with who added it and when.",
	errors: []int{404, 408, 409, 413, 415, 422},
	params: []*huma.Param{
		{Name: "what", In: "query", Required: true, Description: "What it is, in a few words", Schema: text},
		{Name: "name", In: "query", Description: "The file's name, for people", Schema: text},
		{Name: "at", In: "query", Description: "When it happened; now where absent", Schema: moment},
	},
	request: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}},
	answers: func(r huma.Registry, _ string) map[string]*huma.Response {
		return map[string]*huma.Response{"201": jsonAnswer[dispute.Attachment](r, "Kept")}
	},
}

var attachmentDoc = operation{
	id: "get-attachment", tag: "deliveries", summary: "An attachment's bytes, as they came", errors: []int{404},
	answers: func(huma.Registry, string) map[string]*huma.Response {
		return map[string]*huma.Response{"200": binaryAnswer("The attachment", "application/pdf", "image/jpeg", "image/png", "image/webp", "image/heic")}
	},
}
