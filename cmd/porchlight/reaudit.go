package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"porchlight/audit"
)

// reaudit judges what is stored again and lists the verdicts that flipped.
func reaudit(cmd *cobra.Command, s *auditSettings) error {
	since, err1 := parseTime("since", s.since)
	until, err2 := parseTime("until", s.until)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s.unkept = s.dryRun
	st, err := s.open(cmd.Context())
	if err != nil {
		return err
	}
	defer st.Close()
	if s.measure {
		eyes, closeEyes, err := s.openVision(fileVisionTime, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
		if err != nil {
			return err
		}
		defer closeEyes()
		st.audit.Vision = eyes
	} else {
		audit.SpendMemory()
	}
	progress := newRunProgress(cmd.ErrOrStderr())
	out := cmd.OutOrStdout()
	enc := json.NewEncoder(out)
	run, err := st.audit.Reaudit(cmd.Context(), audit.ReauditOptions{
		Filter: audit.Filter{Since: since, Until: until, DriverID: s.driver}, Measure: s.measure, Again: s.again, Hold: s.hold, DryRun: s.dryRun, ChunkSize: s.chunk,
		WorkOptions: audit.WorkOptions{
			Workers:  s.workers,
			Progress: progress.show,
			Flip: func(f audit.Flip) {
				if s.json {
					enc.Encode(f)
					return
				}
				progress.bar.Clear()
				fmt.Fprintf(out, "%s %s -> %s  %s  photo %s  %s\n", marks[f.After], f.Before, f.After, f.TrackingID, f.PhotoID[:12], f.Detail)
			},
		},
	})
	progress.bar.Finish()
	if err != nil {
		if run.RunID != "" && run.ChunksDone > 0 && !s.dryRun {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d photos are judged and kept: the same command goes on from there\n", run.Done, run.Total)
		}
		return err
	}
	if s.json {
		enc.Encode(run)
	} else {
		printRun(out, run, s.dryRun)
	}
	if run.Failed > 0 {
		return errDone
	}
	return nil
}

// printRun says what a run came to.
func printRun(w io.Writer, run audit.Run, dry bool) {
	word := "flipped"
	if dry {
		word = "would flip (dry run: nothing was stored)"
	}
	fmt.Fprintf(w, "%d photos judged by %s: %d verdicts %s\n", run.Done-run.Skipped, run.Checklist, run.Flipped, word)
	if run.Skipped > 0 {
		fmt.Fprintf(w, "%d photos had been judged by it before (--again judges them once more)\n", run.Skipped)
	}
	if len(run.Verdicts) > 0 {
		verdicts := []audit.Verdict{audit.Accept, audit.Review, audit.Retake}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(t, "before \\ after\t")
		for _, v := range verdicts {
			fmt.Fprintf(t, "%s\t", v)
		}
		fmt.Fprintln(t)
		for _, before := range verdicts {
			fmt.Fprintf(t, "%s\t", before)
			for _, after := range verdicts {
				fmt.Fprintf(t, "%d\t", run.Verdicts[before][after])
			}
			fmt.Fprintln(t)
		}
		t.Flush()
	}
	if run.Failed > 0 {
		fmt.Fprintf(w, "%d photos could not be judged and keep their reports: porchlight reaudits failures %s\n", run.Failed, run.RunID)
	}
	if dry {
		return
	}
	errs := ""
	if run.Failed > 0 {
		errs = ", with errors"
	}
	fmt.Fprintf(w, "run %s is %s%s\n", run.RunID, run.State, errs)
	switch run.State {
	case audit.RunDone:
		fmt.Fprintf(w, "its reports count once you say: porchlight reaudits publish %s\n", run.RunID)
	case audit.RunPaused:
		fmt.Fprintf(w, "it goes on once you say: porchlight reaudits resume %s\n", run.RunID)
	}
}
