package dispute

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"porchlight/audit"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"stamp": func(t time.Time) string { return stamp(t) },
	"first": first12,
	"value": findingValue,
	"shown": func(p Photo) bool {
		return p.File != "" && (p.MediaType == "image/jpeg" || p.MediaType == "image/png" || p.MediaType == "image/webp")
	},
	"join": strings.Join,
}).Parse(pageText))

// WriteHTML renders a packet as one printable page without scripts and links; photos
// are named relative to the ZIP's root. All text from outside is escaped.
func WriteHTML(w io.Writer, p Packet) error {
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("render packet %s: %w", p.PacketID, err)
	}
	return nil
}

// findingValue is what a finding says, in words.
func findingValue(f audit.Finding) string {
	var out []string
	if f.Value != nil {
		s := fmt.Sprint(f.Value)
		if f.Limit != nil {
			s += fmt.Sprintf(" (limit %v)", f.Limit)
		}
		out = append(out, strings.TrimSpace(s+" "+f.Unit))
	}
	if f.Detail != "" {
		out = append(out, f.Detail)
	}
	if f.Result == audit.Unknown {
		why := "not on record"
		if f.Reason != "" {
			why += ": " + f.Reason
		}
		out = append(out, why)
	}
	return strings.Join(out, "; ")
}
