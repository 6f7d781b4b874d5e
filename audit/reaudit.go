package audit

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// ReauditOptions says which uploads are judged again, and how.
type ReauditOptions struct {
	Filter
	Checklist *Checklist // the service's own where nil
	Measure   bool       // read photos again whose measurement is of another version of the measuring code
	Again     bool       // judge also what the checklist has judged already
	Hold      bool       // let the reports count only when the run is published
	DryRun    bool       // store nothing, only tell
	ChunkSize int        // uploads that are stored at once; 1000 where 0, 50 where photos are read again
	WorkOptions
}

// WorkOptions says how a re-audit is worked on.
type WorkOptions struct {
	Workers int // chunks at once; 1 where 0
	// Pace waits before so many uploads are judged, to leave the machine to others. nil
	// where there is no hurry to avoid.
	Pace func(ctx context.Context, uploads int) error
	// GiveWay is told between pieces of work how long the last one took, and waits where
	// others need the machine more. nil where there are none.
	GiveWay func(ctx context.Context, worked time.Duration)
	// Progress is told the run's counts after each chunk; Flip each verdict that was
	// changed here. They are called by one goroutine at a time.
	Progress func(Run)
	Flip     func(Flip)
}

// How many uploads a chunk has: enough that storing it costs little beside judging, few
// enough that little is done again after an end in its midst. Photos that are read again
// take a thousand times as long.
const (
	chunkSize        = 1000
	measureChunkSize = 50
	piece            = 100 // uploads that are judged before others are given way; one where photos are read
)

const (
	leaseTime    = 15 * time.Second       // a chunk whose worker is gone is somebody else's after it
	othersPoll   = 500 * time.Millisecond // how often those who wait for other workers look
	outagePause  = 500 * time.Millisecond // after the records failed, doubled each time
	longestPause = 10 * time.Second
	outageTime   = 5 * time.Minute // that the records may be away before a worker gives up
)

// collectAt is the memory in use at which a process that does nothing but judge again
// collects its garbage.
const collectAt = 112 << 20

// SpendMemory has the garbage collector of a process that does little but judge again
// wait for [collectAt] bytes instead of for twice what is live, which is little: a quarter
// less CPU time. What GOGC and GOMEMLIMIT say goes before it.
func SpendMemory() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(collectAt)
	}
}

// Reaudit judges stored measurements by a checklist again, in chunks, and returns when
// that is done. Reports are kept apart until all are there, and count from one moment on;
// issued packets are never touched. Where a run that does the same was left unfinished,
// it goes on. Uploads that this checklist has judged are skipped. Without Measure no photo
// is read. An upload that cannot be judged is counted as failed and keeps its report; the
// others go on.
//
// Errors: [CodeConflict] where the checklist's version is kept with other contents,
// [CodeUnavailable].
func (s *Service) Reaudit(ctx context.Context, o ReauditOptions) (Run, error) {
	if o.DryRun {
		return s.rehearse(ctx, o)
	}
	run, err := s.StartReaudit(ctx, o)
	if err != nil {
		return run, err
	}
	return s.WorkOn(ctx, run.RunID, o.WorkOptions)
}

// plan is the run that the options ask for, and its chunks.
func (s *Service) plan(ctx context.Context, o ReauditOptions) (Run, []Span, *Checklist, error) {
	list := o.Checklist
	if list == nil {
		list = s.Config.Checklist
	}
	run := Run{RunID: s.NewID(), State: RunRunning, Checklist: list.Version, Filter: o.Filter, Measure: o.Measure, Again: o.Again, Hold: o.Hold, StartedAt: s.Now().UTC()}
	size := cmp.Or(o.ChunkSize, chunkSize)
	if o.Measure && o.ChunkSize == 0 {
		size = measureChunkSize
	}
	chunks, total, err := s.Archive.Plan(ctx, o.Filter, size)
	run.Chunks, run.Total = len(chunks), total
	return run, chunks, list, err
}

