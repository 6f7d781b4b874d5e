package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"porchlight/audit"
	"porchlight/audit/vision"
	"porchlight/audit/vision/head"
	"porchlight/storage/weights"
)

// CodeFewLabels is for labels that are too few to train on and to measure with.
const CodeFewLabels audit.Code = "labels_too_few"

// maxLabels bounds a file of labels.
const maxLabels = 100_000

func modelsTrainCommand() *cobra.Command {
	var dir, labels string
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train what tells doors in photos on your own reviewed photos",
		Long: fmt.Sprintf(`Train a head that tells whether a door or another distinctive feature is in a photo, on
photos of your own, and measure it on photos of stops that it was not trained on. It is put
beside the models; workers that start after that use it.

The labels are a CSV file with the columns

  photo      path of the photo, from the file's folder
  landmark   yes or no: a door or another distinctive feature is in it
  stop       what photos of one stop have in common; optional, but without it the accuracy
             counts photos of known doors, and is too good

such as `+"`porchlight export labels`"+` writes. At least %d photos are needed, %d of each kind, of %d
stops. With a measured accuracy below 90%% the check "landmark" never passes a photo because of
it, and only asks a person to look at those without a door.`, head.LeastPhotos, head.LeastOfKind, head.LeastStops),
		Example: `  porchlight export labels -o reviewed
  porchlight models train --labels reviewed/labels.csv
  porchlight audit --reaudit --measure`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := modelsDir(dir)
			if err != nil {
				return err
			}
			all, err := readLabels(labels)
			if err != nil {
				return err
			}
			if err := enoughLabels(head.Check(examplesOf(all))); err != nil {
				return err
			}
			return train(cmd, dir, all)
		},
	}
	modelsFlag(cmd.Flags(), &dir)
	cmd.Flags().StringVar(&labels, "labels", "", "CSV `FILE` with the columns photo, landmark and, optionally, stop")
	cmd.MarkFlagRequired("labels")
	return cmd
}

// label is a row of a file of labels.
type label struct {
	path string
	head.Example
}

func examplesOf(all []label) []head.Example {
	examples := make([]head.Example, len(all))
	for i, l := range all {
		examples[i] = l.Example
	}
	return examples
}

// enoughLabels gives an error of too few labels its code.
func enoughLabels(err error) error {
	var few head.ErrTooFew
	if errors.As(err, &few) {
		return audit.Errorf(CodeFewLabels, "%s", few.Error())
	}
	return err
}

// readLabels reads a file of labels and names every fault with its line.
func readLabels(name string) ([]label, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, audit.Errorf(audit.CodeUnreadable, "The labels cannot be read", err)
	}
	defer f.Close()
	all, err := parseLabels(f, filepath.Dir(name))
	if err != nil {
		return nil, audit.Errorf(audit.CodeInvalid, "%s: %s", name, err.Error())
	}
	return all, nil
}

func parseLabels(r io.Reader, dir string) (all []label, err error) {
	c := csv.NewReader(r)
	c.TrimLeadingSpace = true
	header, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("no header: %w", err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	for _, column := range header {
		if !slices.Contains([]string{"photo", "landmark", "stop"}, column) {
			return nil, fmt.Errorf("line 1: unknown column %.40q", column)
		}
	}
	photo, landmark, stop := slices.Index(header, "photo"), slices.Index(header, "landmark"), slices.Index(header, "stop")
	if photo < 0 || landmark < 0 {
		return nil, errors.New("line 1: the columns photo and landmark are needed")
	}
	said := map[string]bool{}
	var faults []error
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := c.FieldPos(0)
		l := label{path: row[photo]}
		switch answer := strings.ToLower(strings.TrimSpace(row[landmark])); {
		case answer == "yes":
			l.Yes = true
		case answer != "no":
			faults = append(faults, fmt.Errorf("line %d: landmark is %.20q, not yes or no", line, row[landmark]))
		}
		if l.path == "" {
			faults = append(faults, fmt.Errorf("line %d: no photo", line))
			continue
		}
		if !filepath.IsAbs(l.path) {
			l.path = filepath.Join(dir, l.path)
		}
		if stop >= 0 {
			l.Stop = strings.TrimSpace(row[stop])
		}
		if l.Stop == "" {
			l.Stop = "photo " + l.path
		}
		if before, again := said[l.path]; again && before != l.Yes {
			faults = append(faults, fmt.Errorf("line %d: %s is labelled yes and no", line, row[photo]))
		} else if again {
			continue
		}
		said[l.path] = l.Yes
		if all = append(all, l); len(all) > maxLabels {
			return nil, fmt.Errorf("more than %d labels", maxLabels)
		}
	}
	return all, errors.Join(faults...)
}

// train has a worker look at the photos, trains on what it made of them and keeps the head.
func train(cmd *cobra.Command, dir string, all []label) error {
	v := visionSettings{models: dir, memory: 1024}
	eyes, closeEyes, err := v.openVision(fileVisionTime, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	defer closeEyes()
	embedder, ok := eyes.(interface {
		Embed(ctx context.Context, photo []byte) (vision.Embedding, error)
	})
	if !ok {
		return audit.Errorf(audit.CodeUnavailable, "No vision models are installed in %s: run `porchlight models install`", dir)
	}
	embeddings, errs := make([]vision.Embedding, len(all)), make([]error, len(all))
	bar := newBar(cmd.ErrOrStderr(), len(all), "photos")
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for i, l := range all {
		group.Go(func() error {
			b, err := readFile(l.path, nil)
			if err == nil {
				embeddings[i], err = embedder.Embed(cmd.Context(), b)
			}
			bar.Add(1)
			if errs[i] = err; audit.ErrorCode(err) == audit.CodeUnavailable {
				return err
			}
			return cmd.Context().Err()
		})
	}
	err = group.Wait()
	bar.Finish()
	if err != nil {
		return err
	}
	var examples []head.Example
	for i, l := range all {
		if errs[i] != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is left out: %s\n", l.path, audit.ErrorMessage(errs[i]))
			continue
		}
		if embeddings[i].Backbone != weights.Backbone() {
			return audit.Errorf(audit.CodeConflict, "The vision worker is of another version of Porchlight")
		}
		l.Values = embeddings[i].Values
		examples = append(examples, l.Example)
	}
	h, m, err := head.Train(examples)
	if err != nil {
		return enoughLabels(err)
	}
	h.Backbone, h.TrainedAt = weights.Backbone(), time.Now().UTC().Truncate(time.Second)
	if err := weights.SaveHead(dir, h); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%d photos of %d stops: %d with a landmark, %d without\n", h.Photos, m.Stops, m.Yes, m.No)
	fmt.Fprintf(out, "Told right, by heads that saw no photo of the same stop: %d of %d with a landmark, %d of %d without; balanced accuracy %.0f%%\n", m.YesRight, m.Yes, m.NoRight, m.No, math.Floor(100*h.Accuracy))
	fmt.Fprintf(out, "The head is in %s; workers that start from now on use it\n", filepath.Join(dir, weights.LandmarkHead))
	return nil
}
