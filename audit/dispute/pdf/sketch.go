package pdf

import (
	"fmt"
	"strings"

	"porchlight/audit/dispute"
)

// sketch draws the map of the positions on record.
func (d *document) sketch() {
	const height = 88.0
	m, ok := d.Packet.Sketch(d.width, height)
	d.room(height + 40)
	d.heading("Where it happened")
	if !ok {
		d.say("No position is on record.")
		return
	}
	x, y := margin, d.GetY()
	d.line(rule, 0.2)
	d.ClipRect(x, y, d.width, height, true)
	d.line(ink{150, 150, 150}, 0.4)
	for i := 1; i < len(m.Track); i++ {
		d.Line(x+m.Track[i-1].X, y+m.Track[i-1].Y, x+m.Track[i].X, y+m.Track[i].Y)
	}
	for _, mark := range m.Marks {
		if mark.Radius > 0 {
			d.line(markInk(mark.Kind), 0.2)
			d.SetDashPattern([]float64{1.2, 1}, 0)
			d.Circle(x+mark.X, y+mark.Y, mark.Radius, "D")
			d.SetDashPattern([]float64{}, 0)
		}
	}
	for _, mark := range m.Marks {
		d.fill(markInk(mark.Kind))
		if mark.Kind == dispute.PlaceStop {
			d.Rect(x+mark.X-1.4, y+mark.Y-1.4, 2.8, 2.8, "F")
		} else {
			d.Circle(x+mark.X, y+mark.Y, 1.2, "F")
		}
		d.font("B", smallSize, markInk(mark.Kind))
		d.SetXY(x+mark.Label.X-4, y+mark.Label.Y-2)
		d.CellFormat(8, 4, mark.Mark, "", 0, "C", false, 0, "")
	}
	d.ClipEnd()
	// Scale and north stand in the corners.
	d.line(black, 0.4)
	bar := m.ScaleM * m.PerMetre
	d.Line(x+4, y+height-4, x+4+bar, y+height-4)
	d.Line(x+4, y+height-5, x+4, y+height-3)
	d.Line(x+4+bar, y+height-5, x+4+bar, y+height-3)
	d.font("", smallSize, black)
	d.SetXY(x+4, y+height-9.5)
	d.CellFormat(20, 4, metres(m.ScaleM), "", 0, "L", false, 0, "")
	right := x + d.width - 6
	d.Line(right, y+10, right, y+4)
	d.Line(right, y+4, right-1.2, y+6)
	d.Line(right, y+4, right+1.2, y+6)
	d.SetXY(right-3, y+10)
	d.CellFormat(6, 4, "N", "", 0, "C", false, 0, "")
	d.SetXY(margin, y+height+2.5)
	var rows [][]string
	for _, p := range d.Places {
		at := fmt.Sprintf("%.6f, %.6f", p.Latitude, p.Longitude)
		if p.AwayM != nil {
			at += fmt.Sprintf("; %s from the stop", metres(*p.AwayM))
		}
		if p.RadiusM > 0 {
			at += fmt.Sprintf("; circle %s", metres(p.RadiusM))
		}
		rows = append(rows, []string{p.Mark, p.What, at, p.Source})
	}
	d.table([]column{{"Mark", .08, black}, {"What", .26, black}, {"Where", .36, black}, {"Source", .30, grey}}, rows)
	d.remark("Drawn from the positions alone, north up. The stop's circle is the distance within which the checklist takes a photo as taken there; other circles are the errors that the devices reported. WGS 84.")
}

func metres(m float64) string {
	if m >= 1000 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", m/1000), ".0") + " km"
	}
	return fmt.Sprintf("%.0f m", m)
}

func markInk(k dispute.PlaceKind) ink {
	switch k {
	case dispute.PlaceStop:
		return black
	case dispute.PlaceScan:
		return ink{150, 80, 0}
	case dispute.PlacePhoto:
		return accent
	}
	return ink{90, 60, 140}
}
