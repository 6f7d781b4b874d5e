package dispute

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"

	"porchlight/audit"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"stamp": func(t time.Time) string { return stamp(t) },
	"first": first12,
	"value": FindingWords,
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

//go:embed certification.txt
var certificationText string

var certificationTemplate = texttemplate.Must(texttemplate.New("certification").Funcs(texttemplate.FuncMap{"stamp": stamp, "join": strings.Join}).Parse(certificationText))

// writeCertification writes a template for the certification of records under the Federal
// Rules of Evidence 902(13) and (14), with blanks for who signs it.
func writeCertification(w io.Writer, p Packet) error {
	if err := certificationTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("render packet %s: %w", p.PacketID, err)
	}
	return nil
}

// FindingWords is what a finding says, in words.
func FindingWords(f audit.Finding) string {
	var out []string
	if f.Value != nil {
		s := shortened(f.Value)
		if f.Limit != nil {
			s += " (" + f.Against() + " " + shortened(f.Limit) + ")"
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

// shortened is a value with at most three decimals; packet.json has all of them.
func shortened(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(math.Round(f*1000)/1000, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
