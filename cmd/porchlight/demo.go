package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/geo"
	"porchlight/audit/rows"
	"porchlight/fixtures"
	"porchlight/server"
)

func demoCommand() *cobra.Command {
	var s serveSettings
	s.flags(pflag.NewFlagSet("serve", pflag.ContinueOnError)) // what serve does by default
	s.logLevel = "warn"
	var width int
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A running example: a drawn route with its photos and claims, and the links to look at it",
		Long: `Draw a day's route in a made-up town with its deliveries, photos and claims, take it in as
a real one would be, start the service, and print the links for a driver and an agent. The
drawn photos are kept beside the data, good and bad ones, to be uploaded by hand.
Starting it again makes the example anew.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := os.RemoveAll(filepath.Join(s.data, "store")); err != nil {
				return err
			}
			folder := s.data
			s.data = filepath.Join(s.data, "store")
			return serve(cmd.Context(), &s, func(st *stores, address net.Addr) error {
				return fillDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), st, folder, width, "http://"+address.String())
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.data, "data", "./demo", "folder for the example; its subfolder store is made anew")
	f.StringVar(&s.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to listen on")
	f.IntVar(&width, "width", 1600, "long side of the drawn photos, pixels")
	return cmd
}

// demoDay is a moment of the day that the example tells of, in a zone in which that day
// is all but over, so that its stops are today's and nothing lies in the future.
func demoDay(now time.Time) time.Time {
	now = now.UTC()
	offset := 23*time.Hour - now.Sub(now.Truncate(24*time.Hour))
	if offset > 12*time.Hour {
		offset -= 24 * time.Hour
	}
	return now.In(time.FixedZone("", int(offset.Truncate(15*time.Minute)/time.Second)))
}

// fillDemo takes a drawn route in, as deliveries, photos and claims come in from
// outside, and prints what there is to look at.
func fillDemo(ctx context.Context, out, progress io.Writer, st *stores, folder string, width int, base string) error {
	now := time.Now().UTC()
	route := fixtures.NewRoute(fixtures.RouteOptions{Date: demoDay(now), Until: now, Width: width})
	fmt.Fprintf(out, "Drawing %d deliveries and %d photos ...\n", len(route.Deliveries), len(route.Photos))
	if err := route.Write(folder); err != nil {
		return err
	}
	if err := importDemo(ctx, folder, "deliveries.ndjson", func(ctx context.Context, d []audit.Delivery) ([]audit.Change, error) {
		return st.db.PutDeliveries(ctx, d, now)
	}); err != nil {
		return err
	}
	if err := importDemo(ctx, folder, "claims.json", func(ctx context.Context, c []dispute.Claim) ([]audit.Change, error) {
		return st.db.PutClaims(ctx, c, now)
	}); err != nil {
		return err
	}
	if err := importDemo(ctx, folder, "events.ndjson", func(ctx context.Context, e []dispute.Event) ([]audit.Change, error) {
		for i := range e {
			e[i].RecordedAt = now
		}
		return slices.Repeat([]audit.Change{audit.Created}, len(e)), st.db.AddEvents(ctx, e)
	}); err != nil {
		return err
	}
	if err := importDemo(ctx, folder, "tracks.csv", st.db.PutTrack); err != nil {
		return err
	}
	driver := map[string]string{}
	for _, d := range route.Deliveries {
		driver[d.TrackingID] = d.DriverID
	}
	verdicts := map[audit.Verdict]int{}
	bar := newBar(progress, len(route.Photos), "photos")
	for _, p := range route.Photos {
		b, err := os.ReadFile(filepath.Join(folder, "photos", p.File))
		if err != nil {
			return err
		}
		u := audit.Upload{TrackingID: p.TrackingID, Also: p.Also, Role: audit.PhotoRole(p.Role), CapturedAt: &p.CapturedAt, DriverID: driver[p.TrackingID]}
		if p.Fix != nil {
			u.Fix = &audit.Fix{Point: geo.Point{Latitude: p.Fix.Latitude, Longitude: p.Fix.Longitude}, AccuracyM: &p.Fix.AccuracyM}
		}
		r, err := st.audit.Receive(ctx, u, b)
		if err != nil {
			return fmt.Errorf("%s: %w", p.File, err)
		}
		verdicts[r.Report.Verdict]++
		bar.Add(1)
	}
	bar.Finish()
	links := map[audit.Role]string{}
	for _, role := range []audit.Role{audit.Driver, audit.Agent} {
		id := ""
		if role == audit.Driver {
			id = route.Deliveries[0].DriverID
		}
		secret, t, err := server.NewToken(role, id, 0, now, newID)
		if err != nil {
			return err
		}
		if err := st.db.AddToken(ctx, t); err != nil {
			return err
		}
		links[role] = base + "/signin?token=" + url.QueryEscape(secret)
	}
	fmt.Fprintf(out, `%d photos taken in: %d accept, %d review, %d retake; %d claims are open

  driver   %s
  agent    %s
  API      %s/openapi.json

Photos to upload yourself, good and bad ones, are in %s
Stop with Ctrl-C.
`, len(route.Photos), verdicts[audit.Accept], verdicts[audit.Review], verdicts[audit.Retake], len(route.Claims),
		links[audit.Driver], links[audit.Agent], base, filepath.Join(folder, "photos"))
	return nil
}

func importDemo[T any](ctx context.Context, folder, name string, put func(context.Context, []T) ([]audit.Change, error)) error {
	b, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return err
	}
	format, err := rows.Detect("", name, b)
	if err != nil {
		return err
	}
	sum, err := rows.Import(ctx, rows.Read[T](bytes.NewReader(b), format), importBatch, put, nil)
	if err == nil && sum.RejectedCount > 0 {
		rejected, _ := json.Marshal(sum.Rejected)
		err = fmt.Errorf("%s: rows were rejected: %s", strings.TrimSuffix(name, filepath.Ext(name)), rejected)
	}
	return err
}
