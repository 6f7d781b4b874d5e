package dispute

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"slices"
	"strings"

	"porchlight/audit"
)

// Draft is a driver's own dispute of a claim, ready to be sent.
type Draft struct {
	Subject, Text string
	Photos        []Photo // that go with it, the one that says most first
	Answer        Answer  // what the evidence recommends
}

// channelEmail is the channel of a driver's own dispute.
const channelEmail = "email"

// Draft writes a driver's dispute of a claim from what is on record by now. It issues no
// packet and reads no photo's original. Errors: those of [Records].
func (s *Service) Draft(ctx context.Context, claimID string) (Draft, error) {
	p, ch, err := s.draftPacket(ctx, claimID)
	if err != nil {
		return Draft{}, err
	}
	subject, text, photos := p.emailText(ch.Photos)
	return Draft{Subject: subject, Text: text, Photos: photos, Answer: p.Recommendation.Recommendation}, nil
}

// DraftMessage is the draft as a message with its photos, for a mail program to open.
func (s *Service) DraftMessage(ctx context.Context, claimID string) (Submission, error) {
	p, ch, err := s.draftPacket(ctx, claimID)
	if err != nil {
		return Submission{}, err
	}
	return s.email(ctx, p, Submission{Preflight: Preflight{Channel: ch}})
}

// draftPacket is what a packet would hold by now, with every original that is kept taken for intact.
func (s *Service) draftPacket(ctx context.Context, claimID string) (Packet, Channel, error) {
	ch, err := s.Channels.Find(channelEmail)
	if err != nil {
		return Packet{}, ch, err
	}
	file, err := s.Case(ctx, claimID)
	if err != nil {
		return Packet{}, ch, err
	}
	originals := map[string]original{}
	for _, u := range file.Evidence.Photos {
		originals[u.Upload.PhotoID] = original{state: Intact, sha256: u.Upload.PhotoID, bytes: u.Upload.Bytes}
		if u.DeletedAt != nil {
			originals[u.Upload.PhotoID] = original{state: Deleted}
		}
	}
	return assemble("draft-"+claimID, s.Now().UTC(), file, s.Rules, originals), ch, nil
}

// emailText is the driver's own dispute of a claim: a subject and a few lines, brief and
// to the point (seed guide 002), and at most so many photos that go with it.
func (p Packet) emailText(most int) (subject, text string, photos []Photo) {
	subject = "Dispute: delivery " + p.Claim.TrackingID
	var b strings.Builder
	d := p.Delivery
	fmt.Fprintf(&b, "Hello,\n\nplease review the not-received report on package %s", p.Claim.TrackingID)
	if d.DeliveredAt != nil {
		fmt.Fprintf(&b, ", which I delivered on %s", d.DeliveredAt.In(d.Zone()).Format("2 January 2006 at 15:04 MST"))
	}
	if d.Address != "" {
		fmt.Fprintf(&b, " to %s", d.Address)
		if d.Unit != "" {
			fmt.Fprintf(&b, ", %s", d.Unit)
		}
	}
	b.WriteString(".\n")
	if len(p.Recommendation.Reasons) > 0 || d.Note != "" {
		b.WriteString("\n")
	}
	for i, r := range p.Recommendation.Reasons {
		if i == 4 {
			break
		}
		fmt.Fprintf(&b, "- %s (%s)\n", r.Text, r.Source)
	}
	if d.Note != "" {
		fmt.Fprintf(&b, "- my note at the time: %s\n", strings.Join(strings.Fields(d.Note), " "))
	}
	photos = bestPhotos(p.Photos, most)
	switch len(photos) {
	case 0:
		b.WriteString("\nThere is no photo of this delivery.\n")
	case 1:
		b.WriteString("\nThe photo is attached.\n")
	case 2:
		b.WriteString("\nTwo photos are attached.\n")
	default:
		fmt.Fprintf(&b, "\n%d photos are attached.\n", len(photos))
	}
	b.WriteString("Please remove the report from my record, or tell me what else you need.\n")
	if d.DriverID != "" {
		fmt.Fprintf(&b, "\nDriver %s\n", d.DriverID)
	}
	return subject, b.String(), photos
}

