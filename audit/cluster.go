package audit

import "time"

// Cluster is one picture that was sent more than once, for other stops or on other visits.
type Cluster struct {
	// Uploads of the picture, in the order in which they were received. Each one's Distance
	// is that to the nearest earlier one, 0 for the first.
	Uploads []Sighting `json:"uploads"`
	More    bool       `json:"more,omitempty"` // there are more than are listed
}

// ClusterFilter chooses clusters. Its limits are those of a checklist's reuse check:
// [Checklist.Clusters].
type ClusterFilter struct {
	DriverID   string        // who sent one of the uploads; everybody where empty
	WithinBits int           // PDQ bits that may differ, 0..256
	MinQuality int           // of the fingerprints of both, 0..100, unless the files are equal
	Visit      time.Duration // photos of one stop within it are of one visit
}

// Clusters are the limits by which the checklist calls a picture reused.
func (c *Checklist) Clusters() ClusterFilter {
	r := c.Checks.Reuse
	return ClusterFilter{WithinBits: int(r.FailWithinBits), MinQuality: int(r.MinQuality), Visit: visitTime(r.VisitHours)}
}

// Reuses tells whether b, which looks like a by its distance and quality, is the same
// picture used again.
func (f ClusterFilter) Reuses(a, b Sighting) bool {
	return !oneVisit(a, b, f.Visit) && (a.PhotoID == b.PhotoID || b.Distance <= f.WithinBits && b.Quality >= f.MinQuality)
}

// oneVisit tells whether two uploads are of one visit to one stop, whose packages share
// photos.
func oneVisit(a, b Sighting, visit time.Duration) bool {
	return a.StopKey != "" && a.StopKey == b.StopKey && a.At.Sub(b.At).Abs() <= visit
}

func visitTime(hours float64) time.Duration { return time.Duration(hours * float64(time.Hour)) }
