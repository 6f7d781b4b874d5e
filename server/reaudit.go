package server

import (
	"context"
	"net/http"
	"time"

	"porchlight/audit"
	"porchlight/audit/custody"
)

// ReauditIn says which uploads are judged again.
type ReauditIn struct {
	Since     *time.Time `json:"since,omitempty" doc:"Received at or after"`
	Until     *time.Time `json:"until,omitempty" doc:"Received before"`
	DriverID  string     `json:"driver_id,omitempty" maxLength:"128"`
	Checklist string     `json:"checklist,omitempty" maxLength:"128" doc:"Version of a checklist on record; the server's own where absent"`
	Measure   bool       `json:"measure,omitempty" doc:"Read photos again whose measurement is of older measuring code"`
}

type reauditInput struct{ Body ReauditIn }

type reauditOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     audit.Run
}

// reauditPatience is how long starting a re-audit waits for its first figures.
const reauditPatience = 2 * time.Second

// startReaudit is POST /api/v1/reaudits. A run outlives the request that starts it; the
// answer is 200 where it is done by then, else 202.
func (s *Server) startReaudit(ctx context.Context, in *reauditInput) (*reauditOutput, error) {
	o := audit.ReauditOptions{Measure: in.Body.Measure}
	o.DriverID = in.Body.DriverID
	if in.Body.Since != nil {
		o.Since = in.Body.Since.UTC()
	}
	if in.Body.Until != nil {
		o.Until = in.Body.Until.UTC()
	}
	if !o.Since.IsZero() && !o.Until.IsZero() && !o.Since.Before(o.Until) {
		return nil, invalid("until is not after since")
	}
	if v := in.Body.Checklist; v != "" && v != s.audit.Checklist().Version {
		c, err := s.checklist(ctx, v)
		if err != nil {
			return nil, err
		}
		o.Checklist = c
	}
	run, err := s.reaudit(ctx, o)
	if err != nil {
		return nil, err
	}
	status := http.StatusAccepted
	if run.FinishedAt != nil {
		status = http.StatusOK
	}
	return &reauditOutput{Status: status, Location: "/api/v1/reaudits/" + run.RunID, Body: run}, nil
}

func (s *Server) checklist(ctx context.Context, version string) (*audit.Checklist, error) {
	text, err := s.records.Checklist(ctx, version)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		return nil, audit.Errorf(audit.CodeChecklist, "There is no checklist %s on record", version)
	}
	if err != nil {
		return nil, err
	}
	return audit.ParseChecklist([]byte(text))
}

// reaudit starts a run in the background, one at a time, and answers what is known of
// it when it is done or has its first figures. Errors: [audit.CodeBusy], and the run's
// own where it fails before them.
func (s *Server) reaudit(ctx context.Context, o audit.ReauditOptions) (audit.Run, error) {
	select {
	case s.reauditing <- struct{}{}:
	default:
		return audit.Run{}, audit.Errorf(audit.CodeBusy, "A re-audit is running: wait until it is done")
	}
	type outcome struct {
		run audit.Run
		err error
	}
	progress, end := make(chan audit.Run, 1), make(chan outcome, 1)
	o.Progress = func(r audit.Run) {
		select {
		case progress <- r:
		default:
		}
	}
	s.background.Go(func() {
		defer func() { <-s.reauditing }()
		run, err := s.audit.Reaudit(custody.WithActor(s.life, custody.ActorOf(ctx)), o)
		if err != nil {
			s.log.Error("re-audit failed", "run_id", run.RunID, "done", run.Done, "cause", err)
		}
		end <- outcome{run, err}
	})
	done := func(e outcome) (audit.Run, error) { return e.run, e.err }
	select {
	case e := <-end:
		return done(e)
	case <-ctx.Done():
		return audit.Run{}, ctx.Err()
	case <-time.After(reauditPatience):
		// Photos are being read again: the first figures take a while. The run is on record.
		runs, _, err := s.records.Runs(ctx, "", 1)
		if err != nil || len(runs) == 0 {
			return audit.Run{}, audit.Errorf(audit.CodeUnavailable, "The re-audit runs, but it cannot be looked up now", err)
		}
		return runs[0], nil
	case run := <-progress:
		if run.FinishedAt == nil {
			return run, nil
		}
		return done(<-end)
	}
}

// reaudits is GET /api/v1/reaudits.
func (s *Server) reaudits(ctx context.Context, in *Paging) (*body[List[audit.Run]], error) {
	return listOf(s.records.Runs(ctx, in.Cursor, in.Limit))
}

// RunWithFlips is a re-audit with a page of the verdicts it changed.
type RunWithFlips struct {
	audit.Run
	Items []audit.Flip `json:"items"`
	Next  string       `json:"next"` // the cursor of the next page; empty at the end
}

type runInput struct {
	RunID string `path:"run_id" doc:"The run's id, as starting it answered"`
	Paging
}

// reauditRun is GET /api/v1/reaudits/{run_id}.
func (s *Server) reauditRun(ctx context.Context, in *runInput) (*body[RunWithFlips], error) {
	run, err := s.records.Run(ctx, in.RunID)
	if err != nil {
		return nil, err
	}
	flips, next, err := s.records.Flips(ctx, in.RunID, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	if flips == nil {
		flips = []audit.Flip{}
	}
	return &body[RunWithFlips]{RunWithFlips{run, flips, next}}, nil
}
