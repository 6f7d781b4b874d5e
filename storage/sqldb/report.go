package sqldb

import (
	"context"

	"porchlight/audit"
)

// Reports lists every report on a photo, oldest first, without measurements. It is
// empty where there is none.
func (db *DB) Reports(ctx context.Context, photoID string) ([]audit.Report, error) {
	return collect(ctx, db.on(db.reader), scanJSON[audit.Report], queryReports, photoID)
}

const queryReports = `SELECT r.json FROM uploads u JOIN reports r ON r.upload_id = u.upload_id
	WHERE u.photo_id = $1 ORDER BY r.judged_at, r.report_id`

func (s session) saveReports(ctx context.Context, reports []audit.Report) error {
	rows, verdicts := make([][]any, 0, len(reports)), map[string]audit.Verdict{}
	for _, r := range reports {
		r.Measurement = nil // it is kept once, beside the reports
		text, err := encode(r)
		if err != nil {
			return err
		}
		rows = append(rows, []any{r.ReportID, r.UploadID, micros(r.JudgedAt), text})
		verdicts[r.UploadID] = r.Verdict
	}
	if err := s.insert(ctx, `INSERT INTO reports (report_id, upload_id, judged_at, json) VALUES`, "", rows); err != nil {
		return err
	}
	return s.queueForReview(ctx, verdicts)
}
