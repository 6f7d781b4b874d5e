package standing

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed columns-2026.yaml
var columns2026 []byte

// columnsFile is the names that carriers' reports give our fields, as data.
type columnsFile struct {
	Version      string              `yaml:"version"`
	Date         string              `yaml:"date"`
	Concessions  map[string][]string `yaml:"concessions"`
	Feedback     map[string][]string `yaml:"feedback"`
	PhotoReports map[string][]string `yaml:"photo_reports"`
}

var carrierColumns = sync.OnceValue(func() columnsFile {
	var f columnsFile
	dec := yaml.NewDecoder(bytes.NewReader(columns2026))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		panic("standing: the built-in columns are invalid: " + err.Error())
	}
	return f
})

// byColumn turns names by field into fields by name, folded as imports compare them.
func byColumn(fields map[string][]string) map[string]string {
	out := map[string]string{}
	for field, names := range fields {
		for _, name := range names {
			name = strings.Join(strings.Fields(strings.ToLower(name)), " ")
			if other, taken := out[name]; taken && other != field {
				panic(fmt.Sprintf("standing: column %q is both %q and %q", name, other, field))
			}
			out[name] = field
		}
	}
	return out
}

var (
	concessionColumns = sync.OnceValue(func() map[string]string { return byColumn(carrierColumns().Concessions) })
	feedbackColumns   = sync.OnceValue(func() map[string]string { return byColumn(carrierColumns().Feedback) })
	photoColumns      = sync.OnceValue(func() map[string]string { return byColumn(carrierColumns().PhotoReports) })
)

// Columns are the names of the carrier's report for the concession's fields.
func (Concession) Columns() map[string]string { return concessionColumns() }

// Columns are the names of the carrier's report for the feedback's fields.
func (Feedback) Columns() map[string]string { return feedbackColumns() }

// Columns are the names of the carrier's weekly report for the row's fields.
func (PhotoWeek) Columns() map[string]string { return photoColumns() }
