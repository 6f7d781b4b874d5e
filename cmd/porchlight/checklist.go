package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"porchlight/audit"
)

func checklistCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "checklist",
		Short: "Print the built-in checklist guide-2026 as YAML, or check one of your own",
		Long: `Print the built-in checklist guide-2026 as the YAML that you would copy and change.
With --check FILE, check a checklist of your own: every fault is named with its line.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				fmt.Fprint(cmd.OutOrStdout(), audit.Guide2026().Text())
				return nil
			}
			c, err := readChecklist(file)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: the checklist %s is in order\n", file, c.Version)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "check", "", "check this checklist `FILE` instead")
	return cmd
}