// StartReaudit keeps a new run for others to work on, or finds the one that does the same
// and is not at its end. Errors: those of [Service.Reaudit].
func (s *Service) StartReaudit(ctx context.Context, o ReauditOptions) (Run, error) {
	run, chunks, list, err := s.plan(ctx, o)
	if err != nil {
		return run, err
	}
	if err := s.Archive.SaveChecklist(ctx, list.Version, list.Text(), run.StartedAt); err != nil {
		return run, err
	}
	if open, ok, err := s.Archive.OpenRun(ctx, run); ok || err != nil {
		return open, err
	}
	if len(chunks) == 0 {
		run.finish(run.StartedAt)
	}
	return run, s.Archive.StartRun(ctx, run, chunks)
}

// rehearse judges all that a run would and stores nothing.
func (s *Service) rehearse(ctx context.Context, o ReauditOptions) (Run, error) {
	run, chunks, list, err := s.plan(ctx, o)
	if err != nil {
		return run, err
	}
	// What is on record was judged by the text that is kept under the version: another one
	// would be taken for it.
	switch text, err := s.Archive.Checklist(ctx, list.Version); {
	case err == nil && text != list.Text():
		return run, Errorf(CodeConflict, "checklist %s is kept with other contents: give the new one another version", list.Version)
	case err != nil && ErrorCode(err) != CodeNotFound:
		return run, err
	}
	j, err := s.rejudging(ctx, run, list)
	if err != nil {
		return run, err
	}
	var mu sync.Mutex
	next := 0
	err = side(ctx, o.Workers, func(ctx context.Context) (bool, error) {
		mu.Lock()
		i := next
		next++
		mu.Unlock()
		if i >= len(chunks) {
			return false, nil
		}
		c, err := j.chunk(ctx, chunks[i], o.WorkOptions)
		if err != nil {
			return false, err
		}
		mu.Lock()
		defer mu.Unlock()
		run.Count(c, s.Now())
		o.tell(run, c)
		return true, nil
	})
	if len(chunks) == 0 {
		run.finish(s.Now())
	}
	if run.Ended() {
		run.State, run.PublishedAt = RunDone, nil // nothing counts, whatever was asked
	}
	return run, err
}

// giveWay ends a piece of work, and begins the next one.
func (o WorkOptions) giveWay(ctx context.Context, began *time.Time) {
	if o.GiveWay != nil {
		o.GiveWay(ctx, time.Since(*began))
		*began = time.Now()
	}
}

func (o WorkOptions) tell(run Run, c Chunk) {
	if o.Flip != nil {
		for _, f := range c.Flips {
			o.Flip(f)
		}
	}
	if o.Progress != nil {
		o.Progress(run)
	}
}

