package web

import (
	"fmt"

	"porchlight/audit"
)

// Reuse lists pictures that were used more than once: GET /agent/reuse, with driver.
type Reuse struct {
	Base
	DriverID   string // whose alone, all where empty
	WithinBits int    // how far fingerprints of one picture may differ
	Clusters   []audit.Cluster
	After      string // cursor that the page was asked for with
	Next       string // cursor of the next page, sent as after
}

func (Reuse) template() string { return "reuse.html" }
func (Reuse) heading() string  { return "Photos used again" }
func (Reuse) section() string  { return "fleet" }

// shotsShown is how many uploads of a picture a page shows.
const shotsShown = 12

// Shots are the uploads of a picture that the page shows.
func (Reuse) Shots(c audit.Cluster) []audit.Sighting {
	return c.Uploads[:min(len(c.Uploads), shotsShown)]
}

// Rest is how many more are on record.
func (Reuse) Rest(c audit.Cluster) int { return max(0, len(c.Uploads)-shotsShown) }

// Spread says how widely a picture was used.
func (Reuse) Spread(c audit.Cluster) string {
	drivers, stops := map[string]bool{}, map[string]bool{}
	for _, u := range c.Uploads {
		drivers[u.DriverID], stops[u.StopKey] = true, true
	}
	atLeast := ""
	if c.More {
		atLeast = "more than "
	}
	return fmt.Sprintf("%s%s, %s, %s", atLeast, count(len(c.Uploads), "upload"), count(len(stops), "stop"), count(len(drivers), "driver"))
}

// Tone is how an upload of a picture is marked.
func (Reuse) Tone(i int) string {
	if i == 0 {
		return "none"
	}
	return "bad"
}

// Likeness says how an upload's picture compares with the first one's.
func (Reuse) Likeness(c audit.Cluster, i int) string {
	switch u := c.Uploads[i]; {
	case i == 0:
		return "First sent"
	case u.PhotoID == c.Uploads[0].PhotoID:
		return "The same file"
	case u.Distance == 1:
		return "1 of 256 bits differs"
	default:
		return fmt.Sprintf("%d of 256 bits differ", u.Distance)
	}
}
