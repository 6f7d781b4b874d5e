package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"porchlight/audit"
)

// tellEvery is how often a re-audit says in a log how far it is.
const tellEvery = 10 * time.Second

// meter tells how fast a re-audit goes on, whoever works on it, from two looks at it.
type meter struct {
	runID string
	since time.Time
	done  int
	told  time.Time
}

// due tells whether it is time for another line on the run, at once for a run that is
// new here.
func (m *meter) due(r audit.Run, now time.Time) bool {
	if m.runID != r.RunID {
		*m = meter{runID: r.RunID, since: now, done: r.Done, told: now}
		return true
	}
	if now.Sub(m.told) < tellEvery && !r.Ended() {
		return false
	}
	m.told = now
	return true
}

// rate is the photos a second since the first look, 0 where that is not known yet, and the
// time that the rest takes at that rate.
func (m *meter) rate(r audit.Run, now time.Time) (perSecond float64, left time.Duration) {
	took := now.Sub(m.since).Seconds()
	if took <= 0 || r.Done <= m.done {
		return 0, 0
	}
	perSecond = float64(r.Done-m.done) / took
	return perSecond, time.Duration(float64(r.Total-r.Done) / perSecond * float64(time.Second))
}

// came says what a run made of photos so far: "accept 10, review 2, retake 1; 3 flips".
func came(r audit.Run) string {
	now := map[audit.Verdict]int{}
	for _, after := range r.Verdicts {
		for verdict, n := range after {
			now[verdict] += n
		}
	}
	s := fmt.Sprintf("accept %d, review %d, retake %d; %d flips", now[audit.Accept], now[audit.Review], now[audit.Retake], r.Flipped)
	if r.Failed > 0 {
		s += fmt.Sprintf(", %d failed", r.Failed)
	}
	return s
}

// runProgress shows a re-audit's progress: a bar on a terminal, else a line now and then.
type runProgress struct {
	meter
	bar *progressbar.ProgressBar
	log io.Writer // nil where there is a bar
}

func newRunProgress(w io.Writer) *runProgress {
	// What was judged before, here or elsewhere, is none of this bar's speed: the meter tells it.
	p := &runProgress{bar: barWith(w, -1, progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false))}
	if !isTerminal(w) {
		p.log = w
	}
	return p
}

func (p *runProgress) show(r audit.Run) {
	now := time.Now()
	due := p.due(r, now)
	came := came(r)
	if perSecond, left := p.rate(r, now); perSecond > 0 {
		came += fmt.Sprintf("; %.0f a second, %s left", perSecond, audit.Lasting(left))
	}
	if p.log == nil {
		p.bar.ChangeMax(r.Total)
		p.bar.Describe(came)
		p.bar.Set(r.Done)
	} else if due {
		fmt.Fprintf(p.log, "%d of %d photos judged: %s\n", r.Done, r.Total, came)
	}
}
