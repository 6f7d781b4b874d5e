package audit

import "time"

// RunState is where a re-audit stands.
type RunState string

const (
	RunRunning   RunState = "running"
	RunPaused    RunState = "paused"
	RunCancelled RunState = "cancelled"
	RunDone      RunState = "done"      // all is judged; its reports do not count yet
	RunPublished RunState = "published" // its reports count
)

// Run is one re-audit.
type Run struct {
	RunID     string   `json:"run_id"`
	State     RunState `json:"state"`
	Checklist string   `json:"checklist"`
	Filter    Filter   `json:"filter"`
	Measure   bool     `json:"measure"`         // photos whose measurement is of another version are read again
	Again     bool     `json:"again,omitempty"` // what this checklist has judged is judged once more
	Hold      bool     `json:"hold,omitempty"`  // its reports count only when somebody publishes them

	StartedAt   time.Time  `json:"started_at"`
	FinishedAt  *time.Time `json:"finished_at,omitempty"`  // when all was judged, or it was cancelled
	PublishedAt *time.Time `json:"published_at,omitempty"` // since when its reports count

	Total      int `json:"total"`  // uploads that matched when it began
	Chunks     int `json:"chunks"` // into which they were cut
	ChunksDone int `json:"chunks_done"`
	Done       int `json:"done"`    // uploads that were looked at
	Skipped    int `json:"skipped"` // of those, that this checklist has judged already
	Flipped    int `json:"flipped"` // whose verdict is another than before
	Failed     int `json:"failed"`  // that could not be judged and keep their reports
	// Verdicts counts uploads by their verdict before, then by the new one.
	Verdicts map[Verdict]map[Verdict]int `json:"verdicts,omitempty"`
}

// Options are what makes two runs do the same.
func (r Run) Options() Run {
	return Run{Checklist: r.Checklist, Filter: r.Filter, Measure: r.Measure, Again: r.Again, Hold: r.Hold}
}

// Ended tells whether no chunk of it will be worked on any more.
func (r Run) Ended() bool { return r.State != RunRunning && r.State != RunPaused }

// Count adds what was made of a chunk; the last one ends the run.
func (r *Run) Count(c Chunk, at time.Time) {
	r.ChunksDone++
	r.Done += c.Done
	r.Skipped += c.Skipped
	r.Flipped += len(c.Flips)
	r.Failed += len(c.Failures)
	for before, all := range c.Verdicts {
		for after, n := range all {
			r.Verdicts = tally(r.Verdicts, before, after, n)
		}
	}
	if r.ChunksDone >= r.Chunks && !r.Ended() {
		r.finish(at)
	}
}

// finish ends a run whose chunks are all done, and publishes it unless it is held.
func (r *Run) finish(at time.Time) {
	at = at.UTC()
	r.FinishedAt, r.State = &at, RunDone
	if !r.Hold {
		r.PublishedAt, r.State = &at, RunPublished
	}
}

func tally(m map[Verdict]map[Verdict]int, before, after Verdict, n int) map[Verdict]map[Verdict]int {
	if m == nil {
		m = map[Verdict]map[Verdict]int{}
	}
	if m[before] == nil {
		m[before] = map[Verdict]int{}
	}
	m[before][after] += n
	return m
}

// Change brings a run into another state. Errors: [CodeConflict] where that state cannot
// follow.
func (r *Run) Change(to RunState, at time.Time) error {
	at = at.UTC()
	switch {
	case to == RunPaused && r.State == RunRunning, to == RunRunning && r.State == RunPaused:
	case to == RunCancelled && r.State != RunPublished && r.State != RunCancelled:
		r.FinishedAt = &at
	case to == RunPublished && r.State == RunDone:
		r.PublishedAt = &at
	default:
		return Errorf(CodeConflict, "A re-audit that is %s cannot become %s", r.State, to)
	}
	r.State = to
	return nil
}

// Span is the uploads from one id to another, both inclusive.
type Span struct{ First, Last string }

// Task is a chunk of a run that a worker has.
type Task struct {
	RunID  string
	Number int
	Worker string
	Span
}

// Chunk is what a run made of some uploads.
type Chunk struct {
	Done, Skipped int
	Verdicts      map[Verdict]map[Verdict]int
	Reports       []Report // in order of upload id
	Flips         []Flip
	Failures      []Failure
	Remeasured    map[string]Measurement // by photo id, where photos were read again
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

// Failure is an upload that a re-audit could not judge.
type Failure struct {
	UploadID   string `json:"upload_id"`
	PhotoID    string `json:"photo_id"`
	TrackingID string `json:"tracking_id"`
	Code       Code   `json:"code"`
	Reason     string `json:"reason"`
}