// bestPhotos are the photos that say most: accepted before others, a higher score before a
// lower one, each picture once.
func bestPhotos(photos []Photo, n int) []Photo {
	order := []audit.Verdict{audit.Accept, audit.Review, audit.Retake}
	var out []Photo
	for _, p := range photos {
		if p.Original == Intact && p.Measurement != nil && p.Measurement.Decoded() && !slices.ContainsFunc(out, func(q Photo) bool { return q.PhotoID == p.PhotoID }) {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b Photo) int {
		if x, y := slices.Index(order, a.Report.Verdict), slices.Index(order, b.Report.Verdict); x != y {
			return x - y
		}
		return b.Report.Score - a.Report.Score
	})
	return out[:min(n, len(out))]
}

// email makes the driver's dispute as a message (RFC 5322) that any mail program opens as a
// draft: it names neither sender nor receiver.
func (s *Service) email(ctx context.Context, p Packet, out Submission) (Submission, error) {
	out.Name, out.MediaType = "claim-"+safeName(p.ClaimID)+".eml", "message/rfc822"
	subject, text, photos := p.emailText(out.Photos)
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	if err := parts.SetBoundary("porchlight-" + safeName(p.PacketID)); err != nil {
		return out, audit.Errorf(audit.CodeInternal, "The message cannot be written", err)
	}
	fmt.Fprintf(&b, "X-Unsent: 1\r\nSubject: %s\r\nDate: %s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=%q\r\n\r\n",
		mime.QEncoding.Encode("utf-8", subject), p.IssuedAt.UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000"), parts.Boundary())
	w, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
	if err == nil {
		quoted := quotedprintable.NewWriter(w)
		quoted.Write([]byte(text)) // into a buffer
		err = quoted.Close()
	}
	if err != nil {
		return out, audit.Errorf(audit.CodeInternal, "The message cannot be written", err)
	}
	// Base64 takes four bytes for three, and its line ends; the rest is text.
	each := out.MaxBytes / int64(max(len(photos), 1)) * 5 / 7
	for i, photo := range photos {
		jpeg, err := s.Document.Photo(ctx, photo, each)
		switch audit.ErrorCode(err) {
		case "":
		case audit.CodeNotFound, audit.CodeCorrupted, audit.CodeUndecodable, audit.CodeTooLarge:
			out.Notes = append(out.Notes, "without "+sourcePhoto(photo.PhotoID)+": "+audit.ErrorMessage(err))
			continue
		default:
			return out, err
		}
		w, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"image/jpeg"}, "Content-Transfer-Encoding": {"base64"},
			"Content-Disposition": {fmt.Sprintf(`attachment; filename="photo-%d-%s.jpg"`, i+1, first12(photo.PhotoID))}})
		if err != nil {
			return out, audit.Errorf(audit.CodeInternal, "The message cannot be written", err)
		}
		const line = 57 // bytes that make 76 characters, RFC 2045 section 6.8
		for rest := jpeg; len(rest) > 0; {
			n := min(line, len(rest))
			fmt.Fprintf(w, "%s\r\n", base64.StdEncoding.EncodeToString(rest[:n]))
			rest = rest[n:]
		}
	}
	if err := parts.Close(); err != nil {
		return out, audit.Errorf(audit.CodeInternal, "The message cannot be written", err)
	}
	out.Body, out.Bytes = b.Bytes(), int64(b.Len())
	if out.Bytes > out.MaxBytes {
		out.Problems = append(out.Problems, fmt.Sprintf("%d bytes, %d are taken", out.Bytes, out.MaxBytes))
	}
	out.Fits = len(out.Problems) == 0
	return out, nil
}
