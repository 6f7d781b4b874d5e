package server

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// trackRows imports points of tracks.
func (s *Server) trackRows(ctx context.Context, fixes []dispute.TrackPoint, _ time.Time) ([]audit.Change, error) {
	return s.records.PutTrack(ctx, fixes)
}

// importTrack is POST /api/v1/tracks: rows of points, or with driver_id a GPX or GeoJSON file.
func (s *Server) importTrack(c *gin.Context) error {
	driver := c.Query("driver_id")
	if driver == "" {
		return importRows(s, s.trackRows)(c)
	}
	if err := audit.ValidateID("driver_id", driver); err != nil {
		return err
	}
	ctx := c.Request.Context()
	body := &steady{r: http.MaxBytesReader(c.Writer, c.Request.Body, s.limits.ImportBytes), control: exchangeOf(ctx).control, idle: s.limits.IdleTime}
	fixes, untimed, err := dispute.ParseTrack(body, driver)
	if err != nil {
		if worded := bodyError(err); worded != nil {
			err = worded
		}
		return err
	}
	sum := TrackSummary{Untimed: untimed}
	for len(fixes) > 0 {
		n := min(len(fixes), importBatch)
		changes, err := s.records.PutTrack(context.WithoutCancel(ctx), fixes[:n])
		if err != nil {
			return err
		}
		for _, change := range changes {
			if change == audit.Created {
				sum.Created++
			} else {
				sum.Unchanged++
			}
		}
		fixes = fixes[n:]
	}
	return answer(c, http.StatusOK, sum)
}

// TrackSummary says what became of a track's points.
type TrackSummary struct {
	Created   int `json:"created"`
	Unchanged int `json:"unchanged"` // of instants that were known
	Untimed   int `json:"untimed"`   // without a time or a position that can be: left out
}

var trackDoc = operation{
	id: "import-track", tag: "deliveries", summary: "Import where drivers were",
	text: "Rows of driver_id, at, latitude, longitude and accuracy_m; or, with driver_id in the query, a GPX or GeoJSON file. " +
		"A delivery's evidence holds the driver's track around it, and where that has the driver at the time of the delivery.",
	errors:  []int{400, 408, 413, 415, 422},
	params:  []*huma.Param{{Name: "driver_id", In: "query", Description: "Whose GPX or GeoJSON file the body is", Schema: text}},
	request: importBody[dispute.TrackPoint](), answers: importAnswers,
}
