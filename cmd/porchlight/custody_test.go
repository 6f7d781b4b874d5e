package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// Whoever has the file can drop the triggers and do what they like to it: the chain
// still tells.
func TestVerifyCustody(t *testing.T) {
	data := t.TempDir()
	run(t, 2, "verify", "--custody", "--data", data) // nothing is there, and nothing is made
	if _, err := os.Stat(filepath.Join(data, "porchlight.db")); err == nil {
		t.Error("verify made a database")
	}
	var csv strings.Builder
	csv.WriteString("claim_id,tracking_id\n")
	for i := range 6 {
		fmt.Fprintf(&csv, "C%d,T%d\n", i, i)
	}
	claims := filepath.Join(data, "claims.csv")
	if err := os.WriteFile(claims, []byte(csv.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, 0, "import", "claims", claims, "--data", data)
	run(t, 0, "packet", "C3", "-o", filepath.Join(data, "packet.zip"), "--data", data)
	run(t, 0, "token", "create", "--role", "agent", "--data", data)

	// 1: the checklist; 2 to 7: the claims; 8: the packet; 9: its ZIP; 10: the token.
	out, _ := run(t, 0, "verify", "--custody", "--data", data)
	match := regexp.MustCompile(`^10 rows checked, 0 heads given and 1 in packets\nhead (10:[0-9a-f]{64})\nintact\n$`).FindStringSubmatch(out)
	if match == nil {
		t.Fatalf("verify --custody:\n%s", out)
	}
	head := match[1]
	run(t, 0, "verify", "--custody", "--data", data, "--head", head)
	run(t, 2, "verify", "--custody", "--data", data, "--head", "10:short")
	run(t, 2, "verify", "--head", head, claims)
	run(t, 2, "verify", "--custody", claims)

	whole, err := os.ReadFile(filepath.Join(data, "porchlight.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, sql string
		args      []string
		want      []string
	}{
		{"altered", `UPDATE custody SET actor = 'cli:somebody' WHERE seq = 5`, nil, []string{"row 5 altered"}},
		{"another time", `UPDATE custody SET at = at + 1 WHERE seq = 5`, nil, []string{"row 5 altered"}},
		{"a text for a number", `UPDATE custody SET at = 'noon' WHERE seq = 5`, nil, []string{"row 5 altered"}},
		{"removed", `DELETE FROM custody WHERE seq IN (3, 4)`, nil, []string{"rows 3 to 4 removed"}},
		{"inserted between", `INSERT INTO custody SELECT 5.5, at, actor, role, action, subject_kind, subject_id, detail, previous, hash FROM custody WHERE seq = 2`,
			nil, []string{"row 5 inserted"}},
		{"cut off behind the packet", `DELETE FROM custody WHERE seq > 8`, nil, nil},
		{"cut off, the head known", `DELETE FROM custody WHERE seq > 8`, []string{"--head", head}, []string{"rows 9 to 10 removed"}},
		{"cut off before the packet", `DELETE FROM custody WHERE seq > 5`, nil, []string{"rows 6 to 7 removed"}},
		{"all gone", `DELETE FROM custody`, nil, []string{"rows 1 to 7 removed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "porchlight.db")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(c.sql); err == nil && !strings.HasPrefix(c.sql, "INSERT") {
				t.Error("the triggers let it through")
			}
			for _, statement := range []string{`DROP TRIGGER custody_no_update`, `DROP TRIGGER custody_no_delete`, c.sql} {
				if _, err := db.Exec(statement); err != nil && !strings.HasPrefix(c.sql, "INSERT") {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			exit := min(len(c.want), 1)
			out, _ := run(t, exit, append([]string{"verify", "--custody", "--data", dir}, c.args...)...)
			var faults []string
			for line := range strings.Lines(out) {
				if fault, _, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(line, "row") {
					faults = append(faults, fault)
				}
			}
			if got, want := strings.Join(faults, "; "), strings.Join(c.want, "; "); got != want {
				t.Errorf("faults %q, want %q:\n%s", got, want, out)
			}
			js, _ := run(t, exit, append([]string{"verify", "--custody", "--json", "--data", dir}, c.args...)...)
			if lines := bytes.Count([]byte(js), []byte("\n")); lines != len(c.want)+1 || !strings.Contains(js, fmt.Sprintf(`"faults":%d}`, len(c.want))) {
				t.Errorf("as JSON:\n%s", js)
			}
		})
	}
}
