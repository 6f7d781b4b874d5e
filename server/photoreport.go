package server

import (
	"context"
	"encoding/csv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/standing"
)

// maxReportDays bounds the period of a photo report.
const maxReportDays = 93

type photoReportInput struct {
	Paging
	Since    time.Time `query:"since" required:"true" doc:"Deliveries from then on"`
	Until    time.Time `query:"until" required:"true" doc:"and before then; 93 days at most"`
	DriverID string    `query:"driver_id" maxLength:"128" doc:"That driver alone"`
	Version  string    `query:"checklist" maxLength:"128" doc:"As that checklist, by its version, would have it; by each photo's latest report otherwise"`
}

// photoReport is GET /api/v1/photo-reports.
func (s *Server) photoReport(ctx context.Context, in *photoReportInput) (*body[List[standing.PhotoCounts]], error) {
	counts, err := s.countPhotos(ctx, in.Since, in.Until, in.DriverID, in.Version)
	if err != nil {
		return nil, err
	}
	return listOf(pageOf(counts, func(c standing.PhotoCounts) string { return c.DriverID }, in.Paging))
}

// photoReportCSV is GET /api/v1/photo-reports.csv: the same as a table.
func (s *Server) photoReportCSV(c *gin.Context) error {
	var period [2]time.Time
	for i, name := range []string{"since", "until"} {
		t, err := instant(name, c.Query(name))
		if err != nil {
			return err
		}
		period[i] = t
	}
	counts, err := s.countPhotos(c.Request.Context(), period[0], period[1], c.Query("driver_id"), c.Query("checklist"))
	if err != nil {
		return err
	}
	c.Header("Content-Type", "text/csv; charset=utf-8")
	c.Header("Content-Disposition", `attachment; filename="porchlight-photo-report.csv"`)
	c.Status(http.StatusOK)
	w := csv.NewWriter(c.Writer)
	head := []string{"driver_id", "opportunities", "success", "bypass", "rejects"}
	for _, r := range standing.PhotoReasons {
		head = append(head, string(r))
	}
	w.Write(head)
	for _, n := range counts {
		row := []string{n.DriverID}
		for _, v := range []int{n.Opportunities, n.Success, n.Bypass, n.Rejects} {
			row = append(row, strconv.Itoa(v))
		}
		for _, r := range standing.PhotoReasons {
			row = append(row, strconv.Itoa(*n.Of(r)))
		}
		w.Write(row)
	}
	w.Flush()
	return w.Error()
}

type photoDifferencesInput struct {
	Paging
	Week string `query:"week" required:"true" maxLength:"8" doc:"ISO 8601, as in 2026-W47"`
}

// photoDifferences is GET /api/v1/photo-reports/differences.
func (s *Server) photoDifferences(ctx context.Context, in *photoDifferencesInput) (*body[List[standing.PhotoDifference]], error) {
	carrier, ours, err := s.photoWeek(ctx, in.Week)
	if err != nil {
		return nil, err
	}
	return listOf(pageOf(standing.ComparePhotos(carrier, ours), func(d standing.PhotoDifference) string { return d.DriverID }, in.Paging))
}

// photoWeek is a carrier's report of a week and our own count of it.
func (s *Server) photoWeek(ctx context.Context, week string) (carrier []standing.PhotoWeek, ours []standing.PhotoCounts, err error) {
	start, err := standing.WeekStart(week)
	if err != nil {
		return nil, nil, err
	}
	if carrier, err = s.records.PhotoWeeks(ctx, week); err != nil {
		return nil, nil, err
	}
	ours, err = s.countPhotos(ctx, start, start.AddDate(0, 0, 7), "", "")
	return carrier, ours, err
}

