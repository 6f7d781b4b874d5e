package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"porchlight/audit"
)

// reauditsCommand lists re-audits and changes their state.
func reauditsCommand() *cobra.Command {
	var s storeSettings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reaudits",
		Short: "List re-audits; pause, resume, cancel or publish one; list what it changed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			return listRuns(cmd, st, asJSON)
		},
	}
	s.flags(cmd.PersistentFlags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	for _, c := range []struct {
		name, short string
		to          audit.RunState
	}{
		{"pause", "Let no more of a re-audit be judged until it is resumed", audit.RunPaused},
		{"resume", "Go on with a paused re-audit", audit.RunRunning},
		{"cancel", "End a re-audit; its reports never count", audit.RunCancelled},
		{"publish", "Let the reports of a held re-audit count from now on", audit.RunPublished},
	} {
		cmd.AddCommand(&cobra.Command{Use: c.name + " RUN", Short: c.short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			run, err := st.db.ChangeRun(cmd.Context(), args[0], c.to, time.Now().UTC())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "run %s is %s: %d of %d photos judged\n", run.RunID, run.State, run.Done, run.Total)
			return nil
		}})
	}
	cmd.AddCommand(reportCommand(&s),
		listCommand(&s, "flips", "The verdicts that a re-audit changed as CSV, with the claims they touch", writeFlips),
		listCommand(&s, "failures", "What a re-audit could not judge as CSV, with the reasons", writeFailures))
	return cmd
}

// listCommand lists something of a run as CSV, or as JSON with --json.
func listCommand(s *storeSettings, name, short string, write func(context.Context, io.Writer, *stores, string, bool) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: name + " RUN", Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		st, err := s.open(cmd.Context())
		if err != nil {
			return err
		}
		defer st.Close()
		if _, err := st.db.Run(cmd.Context(), args[0]); err != nil {
			return err
		}
		out := bufio.NewWriter(cmd.OutOrStdout())
		return errors.Join(write(cmd.Context(), out, st, args[0], asJSON), out.Flush())
	}}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// onPage is how many rows a command reads at once.
const onPage = 500

// pages calls for each row of a list that goes on by cursor.
func pages[T any](list func(after string) ([]T, string, error), each func(T) error) error {
	for after := ""; ; {
		rows, next, err := list(after)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := each(r); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func listRuns(cmd *cobra.Command, st *stores, asJSON bool) error {
	out, n := cmd.OutOrStdout(), 0
	enc := json.NewEncoder(out)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	err := pages(func(after string) ([]audit.Run, string, error) { return st.db.Runs(cmd.Context(), after, onPage) }, func(r audit.Run) error {
		if asJSON {
			return enc.Encode(r)
		}
		if n++; n == 1 {
			fmt.Fprintln(t, "RUN\tSTARTED\tSTATE\tCHECKLIST\tJUDGED\tOF\tFLIPS\tFAILED")
		}
		_, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\n", r.RunID, r.StartedAt.Format(time.DateTime), r.State, r.Checklist, r.Done, r.Total, r.Flipped, r.Failed)
		return err
	})
	if err == nil && n == 0 && !asJSON {
		fmt.Fprintln(t, "No re-audits yet: porchlight audit --reaudit starts one.")
	}
	t.Flush()
	return err
}

// writeFlips writes a run's flips, each with the ids of the claims on its delivery.
func writeFlips(ctx context.Context, w io.Writer, st *stores, runID string, asJSON bool) error {
	enc, c := json.NewEncoder(w), csv.NewWriter(w)
	if !asJSON {
		c.Write([]string{"tracking_id", "driver_id", "photo_id", "upload_id", "before", "after", "check", "detail", "claims"})
	}
	err := eachFlip(ctx, st, runID, func(f audit.Flip, claims []string) error {
		if asJSON {
			return enc.Encode(struct {
				audit.Flip
				Claims []string `json:"claims,omitempty"`
			}{f, claims})
		}
		return c.Write([]string{plainCell(f.TrackingID), plainCell(f.DriverID), f.PhotoID, f.UploadID, string(f.Before), string(f.After), f.Check, plainCell(f.Detail), plainCell(strings.Join(claims, " "))})
	})
	c.Flush()
	return errors.Join(err, c.Error())
}

func writeFailures(ctx context.Context, w io.Writer, st *stores, runID string, asJSON bool) error {
	enc, c := json.NewEncoder(w), csv.NewWriter(w)
	if !asJSON {
		c.Write([]string{"tracking_id", "photo_id", "upload_id", "code", "reason"})
	}
	err := pages(func(after string) ([]audit.Failure, string, error) { return st.db.Failures(ctx, runID, after, onPage) }, func(f audit.Failure) error {
		if asJSON {
			return enc.Encode(f)
		}
		return c.Write([]string{plainCell(f.TrackingID), f.PhotoID, f.UploadID, string(f.Code), plainCell(f.Reason)})
	})
	c.Flush()
	return errors.Join(err, c.Error())
}

// workSettings say how re-audits are worked on in the background.
type workSettings struct{ rate int }

// pace lets through so many uploads a second, all of them for 0.
func (s workSettings) pace() func(context.Context, int) error {
	if s.rate <= 0 {
		return nil
	}
	limiter := rate.NewLimiter(rate.Limit(s.rate), s.rate)
	return func(ctx context.Context, uploads int) error {
		for uploads > 0 {
			n := min(uploads, s.rate)
			if err := limiter.WaitN(ctx, n); err != nil {
				return err
			}
			uploads -= n
		}
		return nil
	}
}

// workEvery is how often those who work on re-audits look for one.
const workEvery = 2 * time.Second

// workCommand works on re-audits beside the servers.
func workCommand() *cobra.Command {
	var s struct {
		storeSettings
		visionSettings
		workSettings
	}
	var workers int
	cmd := &cobra.Command{
		Use:   "work",
		Short: "Work on re-audits that others started, until it is stopped",
		Long: `Work on all re-audits that are running, chunk by chunk, beside every other process that
does: start it on as many machines as you like, with the same --database and --objects.
A chunk whose worker is gone is taken over within seconds.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			log := slog.New(slog.NewTextHandler(os.Stderr, nil))
			eyes, closeEyes, err := s.openVision(fileVisionTime, log)
			if err != nil {
				return err
			}
			defer closeEyes()
			st.audit.Vision = eyes
			audit.SpendMemory()
			log.Info("waiting for re-audits", "workers", workers)
			var m meter
			st.audit.KeepWorking(cmd.Context(), log, workEvery, audit.WorkOptions{Workers: workers, Pace: s.pace(), Progress: func(r audit.Run) {
				now := time.Now()
				if !m.due(r, now) {
					return
				}
				perSecond, left := m.rate(r, now)
				log.Info("re-audit", "run_id", r.RunID, "done", r.Done, "of", r.Total, "came", came(r), "per_second", math.Round(perSecond), "left", left.Round(time.Second))
			}})
			return nil
		},
	}
	s.storeSettings.flags(cmd.Flags())
	s.visionSettings.flags(cmd.Flags())
	cmd.Flags().IntVar(&workers, "workers", 2, "chunks judged at once")
	cmd.Flags().IntVar(&s.rate, "work-rate", 0, "photos judged a second at most; 0: as many as can be")
	return cmd
}
