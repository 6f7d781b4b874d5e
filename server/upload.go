package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
)

const (
	formOverhead  = 64 << 10 // headers of parts and fields beside the photo
	maxFieldBytes = 4 << 10
	maxParts      = 100
	maxPooled     = 8 << 20 // a buffer that grew beyond it is left to the garbage collector
)

// buffers hold photos' bytes from the first to the last of an upload.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// form is a photo's form as it was sent. The order of its parts does not matter.
type form struct {
	photo  *bytes.Buffer // nil where there was no photo part
	fields map[string][]string
}

// bytes are the photo's, nil where there was none.
func (f *form) bytes() []byte {
	if f.photo == nil {
		return nil
	}
	return f.photo.Bytes()
}

// done gives the photo's buffer back. After an error a store may still be reading
// from it, so that it is then left alone.
func (f *form) done(err error) {
	if f.photo != nil && err == nil && f.photo.Cap() <= maxPooled {
		f.photo.Reset()
		buffers.Put(f.photo)
	}
	f.photo = nil
}

// uploadFields are the fields that a photo's form may have beside the photo.
var uploadFields = map[string]bool{
	"role": true, "captured_at": true, "latitude": true, "longitude": true, "accuracy_m": true, "also": true,
}

// readForm reads a multipart form part by part into memory, the photo, whose part is
// named file, into a pooled buffer. The whole body is bounded, and so is the time that it
// may take. fields tells which fields the form may have beside it.
// Errors: [audit.CodeTooLarge], [audit.CodeUnknownField], [audit.CodeUnreadable],
// [CodeMediaType], [CodeTimeout].
func (s *Server) readForm(c *gin.Context, file string, fields func(name string) bool) (form, error) {
	r := c.Request
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "multipart/form-data" {
		return form{}, audit.Errorf(CodeMediaType, "Send the photo as multipart/form-data with a part named %s", file)
	}
	if r.ContentLength > audit.MaxPhotoBytes+formOverhead {
		return form{}, tooLarge()
	}
	if err := exchangeOf(r.Context()).control.SetReadDeadline(time.Now().Add(s.limits.UploadTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return form{}, err
	}
	body := http.MaxBytesReader(c.Writer, r.Body, audit.MaxPhotoBytes+formOverhead)
	r.Body = struct { // package multipart itself reads 4 KiB at a time
		io.Reader
		io.Closer
	}{bufio.NewReaderSize(body, 64<<10), body}
	mr, err := r.MultipartReader()
	if err != nil {
		return form{}, audit.Errorf(audit.CodeUnreadable, "The form cannot be read: its boundary is missing", err)
	}
	f := form{fields: map[string][]string{}}
	for n := 0; ; n++ {
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return f, formError(err)
		}
		name := part.FormName()
		switch {
		case n >= maxParts:
			return f, invalid("The form has more than %d parts", maxParts)
		case name == file && f.photo != nil:
			return f, invalid("The form has two photos: send one at a time")
		case name == file:
			f.photo = buffers.Get().(*bytes.Buffer)
			f.photo.Reset()
			// Growing step by step would leave as much again to the garbage collector.
			f.photo.Grow(int(max(0, min(r.ContentLength, maxPooled))) + bytes.MinRead)
			if err := copyPhoto(f.photo, part); err != nil {
				return f, err
			}
		case fields(name):
			v, err := io.ReadAll(io.LimitReader(part, maxFieldBytes+1))
			if err != nil {
				return f, formError(err)
			}
			if len(v) > maxFieldBytes {
				return f, invalid("%s is longer than %d bytes", name, maxFieldBytes)
			}
			f.fields[name] = append(f.fields[name], string(v))
		default:
			return f, audit.Errorf(audit.CodeUnknownField, "The form has an unknown field %q", name)
		}
	}
}

func copyPhoto(to *bytes.Buffer, from io.Reader) error {
	n, err := io.Copy(to, io.LimitReader(from, audit.MaxPhotoBytes+1))
	if err != nil {
		return formError(err)
	}
	if n > audit.MaxPhotoBytes {
		return tooLarge()
	}
	return nil
}

func tooLarge() error {
	return audit.Errorf(audit.CodeTooLarge, "The file is larger than %d MB", audit.MaxPhotoBytes/1_000_000)
}

// formError words an error of reading a form.
func formError(err error) error {
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return audit.Errorf(CodeTimeout, "The photo took too long to arrive: try again")
	case errors.Is(err, context.Canceled):
		return err
	}
	return audit.Errorf(audit.CodeUnreadable, "The form ends early or is no multipart/form-data", err)
}

