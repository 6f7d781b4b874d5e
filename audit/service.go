package audit

import (
	"context"
	"io"
	"time"
)

// Measurer turns a photo's bytes into a measurement. [Measure] is the one without
// vision models. A photo that does not decode is measured too: its metadata is read
// and Problem says what is wrong. Errors are for bytes that are no photo at all
// ([CodeEmpty], [CodeNotAPhoto], [CodeTooLarge]).
type Measurer func(ctx context.Context, b []byte) (Measurement, error)

// Config is what a [Service] needs. Objects, Records and NewID are required.
type Config struct {
	Objects   Objects
	Records   Records
	Archive   Archive
	Checklist *Checklist       // the built-in one where nil
	Vision    Vision           // none where nil
	Measure   Measurer         // of pixels and metadata; [Measure] where nil
	Now       func() time.Time // time.Now where nil
	NewID     func() string    // a new id, later ones sorting after earlier ones (UUIDv7)
}

// Service receives photos and re-judges them.
type Service struct{ Config }

// NewService fills in the defaults.
func NewService(c Config) *Service {
	if c.Checklist == nil {
		c.Checklist = Guide2026()
	}
	if c.Measure == nil {
		c.Measure = func(_ context.Context, b []byte) (Measurement, error) { return Measure(b) }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{c}
}

// Checklist is the one that new photos are judged by.
func (s *Service) Checklist() *Checklist { return s.Config.Checklist }

// Receipt is the answer to an upload.
type Receipt struct {
	Upload  Upload
	Report  Report
	Created bool // false where these bytes were uploaded for that delivery before
}

// Receive takes a photo in: the object first, the rows last, and it returns only when
// both are durable. An object without a row is harmless; a row without its object would
// be lost evidence. A photo that does not decode is kept and judged "retake".
//
// Errors: [CodeEmpty], [CodeTooLarge], [CodeNotAPhoto], [CodeInvalid],
// [CodeDelivery], [CodeUnavailable].
func (s *Service) Receive(ctx context.Context, u Upload, b []byte) (Receipt, error) {
	if err := u.Validate(); err != nil {
		return Receipt{}, err
	}
	mediaType, err := sniff(b)
	if err != nil {
		return Receipt{}, err
	}
	u.PhotoID, u.UploadID, u.ReceivedAt = PhotoID(b), s.NewID(), s.Now().UTC()
	u.MediaType, u.Bytes = mediaType, int64(len(b))
	put := func() error { return s.Objects.Put(ctx, ObjectKey(u.PhotoID), b, mediaType) }
	if err := put(); err != nil {
		return Receipt{}, err
	}
	m, err := s.measure(ctx, b)
	if err != nil {
		return Receipt{}, err
	}
	for restored := false; ; restored = true {
		kept, report, created, err := s.Records.AddUpload(ctx, u, m, func(k Known) ([]Report, error) {
			return s.judgeAll(u, m, k), nil
		})
		if ErrorCode(err) == CodeDeleted && !restored {
			// It is past its retention, and what was put above may be deleted by now.
			err = s.Records.RestorePhoto(ctx, u.PhotoID, put)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return Receipt{}, err
		}
		return Receipt{Upload: kept, Report: report, Created: created}, nil
	}
}

// judgeAll judges a new upload, and anew those others of its delivery whose verdict or
// set finding its arrival changes.
func (s *Service) judgeAll(u Upload, m Measurement, k Known) []Report {
	own := s.report(s.Config.Checklist, m, Subject{Upload: u, Known: k}, "")
	reports := []Report{own}
	for i, o := range k.Others {
		// The others' own sightings are older than the delivery's new photo and stay as
		// they were judged: only what the set asks for can change here.
		around := append([]JudgedUpload{{Upload: u, Measurement: m, Report: own}}, k.Others[:i]...)
		around = append(around, k.Others[i+1:]...)
		if r, changed := s.resettle(o, k.Delivery, around); changed {
			reports = append(reports, r)
		}
	}
	return reports
}

// resettle judges an earlier upload's set again and keeps its other findings.
func (s *Service) resettle(o JudgedUpload, d Delivery, around []JudgedUpload) (Report, bool) {
	before, ok := o.Report.Finding("set")
	if !ok || o.Report.Verdict == Retake || o.Report.Checklist != s.Config.Checklist.Version {
		return Report{}, false
	}
	after := s.Config.Checklist.judgeSet(o.Upload, d, around)
	if after.Result == before.Result && after.Detail == before.Detail {
		return Report{}, false
	}
	r := s.Config.Checklist.withFinding(o.Report, after)
	r.ReportID, r.JudgedAt, r.RunID = s.NewID(), s.Now().UTC(), ""
	return r, true
}

func (s *Service) report(c *Checklist, m Measurement, subject Subject, runID string) Report {
	r := c.Judge(m, subject)
	r.ReportID, r.JudgedAt, r.RunID = s.NewID(), s.Now().UTC(), runID
	r.Measurement = &m
	return r
}

// Original reads a photo's bytes and checks them against their digest.
// Errors: [CodeNotFound], [CodeDeleted], [CodeCorrupted], [CodeUnavailable].
func (s *Service) Original(ctx context.Context, photoID string) ([]byte, error) {
	b, err := Original(ctx, s.Objects, photoID)
	if ErrorCode(err) != CodeNotFound {
		return b, err
	}
	at, deleted, other := s.Records.PhotoDeleted(ctx, photoID)
	switch {
	case other != nil:
		err = other
	case deleted:
		err = Errorf(CodeDeleted, "The photo was deleted on %s, past its retention; what was measured and judged is kept", at.Format(time.DateOnly), err)
	}
	return nil, err
}

// Original reads a photo's bytes from a store and checks them against their digest.
// Errors: [CodeNotFound], [CodeCorrupted], [CodeUnavailable].
func Original(ctx context.Context, objects Objects, photoID string) ([]byte, error) {
	return ReadObject(ctx, objects, ObjectKey(photoID), photoID)
}

// ReadObject reads an object's bytes, at most as many as a photo may have, and checks them
// against their SHA-256. Errors: [CodeNotFound], [CodeCorrupted], [CodeUnavailable].
func ReadObject(ctx context.Context, objects Objects, key, digest string) ([]byte, error) {
	r, size, err := objects.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > MaxPhotoBytes {
		return nil, Errorf(CodeCorrupted, "The stored file %s is larger than it may be", digest)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, Errorf(CodeUnavailable, "The stored file %s cannot be read", digest, err)
	}
	if PhotoID(b) != digest {
		return nil, Errorf(CodeCorrupted, "The stored file %s no longer matches its digest", digest)
	}
	return b, nil
}
