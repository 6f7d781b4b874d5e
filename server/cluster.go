package server

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"porchlight/audit"
	"porchlight/web"
)

// Clusters are pictures that were used more than once.
type Clusters interface {
	// Clusters lists them, those that were first sent last at the top, from the one after
	// the cursor. A page may be short before the end.
	Clusters(ctx context.Context, f audit.ClusterFilter, after string, limit int) (all []audit.Cluster, next string, err error)
}

type clustersInput struct {
	Paging
	DriverID string `query:"driver_id" maxLength:"128" doc:"Who sent one of the uploads"`
}

// clusters is GET /api/v1/clusters.
func (s *Server) clusters(ctx context.Context, in *clustersInput) (*body[List[audit.Cluster]], error) {
	f := s.audit.Checklist().Clusters()
	f.DriverID = in.DriverID
	return listOf(s.records.Clusters(ctx, f, in.Cursor, in.Limit))
}

var clustersDoc = operation{
	id: "list-clusters", tag: "photos", summary: "Pictures that were used again, with all their uploads", errors: []int{422},
	text: "Uploads of equal bytes, or whose fingerprints differ in no more bits than the checklist's reuse check allows, for other stops or on other visits. " +
		"Those that were first sent last come first. A page can be short, or empty, while next is there.",
}

// clustersOnPage is how many pictures the page shows.
const clustersOnPage = 10

// reusePage is GET /agent/reuse.
func (s *Server) reusePage(c *gin.Context) error {
	f := s.audit.Checklist().Clusters()
	f.DriverID = c.Query("driver")
	page := web.Reuse{Base: s.base(c), DriverID: f.DriverID, After: c.Query("after"), WithinBits: f.WithinBits}
	var err error
	page.Clusters, page.Next, err = s.records.Clusters(c.Request.Context(), f, page.After, clustersOnPage)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, page)
}
