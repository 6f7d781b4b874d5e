package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"porchlight/audit"
)

func exportLabelsCommand() *cobra.Command {
	var s storeSettings
	var out, since, until string
	cmd := &cobra.Command{
		Use:   "labels",
		Short: "Write photos with what people said of doors in them, to train on",
		Long: `Write the photos of which a person said whether a door or another distinctive feature is in
them (landmark in the decision on a photo) into a folder, with the file labels.csv that
"porchlight models train --labels" takes. Decisions that do not say so are left out: an
accepted photo need not show a door, and a rejected one may. The photos of one stop share a number.`,
		Example: `  porchlight export labels -o reviewed
  porchlight models train --labels reviewed/labels.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := parseTime("since", since)
			if err != nil {
				return err
			}
			to, err := parseTime("until", until)
			if err != nil {
				return err
			}
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			l, err := exportLabels(cmd.Context(), st, audit.Filter{Since: from, Until: to}, out)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%d photos of %d stops, %d with a landmark, are in %s", l.photos, len(l.stops), l.yes, out)
			if l.gone > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "; %d were deleted, past their retention", l.gone)
			}
			fmt.Fprintln(cmd.ErrOrStderr())
			return nil
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVarP(&out, "output", "o", "labels", "`FOLDER` to write labels.csv and the photos into")
	cmd.Flags().StringVar(&since, "since", "", "only photos received at or after this `TIME` (RFC 3339, or a date)")
	cmd.Flags().StringVar(&until, "until", "", "only photos received before this `TIME` (RFC 3339, or a date)")
	return cmd
}

// labelled counts what was written.
type labelled struct {
	photos, yes, gone int
	stops             map[string]int // by key: the number that stands for it
	said              map[string]bool
}

// exportLabels writes each labelled photo once, with what was said of its first upload.
func exportLabels(ctx context.Context, st *stores, f audit.Filter, folder string) (labelled, error) {
	l := labelled{stops: map[string]int{}, said: map[string]bool{}}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return l, err
	}
	chunks, _, err := st.db.Plan(ctx, f, exportedAtOnce)
	if err != nil {
		return l, err
	}
	return l, writeFile(filepath.Join(folder, "labels.csv"), func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Write([]string{"photo", "landmark", "stop"})
		for _, span := range chunks {
			judged, err := st.db.Judged(ctx, f, span)
			if err != nil {
				return err
			}
			for _, j := range judged {
				if j.Ruling == nil || j.Ruling.Landmark == "" || l.said[j.Upload.PhotoID] {
					continue
				}
				if err := l.write(ctx, st, folder, c, j); err != nil {
					return err
				}
			}
		}
		c.Flush()
		return c.Error()
	})
}

func (l *labelled) write(ctx context.Context, st *stores, folder string, c *csv.Writer, j audit.JudgedUpload) error {
	b, err := st.audit.Original(ctx, j.Upload.PhotoID)
	if audit.ErrorCode(err) == audit.CodeDeleted {
		l.gone++
		return nil
	}
	if err != nil {
		return err
	}
	d, err := st.db.Delivery(ctx, j.Upload.TrackingID)
	if err != nil {
		return err
	}
	name := j.Upload.PhotoID + audit.Extension(j.Upload.MediaType)
	if err := os.WriteFile(filepath.Join(folder, name), b, 0o600); err != nil {
		return err
	}
	key := d.Key()
	if _, known := l.stops[key]; !known {
		l.stops[key] = len(l.stops) + 1
	}
	l.said[j.Upload.PhotoID] = true
	l.photos++
	if j.Ruling.Landmark == audit.LandmarkYes {
		l.yes++
	}
	return c.Write([]string{name, j.Ruling.Landmark, fmt.Sprint("stop ", l.stops[key])})
}