// side runs n loops side by side until one fails or all have nothing more to do.
func side(ctx context.Context, n int, step func(context.Context) (more bool, err error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for range max(1, n) {
		all.Go(func() {
			for {
				more, err := step(ctx)
				if err != nil {
					cancel(err)
				}
				if err != nil || !more {
					return
				}
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return nil
}

// WorkOn works on a run until it is at its end, paused or cancelled, together with all
// others who do. Errors: [CodeNotFound], [CodeUnavailable] where the records stay away.
func (s *Service) WorkOn(ctx context.Context, runID string, o WorkOptions) (Run, error) {
	run, err := s.workOn(ctx, runID, o)
	for ; err == nil && run.State == RunRunning; run, err = s.Archive.Run(ctx, runID) {
		// Others have the rest; what they leave undone is taken over.
		select {
		case <-ctx.Done():
			return run, ctx.Err()
		case <-time.After(othersPoll):
		}
		if run, err = s.workOn(ctx, runID, o); err != nil {
			break
		}
	}
	return run, err
}

// workOn works on a run as long as there are chunks that nobody has.
func (s *Service) workOn(ctx context.Context, runID string, o WorkOptions) (Run, error) {
	run, err := s.Archive.Run(ctx, runID)
	if err != nil || run.State != RunRunning {
		return run, err
	}
	list := s.Config.Checklist
	if run.Checklist != list.Version {
		text, err := s.Archive.Checklist(ctx, run.Checklist)
		if err == nil {
			list, err = ParseChecklist([]byte(text))
		}
		if err != nil {
			return run, err
		}
	}
	j, err := s.rejudging(ctx, run, list)
	if err != nil {
		return run, err
	}
	var mu sync.Mutex
	worker := s.NewID()
	err = side(ctx, o.Workers, func(ctx context.Context) (more bool, err error) {
		var finished Run
		err = persist(ctx, func() error {
			more, err = false, nil
			now := s.Now()
			t, err := s.Archive.TakeChunk(ctx, runID, worker, now, now.Add(leaseTime))
			if err != nil || t == nil {
				return err
			}
			c, err := j.leased(ctx, *t, o)
			if err == nil {
				began := time.Now()
				finished, err = s.Archive.FinishChunk(ctx, *t, c, s.Now().UTC())
				o.giveWay(ctx, &began)
			}
			if ErrorCode(err) == CodeConflict {
				return nil // cancelled, or somebody else took it over
			}
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				o.tell(finished, c)
			}
			more = true
			return err
		})
		return more, err
	})
	if err != nil {
		return run, err
	}
	return s.Archive.Run(ctx, runID)
}

// persist tries again while the records are away, for a while.
func persist(ctx context.Context, try func() error) error {
	since, pause := time.Now(), outagePause
	for {
		err := try()
		if err == nil || ErrorCode(err) != CodeUnavailable || ctx.Err() != nil || time.Since(since) > outageTime {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// KeepWorking works on all runs that are open, now and later, until ctx ends.
func (s *Service) KeepWorking(ctx context.Context, log *slog.Logger, every time.Duration, o WorkOptions) {
	for {
		runs, err := s.Archive.OpenRuns(ctx)
		for _, run := range runs {
			began := time.Now()
			after, err := s.workOn(ctx, run.RunID, o)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				log.Error("re-audit", "run_id", run.RunID, "done", after.Done, "of", after.Total, "cause", err)
			case after.Ended():
				log.Info("re-audit", "run_id", run.RunID, "state", after.State, "done", after.Done, "flipped", after.Flipped, "failed", after.Failed, "took", time.Since(began).Round(time.Millisecond))
			}
		}
		if err != nil && ctx.Err() == nil {
			log.Warn("re-audits cannot be looked up", "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// rejudging is one run's way of judging.
type rejudging struct {
	*Service
	run     Run
	list    *Checklist
	version string // of a new measurement, where photos are read again
}

func (s *Service) rejudging(ctx context.Context, run Run, list *Checklist) (*rejudging, error) {
	j := &rejudging{Service: s, run: run, list: list}
	if !run.Measure {
		return j, nil
	}
	version, err := s.version(ctx)
	j.version = version
	return j, err
}

// leased judges a chunk and keeps it for this worker as long as that takes.
func (j *rejudging) leased(ctx context.Context, t Task, o WorkOptions) (Chunk, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		ticks := time.NewTicker(leaseTime / 3)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				if err := j.Archive.KeepChunk(ctx, t, j.Now().Add(leaseTime)); ErrorCode(err) == CodeConflict {
					cancel(err)
				}
			}
		}
	})
	c, err := j.chunk(ctx, t.Span, o)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	keeping.Wait()
	return c, err
}

// chunk judges the uploads of a span.
func (j *rejudging) chunk(ctx context.Context, span Span, o WorkOptions) (c Chunk, err error) {
	began := time.Now()
	cases, err := j.Archive.Cases(ctx, j.run.Filter, span)
	if err != nil {
		return c, err
	}
	o.giveWay(ctx, &began)
	if o.Pace != nil {
		if err := o.Pace(ctx, len(cases)); err != nil {
			return c, err
		}
		began = time.Now()
	}
	c.Reports = make([]Report, 0, len(cases))
	for i, k := range cases {
		if err := ctx.Err(); err != nil {
			return c, err
		}
		if err := j.upload(ctx, k, &c); err != nil {
			return c, err
		}
		if j.run.Measure || (i+1)%piece == 0 {
			o.giveWay(ctx, &began)
		}
	}
	return c, nil
}

// upload judges one upload again and adds what came of it to the chunk. The error says
// that the objects or the models are away, which is no fault of the photo.
func (j *rejudging) upload(ctx context.Context, k Case, c *Chunk) error {
	c.Done++
	r, skipped, err := j.judge(ctx, k, c)
	switch {
	case ErrorCode(err) == CodeUnavailable:
		return err
	case err != nil:
		c.Failures = append(c.Failures, Failure{UploadID: k.Upload.UploadID, PhotoID: k.Upload.PhotoID, TrackingID: k.Upload.TrackingID,
			Code: cmp.Or(ErrorCode(err), CodeInternal), Reason: ErrorMessage(err)})
		r.Verdict = k.Report.Verdict
	case skipped:
		c.Skipped++
		r.Verdict = k.Report.Verdict
	default:
		c.Reports = append(c.Reports, r)
	}
	c.Verdicts = tally(c.Verdicts, k.Report.Verdict, r.Verdict, 1)
	if f, flips := j.list.Try(k, r); flips {
		c.Flips = append(c.Flips, f)
	}
	return nil
}

// judge judges one upload. A panic is that upload's error.
func (j *rejudging) judge(ctx context.Context, k Case, c *Chunk) (r Report, skipped bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Errorf(CodeInternal, "Judging it went wrong", fmt.Errorf("panic: %v", p))
		}
	}()
	m := k.Measurement
	fresh := j.run.Measure && stale(m, j.version)
	if !fresh && !j.run.Again && k.Report.Checklist == j.list.Version && k.Report.MeasurementVersion == m.Version {
		return r, true, nil
	}
	if fresh {
		again, err := j.remeasure(ctx, k.Upload.PhotoID)
		if ErrorCode(err) == CodeDeleted { // it is judged by what was measured while it was kept
			again, err = m, nil
		}
		if err != nil {
			return r, false, err
		}
		if again.VisionProblem == noAnswer {
			return r, false, Errorf(CodeInternal, "The vision models gave no answer")
		}
		if j.Vision == nil && m.Vision != nil {
			again.Vision, again.Version = m.Vision, seeingVersion(m.Vision.Models)
		}
		m = again
		if c.Remeasured == nil {
			c.Remeasured = map[string]Measurement{}
		}
		c.Remeasured[k.Upload.PhotoID] = m
	}
	r = j.report(j.list, m, Subject{Upload: k.Upload, Known: k.Known}, j.run.RunID)
	r.Measurement = nil
	return r, false, nil
}

func (s *Service) remeasure(ctx context.Context, photoID string) (Measurement, error) {
	b, err := s.Original(ctx, photoID)
	if err != nil {
		return Measurement{}, err
	}
	return s.measure(ctx, b)
}

// deciding is the finding because of which the verdict is another than before: the one
// that now asks for the verdict, else the one that asked for the earlier verdict and no
// longer does.
func (c *Checklist) deciding(before, after Report) (Finding, bool) {
	if after.Verdict != Accept {
		return c.Leading(after)
	}
	for _, rule := range c.Checks.rules() {
		now, ok := after.Finding(rule.name)
		then, had := before.Finding(rule.name)
		if ok && had && rule.verdict(then.Result) == before.Verdict && now.Result != then.Result {
			return now, true
		}
	}
	return Finding{}, false
}
