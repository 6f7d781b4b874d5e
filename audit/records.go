package audit

import (
	"context"
	"io"
	"time"
)

// Objects keeps photos' bytes under their keys, once and for good.
type Objects interface {
	// Put makes the bytes durable under key before it returns, unless an object of that
	// key exists: then it leaves it and returns nil. Errors: [CodeUnavailable].
	Put(ctx context.Context, key string, b []byte, mediaType string) error
	// Open streams an object; the size is in bytes. Errors: [CodeNotFound], [CodeUnavailable].
	Open(ctx context.Context, key string) (r io.ReadCloser, size int64, err error)
}

// Records keeps deliveries, uploads, measurements and reports.
type Records interface {
	// Delivery finds a delivery. Errors: [CodeNotFound], [CodeUnavailable].
	Delivery(ctx context.Context, trackingID string) (Delivery, error)
	// AddUpload stores an upload with its measurement and the reports that judge makes
	// of it, in one transaction, while the delivery's row is locked: no two uploads of
	// one delivery are judged at once. judge is given all that is known by then; the
	// first report it returns is the upload's own, the others are new reports on the
	// delivery's other uploads. Where the same photo was uploaded for that delivery
	// before, nothing is stored, judge is not called, and the upload and its latest
	// report are answered with created false.
	// Errors: [CodeDelivery], [CodeDeleted] where the photo was deleted and must be put
	// again first, [CodeUnavailable], and what judge returns.
	AddUpload(ctx context.Context, u Upload, m Measurement, judge func(Known) ([]Report, error)) (kept Upload, r Report, created bool, err error)
	// PhotoDeleted is when a photo's bytes were deleted; false where they were not.
	PhotoDeleted(ctx context.Context, photoID string) (at time.Time, deleted bool, err error)
	// RestorePhoto has a deleted photo's bytes put again, while nobody deletes them, and
	// takes back that it is deleted. put may be called more than once.
	RestorePhoto(ctx context.Context, photoID string, put func() error) error
}

// Known is what the records say around one upload at the moment it is judged.
type Known struct {
	Delivery  Delivery
	Others    []JudgedUpload // the delivery's other uploads, oldest first; of very many only the latest
	Sightings []Sighting     // earlier uploads, anywhere, with equal bytes or a similar fingerprint
	// Recognition is what comparing it with earlier photos of the stop found when it came;
	// nil where it was not compared.
	Recognition *Recognition
}

// JudgedUpload is an upload with its measurement and its latest report.
type JudgedUpload struct {
	Upload      Upload      `json:"upload"`
	Measurement Measurement `json:"measurement"`
	Report      Report      `json:"report"`
	Ruling      *Ruling     `json:"ruling,omitempty"`     // a person's word, which goes over the report's verdict; absent where there is none
	DeletedAt   *time.Time  `json:"deleted_at,omitempty"` // when the photo's bytes were deleted, past their retention; absent where they are kept
}

// Archive is what a re-audit needs of the records.
type Archive interface {
	// SaveChecklist keeps a checklist's text under its version. Errors: [CodeConflict]
	// where that version is kept with other contents.
	SaveChecklist(ctx context.Context, version, text string, at time.Time) error
	// Checklist is the text that is kept under a version. Errors: [CodeNotFound].
	Checklist(ctx context.Context, version string) (string, error)
	// Cases lists the uploads of a span that match the filter, with what their judgement
	// needs, in order of upload id.
	Cases(ctx context.Context, f Filter, s Span) ([]Case, error)
	// Plan cuts the uploads that match a filter into spans of at most size, and counts them.
	Plan(ctx context.Context, f Filter, size int) (chunks []Span, total int, err error)
	Runs
}

// Runs keeps re-audits and their chunks.
type Runs interface {
	// StartRun keeps a new run with its chunks.
	StartRun(ctx context.Context, r Run, chunks []Span) error
	// OpenRun finds the latest run that does the same as r and is not at its end.
	OpenRun(ctx context.Context, r Run) (open Run, ok bool, err error)
	// OpenRuns lists the runs that are running, the oldest first.
	OpenRuns(ctx context.Context) ([]Run, error)
	// Run finds a run. Errors: [CodeNotFound].
	Run(ctx context.Context, runID string) (Run, error)
	// TakeChunk gives a worker the first chunk of a running run that nobody has, until a
	// time; nil where there is none.
	TakeChunk(ctx context.Context, runID, worker string, now, until time.Time) (*Task, error)
	// KeepChunk keeps a chunk for its worker until a later time. Errors: [CodeConflict]
	// where it is not this worker's any more.
	KeepChunk(ctx context.Context, t Task, until time.Time) error
	// FinishChunk stores what a run made of a chunk and counts it, in one transaction. A
	// chunk that is done already changes nothing; the last one ends the run. Errors:
	// [CodeConflict] where the run was cancelled.
	FinishChunk(ctx context.Context, t Task, c Chunk, at time.Time) (Run, error)
}

// Case is one upload as a re-audit sees it.
type Case struct {
	JudgedUpload
	Known
}

// Filter chooses uploads.
type Filter struct {
	Since    time.Time `json:"since,omitzero"` // received at or after
	Until    time.Time `json:"until,omitzero"` // received before
	DriverID string    `json:"driver_id,omitempty"`
}
