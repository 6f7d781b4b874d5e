package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"porchlight/audit"
	"porchlight/server"
)

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Make, list and revoke tokens"}
	cmd.AddCommand(tokenCreateCommand(), tokenListCommand(), tokenRevokeCommand())
	return cmd
}

func tokenCreateCommand() *cobra.Command {
	var s storeSettings
	var role, driver string
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "create --role driver|agent|dispatch|admin [--driver ID]",
		Short: "Make a token and print it; only its digest is kept, it is shown this once",
		Long: `Make a token and print it alone. Programs send it as "Authorization: Bearer TOKEN", people
paste it on the sign-in page. Only its SHA-256 is kept, so it cannot be shown again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			secret, t, err := server.NewToken(audit.Role(role), driver, ttl, time.Now().UTC(), newID)
			if err != nil {
				return err
			}
			if err := st.db.AddToken(cmd.Context(), t); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), secret)
			return nil
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVar(&role, "role", "", "driver, agent, dispatch or admin")
	cmd.Flags().StringVar(&driver, "driver", "", "the driver's `ID`, with --role driver")
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "how long it is good for, such as 720h; default for good")
	cmd.MarkFlagRequired("role")
	return cmd
}

func tokenListCommand() *cobra.Command {
	var s storeSettings
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tokens that were made, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			any := false
			err = pages(func(after string) ([]audit.Token, string, error) {
				return st.db.Tokens(cmd.Context(), "", after, onPage)
			}, func(t audit.Token) error {
				any = true
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s  %-8s  %-12s  made %s  %s\n",
					t.TokenID, t.Role, t.DriverID, t.CreatedAt.Format(time.RFC3339), tokenState(t, time.Now()))
				return err
			})
			if err == nil && !any {
				fmt.Fprintln(cmd.OutOrStdout(), "No tokens yet: porchlight token create --role ...")
			}
			return err
		},
	}
	s.flags(cmd.Flags())
	return cmd
}

// tokenState says in words whether a token is good.
func tokenState(t audit.Token, now time.Time) string {
	switch {
	case t.RevokedAt != nil:
		return "revoked " + t.RevokedAt.Format(time.RFC3339)
	case t.ExpiresAt != nil && !now.Before(*t.ExpiresAt):
		return "expired " + t.ExpiresAt.Format(time.RFC3339)
	case t.ExpiresAt != nil:
		return "good until " + t.ExpiresAt.Format(time.RFC3339)
	}
	return "good"
}

func tokenRevokeCommand() *cobra.Command {
	var s storeSettings
	cmd := &cobra.Command{
		Use:   "revoke TOKEN_ID",
		Short: "Revoke a token, by its id from `token list`",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			return st.db.RevokeToken(cmd.Context(), args[0], time.Now().UTC())
		},
	}
	s.flags(cmd.Flags())
	return cmd
}
