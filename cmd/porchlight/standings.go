package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"porchlight/audit/dispute"
	"porchlight/audit/standing"
	"porchlight/storage/sqldb"
)

func standingsCommand() *cobra.Command {
	var s storeSettings
	var day, driver string
	cmd := &cobra.Command{
		Use:   "standings",
		Short: "Compute all drivers' standings, keep them for the day, and print them",
		Long: `Compute the standing of every driver with a package or a block on record, by the built-in
operator targets, and keep it for the day; "porchlight serve" does so every hour. With
--day they are computed as of the end of that day in UTC. With --driver that driver's
figures are printed one by one, and nothing is kept.

These are no carrier's numbers: what makes a standing is in audit/standing/targets-2026.yaml.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at := time.Now().UTC()
			if day != "" {
				start, err := time.Parse(time.DateOnly, day)
				if err != nil {
					return fmt.Errorf("--day %q is not a day as YYYY-MM-DD", day)
				}
				if end := endOf(start); end.Before(at) {
					at = end
				} else if start.After(at) {
					return fmt.Errorf("--day %s has not begun", day)
				}
			}
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			targets := standing.Targets2026()
			if driver != "" {
				facts, err := st.db.DriverFacts(cmd.Context(), targets, driver, at)
				if err != nil {
					return err
				}
				return printFigures(cmd.OutOrStdout(), targets.Judge(facts, at))
			}
			began := time.Now()
			bar := newBar(cmd.ErrOrStderr(), -1, "drivers")
			n, err := st.db.RecomputeStandings(cmd.Context(), targets, standing.DayOf(at), at, func(n int) { bar.Set(n) })
			bar.Finish()
			if err != nil {
				return err
			}
			took := time.Since(began)
			if err := printStandings(cmd.Context(), cmd.OutOrStdout(), st.db, standing.DayOf(at)); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d drivers on %s, by %s (%s), in %v\n", n, standing.DayOf(at), targets.Version, targets.Label, took.Round(time.Millisecond))
			return nil
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVar(&day, "day", "", "`YYYY-MM-DD` in UTC; default today so far")
	cmd.Flags().StringVar(&driver, "driver", "", "that driver's `ID` alone, with all figures")
	return cmd
}

// endOf is the last moment of a day that the records tell apart.
func endOf(day time.Time) time.Time { return day.AddDate(0, 0, 1).Add(-time.Microsecond) }

func printStandings(ctx context.Context, out io.Writer, db *sqldb.DB, day standing.Date) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "DRIVER\tSTANDING\tDELIVERED\tON TIME\tNOT RECEIVED\tFEEDBACK\tRELIABILITY\tPACKAGES")
	err := pages(func(after string) ([]standing.Snapshot, string, error) {
		return db.Standings(ctx, day, "", after, onPage)
	}, func(s standing.Snapshot) error {
		fmt.Fprintf(w, "%s\t%s", s.DriverID, s.Standing)
		for _, name := range []string{standing.DeliveredRate, standing.OnTimeRate, standing.NotReceived, standing.FeedbackRating, standing.Reliability} {
			fmt.Fprintf(w, "\t%s", figureText(s.Figure(name)))
		}
		_, err := fmt.Fprintf(w, "\t%d\n", s.Window.Packages)
		return err
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

func printFigures(out io.Writer, r standing.Report) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%s\t\tby %s (%s)\n", r.DriverID, r.Standing, r.Targets, r.Label)
	for _, f := range r.Figures {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Name, f.Standing, figureText(f), f.Counted)
	}
	for _, x := range r.Warnings {
		fmt.Fprintf(w, "warning\t%s\t\t%s\n", x.Kind, x.Text)
	}
	return w.Flush()
}

func figureText(f standing.Figure) string {
	switch {
	case f.Value == nil:
		return "unknown"
	case f.Unit == "share":
		return fmt.Sprintf("%.2f%%", *f.Value*100)
	}
	return fmt.Sprintf("%.4g", *f.Value)
}

// driverRecord is what a packet says of a driver: how many packages of the standing's
// window were claimed as not received.
func driverRecord(db *sqldb.DB) func(context.Context, string, time.Time) (*dispute.DriverRecord, error) {
	targets := standing.Targets2026()
	return func(ctx context.Context, driverID string, at time.Time) (*dispute.DriverRecord, error) {
		facts, err := db.DriverPackages(ctx, targets, driverID, at)
		if err != nil {
			return nil, err
		}
		y := targets.Tally(facts, at)
		if y.Packages == 0 {
			return nil, nil
		}
		return &dispute.DriverRecord{DriverID: driverID, Packages: y.Packages, NotReceived: y.NotReceived, From: y.From, To: y.To}, nil
	}
}

// standingsEvery is how old the standings of a day may be.
const standingsEvery = time.Hour

// keepStandings computes standings every hour, and the day before's once more when it
// has ended. Several services may do so: what one kept within the hour the others leave.
func keepStandings(ctx context.Context, db *sqldb.DB, log *slog.Logger) {
	targets := standing.Targets2026()
	for {
		if err := refreshStandings(ctx, db, targets, time.Now().UTC()); err != nil && ctx.Err() == nil {
			log.Error("standings could not be computed", "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(standingsEvery / 4):
		}
	}
}

func refreshStandings(ctx context.Context, db *sqldb.DB, targets *standing.Targets, now time.Time) error {
	day, computed, err := db.LatestStandings(ctx)
	if err != nil {
		return err
	}
	today := standing.DayOf(now)
	if day == today && now.Sub(computed) < standingsEvery {
		return nil
	}
	if day != "" && day < today {
		if end := endOf(day.Start()); computed.Before(end) {
			if _, err := db.RecomputeStandings(ctx, targets, day, end, nil); err != nil {
				return err
			}
		}
	}
	_, err = db.RecomputeStandings(ctx, targets, today, now, nil)
	return err
}
