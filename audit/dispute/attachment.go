package dispute

import (
	"bytes"
	"cmp"
	"time"

	"porchlight/audit"
	"porchlight/audit/pixel/decode"
)

// Attachment is a document or picture that a person added to a delivery: a conversation's
// screenshot, an e-mail, a doorbell's still. Its bytes are kept as they came.
type Attachment struct {
	AttachmentID string    `json:"attachment_id"`
	TrackingID   string    `json:"tracking_id"`
	SHA256       string    `json:"sha256"`
	Name         string    `json:"name,omitempty"` // as it was uploaded; for people alone
	MediaType    string    `json:"media_type"`
	Bytes        int64     `json:"bytes"`
	What         string    `json:"what"`     // in the adder's words
	At           time.Time `json:"at"`       // when it happened, as far as the adder knows, else when it was added
	AddedBy      string    `json:"added_by"` // the actor
	AddedAt      time.Time `json:"added_at"`
	// In a packet: its name in the ZIP, absent where its bytes are not intact, and whether
	// they are.
	File     string        `json:"file,omitempty"`
	Original OriginalState `json:"original,omitempty"`
}

// MaxAttachments is the most that a delivery can have.
const MaxAttachments = 50

// AttachmentKey is where an attachment's bytes are kept: attachments/ab/abcd...
func AttachmentKey(sha256 string) string { return "attachments/" + sha256[:2] + "/" + sha256 }

// AttachmentType tells an attachment's media type from its bytes: what a photo can be, or
// a PDF. Errors: [audit.CodeEmpty], [audit.CodeTooLarge], [audit.CodeNotAPhoto],
// [audit.CodeTooManyPix].
func AttachmentType(b []byte) (string, error) {
	switch {
	case len(b) == 0:
		return "", audit.Errorf(audit.CodeEmpty, "The attachment is empty")
	case len(b) > audit.MaxPhotoBytes:
		return "", audit.Errorf(audit.CodeTooLarge, "The attachment has %d bytes, %d are the most", len(b), audit.MaxPhotoBytes)
	case bytes.HasPrefix(b, []byte("%PDF-")):
		return "application/pdf", nil
	}
	mt, ok := decode.Sniff(b)
	if !ok {
		return "", audit.Errorf(audit.CodeNotAPhoto, "The attachment is no JPEG, PNG, WebP, HEIC or PDF by its bytes")
	}
	return string(mt), nil
}

// Validate checks what a person says of an attachment. Errors: [audit.CodeInvalid].
func (a Attachment) Validate() error {
	if a.What == "" {
		return audit.Errorf(audit.CodeInvalid, "what is missing: say in a few words what the attachment is")
	}
	for name, v := range map[string]string{"what": a.What, "name": a.Name} {
		if len(v) > audit.MaxFieldBytes {
			return audit.Errorf(audit.CodeInvalid, "%s is longer than %d bytes", name, audit.MaxFieldBytes)
		}
	}
	return nil
}

// Ext is the extension of a file of the attachment's type.
func (a Attachment) Ext() string {
	if a.MediaType == "application/pdf" {
		return ".pdf"
	}
	return cmp.Or(audit.Extension(a.MediaType), ".bin")
}
