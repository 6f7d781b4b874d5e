package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

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
	}
	bar := newBar(cmd.ErrOrStderr(), -1, "photos")
	out := cmd.OutOrStdout()
	enc := json.NewEncoder(out)
	run, err := st.audit.Reaudit(cmd.Context(), audit.ReauditOptions{
		Filter: audit.Filter{Since: since, Until: until, DriverID: s.driver}, Measure: s.measure, DryRun: s.dryRun,
		Progress: func(r audit.Run) { bar.Set(r.Done) },
		Flip: func(f audit.Flip) {
			if s.json {
				enc.Encode(f)
				return
			}
			bar.Clear()
			fmt.Fprintf(out, "%s %s -> %s  %s  photo %s  %s\n", marks[f.After], f.Before, f.After, f.TrackingID, f.PhotoID[:12], f.Detail)
		},
	})
	bar.Finish()
	if err != nil {
		return err
	}
	if s.json {
		enc.Encode(run)
	} else {
		word := "flipped"
		if s.dryRun {
			word = "would flip (dry run: nothing was stored)"
		}
		fmt.Fprintf(out, "%d photos judged by %s: %d verdicts %s\n", run.Done, run.Checklist, run.Flipped, word)
		if run.Failed > 0 {
			fmt.Fprintf(out, "%d photos could not be read again and keep their reports\n", run.Failed)
		}
		if !s.dryRun {
			fmt.Fprintf(out, "run %s\n", run.RunID)
		}
	}
	if run.Failed > 0 {
		return errDone
	}
	return nil
}
