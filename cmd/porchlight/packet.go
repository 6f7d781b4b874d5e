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

	"porchlight/audit/custody"
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
			exported := custody.By(ctx, custody.Entry{Action: custody.PacketExported, Subject: custody.Subject{Kind: custody.Packet, ID: p.PacketID}})
			if err := st.db.AppendCustody(ctx, []custody.Entry{exported}); err != nil {
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
	var log custodySettings
	cmd := &cobra.Command{
		Use:   "verify FILE | --custody",
		Short: "Check a packet against its digests and signature, or the custody log against its chain",
		Long: `Check a packet without a server: every file against the manifest's SHA-256, the manifest
against its minisign signature. The public key is the sender's porchlight.pub; an unsigned
packet, or one whose signer is not known, is never called valid.

With --custody, check the custody log of the records instead: that no row was removed,
altered or inserted. The heads that issued packets carry are held against it; --head adds
one that was kept elsewhere, such as the one on the integrity page of a packet that was
sent out. Without any, a log whose end was cut off still looks whole.

Exit status: 0 valid; 1 not valid; 2 the file or the records could not be read.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if log.custody {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if log.custody {
				return verifyCustody(cmd, &log, data, asJSON)
			}
			if len(log.heads) > 0 {
				return errors.New("--head goes with --custody")
			}
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
	cmd.Flags().StringVar(&data, "data", "./data", "folder of the service whose key is taken where --key is not given, and whose records are checked with --custody")
	log.flags(cmd.Flags())
	return cmd
}

// publicKey reads the key to verify by; nil where none is given and the data folder
// has none either.
func publicKey(key, data string) (*dispute.PublicKey, error) {
	name := key
	if key == "" {
		name = filepath.Join(keysFolder("", data), dispute.PublicKeyFile)
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
