package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"porchlight/audit/webhook"
)

// webhookFlag is the setting that the service and `webhook add` share.
func webhookFlag(f *pflag.FlagSet, allow *bool) {
	f.BoolVar(allow, "webhook-allow-private", false, "let webhooks go to private and loopback addresses, and over http; for tests and internal networks")
	setting("webhook-allow-private")
}

func webhookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Add, list and remove webhook endpoints",
		Long: `Other programs are told what happens by messages that the service posts to their endpoints:
photo.audited, photo.rejected, claim.opened and packet.issued. Messages follow the Standard
Webhooks specification and are signed; see https://www.standardwebhooks.com for libraries
that verify them. They are sent at least once, and again for about a day where an endpoint
does not answer 200 to 299.`,
	}
	cmd.AddCommand(webhookAddCommand(), webhookListCommand(), webhookRemoveCommand())
	return cmd
}

func webhookAddCommand() *cobra.Command {
	var s storeSettings
	var events []string
	var allow bool
	cmd := &cobra.Command{
		Use:   "add URL [--event TYPE]...",
		Short: "Add an endpoint and print its id and its secret, which is shown this once",
		Long: `Add an endpoint and print its id and its secret, each on a line. The secret signs every
message; it is shown this once. The URL is https and at a public address, unless
--webhook-allow-private permits others, which the service must then be started with too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			types := make([]webhook.Type, len(events))
			for i, e := range events {
				types[i] = webhook.Type(e)
			}
			e, err := webhook.NewEndpoint(newID(), args[0], types, time.Now().UTC().Truncate(time.Microsecond), allow)
			if err != nil {
				return err
			}
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			if err := st.db.AddEndpoint(cmd.Context(), e); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s\n", e.EndpointID, e.Secret)
			return nil
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringSliceVar(&events, "event", nil, "`TYPE` of event to send: photo.audited, photo.rejected, claim.opened, packet.issued; default all of them")
	webhookFlag(cmd.Flags(), &allow)
	return cmd
}

func webhookListCommand() *cobra.Command {
	var s storeSettings
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the endpoints, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			endpoints, err := st.db.Endpoints(cmd.Context())
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if len(endpoints) == 0 {
				fmt.Fprintln(out, "No webhook endpoints yet: porchlight webhook add URL")
			}
			for _, e := range endpoints {
				state := "enabled"
				if e.DisabledAt != nil {
					state = "disabled " + e.DisabledAt.Format(time.RFC3339) + " (it answered 410 Gone)"
				}
				types := make([]string, len(e.Events))
				for i, t := range e.Events {
					types[i] = string(t)
				}
				fmt.Fprintf(out, "%s  %s  %s  made %s  %s\n", e.EndpointID, e.URL, strings.Join(types, ","), e.CreatedAt.Format(time.RFC3339), state)
			}
			return nil
		},
	}
	s.flags(cmd.Flags())
	return cmd
}

func webhookRemoveCommand() *cobra.Command {
	var s storeSettings
	cmd := &cobra.Command{
		Use:   "remove ENDPOINT_ID",
		Short: "Remove an endpoint with its messages, by its id from `webhook list`",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			return st.db.RemoveEndpoint(cmd.Context(), args[0])
		},
	}
	s.flags(cmd.Flags())
	return cmd
}