// upload turns the form's fields into what the photo is meant to show.
func (f form) upload(trackingID string) (audit.Upload, error) {
	u := audit.Upload{TrackingID: trackingID, Role: audit.Placement}
	one := map[string]string{}
	for name, values := range f.fields {
		if name == "also" {
			continue
		}
		if len(values) > 1 {
			return u, invalid("%s is given %d times", name, len(values))
		}
		one[name] = strings.TrimSpace(values[0])
	}
	for _, list := range f.fields["also"] {
		for id := range strings.SplitSeq(list, ",") {
			if id = strings.TrimSpace(id); id != "" && id != trackingID {
				u.Also = append(u.Also, id)
			}
		}
	}
	if v := one["role"]; v != "" {
		u.Role = audit.PhotoRole(v)
	}
	if v := one["captured_at"]; v != "" {
		t, err := instant("captured_at", v)
		if err != nil {
			return u, err
		}
		u.CapturedAt = &t
	}
	lat, err := degrees("latitude", one["latitude"])
	if err != nil {
		return u, err
	}
	lon, err := degrees("longitude", one["longitude"])
	if err != nil {
		return u, err
	}
	accuracy, err := degrees("accuracy_m", one["accuracy_m"])
	if err != nil {
		return u, err
	}
	if u.Fix, err = audit.NewFix(lat, lon, accuracy); err != nil {
		return u, err
	}
	return u, u.Validate()
}

// instant reads a field's time.
func instant(name, v string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return t, invalid("%s is no time as in RFC 3339: 2006-01-02T15:04:05Z", name)
	}
	return t, nil
}

// degrees reads a finite number; nil where the field is empty.
func degrees(name, v string) (*float64, error) {
	if v == "" {
		return nil, nil
	}
	x, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return nil, invalid("%s is no number", name)
	}
	return &x, nil
}

// receive takes a driver's photo in: it reads the form, checks that the delivery is
// there and the caller's, and hands the photo to the service. check, where it is not
// nil, sees the form's further field before anything is kept.
func (s *Server) receive(c *gin.Context, further string, check func(string) error) (rec audit.Receipt, err error) {
	ctx := c.Request.Context()
	start := time.Now()
	defer func() { s.metrics.upload(rec, err, time.Since(start)) }()
	leave, err := s.enter(ctx)
	if err != nil {
		return rec, err
	}
	defer leave()
	d, err := s.delivery(ctx, c.Param("tracking_id"))
	if err != nil {
		return rec, err
	}
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	f, err := s.readForm(c, "photo", func(name string) bool { return uploadFields[name] || further != "" && name == further })
	defer func() { f.done(err) }()
	if err != nil {
		return rec, err
	}
	if check != nil {
		if err := check(strings.Join(f.fields[further], "")); err != nil {
			return rec, err
		}
		delete(f.fields, further)
	}
	if f.photo == nil {
		return rec, audit.Errorf(audit.CodeEmpty, "The form has no part named photo")
	}
	u, err := f.upload(d.TrackingID)
	if err != nil {
		return rec, err
	}
	for _, id := range u.Also {
		if _, err := s.delivery(ctx, id); err != nil {
			return rec, err
		}
	}
	if u.DriverID = principalOf(ctx).DriverID; u.DriverID == "" {
		u.DriverID = d.DriverID
	}
	s.receiving.Add(1)
	defer s.receiving.Add(-1)
	return s.audit.Receive(ctx, u, f.photo.Bytes())
}

// enter waits for a place among the photos that are held, before any of the photo is
// read: a phone that sent it in vain would have to send it all again.
// Errors: [audit.CodeBusy].
func (s *Server) enter(ctx context.Context) (leave func(), err error) {
	wait := time.NewTimer(s.limits.QueueTime)
	defer wait.Stop()
	select {
	case s.uploads <- struct{}{}:
		return func() { <-s.uploads }, nil
	case <-wait.C:
		return nil, audit.Errorf(audit.CodeBusy, "Too many photos are arriving at once: try again in a moment")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// delivery finds a delivery that the caller may touch.
// Errors: [audit.CodeDelivery], [audit.CodeNotYours], [audit.CodeUnavailable].
func (s *Server) delivery(ctx context.Context, trackingID string) (audit.Delivery, error) {
	if err := audit.ValidateID("tracking_id", trackingID); err != nil {
		return audit.Delivery{}, err
	}
	d, err := s.records.Delivery(ctx, trackingID)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		return d, audit.Errorf(audit.CodeDelivery, "There is no delivery %s", trackingID)
	}
	if err != nil {
		return d, err
	}
	return d, mayTouch(principalOf(ctx), d)
}

// Uploaded answers an upload.
type Uploaded struct {
	PhotoID  string       `json:"photo_id"` // SHA-256 of the bytes
	UploadID string       `json:"upload_id"`
	Report   audit.Report `json:"report"`
	// Problem says why a photo could not be judged in full; the photo is kept all the same.
	Problem *Problem `json:"problem,omitempty"`
}

// uploadPhoto is POST /api/v1/deliveries/{tracking_id}/photos.
func (s *Server) uploadPhoto(c *gin.Context) error {
	rec, err := s.receive(c, "", nil)
	if err != nil {
		return err
	}
	up := Uploaded{PhotoID: rec.Upload.PhotoID, UploadID: rec.Upload.UploadID, Report: rec.Report}
	if m := rec.Report.Measurement; m != nil && m.Problem != nil {
		up.Problem = &Problem{Type: problemType, Code: m.Problem.Code, Detail: m.Problem.Message,
			Status: Status(m.Problem.Code), Title: http.StatusText(Status(m.Problem.Code)), RequestID: exchangeOf(c.Request.Context()).id}
	}
	status := http.StatusOK
	if rec.Created {
		status = http.StatusCreated
	}
	c.Header("Location", "/api/v1/photos/"+rec.Upload.PhotoID)
	return answer(c, status, up)
}
