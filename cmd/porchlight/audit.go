package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"porchlight/audit/geo"
)

// auditSettings are the flags of `porchlight audit`.
type auditSettings struct {
	storeSettings
	visionSettings
	json    bool
	workers int
	decoder string
	// for files
	stop, address string
	// for --reaudit
	reaudit, measure, dryRun, again, hold bool
	chunk                                 int
	since, until, driver                  string
}

func auditCommand() *cobra.Command {
	var s auditSettings
	cmd := &cobra.Command{
		Use:   "audit FILE|DIR... | --reaudit",
		Short: "Judge photos without a server, or judge stored measurements again",
		Long: `Judge photos without a server: one line a photo, the advice under it. A named file is
read whatever its extension; a folder is walked for photos.

  porchlight audit --stop 47.6205,-122.3493 photo.jpg
  porchlight audit --json photos/ > reports.ndjson

With --reaudit, judge what the service has stored again, by --checklist. Measurements
are used as they are stored, no photo is read; --measure reads those photos again that
were measured by another version of the measuring code. Reports are appended, issued
packets never change, and the verdicts that flipped are listed. What the checklist has
judged already is skipped, unless --again is given. The new reports count from the moment
when all are there; with --hold, when somebody says "porchlight reaudits publish RUN".
The same command goes on where an earlier one was ended; others help with "porchlight work".

  porchlight audit --reaudit --data ./data --checklist stricter.yaml --dry-run

House numbers, packages and persons are looked for where vision models are installed
(porchlight models install); --vision none leaves that out.

Exit status: 0 done; 1 some photo could not be audited; 2 the command could not be run.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if s.chunk < 0 || s.workers < 1 {
				return errors.New("--workers is at least 1, --chunk at least 0")
			}
			if s.reaudit {
				if len(args) > 0 {
					return errors.New("audit --reaudit judges what is stored; it takes no files")
				}
				return reaudit(cmd, &s)
			}
			if len(args) == 0 {
				return errors.New("audit needs photos or folders, or --reaudit; see `porchlight audit --help`")
			}
			return auditFiles(cmd, &s, args)
		},
	}
	f := cmd.Flags()
	s.storeSettings.flags(f)
	s.visionSettings.flags(f)
	f.BoolVar(&s.json, "json", false, "print one JSON object a line")
	f.StringVar(&s.stop, "stop", "", "`LAT,LON` of the stop that the photos were taken at")
	f.StringVar(&s.address, "address", "", "the stop's address, such as \"4702 Maple St Apt 3\"")
	f.IntVar(&s.workers, "workers", runtime.NumCPU(), "photos measured, or chunks judged, at once")
	f.StringVar(&s.decoder, "decoder", "auto", "JPEG decoder: auto (libturbojpeg where it is installed), turbo or go")
	f.BoolVar(&s.reaudit, "reaudit", false, "judge stored measurements again")
	f.StringVar(&s.since, "since", "", "only photos received at or after this `TIME` (RFC 3339, or a date)")
	f.StringVar(&s.until, "until", "", "only photos received before this `TIME` (RFC 3339, or a date)")
	f.StringVar(&s.driver, "driver", "", "only photos of this driver `ID`")
	f.BoolVar(&s.measure, "measure", false, "read photos again whose measurement is of another version")
	f.IntVar(&s.chunk, "chunk", 0, "photos whose reports are stored at once; default 1000, and 50 with --measure")
	f.BoolVar(&s.again, "again", false, "judge also what the checklist has judged already")
	f.BoolVar(&s.hold, "hold", false, "let the new reports count only when they are published")
	f.BoolVar(&s.dryRun, "dry-run", false, "store nothing, only list the verdicts that would flip")
	return cmd
}

// parseTime reads a time as people type it: RFC 3339, or a date, which means its
// first moment in UTC.
func parseTime(flag, v string) (time.Time, error) {
	if v == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, v); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s %q is neither a date (2026-11-21) nor a time (2026-11-21T18:00:00Z)", flag, v)
}

// parseStop reads --stop.
func parseStop(v string) (lat, lon *float64, err error) {
	if v == "" {
		return nil, nil, nil
	}
	p, err := geo.ParsePoint(v)
	if err != nil {
		return nil, nil, fmt.Errorf("--stop %q is not LAT,LON in degrees: %w", v, err)
	}
	return &p.Latitude, &p.Longitude, nil
}
