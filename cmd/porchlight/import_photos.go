package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"porchlight/audit"
	"porchlight/audit/rows"
	"porchlight/storage"
	"porchlight/storage/dir"
	"porchlight/storage/s3"
)

// photoBatch is how many photos go in between two looks at the progress.
const photoBatch = 20

// manifestRow is a row of a manifest: a file of the source, and what it shows.
type manifestRow struct {
	File       string          `json:"file"` // its path or key within the source
	TrackingID string          `json:"tracking_id"`
	Also       []string        `json:"also,omitempty"`
	Role       audit.PhotoRole `json:"role,omitempty"` // placement where absent
	CapturedAt *time.Time      `json:"captured_at,omitempty"`
	Latitude   *float64        `json:"latitude,omitempty"` // of the phone's own fix, degrees
	Longitude  *float64        `json:"longitude,omitempty"`
	AccuracyM  *float64        `json:"accuracy_m,omitempty"`
}

func (r manifestRow) upload() (u audit.Upload, err error) {
	u = audit.Upload{TrackingID: r.TrackingID, Also: r.Also, Role: r.Role, CapturedAt: r.CapturedAt}
	if u.Role == "" {
		u.Role = audit.Placement
	}
	if u.Fix, err = audit.NewFix(r.Latitude, r.Longitude, r.AccuracyM); err != nil {
		return u, err
	}
	return u, u.Validate()
}

// Validate says what is wrong with a row. Its error is an [audit.Error].
func (r manifestRow) Validate() error {
	if err := storage.CheckKey(r.File); err != nil {
		return audit.Errorf(audit.CodeInvalid, "file %q is no path within the source", r.File)
	}
	_, err := r.upload()
	return err
}

