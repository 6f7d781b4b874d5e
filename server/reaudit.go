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
	Again     bool       `json:"again,omitempty" doc:"Judge also what that checklist has judged already"`
	Hold      bool       `json:"hold,omitempty" doc:"Let its reports count only when it is published"`
}

type reauditInput struct{ Body ReauditIn }

type reauditOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     audit.Run
}

// reauditPatience is how long starting a re-audit waits for its end.
const reauditPatience = 2 * time.Second

// startReaudit is POST /api/v1/reaudits. A run outlives the request that starts it; the
// answer is 200 where it is done by then, else 202. Where one that does the same is not at
// its end, the answer is that one.
func (s *Server) startReaudit(ctx context.Context, in *reauditInput) (*reauditOutput, error) {
	o := audit.ReauditOptions{Measure: in.Body.Measure, Again: in.Body.Again, Hold: in.Body.Hold}
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
	if run.Ended() {
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

// reaudit starts a run, works on it in the background unless others do that, and answers
// what is known of it when it is done or after a while.
func (s *Server) reaudit(ctx context.Context, o audit.ReauditOptions) (audit.Run, error) {
	run, err := s.audit.StartReaudit(ctx, o)
	if err != nil || run.State != audit.RunRunning || s.work == nil {
		return run, err
	}
	select {
	case <-s.workOn(ctx, run):
	case <-ctx.Done():
	case <-time.After(reauditPatience):
	}
	return s.records.Run(ctx, run.RunID)
}

// workOn works on a run in the background, one run at a time, and tells when that ends.
func (s *Server) workOn(ctx context.Context, run audit.Run) (done chan struct{}) {
	done = make(chan struct{})
	s.background.Go(func() {
		defer close(done)
		s.reauditing.Lock()
		defer s.reauditing.Unlock()
		after, err := s.audit.WorkOn(custody.WithActor(s.life, custody.ActorOf(ctx)), run.RunID, *s.work)
		if err != nil && s.life.Err() == nil {
			s.log.Error("re-audit", "run_id", run.RunID, "done", after.Done, "of", after.Total, "cause", err)
		}
	})
	return done
}

// RunPath names a re-audit in a path.
type RunPath struct {
	RunID string `path:"run_id" doc:"The run's id, as starting it answered"`
}

// RunChange is what to do with a re-audit.
type RunChange struct {
	State audit.RunState `json:"state" enum:"paused,running,cancelled,published" doc:"paused or running again; cancelled for good, its reports never count; published, where it was held"`
}

type runChangeInput struct {
	RunPath
	Body RunChange
}

// changeReaudit is POST /api/v1/reaudits/{run_id}/state.
func (s *Server) changeReaudit(ctx context.Context, in *runChangeInput) (*body[audit.Run], error) {
	run, err := s.changeRun(ctx, in.RunID, in.Body.State)
	if err != nil {
		return nil, err
	}
	return &body[audit.Run]{run}, nil
}

// changeRun brings a run into another state, and goes on with one that was paused.
func (s *Server) changeRun(ctx context.Context, runID string, to audit.RunState) (audit.Run, error) {
	run, err := s.records.ChangeRun(ctx, runID, to, s.now().UTC())
	if err == nil && run.State == audit.RunRunning && s.work != nil {
		s.workOn(ctx, run)
	}
	return run, err
}

type runListInput struct {
	RunPath
	Paging
}

// reauditFailures is GET /api/v1/reaudits/{run_id}/failures.
func (s *Server) reauditFailures(ctx context.Context, in *runListInput) (*body[List[audit.Failure]], error) {
	if _, err := s.records.Run(ctx, in.RunID); err != nil {
		return nil, err
	}
	return listOf(s.records.Failures(ctx, in.RunID, in.Cursor, in.Limit))
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

// reauditRun is GET /api/v1/reaudits/{run_id}.
func (s *Server) reauditRun(ctx context.Context, in *runListInput) (*body[RunWithFlips], error) {
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
