package web

import "porchlight/audit"

// Reaudits lists re-audits, the newest first: GET /agent/reaudits.
type Reaudits struct {
	Base
	Runs []audit.Run
	Next string // cursor of the next page, sent as after
}

func (Reaudits) template() string { return "reaudits.html" }
func (Reaudits) heading() string  { return "Re-audits" }
func (Reaudits) section() string  { return "reaudits" }

// FlipRow is a changed verdict with the findings that changed with it.
type FlipRow struct {
	audit.Flip
	Findings []FindingChange
}

// FindingChange is one check's finding before and after. Either may be empty.
type FindingChange struct {
	Before, After audit.Finding
}

// Check names the check.
func (c FindingChange) Check() string {
	if c.After.Check != "" {
		return c.After.Check
	}
	return c.Before.Check
}

// Changes pairs the findings of two reports whose results differ, in the order of the
// later one.
func Changes(before, after audit.Report) []FindingChange {
	var out []FindingChange
	for _, f := range after.Findings {
		if was, _ := before.Finding(f.Check); was.Result != f.Result {
			out = append(out, FindingChange{was, f})
		}
	}
	return out
}

// Reaudit is one re-audit with the verdicts that it changed: GET /agent/reaudits/{run_id}.
type Reaudit struct {
	Base
	Run   audit.Run
	Flips []FlipRow
	Next  string // cursor of the next page of flips, sent as after
	After string // cursor that the page was asked for with
}

func (Reaudit) template() string  { return "reaudit.html" }
func (p Reaudit) heading() string { return "Re-audit by " + p.Run.Checklist }
func (Reaudit) section() string   { return "reaudits" }

// RunStep is a state that an admin may bring a run into from its page.
type RunStep struct {
	To    audit.RunState
	Label string
}

// Steps are those that can follow, for admins.
func (p Reaudit) Steps() []RunStep {
	if p.Role != audit.Admin {
		return nil
	}
	cancel := RunStep{audit.RunCancelled, "Cancel"}
	switch p.Run.State {
	case audit.RunRunning:
		return []RunStep{{audit.RunPaused, "Pause"}, cancel}
	case audit.RunPaused:
		return []RunStep{{audit.RunRunning, "Resume"}, cancel}
	case audit.RunDone:
		return []RunStep{{audit.RunPublished, "Publish: let its reports count"}, cancel}
	}
	return nil
}
