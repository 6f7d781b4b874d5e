package sqldb

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"porchlight/audit"
)

// Reports lists every report on a photo that counts or counted, oldest first, without
// measurements. It is empty where there is none.
func (db *DB) Reports(ctx context.Context, photoID string) (all []audit.Report, err error) {
	err = db.read(ctx, func(s session) error {
		if all, err = collect(ctx, s, scanJSON[audit.Report], queryReports, photoID); err != nil {
			return err
		}
		runs, err := s.published(ctx, 0)
		if err != nil || len(runs) == 0 {
			return err
		}
		ids := map[string]bool{}
		for _, r := range all {
			ids[r.UploadID] = true
		}
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			for i := range runs {
				r, ok, err := runs[i].packs.report(ctx, id)
				if err != nil {
					return err
				}
				if ok {
					all = append(all, r)
				}
			}
		}
		slices.SortFunc(all, func(a, b audit.Report) int {
			return cmp.Or(a.JudgedAt.Compare(b.JudgedAt), cmp.Compare(a.ReportID, b.ReportID))
		})
		return nil
	})
	return all, err
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
