package main

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

func packetCommand() *cobra.Command {
	var s storeSettings
	var out, channel, dueBefore string
	var all bool
	cmd := &cobra.Command{
		Use:   "packet CLAIM -o FILE | --all -o FILE",
		Short: "Issue the dispute packet of a claim as a ZIP file, or of all open claims",
		Long: `Join the claim with all that is on record about its delivery, freeze that as a packet,
and write the packet as a ZIP file: packet.json, packet.pdf, the original photos, and a
manifest with the SHA-256 of each, signed. An issued packet never changes; issuing again
makes a new one.

With --channel, write what that channel takes instead: a PDF within its limits, or for
email the driver's own dispute as a draft message. With --all, issue the packets of all
open claims, or of those due before a day, into one ZIP with an index.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if all {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return errors.New("packet needs -o FILE, the file to write")
			}
			ctx := cmd.Context()
			st, err := s.open(ctx)
			if err != nil {
				return err
			}
			defer st.Close()
			if channel != "" {
				if _, err := st.dispute.Channels.Find(channel); err != nil {
					return err
				}
			}
			if all {
				f := dispute.ClaimFilter{Open: true}
				if dueBefore != "" {
					if f.DueBefore, err = time.Parse(time.DateOnly, dueBefore); err != nil {
						return fmt.Errorf("--due-before %q is no day as in 2026-11-22", dueBefore)
					}
				}
				bar := newBar(cmd.ErrOrStderr(), -1, "claims")
				defer bar.Finish()
				return writeFile(out, func(w io.Writer) error {
					return st.dispute.WriteBulk(ctx, w, func(yield func(dispute.Claim, error) bool) {
						for c, err := range dispute.EachClaim(ctx, st.db.Claims, f) {
							if !yield(c, err) {
								return
							}
							bar.Add(1)
						}
					}, channel)
				})
			}
			p, err := st.dispute.Issue(ctx, args[0])
			if err != nil {
				return err
			}
			exported := custody.By(ctx, custody.Entry{Action: custody.PacketExported, Subject: custody.Subject{Kind: custody.Packet, ID: p.PacketID}})
			if err := st.db.AppendCustody(ctx, []custody.Entry{exported}); err != nil {
				return err
			}
			err = writeFile(out, func(w io.Writer) error {
				if channel == "" {
					return st.dispute.WriteZIP(ctx, w, p.PacketID)
				}
				sub, err := st.dispute.Submit(ctx, p.PacketID, channel)
				if err != nil {
					return err
				}
				for _, note := range sub.Notes {
					fmt.Fprintln(cmd.ErrOrStderr(), "note:", note)
				}
				_, err = w.Write(sub.Body)
				return err
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\npacket %s written to %s\n", p.Recommendation.Summary, p.PacketID, out)
			return nil
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVarP(&out, "output", "o", "", "`FILE` to write")
	cmd.Flags().StringVar(&channel, "channel", "", "make it ready for a `CHANNEL`: "+strings.Join(slices.Sorted(maps.Keys(dispute.Channels2026().Channels)), ", "))
	cmd.Flags().BoolVar(&all, "all", false, "the packets of all open claims, in one ZIP")
	cmd.Flags().StringVar(&dueBefore, "due-before", "", "with --all: only claims due before that `DAY`, as in 2026-11-22")
	return cmd
}

// writeFile writes a file whole or not at all.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".packet-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func verifyCommand() *cobra.Command {
	var key, data, authority string
	var asJSON bool
	var log custodySettings
	cmd := &cobra.Command{
		Use:   "verify FILE | --custody",
		Short: "Check a packet against its digests and signature, or the custody log against its chain",
		Long: `Check a packet without a server: every file against the manifest's SHA-256, the manifest
against its minisign signature. The public key is the sender's porchlight.pub; an unsigned
packet, or one whose signer is not known, is never called valid. A packet may hold a time
stamp (RFC 3161), by which somebody else vouches for the time since when it is as it is:
--timestamp-ca names the certificates of those who are trusted with that.

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
			authorities, err := readAuthorities(authority)
			if err != nil {
				return err
			}
			v, err := dispute.Verify(f, info.Size(), pub, authorities)
			if old := formerKey(data, v.Signature.KeyID); err == nil && key == "" && !v.Valid() && old != nil {
				v, err = dispute.Verify(f, info.Size(), old, authorities) // signed before the key was changed
			}
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
				if stamped := v.Timestamp.String(); stamped != "" {
					fmt.Fprintln(out, stamped)
				}
			}
			if !v.Valid() {
				return errDone
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the sender's public key: a minisign `FILE`, or the key itself; default porchlight.pub in --data")
	cmd.Flags().StringVar(&authority, "timestamp-ca", "", "certificates of time-stamp authorities: a PEM `FILE`")
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

// readAuthorities reads the certificates of time-stamp authorities; nil for no name.
func readAuthorities(name string) (*x509.CertPool, error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--timestamp-ca: %w", err)
	}
	pool, err := dispute.ParseAuthorities(text)
	if err != nil {
		return nil, fmt.Errorf("--timestamp-ca %s: %w", name, err)
	}
	return pool, nil
}

// formerKey is the key of that id from before a rotation; nil where there is none.
func formerKey(data, keyID string) *dispute.PublicKey {
	if keyID == "" || strings.ContainsAny(keyID, "/\\.") {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(keysFolder("", data), dispute.FormerKeyFile(keyID)))
	if err != nil {
		return nil
	}
	pub, err := dispute.ParsePublicKey(text)
	if err != nil {
		return nil
	}
	return pub
}

func keyCommand() *cobra.Command {
	var keys, data string
	cmd := &cobra.Command{Use: "key", Short: "The key that signs packets"}
	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Sign packets with a new key from now on",
		Long: `Make a new signing key. The public key of the one before stays beside it as
porchlight-KEYID.pub, so that "porchlight verify" goes on to know packets signed with it;
its secret is removed. A running service takes the new key when it is started again. Tell
those who verify your packets the new public key: it is also at /porchlight.pub.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pub, err := dispute.RotateKey(keysFolder(keys, data))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s", pub.Text())
			return nil
		},
	}
	rotate.Flags().StringVar(&data, "data", "./data", "`FOLDER` of the service")
	rotate.Flags().StringVar(&keys, "keys", "", "`FOLDER` of the key; default keys in --data")
	cmd.AddCommand(rotate)
	return cmd
}
