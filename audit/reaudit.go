package audit

import "context"

// ReauditOptions says which uploads are judged again, and how.
type ReauditOptions struct {
	Filter
	Checklist *Checklist // the service's own where nil
	Measure   bool       // read photos again whose measurement is of another version of the measuring code
	DryRun    bool       // store nothing, only tell
	// Progress is told the run's counts after each chunk; Flip each changed verdict.
	Progress func(Run)
	Flip     func(Flip)

	version string // of a new measurement
}

// chunkSize is how many uploads a re-audit loads, judges and stores at once.
const chunkSize = 500

// Reaudit judges stored measurements by a checklist again. It appends a report for each
// upload, tells which verdicts changed, and never touches issued packets. Without
// Measure it reads no photo. A photo that cannot be read again is counted as failed and
// keeps its report; the run goes on.
//
// Errors: [CodeConflict] where the checklist's version is kept with other contents,
// [CodeUnavailable].
func (s *Service) Reaudit(ctx context.Context, o ReauditOptions) (Run, error) {
	if o.Checklist == nil {
		o.Checklist = s.Config.Checklist
	}
	if o.Measure {
		version, err := s.version(ctx)
		if err != nil {
			return Run{}, err
		}
		o.version = version
	}
	run := Run{RunID: s.NewID(), Checklist: o.Checklist.Version, Filter: o.Filter, Measure: o.Measure, StartedAt: s.Now().UTC()}
	if !o.DryRun {
		if err := s.Archive.SaveChecklist(ctx, o.Checklist.Version, o.Checklist.Text(), run.StartedAt); err != nil {
			return run, err
		}
		if err := s.Archive.StartRun(ctx, run); err != nil {
			return run, err
		}
	}
	for {
		cases, err := s.Archive.Cases(ctx, o.Filter, run.Cursor, chunkSize)
		if err != nil {
			return run, err
		}
		var c Chunk
		for _, k := range cases {
			s.rejudge(ctx, &run, o, k, &c)
		}
		if len(cases) > 0 {
			run.Cursor = cases[len(cases)-1].Upload.UploadID
		}
		last := len(cases) < chunkSize
		if last {
			now := s.Now().UTC()
			run.FinishedAt = &now
		}
		if err := ctx.Err(); err != nil {
			return run, err
		}
		if !o.DryRun {
			if err := s.Archive.AppendChunk(ctx, run, c); err != nil {
				return run, err
			}
		}
		if o.Flip != nil {
			for _, f := range c.Flips {
				o.Flip(f)
			}
		}
		if o.Progress != nil {
			o.Progress(run)
		}
		if last {
			return run, nil
		}
	}
}

// rejudge judges one upload again and adds what came of it to the chunk.
func (s *Service) rejudge(ctx context.Context, run *Run, o ReauditOptions, k Case, c *Chunk) {
	run.Done++
	m := k.Measurement
	if o.Measure && stale(m, o.version) {
		fresh, err := s.remeasure(ctx, k.Upload.PhotoID)
		if err != nil || fresh.VisionProblem == noAnswer {
			run.Failed++
			return
		}
		if s.Vision == nil && m.Vision != nil {
			fresh.Vision, fresh.Version = m.Vision, seeingVersion(m.Vision.Models)
		}
		m = fresh
		if c.Remeasured == nil {
			c.Remeasured = map[string]Measurement{}
		}
		c.Remeasured[k.Upload.PhotoID] = m
	}
	r := s.report(o.Checklist, m, Subject{Upload: k.Upload, Known: k.Known}, run.RunID)
	r.Measurement = nil
	c.Reports = append(c.Reports, r)
	if r.Verdict == k.Report.Verdict {
		return
	}
	run.Flipped++
	f := Flip{UploadID: k.Upload.UploadID, PhotoID: k.Upload.PhotoID, TrackingID: k.Upload.TrackingID, DriverID: k.Upload.DriverID,
		Before: k.Report.Verdict, After: r.Verdict}
	if deciding, ok := o.Checklist.deciding(k.Report, r); ok {
		f.Check, f.Detail = deciding.Check, deciding.Words()
	}
	c.Flips = append(c.Flips, f)
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
