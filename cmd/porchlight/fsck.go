package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

// keepingFault is something that records and objects do not agree on.
type keepingFault struct {
	Fault string `json:"fault"` // missing, altered, orphan, marked, custody
	Key   string `json:"key,omitempty"`
	Text  string `json:"text"`
}

// keepingReport is what checking the stores found.
type keepingReport struct {
	Photos      int   `json:"photos"`
	Attachments int   `json:"attachments"`
	Read        bool  `json:"read"` // objects were read and held against their digests
	Missing     int   `json:"missing"`
	Altered     int   `json:"altered"`
	Orphans     int   `json:"orphans"` // objects without a row: harmless, of uploads that were never acknowledged
	Marked      int   `json:"marked"`  // photos that are deleted on record, but whose bytes are there until the next purge
	Settled     int   `json:"settled"` // deleted photos of which the record said otherwise than the store, and now says the same
	Repaired    int64 `json:"repaired"`
	Custody     int64 `json:"custody_rows"`
	Broken      int   `json:"custody_faults"`
}

func fsckCommand() *cobra.Command {
	var s storeSettings
	var deep, asJSON bool
	cmd := &cobra.Command{
		Use:   "fsck",
		Short: "Hold records, stored photos and the custody log against each other",
		Long: `Check that every photo and attachment on record is in the object store, and the custody
log's chain. With --deep, read each of them and hold it against its SHA-256. Objects
without a row are counted: they are of uploads that were never acknowledged, and harmless.
Photos that are marked as deleted and not yet gone, since a purge was stopped, are listed:
the next purge takes them. What the record says of deleted photos is put right where the
store says otherwise, and the index of fingerprints where it does not agree with the
measurements. It may run beside the service.

Exit status: 0 all is there; 1 something is missing or altered; 2 it could not be checked.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			out := cmd.OutOrStdout()
			lines := json.NewEncoder(out)
			bar := newBar(cmd.ErrOrStderr(), -1, "objects")
			r, err := checkStores(cmd.Context(), st, deep, func() { bar.Add(1) }, func(f keepingFault) {
				bar.Clear()
				if asJSON {
					lines.Encode(f)
				} else {
					fmt.Fprintf(out, "%s %s\n", f.Fault, strings.TrimSpace(f.Key+" "+f.Text))
				}
			})
			bar.Finish()
			if err != nil {
				return err
			}
			if asJSON {
				lines.Encode(r)
			} else {
				how := "are in the store"
				if deep {
					how = "were read"
				}
				fmt.Fprintf(out, "%d photos and %d attachments on record %s: %d missing, %d altered; %d objects without a row\n",
					r.Photos, r.Attachments, how, r.Missing, r.Altered, r.Orphans)
				fmt.Fprintf(out, "custody log: %d rows, %d faults\n", r.Custody, r.Broken)
				if r.Marked > 0 {
					fmt.Fprintf(out, "%d photos are marked as deleted and not yet gone: the next porchlight purge takes them\n", r.Marked)
				}
				if r.Settled > 0 {
					fmt.Fprintf(out, "%d deleted photos are on record as the store has them again\n", r.Settled)
				}
				if r.Repaired > 0 {
					fmt.Fprintf(out, "%d rows of the index of fingerprints repaired\n", r.Repaired)
				}
			}
			if r.Missing+r.Altered+r.Broken > 0 {
				return errDone
			}
			return nil
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().BoolVar(&deep, "deep", false, "read every object and hold it against its SHA-256")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// checkStores holds records, objects and the custody log against each other.
func checkStores(ctx context.Context, st *stores, deep bool, step func(), tell func(keepingFault)) (r keepingReport, err error) {
	r.Read = deep
	look := func(key, digest string) error {
		step()
		var err error
		if deep {
			_, err = audit.ReadObject(ctx, st.listed, key, digest)
		} else {
			_, err = st.listed.Stat(ctx, key)
		}
		switch audit.ErrorCode(err) {
		case "":
		case audit.CodeNotFound:
			r.Missing++
			tell(keepingFault{"missing", key, "is on record, but not in the store"})
		case audit.CodeCorrupted:
			r.Altered++
			tell(keepingFault{"altered", key, "no longer matches its SHA-256"})
		default:
			return err
		}
		return nil
	}
	for id, err := range st.db.PhotoIDs(ctx) {
		if err == nil {
			r.Photos++
			err = look(audit.ObjectKey(id), id)
		}
		if err != nil {
			return r, err
		}
	}
	attached := map[string]bool{}
	for a, err := range st.db.AllAttachments(ctx) {
		if err != nil {
			return r, err
		}
		r.Attachments++
		if attached[a.SHA256] {
			continue
		}
		attached[a.SHA256] = true
		if err := look(dispute.AttachmentKey(a.SHA256), a.SHA256); err != nil {
			return r, err
		}
	}
	if err := countOrphans(ctx, st, attached, &r, tell); err != nil {
		return r, err
	}
	if err := settleMarked(ctx, st, &r, step, tell); err != nil {
		return r, err
	}
	if r.Repaired, err = st.db.RepairFingerprints(ctx); err != nil {
		return r, err
	}
	heads, err := st.db.PacketHeads(ctx)
	if err != nil {
		return r, err
	}
	chain, err := custody.Verify(st.db.CustodyEntries(ctx), heads, func(f custody.Fault) { tell(keepingFault{Fault: "custody", Text: fmt.Sprint(f)}) })
	r.Custody, r.Broken = int64(chain.Rows), int(chain.Faults)
	return r, err
}

// settleMarked goes over photos that are marked as deleted: of those whose bytes are gone the
// record says so from then on, the others are told.
func settleMarked(ctx context.Context, st *stores, r *keepingReport, step func(), tell func(keepingFault)) error {
	for id, err := range st.db.AllMarked(ctx) {
		step()
		if err == nil {
			err = settleDeleted(ctx, st, id, r)
		}
		if err != nil {
			return err
		}
	}
	for id, err := range st.db.AllMarked(ctx) {
		if err != nil {
			return err
		}
		r.Marked++
		tell(keepingFault{"marked", audit.ObjectKey(id), "is marked as deleted, and not yet gone"})
	}
	return nil
}

// settleDeleted has the record of a deleted photo say what the store says.
func settleDeleted(ctx context.Context, st *stores, photoID string, r *keepingReport) error {
	changed, err := st.db.SettleDeleted(ctx, photoID, func() (bool, error) {
		_, err := st.listed.Stat(ctx, audit.ObjectKey(photoID))
		if audit.ErrorCode(err) == audit.CodeNotFound {
			return false, nil
		}
		return err == nil, err
	})
	if changed {
		r.Settled++
	}
	return err
}

// countOrphans counts objects that no row names, and marks those that are there although
// their photo is deleted.
func countOrphans(ctx context.Context, st *stores, attached map[string]bool, r *keepingReport, tell func(keepingFault)) error {
	var waiting []string
	orphan := func(key string) {
		r.Orphans++
		tell(keepingFault{"orphan", key, "is in the store, but on no record"})
	}
	look := func() error {
		have, err := st.db.HavePhotos(ctx, waiting)
		if err != nil {
			return err
		}
		deleted, err := st.db.DeletedPhotos(ctx, waiting)
		if err != nil {
			return err
		}
		for _, id := range waiting {
			if !have[id] {
				orphan(audit.ObjectKey(id))
			}
			if _, there := deleted[id]; there {
				if err := settleDeleted(ctx, st, id, r); err != nil {
					return err
				}
			}
		}
		waiting = waiting[:0]
		return nil
	}
	for info, err := range st.listed.List(ctx, "photos/") {
		if err != nil {
			return err
		}
		if waiting = append(waiting, path.Base(info.Key)); len(waiting) == 1000 {
			if err := look(); err != nil {
				return err
			}
		}
	}
	if err := look(); err != nil {
		return err
	}
	for info, err := range st.listed.List(ctx, "attachments/") {
		if err != nil {
			return err
		}
		if !attached[path.Base(info.Key)] {
			orphan(info.Key)
		}
	}
	return nil
}
