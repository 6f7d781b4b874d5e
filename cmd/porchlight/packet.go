package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"porchlight/audit/dispute"
)

func packetCommand() *cobra.Command {
	var s storeSettings
	var out string
	cmd := &cobra.Command{
		Use:   "packet CLAIM -o FILE",
		Short: "Issue the dispute packet of a claim as a ZIP file",
		Long: `Join the claim with all that is on record about its delivery, freeze that as a packet,
and write the packet as a ZIP file: packet.json, the original photos, and a manifest with
the SHA-256 of each, signed. An issued packet never changes; issuing again makes a new one.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return errors.New("packet needs -o FILE, the ZIP file to write")
			}
			ctx := cmd.Context()
			st, err := s.open(ctx)
			if err != nil {
				return err
			}
			defer st.Close()
			p, err := st.dispute.Issue(ctx, args[0])
			if err != nil {
				return err
			}
			f, err := os.CreateTemp(filepath.Dir(out), ".packet-*")
			if err != nil {
				return err
			}
			defer os.Remove(f.Name())
			err = errors.Join(st.dispute.WriteZIP(ctx, f, p.PacketID), f.Sync(), f.Close())
			if err == nil {
				err = os.Rename(f.Name(), out)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\npacket %s written to %s\n", p.Recommendation.Summary, p.PacketID, out)
			return nil
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVarP(&out, "output", "o", "", "ZIP `FILE` to write")
	return cmd
}

func verifyCommand() *cobra.Command {
	var key, data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a packet: every file against its digest, the manifest against its signature",
		Long: `Check a packet without a server: every file against the manifest's SHA-256, the manifest
against its minisign signature. The public key is the sender's porchlight.pub; an unsigned
packet, or one whose signer is not known, is never called valid.

Exit status: 0 valid; 1 not valid; 2 the file could not be read.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				return err
			}
			pub, err := publicKey(key, data)
			if err != nil {
				return err
			}
			v, err := dispute.Verify(f, info.Size(), pub)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				json.NewEncoder(out).Encode(v)
			} else {
				for _, p := range v.Problems {
					fmt.Fprintln(out, p)
				}
				fmt.Fprintln(out, v)
			}
			if !v.Valid() {
				return errDone
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the sender's public key: a minisign `FILE`, or the key itself; default porchlight.pub in --data")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	cmd.Flags().StringVar(&data, "data", "./data", "folder of the service whose key is taken where --key is not given")
	return cmd
}

// publicKey reads the key to verify by; nil where none is given and the data folder
// has none either.
func publicKey(key, data string) (*dispute.PublicKey, error) {
	name := key
	if key == "" {
		name = filepath.Join(data, "keys", dispute.PublicKeyFile)
	}
	text, err := os.ReadFile(name)
	switch {
	case err == nil:
	case key == "" && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case strings.HasPrefix(key, "RW"): // the key itself
		text = []byte(key)
	default:
		return nil, fmt.Errorf("--key: %w", err)
	}
	return dispute.ParsePublicKey(text)
}
