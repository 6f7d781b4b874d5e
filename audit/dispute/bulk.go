package dispute

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"time"

	"porchlight/audit"
)

// WriteBulk writes the packets of many claims into one ZIP, one after the other: each
// claim's as packets/CLAIM.zip, or made ready for the channel where one is named, and
// index.csv with a row a claim. A packet is issued for each. A claim whose packet cannot
// be made stands in the index with the reason, and the others go on; memory holds one
// packet's document at a time. Errors: those of claims, of the context and of w.
func (s *Service) WriteBulk(ctx context.Context, w io.Writer, claims iter.Seq2[Claim, error], channel string) error {
	z := zip.NewWriter(w)
	var index bytes.Buffer
	table := csv.NewWriter(&index)
	table.Write([]string{"claim_id", "tracking_id", "due_at", "recommendation", "summary", "packet_id", "file", "error"})
	at := s.Now().UTC()
	for c, err := range claims {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		row := []string{c.ClaimID, c.TrackingID, "", "", "", "", "", ""}
		if due := s.Channels.Due(c); due != nil {
			row[2] = due.UTC().Format(time.RFC3339)
		}
		p, err := s.Issue(ctx, c.ClaimID)
		if err == nil {
			row[3], row[4], row[5] = string(p.Recommendation.Recommendation), p.Recommendation.Summary, p.PacketID
			row[6], err = s.writeInto(ctx, z, p, channel, at)
		}
		if err != nil {
			if audit.ErrorCode(err) == audit.CodeInternal { // w's own, or ours
				return err
			}
			row[6], row[7] = "", audit.ErrorMessage(err)
		}
		table.Write(row)
	}
	table.Flush()
	out, err := z.CreateHeader(&zip.FileHeader{Name: "index.csv", Method: zip.Deflate, Modified: at})
	if err == nil {
		_, err = out.Write(index.Bytes())
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return fmt.Errorf("write the packets: %w", err)
	}
	return nil
}

// writeInto writes one packet into a ZIP and answers its name there. What can go wrong
// with the packet itself goes wrong before its first byte.
func (s *Service) writeInto(ctx context.Context, z *zip.Writer, p Packet, channel string, at time.Time) (string, error) {
	name := "packets/" + safeName(p.ClaimID) + ".zip"
	write := func(w io.Writer) error { return s.WriteZIP(ctx, w, p.PacketID) }
	if channel != "" {
		sub, err := s.Submit(ctx, p.PacketID, channel)
		if err != nil {
			return "", err
		}
		name = "packets/" + sub.Name
		write = func(w io.Writer) error { _, err := w.Write(sub.Body); return err }
	}
	return name, write(&lazyEntry{create: func() (io.Writer, error) {
		return z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: at})
	}})
}

// lazyEntry begins its entry with the first byte.
type lazyEntry struct {
	create func() (io.Writer, error)
	w      io.Writer
}

func (l *lazyEntry) Write(p []byte) (int, error) {
	if l.w == nil {
		w, err := l.create()
		if err != nil {
			return 0, err
		}
		l.w = w
	}
	return l.w.Write(p)
}

// EachClaim goes through all claims of a filter; page lists them as the records do, at most
// limit from the one after a cursor. It ends with the first error.
func EachClaim(ctx context.Context, page func(ctx context.Context, f ClaimFilter, after string, limit int) ([]Claim, string, error), f ClaimFilter) iter.Seq2[Claim, error] {
	return func(yield func(Claim, error) bool) {
		for after := ""; ; {
			claims, next, err := page(ctx, f, after, 200)
			if err != nil {
				yield(Claim{}, err)
				return
			}
			for _, c := range claims {
				if !yield(c, nil) {
					return
				}
			}
			if after = next; next == "" {
				return
			}
		}
	}
}
