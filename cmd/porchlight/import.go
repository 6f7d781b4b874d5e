package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/rows"
	"porchlight/audit/standing"
)

// importBatch is how many rows are stored in one transaction.
const importBatch = 500

func importCommand() *cobra.Command {
	var s storeSettings
	var format, week, driver string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import deliveries|claims|tracks|blocks|feedback|concessions|photo-reports FILE",
		Short: "Import deliveries, claims or what standings are made of from JSON, NDJSON or CSV",
		Long: `Import deliveries, claims, drivers' blocks, customers' feedback, or a carrier's concessions
and weekly photo reports, row by row: good rows go in, bad rows are listed with their
line and the reason. Importing the same file again changes nothing, so an import that was
cut off is simply started again. FILE may be - for standard input.

CSV of feedback, concessions and photo reports may have the columns of the carrier's own
reports. --week says which week a photo report is of where its rows do not.

Tracks are rows of driver_id, at, latitude, longitude and accuracy_m, or with --driver a
GPX or GeoJSON file of that driver's.

Photos that are in a folder or a bucket already come in by porchlight import photos.

Exit status: 0 all rows are in; 1 some were rejected; 2 the file could not be read on.`,
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"deliveries", "claims", "tracks", "blocks", "feedback", "concessions", "photo-reports"},
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			now := func() time.Time { return time.Now().UTC() }
			switch args[0] {
			case "deliveries":
				return importFile(cmd, args[1], format, asJSON, func(ctx context.Context, d []audit.Delivery) ([]audit.Change, error) {
					return st.db.PutDeliveries(ctx, d, now())
				})
			case "claims":
				return importFile(cmd, args[1], format, asJSON, func(ctx context.Context, c []dispute.Claim) ([]audit.Change, error) {
					return st.db.PutClaims(ctx, c, now())
				})
			case "tracks":
				if driver != "" {
					return importTrackFile(cmd, args[1], driver, st)
				}
				return importFile(cmd, args[1], format, asJSON, st.db.PutTrack)
			case "blocks":
				return importFile(cmd, args[1], format, asJSON, func(ctx context.Context, b []standing.Block) ([]audit.Change, error) {
					return st.db.PutBlocks(ctx, b, now())
				})
			case "feedback":
				return importFile(cmd, args[1], format, asJSON, func(ctx context.Context, f []standing.Feedback) ([]audit.Change, error) {
					return st.db.PutFeedback(ctx, f, now())
				})
			case "concessions":
				return importFile(cmd, args[1], format, asJSON, func(ctx context.Context, c []standing.Concession) ([]audit.Change, error) {
					return st.db.PutConcessions(ctx, c, now())
				})
			case "photo-reports":
				return importFile(cmd, args[1], format, asJSON, func(ctx context.Context, p []standing.PhotoWeek) ([]audit.Change, error) {
					for i := range p {
						p[i].Week = cmp.Or(p[i].Week, week)
					}
					return st.db.PutPhotoWeeks(ctx, p, now())
				})
			}
			return fmt.Errorf("import %q: %s can be imported", args[0], strings.Join(cmd.ValidArgs, ", "))
		},
	}
	cmd.AddCommand(importPhotosCommand())
	s.flags(cmd.Flags())
	cmd.Flags().StringVar(&driver, "driver", "", "`ID` of the driver whose GPX or GeoJSON track FILE is")
	cmd.Flags().StringVar(&format, "format", "", "json, ndjson or csv; default by the file's name or first bytes")
	cmd.Flags().StringVar(&week, "week", "", "of a photo report whose rows do not name theirs, such as 2026-W47")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}

func importFile[T any](cmd *cobra.Command, name, format string, asJSON bool, put func(context.Context, []T) ([]audit.Change, error)) error {
	return importRows(cmd, name, format, asJSON, importBatch, put)
}

func importRows[T any](cmd *cobra.Command, name, format string, asJSON bool, batch int, put func(context.Context, []T) ([]audit.Change, error)) error {
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	r := bufio.NewReaderSize(in, 64<<10)
	f := rows.Format(format)
	if format == "" {
		head, _ := r.Peek(512)
		var err error
		if f, err = rows.Detect("", name, head); err != nil {
			return err
		}
	}
	bar := newBar(cmd.ErrOrStderr(), -1, "rows")
	sum, err := rows.Import(cmd.Context(), rows.Read[T](r, f), batch, put, func(s rows.Summary) { bar.Set(s.Rows()) })
	bar.Finish()
	if out := cmd.OutOrStdout(); asJSON {
		json.NewEncoder(out).Encode(sum)
	} else {
		for _, x := range sum.Rejected {
			fmt.Fprintf(out, "line %d: %s [%s]\n", x.Line, x.Message, x.Code)
		}
		if more := sum.RejectedCount - len(sum.Rejected); more > 0 {
			fmt.Fprintf(out, "... and %d more\n", more)
		}
		fmt.Fprintf(out, "%d rows: %d created, %d updated, %d unchanged, %d rejected\n", sum.Rows(), sum.Created, sum.Updated, sum.Unchanged, sum.RejectedCount)
	}
	if err != nil {
		return fmt.Errorf("%s, after %d rows (start it again once that is mended): %w", name, sum.Rows(), err)
	}
	if sum.RejectedCount > 0 {
		return errDone
	}
	return nil
}

// importTrackFile imports a GPX or GeoJSON file.
func importTrackFile(cmd *cobra.Command, name, driver string, st *stores) error {
	if err := audit.ValidateID("--driver", driver); err != nil {
		return err
	}
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	points, untimed, err := dispute.ParseTrack(in, driver)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	created := 0
	bar := newBar(cmd.ErrOrStderr(), len(points), "points")
	for batch := range slices.Chunk(points, importBatch) {
		changes, err := st.db.PutTrack(cmd.Context(), batch)
		if err != nil {
			return fmt.Errorf("%s, after %d points (start it again once that is mended): %w", name, created, err)
		}
		for _, c := range changes {
			if c == audit.Created {
				created++
			}
		}
		bar.Add(len(batch))
	}
	bar.Finish()
	fmt.Fprintf(cmd.OutOrStdout(), "%d points: %d created, %d known already; %d without a time or a position were left out\n", len(points), created, len(points)-created, untimed)
	return nil
}
