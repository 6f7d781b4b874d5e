// Porchlight-wasm is the check on the driver's phone: the code that measures and judges on
// the server, compiled to WebAssembly (GOOS=js GOARCH=wasm) and run in a worker of the
// driver's page. The browser decodes the photo; its pixels and the file's metadata go in,
// the findings come out. What needs models or other photos' records is left to the server,
// whose verdict is the one that counts.
package main

import (
	"encoding/json"
	"slices"
	"time"
	_ "time/tzdata" // a browser has no time zones for Go to read

	"porchlight/audit"
	"porchlight/audit/exif"
	"porchlight/audit/pixel"
)

// request is what the page knows about a photo.
type request struct {
	Delivery  audit.Delivery `json:"delivery"`
	Upload    audit.Upload   `json:"upload"` // role, captured_at and fix
	Others    []other        `json:"others"` // the delivery's other photos
	Checklist string         `json:"checklist"`
	Now       time.Time      `json:"now"`
	Picture   picture        `json:"picture"` // how the pixels lie
}

// other is another photo of the delivery, by its verdict so far.
type other struct {
	Role    audit.PhotoRole `json:"role"`
	Verdict audit.Verdict   `json:"verdict"`
}

// answer is what the driver is told at the door.
type answer struct {
	Keep     bool              `json:"keep"` // else: take another
	Verdict  audit.Verdict     `json:"verdict"`
	Score    int               `json:"score"`
	Advice   string            `json:"advice,omitempty"`
	Missing  []audit.PhotoRole `json:"missing"` // still to be taken, in order, this photo counted
	Findings []audit.Finding   `json:"findings"`
	Version  string            `json:"version"`
	Measures *pixel.Measures   `json:"measures"`
}

// left are the checks that need models or what is on record elsewhere.
var left = []string{"house_number", "package", "person", "landmark", "reuse"}

// checker keeps what one photo after another needs.
type checker struct {
	list *audit.Checklist
	luma []byte
}

// check measures and judges a photo. pixels are what the browser decoded, as in.Picture
// says; file is the photo's bytes, of which the metadata is read.
func (c *checker) check(in request, pixels []byte, file []byte) (answer, error) {
	img, upright, err := in.Picture.over(pixels)
	if err != nil {
		return answer{}, err
	}
	if c.list == nil || in.Checklist != "" && in.Checklist != c.list.Text() {
		list := audit.Guide2026()
		if in.Checklist != "" {
			var err error
			if list, err = audit.ParseChecklist([]byte(in.Checklist)); err != nil {
				return answer{}, err
			}
		}
		c.list = list
	}
	m := audit.Measurement{Version: audit.MeasurementVersion}
	m.Exif, _ = exif.Read(file) // a damaged tag is absent, the others count
	luma := pixel.FromImage(img, c.luma)
	if upright {
		c.luma = luma.Pix
	} else {
		luma.Orientation = m.Exif.Upright()
	}
	measures := pixel.Measure(luma)
	m.Measures = &measures

	subject := audit.Subject{Upload: in.Upload, Known: audit.Known{Delivery: in.Delivery}}
	subject.ReceivedAt = in.Now
	for _, o := range in.Others {
		subject.Others = append(subject.Others, audit.JudgedUpload{Upload: audit.Upload{Role: o.Role}, Report: audit.Report{Verdict: o.Verdict}})
	}
	r := c.list.Judge(m, subject)
	r.Findings = slices.DeleteFunc(r.Findings, func(f audit.Finding) bool { return slices.Contains(left, f.Check) })
	out := answer{Keep: r.Verdict != audit.Retake, Verdict: r.Verdict, Score: r.Score, Findings: r.Findings, Version: m.Version, Measures: &measures}
	if f, ok := c.list.Leading(r); ok {
		out.Advice = f.Advice
	}
	taken := append(subject.Others, audit.JudgedUpload{Upload: in.Upload, Report: r})
	if out.Missing = c.list.NeededRoles(in.Delivery, taken); out.Missing == nil {
		out.Missing = []audit.PhotoRole{}
	}
	return out, nil
}

// checkJSON is check from text to text. An error is an object with error, so that a page
// always has an answer to show.
func (c *checker) checkJSON(text string, pixels, file []byte) string {
	var in request
	err := json.Unmarshal([]byte(text), &in)
	var out answer
	if err == nil {
		out, err = c.check(in, pixels, file)
	}
	var b []byte
	if err == nil {
		b, err = json.Marshal(out)
	}
	if err != nil {
		b, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	return string(b)
}
