package sqldb

import (
	"context"

	"porchlight/audit"
	"porchlight/audit/custody"
	"porchlight/audit/dispute"
)

// attachments lists what was added to a delivery, oldest first.
func (s session) attachments(ctx context.Context, trackingID string) ([]dispute.Attachment, error) {
	return collect(ctx, s, scanJSON[dispute.Attachment], queryAttachments, trackingID)
}

const queryAttachments = `SELECT json FROM attachments WHERE tracking_id = $1 ORDER BY at, attachment_id`

// AddAttachment keeps an attachment for good. Errors: [audit.CodeConflict] where the
// delivery has [dispute.MaxAttachments] already, [audit.CodeDelivery] without the delivery.
func (db *DB) AddAttachment(ctx context.Context, a dispute.Attachment) error {
	if err := checkText(a); err != nil {
		return err
	}
	text, err := encode(a)
	if err != nil {
		return err
	}
	return db.write(ctx, func(s session) error {
		if _, err := one(ctx, s, "delivery", scanText, `SELECT tracking_id FROM deliveries WHERE tracking_id = $1`+s.dialect.forUpdate(), a.TrackingID); err != nil {
			if audit.ErrorCode(err) == audit.CodeNotFound {
				err = audit.Errorf(audit.CodeDelivery, "There is no delivery %s", a.TrackingID, err)
			}
			return err
		}
		have, err := s.attachments(ctx, a.TrackingID)
		if err != nil {
			return err
		}
		if len(have) >= dispute.MaxAttachments {
			return audit.Errorf(audit.CodeConflict, "The delivery has %d attachments already, which is the most", len(have))
		}
		if _, err := s.exec(ctx, `INSERT INTO attachments (attachment_id, tracking_id, at, json) VALUES ($1, $2, $3, $4)`,
			a.AttachmentID, a.TrackingID, micros(a.At), text); err != nil {
			return err
		}
		return s.log(ctx, custody.Entry{Action: custody.AttachmentAdded, Subject: custody.Subject{Kind: custody.Attachment, ID: a.AttachmentID},
			Detail: custody.Details(map[string]string{"tracking_id": a.TrackingID, "sha256": a.SHA256})})
	})
}

// Attachment finds an attachment. Errors: [audit.CodeNotFound].
func (db *DB) Attachment(ctx context.Context, attachmentID string) (dispute.Attachment, error) {
	return one(ctx, db.on(db.reader), "attachment", scanJSON[dispute.Attachment], `SELECT json FROM attachments WHERE attachment_id = $1`, attachmentID)
}