func importPhotosCommand() *cobra.Command {
	var s struct {
		storeSettings
		visionSettings
	}
	var manifest, format string
	var workers int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "photos SOURCE --manifest FILE",
		Short: "Import photos that are in a folder or a bucket already",
		Long: `Import photos that are in a folder or an S3 bucket (s3://BUCKET[/PREFIX], reached as
--objects is) already. They are copied and judged as if they had been uploaded; the source
is only read. Their deliveries must be on record.

--manifest is CSV, JSON or NDJSON with a row a photo: file (its path within SOURCE) and
tracking_id, and if you have them also, role, captured_at, latitude, longitude and
accuracy_m. Good rows go in, bad rows are listed with their line and the reason. A photo
that is in already changes nothing, so an import that was cut off is simply started again.
What is in SOURCE and in no row is counted at the end.

Exit status: 0 all rows are in; 1 some were rejected; 2 something could not be read.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if manifest == "" {
				return fmt.Errorf("--manifest is missing: it says which delivery each photo shows")
			}
			source, err := openSource(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			st, err := s.storeSettings.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			v, closeVision, err := s.openVision(fileVisionTime, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
			if err != nil {
				return err
			}
			defer closeVision()
			st.audit.Vision = v
			im := photoImport{source: source, stores: st, workers: max(1, workers), outcomes: map[string]outcome{}, named: map[string]bool{}}
			err = importRows(cmd, manifest, format, asJSON, photoBatch, im.put)
			if err != nil && err != errDone {
				return err
			}
			rest, restErr := im.unnamed(cmd.Context())
			switch out := cmd.ErrOrStderr(); {
			case restErr != nil:
				return fmt.Errorf("%s cannot be listed: %w", args[0], restErr)
			case asJSON:
				_ = json.NewEncoder(out).Encode(map[string]int{"not_in_manifest": rest})
			case rest > 0:
				fmt.Fprintf(out, "%d files of %s are in no row of the manifest and were left alone\n", rest, args[0])
			}
			return err
		},
	}
	s.storeSettings.flags(cmd.Flags())
	s.visionSettings.flags(cmd.Flags())
	cmd.Flags().StringVar(&manifest, "manifest", "", "`FILE` that says which delivery each photo shows; - for standard input")
	cmd.Flags().StringVar(&format, "format", "", "of the manifest: json, ndjson or csv; default by its name or first bytes")
	cmd.Flags().IntVar(&workers, "workers", runtime.NumCPU(), "photos judged at once")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}

// photoSource is where photos are imported from.
type photoSource interface {
	Open(ctx context.Context, key string) (io.ReadCloser, int64, error)
	List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error]
}

func openSource(ctx context.Context, name string) (photoSource, error) {
	if strings.HasPrefix(name, "s3://") {
		c, err := bucket(name)
		if err != nil {
			return nil, err
		}
		c.MustExist = true
		return s3.Open(ctx, c)
	}
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", name)
	}
	return dir.Open(name)
}

// photoImport puts a manifest's rows.
type photoImport struct {
	*stores
	source  photoSource
	workers int

	named map[string]bool // files of all rows so far
	// outcomes are those of the rows that were put together last. Where one of them was at
	// fault they are put one by one, and need not be read and judged again for that.
	outcomes map[string]outcome
}

type outcome struct {
	change audit.Change
	err    error
}

// key tells a row from all others of its batch, but for one that says the same.
func (r manifestRow) key() string { return r.TrackingID + "\n" + r.File + "\n" + string(r.Role) }

// put takes photos in, some at once.
func (im *photoImport) put(ctx context.Context, batch []manifestRow) ([]audit.Change, error) {
	if len(batch) == 1 {
		if o, ok := im.outcomes[batch[0].key()]; ok {
			return []audit.Change{o.change}, o.err
		}
	}
	outcomes := make([]outcome, len(batch))
	var working sync.WaitGroup
	places := make(chan struct{}, im.workers)
	for i, r := range batch {
		im.named[r.File] = true
		places <- struct{}{}
		working.Go(func() {
			defer func() { <-places }()
			outcomes[i].change, outcomes[i].err = im.one(ctx, r)
		})
	}
	working.Wait()
	clear(im.outcomes)
	changes := make([]audit.Change, len(batch))
	var refused error
	for i, o := range outcomes {
		changes[i] = o.change
		switch {
		case o.err == nil:
		case rows.OwnFault(o.err):
			refused = o.err
		default:
			return nil, o.err
		}
		im.outcomes[batch[i].key()] = o
	}
	return changes, refused
}

// one takes a photo in. Errors: [audit.CodeNotFound] where the source does not have it,
// and those of [audit.Service.Receive].
func (im *photoImport) one(ctx context.Context, r manifestRow) (audit.Change, error) {
	u, err := r.upload()
	if err != nil {
		return "", err
	}
	d, err := im.db.Delivery(ctx, u.TrackingID)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		return "", audit.Errorf(audit.CodeDelivery, "there is no delivery %s", u.TrackingID)
	}
	if err != nil {
		return "", err
	}
	u.DriverID = d.DriverID
	body, size, err := im.source.Open(ctx, r.File)
	if audit.ErrorCode(err) == audit.CodeNotFound {
		return "", audit.Errorf(audit.CodeNotFound, "the source has no file %s", r.File)
	}
	if err != nil {
		return "", err
	}
	defer body.Close()
	if size > audit.MaxPhotoBytes {
		return "", audit.Errorf(audit.CodeTooLarge, "%s has %d bytes, %d are the most", r.File, size, audit.MaxPhotoBytes)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(body, b); err != nil {
		return "", audit.Errorf(audit.CodeUnavailable, "%s cannot be read", r.File, err)
	}
	receipt, err := im.audit.Receive(ctx, u, b)
	switch {
	case err != nil:
		return "", err
	case receipt.Created:
		return audit.Created, nil
	}
	return audit.Unchanged, nil
}

// unnamed counts the source's files that no row names.
func (im *photoImport) unnamed(ctx context.Context) (n int, err error) {
	for info, err := range im.source.List(ctx, "") {
		if err != nil {
			return n, err
		}
		if !im.named[info.Key] {
			n++
		}
	}
	return n, nil
}