// countPhotos counts the deliveries of a period as a carrier's weekly report does, by
// driver, in order of their ids: by each photo's latest report, or as the checklist of a
// version would judge what was measured. Errors: [audit.CodeInvalid],
// [audit.CodeChecklist] for a version that is not on record.
func (s *Server) countPhotos(ctx context.Context, since, until time.Time, driverID, version string) ([]standing.PhotoCounts, error) {
	if !until.After(since) || until.Sub(since) > maxReportDays*24*time.Hour {
		return nil, invalid("until is later than since, by at most %d days", maxReportDays)
	}
	list := s.audit.Checklist()
	if version != "" {
		var err error
		if list, err = s.checklist(ctx, version); err != nil {
			return nil, err
		}
	}
	drivers := map[string]bool{driverID: true}
	if driverID == "" {
		drivers = map[string]bool{}
		f := audit.DeliveryFilter{Since: since, Until: until}
		for after := ""; ; {
			ds, next, err := s.records.Deliveries(ctx, f, after, 500)
			if err != nil {
				return nil, err
			}
			for _, d := range ds {
				if d.DriverID != "" {
					drivers[d.DriverID] = true
				}
			}
			if after = next; next == "" {
				break
			}
		}
	}
	counts := []standing.PhotoCounts{}
	for _, id := range slices.Sorted(maps.Keys(drivers)) {
		all, err := s.records.DriverDeliveries(ctx, id, since, until)
		if err != nil {
			return nil, err
		}
		if version != "" {
			if err := s.judgeBy(ctx, list, all); err != nil {
				return nil, err
			}
		}
		c := standing.PhotoCounts{DriverID: id}
		for _, ev := range all {
			c.Add(ev.Delivery, ev.Photos, list)
		}
		if c.Opportunities > 0 {
			counts = append(counts, c)
		}
	}
	return counts, nil
}

// judgedAtOnce is how many uploads are loaded with all that judging them needs.
const judgedAtOnce = 500

// judgeBy gives photos the reports that a checklist makes of what was measured; none is
// kept.
func (s *Server) judgeBy(ctx context.Context, list *audit.Checklist, all []dispute.Evidence) error {
	photos := map[string][]*audit.JudgedUpload{} // by upload id: a photo may show several deliveries
	for i := range all {
		for j := range all[i].Photos {
			p := &all[i].Photos[j]
			photos[p.Upload.UploadID] = append(photos[p.Upload.UploadID], p)
		}
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(photos)), judgedAtOnce) {
		cases, err := s.records.CasesOf(ctx, ids)
		if err != nil {
			return err
		}
		for _, k := range cases {
			r := list.Judge(k.Measurement, audit.Subject{Upload: k.Upload, Known: k.Known})
			for _, p := range photos[k.Upload.UploadID] {
				p.Report = r
			}
		}
	}
	return nil
}

var photoReportDoc = operation{
	id: "get-photo-report", tag: "standings", summary: "Our photos counted as a carrier's weekly report counts them, by driver", errors: []int{422},
	text: "Of delivered packages that owe a photo: success has one that need not be taken again, rejects have only others, with the reason of the latest, a bypass has none. By each photo's latest report, or as a checklist on record would judge.",
}

var photoReportCSVDoc = operation{
	id: "get-photo-report-csv", tag: "standings", summary: "The photo report as CSV", errors: []int{422},
	params: []*huma.Param{
		{Name: "since", In: "query", Required: true, Description: "Deliveries from then on", Schema: moment},
		{Name: "until", In: "query", Required: true, Description: "and before then; 93 days at most", Schema: moment},
		{Name: "driver_id", In: "query", Description: "That driver alone", Schema: text},
		{Name: "checklist", In: "query", Description: "As that checklist, by its version, would have it", Schema: text},
	},
	answers: func(huma.Registry, string) map[string]*huma.Response {
		return map[string]*huma.Response{"200": binaryAnswer("A row a driver", "text/csv")}
	},
}

var photoDifferencesDoc = operation{
	id: "compare-photo-reports", tag: "standings", summary: "Where a carrier's weekly photo report and ours count otherwise", errors: []int{422},
	text: "By driver, with the figures that differ and our rejected photos.",
}
