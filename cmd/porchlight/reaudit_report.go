package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"porchlight/audit"
)

// examplesShown is how many flips of a kind a report lists, and driversShown how many of the
// drivers with the most it names on a terminal.
const (
	examplesShown = 3
	driversShown  = 10
)

// runReport is what a re-audit changed, as `porchlight reaudits report --json` prints it.
type runReport struct {
	audit.Run
	Kinds   []flipKind      `json:"kinds"`   // most frequent first
	Drivers []touchedDriver `json:"drivers"` // whose photos flipped, most first
	Claims  []string        `json:"claims"`  // on deliveries whose photos flipped
}

// flipKind is the flips from one verdict to another because of one check.
type flipKind struct {
	Before   audit.Verdict `json:"before"`
	After    audit.Verdict `json:"after"`
	Check    string        `json:"check,omitempty"`
	Count    int           `json:"count"`
	Examples []audit.Flip  `json:"examples"`
}

type touchedDriver struct {
	DriverID string `json:"driver_id"`
	Flips    int    `json:"flips"`
}

// eachFlip calls for each flip of a run with the ids of the claims on its delivery.
func eachFlip(ctx context.Context, st *stores, runID string, each func(f audit.Flip, claims []string) error) error {
	for after := ""; ; {
		flips, next, err := st.db.Flips(ctx, runID, after, onPage)
		if err != nil {
			return err
		}
		ids := make([]string, len(flips))
		for i, f := range flips {
			ids[i] = f.TrackingID
		}
		claims, err := st.db.ClaimsOn(ctx, ids)
		if err != nil {
			return err
		}
		for _, f := range flips {
			if err := each(f, claims[f.TrackingID]); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// reportOn reads what a run changed.
func reportOn(ctx context.Context, st *stores, runID string) (runReport, error) {
	type key struct {
		before, after audit.Verdict
		check         string
	}
	run, err := st.db.Run(ctx, runID)
	if err != nil {
		return runReport{}, err
	}
	kinds, drivers, claims := map[key]*flipKind{}, map[string]int{}, map[string]bool{}
	err = eachFlip(ctx, st, runID, func(f audit.Flip, on []string) error {
		k := key{f.Before, f.After, f.Check}
		kind := kinds[k]
		if kind == nil {
			kind = &flipKind{Before: f.Before, After: f.After, Check: f.Check}
			kinds[k] = kind
		}
		if kind.Count++; len(kind.Examples) < examplesShown {
			kind.Examples = append(kind.Examples, f)
		}
		if f.DriverID != "" {
			drivers[f.DriverID]++
		}
		for _, id := range on {
			claims[id] = true
		}
		return nil
	})
	r := runReport{Run: run, Kinds: []flipKind{}, Drivers: []touchedDriver{}, Claims: slices.AppendSeq([]string{}, maps.Keys(claims))}
	for _, kind := range kinds {
		r.Kinds = append(r.Kinds, *kind)
	}
	for id, n := range drivers {
		r.Drivers = append(r.Drivers, touchedDriver{id, n})
	}
	slices.SortFunc(r.Kinds, func(a, b flipKind) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Before, b.Before), cmp.Compare(a.After, b.After), cmp.Compare(a.Check, b.Check))
	})
	slices.SortFunc(r.Drivers, func(a, b touchedDriver) int {
		return cmp.Or(cmp.Compare(b.Flips, a.Flips), cmp.Compare(a.DriverID, b.DriverID))
	})
	slices.Sort(r.Claims)
	return r, err
}

func (r runReport) print(w io.Writer) {
	printRun(w, r.Run, false)
	for _, k := range r.Kinds {
		fmt.Fprintf(w, "\n%d %s -> %s", k.Count, k.Before, k.After)
		if k.Check != "" {
			fmt.Fprintf(w, " because of %s", k.Check)
		}
		fmt.Fprintln(w)
		for _, f := range k.Examples {
			fmt.Fprintf(w, "  %s  photo %s  %s\n", f.TrackingID, f.PhotoID[:12], f.Detail)
		}
	}
	if len(r.Drivers) > 0 {
		fmt.Fprintf(w, "\n%d drivers have photos that flipped:\n", len(r.Drivers))
		for _, d := range r.Drivers[:min(len(r.Drivers), driversShown)] {
			fmt.Fprintf(w, "  %s  %d\n", d.DriverID, d.Flips)
		}
		if more := len(r.Drivers) - driversShown; more > 0 {
			fmt.Fprintf(w, "  and %d others\n", more)
		}
	}
	if len(r.Claims) > 0 {
		fmt.Fprintf(w, "\n%d claims are on deliveries whose photos flipped:\n", len(r.Claims))
		for _, id := range r.Claims {
			fmt.Fprintf(w, "  %s\n", id)
		}
	}
}

// reportCommand says what a re-audit changed.
func reportCommand(s *storeSettings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "report RUN", Short: "What a re-audit changed: verdict by verdict, with examples, drivers and claims", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			r, err := reportOn(cmd.Context(), st, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
			}
			r.print(cmd.OutOrStdout())
			return nil
		}}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
