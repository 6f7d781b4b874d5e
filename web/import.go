package web

import "porchlight/audit/rows"

// ImportClaims takes a file of claims in and says what became of its rows: GET and POST
// /agent/import.
type ImportClaims struct {
	Base
	Message string        // why the file, or the rest of it, was not taken in
	Summary *rows.Summary // nil before there was a file with rows
}

func (ImportClaims) template() string { return "import.html" }
func (ImportClaims) heading() string  { return "Import claims" }
func (ImportClaims) section() string  { return "claims" }

// Unlisted is how many rows were not kept beyond those that are listed.
func (i ImportClaims) Unlisted() int { return i.Summary.RejectedCount - len(i.Summary.Rejected) }
