package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"porchlight/audit/geo/nominatim"
	"porchlight/server/geocoder"
)

// geocoderSettings say which service finds the addresses of stops without a position.
type geocoderSettings struct{ geocoder, geocoderEmail string }

func (s *geocoderSettings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.geocoder, "geocoder", "", "`URL` of a Nominatim-compatible service that finds stops without coordinates by their addresses, such as https://nominatim.example; default none")
	f.StringVar(&s.geocoderEmail, "geocoder-email", "", "`ADDRESS` of who runs this, sent along as the usage policy of public services asks")
	setting("geocoder", "geocoder-email")
}

// read checks the settings; the client is nil where no service is set.
func (s *geocoderSettings) read() (*nominatim.Client, error) {
	var faults []error
	if s.geocoderEmail != "" {
		if name, host, ok := strings.Cut(s.geocoderEmail, "@"); !ok || name == "" || host == "" || strings.ContainsAny(s.geocoderEmail, " \t\r\n") {
			faults = append(faults, fmt.Errorf("--geocoder-email %q is not NAME@HOST", s.geocoderEmail))
		}
	}
	if s.geocoder == "" {
		if s.geocoderEmail != "" {
			faults = append(faults, errors.New("--geocoder is missing: --geocoder-email is of no use without it"))
		}
		return nil, errors.Join(faults...)
	}
	c, err := nominatim.New(nominatim.Config{URL: s.geocoder, UserAgent: "Porchlight/" + version, Email: s.geocoderEmail})
	if err != nil {
		faults = append(faults, fmt.Errorf("--geocoder %w", err))
	}
	return c, errors.Join(faults...)
}

// givenUpAfter is how often in a row the service may fail before the command ends.
const givenUpAfter = 3

func geocodeCommand() *cobra.Command {
	var s storeSettings
	var g geocoderSettings
	cmd := &cobra.Command{
		Use:   "geocode",
		Short: "Find the stops without coordinates by their addresses, now",
		Long: `Ask the service at --geocoder about every address that waits, one a second. "porchlight serve"
with the same setting does so by itself; this is for the first thousands, or for an import
without a service. Both may run at once and never ask about an address twice.

Photos whose location was unknown are judged again when their stop is found.

Exit status: 0 all that was due was answered; 2 the service failed three times in a row.
What then waits is asked about again by the next run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := g.read()
			if err == nil && client == nil {
				err = errors.New("--geocoder is missing: it names the service to ask")
			}
			if err != nil {
				return err
			}
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			return geocode(cmd, st, client)
		},
	}
	s.flags(cmd.Flags())
	g.flags(cmd.Flags())
	return cmd
}

// geocode works until nothing waits, or nothing of it is due.
func geocode(cmd *cobra.Command, st *stores, client *nominatim.Client) error {
	ctx := cmd.Context()
	total, err := st.db.AddressesWaiting(ctx)
	if err != nil {
		return err
	}
	w := newGeocoder(st, client, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	bar := newBar(cmd.ErrOrStderr(), total, "addresses")
	count, failures, left := map[geocoder.Result]int{}, 0, total
	for idle := 0; left > 0 && failures < givenUpAfter; {
		result, err := w.Step(ctx)
		if err != nil {
			return err
		}
		count[result]++
		switch result {
		case geocoder.Failed:
			failures++
		case geocoder.Idle:
			// The turn may be taken, for a minute at most unless the service fails.
			if idle++; idle > 90 {
				left = 0
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
			continue
		default:
			failures = 0
			bar.Add(1)
		}
		idle = 0
		if left, err = st.db.AddressesWaiting(ctx); err != nil {
			return err
		}
	}
	bar.Finish()
	waiting, err := st.db.AddressesWaiting(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d addresses found, %d not known to %s, %d wait\n", count[geocoder.Found], count[geocoder.Absent], client.Host(), waiting)
	if failures >= givenUpAfter {
		return fmt.Errorf("%s failed %d times in a row; the reasons are above", client.Host(), failures)
	}
	return nil
}

func newGeocoder(st *stores, client *nominatim.Client, log *slog.Logger) *geocoder.Worker {
	return geocoder.New(geocoder.Config{Queue: st.db, Service: client, Judge: st.audit.Relocate, Log: log})
}
