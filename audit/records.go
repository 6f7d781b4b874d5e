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
	// Errors: [CodeDelivery], [CodeUnavailable], and what judge returns.
	AddUpload(ctx context.Context, u Upload, m Measurement, judge func(Known) ([]Report, error)) (kept Upload, r Report, created bool, err error)
}

// Known is what the records say around one upload at the moment it is judged.
type Known struct {
	Delivery  Delivery
	Others    []JudgedUpload // the delivery's other uploads, oldest first; of very many only the latest
	Sightings []Sighting     // earlier uploads, anywhere, with equal bytes or a similar fingerprint
}

// JudgedUpload is an upload with its measurement and its latest report.
type JudgedUpload struct {
	Upload      Upload      `json:"upload"`
	Measurement Measurement `json:"measurement"`
	Report      Report      `json:"report"`
	Ruling      *Ruling     `json:"ruling,omitempty"` // a person's word, which goes over the report's verdict; absent where there is none
}

// Archive is what a re-audit needs of the records.
type Archive interface {
	// SaveChecklist keeps a checklist's text under its version. Errors: [CodeConflict]
	// where that version is kept with other contents.
	SaveChecklist(ctx context.Context, version, text string, at time.Time) error
	// StartRun keeps a new re-audit.
	StartRun(ctx context.Context, r Run) error
	// Cases lists at most limit uploads that match the filter, with what their judgement
	// needs, in order of upload id, from the one after the cursor.
	Cases(ctx context.Context, f Filter, after string, limit int) ([]Case, error)
	// AppendChunk stores what a run made of a chunk and the run's progress (cursor, counts,
	// end), in one transaction.
	AppendChunk(ctx context.Context, r Run, c Chunk) error
}

// Chunk is what a run made of some uploads.
type Chunk struct {
	Reports    []Report
	Flips      []Flip
	Remeasured map[string]Measurement // by photo id, where photos were read again
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

// Run is one re-audit.
type Run struct {
	RunID      string     `json:"run_id"`
	Checklist  string     `json:"checklist"`
	Filter     Filter     `json:"filter"`
	Measure    bool       `json:"measure"` // photos whose measurement is of another version are read again
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	Cursor     string     `json:"-"` // upload id of the last one done
	Done       int        `json:"done"`
	Flipped    int        `json:"flipped"`
	Failed     int        `json:"failed"` // photos that could not be read again
}

// Flip is a verdict that a re-audit changed.
type Flip struct {
	UploadID   string  `json:"upload_id"`
	PhotoID    string  `json:"photo_id"`
	TrackingID string  `json:"tracking_id"`
	DriverID   string  `json:"driver_id,omitempty"`
	Before     Verdict `json:"before"`
	After      Verdict `json:"after"`
	Check      string  `json:"check,omitempty"`  // the finding that decides the new verdict
	Detail     string  `json:"detail,omitempty"` // in a sentence
}
