package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"porchlight/audit/custody"
	"porchlight/storage/sqldb"
)

// operator is who runs a command, as the custody log names them.
func operator() custody.Actor {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return custody.Actor{Name: "cli:" + u.Username}
	}
	return custody.Actor{Name: "cli:" + strconv.Itoa(os.Getuid())}
}

// custodySettings are the flags of `porchlight verify --custody`.
type custodySettings struct {
	custody  bool
	database string
	heads    []string
}

func (s *custodySettings) flags(f *pflag.FlagSet) {
	f.BoolVar(&s.custody, "custody", false, "check the custody log of the records in --data or --database")
	f.StringVar(&s.database, "database", "", "with --custody: database `URL`, postgres://...; default the SQLite file porchlight.db in --data")
	f.StringArrayVar(&s.heads, "head", nil, "with --custody: a head `SEQ:HASH` that the log must contain; may be given again")
}

// verifyCustody checks the custody log and prints every fault as it is found.
func verifyCustody(cmd *cobra.Command, s *custodySettings, data string, asJSON bool) error {
	var known []custody.Head
	for _, text := range s.heads {
		h, err := custody.ParseHead(text)
		if err != nil {
			return fmt.Errorf("--head %q: %w", text, err)
		}
		known = append(known, h)
	}
	url := databaseURL(s.database, data)
	if s.database == "" {
		// Opening would make an empty database, which is intact.
		if _, err := os.Stat(url); err != nil {
			return fmt.Errorf("there are no records to check: %w", err)
		}
	}
	ctx := cmd.Context()
	db, err := sqldb.Open(ctx, sqldb.Config{URL: url})
	if err != nil {
		return err
	}
	defer db.Close()
	issued, err := db.PacketHeads(ctx)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	lines := json.NewEncoder(out)
	result, err := custody.Verify(db.CustodyEntries(ctx), append(known, issued...), func(f custody.Fault) {
		if asJSON {
			lines.Encode(f)
		} else {
			fmt.Fprintln(out, f)
		}
	})
	if err != nil {
		return err
	}
	if asJSON {
		lines.Encode(result)
	} else {
		printCustody(cmd, result, len(known), len(issued))
	}
	if !result.Intact() {
		return errDone
	}
	return nil
}

func printCustody(cmd *cobra.Command, r custody.Result, given, issued int) {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%d rows checked, %d heads given and %d in packets\nhead %s\n", r.Rows, given, issued, r.Head)
	switch {
	case !r.Intact():
		fmt.Fprintf(out, "not intact: %d faults\n", r.Faults)
	case r.Rows == 0:
		fmt.Fprintln(out, "empty: nothing was logged yet, or all of it was removed")
	default:
		fmt.Fprintln(out, "intact")
	}
}
