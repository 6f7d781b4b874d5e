// Porchlight checks proof-of-delivery photos at the doorstep and turns them into
// dispute packets that hold up.
//
//	porchlight audit FILE|DIR...      judge photos without a server
//	porchlight audit --reaudit        judge stored measurements again
//	porchlight checklist              print the built-in checklist as YAML
//	porchlight serve                  run the service
//	porchlight import KIND FILE       import deliveries, claims, or what standings are made of
//	porchlight standings              compute all drivers' standings and print them
//	porchlight packet CLAIM -o FILE   issue a dispute packet
//	porchlight verify FILE            check a packet without a server
//	porchlight verify --custody       check the custody log for removed and altered rows
//	porchlight token create           make a token for a driver, an agent, dispatch or an admin
//	porchlight webhook add URL        tell another program what happens
//	porchlight geocode                find stops without coordinates by their addresses
//	porchlight models install         install the models that read house numbers and find packages
//	porchlight demo                   a running example with a drawn route
//
// Settings are flags; each can also be given as an environment variable
// (--data is PORCHLIGHT_DATA) or as a line of the YAML file named by --config.
// A flag goes over the environment, the environment over the file.
//
// Exit status: 0 done; 1 done, but something was rejected, could not be audited or is
// not valid; 2 the command could not be run.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // stops' zones resolve on machines without a zone database too

	"github.com/spf13/cobra"

	"porchlight/audit"
	"porchlight/audit/custody"
)

// version is set by the build.
var version = "dev"

// errDone ends a command that did its work and has to answer with exit status 1; all
// there is to say has been said.
var errDone = errors.New("done with faults")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := rootCommand().ExecuteContext(ctx)
	switch {
	case err == nil:
	case errors.Is(err, errDone):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "porchlight:", explain(err))
		os.Exit(2)
	}
}

// explain words an error for a terminal, with its cause.
func explain(err error) string {
	var e *audit.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("%s [%s]", err, e.Code)
	}
	return err.Error()
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "porchlight",
		Short:         "Proof-of-delivery photos: judged at the door, joined into dispute packets",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetContext(custody.WithActor(cmd.Context(), operator()))
			return settle(cmd.Flags(), os.LookupEnv)
		},
	}
	root.PersistentFlags().String("config", "", "YAML file with settings, one `key: value` a line, keys as the flags' names")
	root.AddCommand(auditCommand(), checklistCommand(), serveCommand(), workCommand(), reauditsCommand(), exportCommand(), backupCommand(), restoreCommand(), fsckCommand(), purgeCommand(), holdCommand(), importCommand(), standingsCommand(), packetCommand(), verifyCommand(), keyCommand(), tokenCommand(), webhookCommand(),
		geocodeCommand(), modelsCommand(), demoCommand())
	return root
}
