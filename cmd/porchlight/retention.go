package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"porchlight/audit"
	"porchlight/audit/custody"
)

// keptWords say why a photo is kept past its retention.
var keptWords = map[audit.KeptBy]string{
	audit.KeptByHold:   "under a legal hold",
	audit.KeptByPacket: "in an issued packet",
	audit.KeptByClaim:  "with an open claim",
	audit.KeptByStore:  "locked by the object store",
	audit.KeptByUpload: "uploaded again meanwhile",
}

// purgeReport is what a sweep did, or would do.
type purgeReport struct {
	DryRun  bool                 `json:"dry_run"`
	Before  time.Time            `json:"uploaded_before"`
	Deleted int                  `json:"deleted"`
	Bytes   int64                `json:"deleted_bytes"`
	Kept    map[audit.KeptBy]int `json:"kept"`
}

func purgeCommand() *cobra.Command {
	var s storeSettings
	var keep string
	var dry, asJSON bool
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Delete photos past their retention",
		Long: `Delete the bytes of photos that were last uploaded longer ago than --older-than, 540 days
where it is not given. What was measured, judged and decided stays on record, and so does
the photo's SHA-256; each deletion is in the custody log.

Kept however old they are: photos under a legal hold (porchlight hold), of deliveries with
an open claim, in an issued packet, and those that the object store has locked. --dry-run
lists what would go and what would be kept, and deletes nothing.

It may run beside the service, and be stopped at any point: the next one goes on. Run it
once a day. Porchlight deletes nothing by itself.`,
		Example: `  porchlight purge --dry-run
  porchlight purge --older-than 365d`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			age, err := parseAge(keep)
			if err != nil {
				return err
			}
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			now := time.Now().UTC()
			r := purgeReport{DryRun: dry, Before: now.Add(-age).Truncate(time.Second), Kept: map[audit.KeptBy]int{}}
			out := cmd.OutOrStdout()
			lines := json.NewEncoder(out)
			bar := newBar(cmd.ErrOrStderr(), -1, "photos")
			err = st.retention().Sweep(cmd.Context(), r.Before, dry, func(e audit.Expired) {
				bar.Add(1)
				if e.KeptBy == "" {
					r.Deleted++
					r.Bytes += e.Bytes
				} else {
					r.Kept[e.KeptBy]++
				}
				bar.Clear()
				if asJSON {
					lines.Encode(e)
				} else {
					printExpired(out, e, dry)
				}
			})
			bar.Finish()
			if asJSON {
				lines.Encode(r)
			} else {
				printPurge(out, r)
			}
			return err
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVar(&keep, "older-than", "540d", "how long photos are kept after their last upload, such as 365d or 8760h")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "list what would be deleted, and delete nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// retention deletes photos from the opened stores.
func (s *stores) retention() audit.Retention {
	return audit.Retention{Records: s.db, Now: time.Now, Remove: s.listed.Delete,
		LockedUntil: func(ctx context.Context, key string) (time.Time, error) {
			info, err := s.listed.Stat(ctx, key)
			return info.RetainUntil, err
		}}
}

// parseAge reads a length of time in days (540d) or as Go writes it (12960h).
func parseAge(text string) (age time.Duration, err error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 36500 {
			return 0, fmt.Errorf("--older-than %q is not a number of days from 1 to 36500", text)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	age, err = time.ParseDuration(text)
	if err != nil || age < time.Hour {
		return 0, fmt.Errorf("--older-than %q is not a time such as 540d or 12960h, an hour at least", text)
	}
	return age, nil
}

func printExpired(out io.Writer, e audit.Expired, dry bool) {
	what := "deleted"
	if dry {
		what = "would be deleted"
	}
	if e.KeptBy != "" {
		what = "kept, " + keptWords[e.KeptBy]
	}
	fmt.Fprintf(out, "%s  %s  %s  %s\n", e.PhotoID[:min(12, len(e.PhotoID))], e.ReceivedAt.Format(time.DateOnly), e.TrackingID, what)
}

func printPurge(out io.Writer, r purgeReport) {
	what := "deleted"
	if r.DryRun {
		what = "would be deleted"
	}
	fmt.Fprintf(out, "%d photos (%.1f MB) last uploaded before %s %s\n", r.Deleted, float64(r.Bytes)/1e6, r.Before.Format(time.DateOnly), what)
	for _, why := range []audit.KeptBy{audit.KeptByHold, audit.KeptByPacket, audit.KeptByClaim, audit.KeptByStore, audit.KeptByUpload} {
		if n := r.Kept[why]; n > 0 {
			fmt.Fprintf(out, "%d kept, %s\n", n, keptWords[why])
		}
	}
}

func holdCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "hold", Short: "Place, list and release legal holds, which keep photos from being deleted"}
	cmd.AddCommand(holdPlaceCommand(), holdListCommand(), holdReleaseCommand())
	return cmd
}

func holdPlaceCommand() *cobra.Command {
	var s storeSettings
	var reason string
	cmd := &cobra.Command{
		Use:   "place photo|delivery|driver ID --reason TEXT",
		Short: "Keep a photo, a delivery's photos or a driver's photos until the hold is released",
		Long: `Place a legal hold on one photo (its SHA-256), on all photos of a delivery (its tracking id)
or on all that a driver uploaded, those of later days too. It prints the hold's id. From
then on "porchlight purge" deletes none of them, until the hold is released.`,
		Example: `  porchlight hold place delivery TBA123456789 --reason "Case 26-1187"`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			h := audit.Hold{HoldID: newID(), Kind: audit.HoldKind(args[0]), Subject: args[1], Reason: reason,
				PlacedBy: custody.ActorOf(cmd.Context()).Name, PlacedAt: time.Now().UTC()}
			if err := h.Validate(); err != nil {
				return err
			}
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			if err := st.db.PlaceHold(cmd.Context(), h); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), h.HoldID)
			return nil
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVar(&reason, "reason", "", "why, such as the case's number")
	cmd.MarkFlagRequired("reason")
	return cmd
}

func holdListCommand() *cobra.Command {
	var s storeSettings
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the legal holds in force",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			n := 0
			err = pages(func(after string) ([]audit.Hold, string, error) { return st.db.Holds(cmd.Context(), after, onPage) }, func(h audit.Hold) error {
				state := "holds"
				if h.ReleasedAt != nil {
					state = "released " + h.ReleasedAt.Format(time.RFC3339)
				}
				if h.ReleasedAt != nil && !all {
					return nil
				}
				n++
				_, err := fmt.Fprintln(table, strings.Join([]string{h.HoldID, string(h.Kind), h.Subject, "by " + h.PlacedBy, h.PlacedAt.Format(time.RFC3339), state, h.Reason}, "\t"))
				return err
			})
			if err == nil {
				err = table.Flush()
			}
			if err == nil && n == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "No legal holds: porchlight hold place delivery ID --reason ...")
			}
			return err
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().BoolVar(&all, "all", false, "those that were released, too")
	return cmd
}

func holdReleaseCommand() *cobra.Command {
	var s storeSettings
	cmd := &cobra.Command{
		Use:   "release HOLD_ID",
		Short: "Release a legal hold, by its id from `hold list`",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			_, err = st.db.ReleaseHold(cmd.Context(), args[0], time.Now().UTC())
			return err
		},
	}
	s.flags(cmd.Flags())
	return cmd
}
