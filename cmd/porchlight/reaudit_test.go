package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"porchlight/audit"
)

// TestReauditKilled has two processes work on a re-audit, the command that began it and a
// worker, and ends both with kill -9 twenty times over, each at a random point after it was
// seen to have judged something: in the end every upload is judged once, and the log is
// whole.
func TestReauditKilled(t *testing.T) {
	for name, stores := range sites {
		t.Run(name, func(t *testing.T) {
			at := append([]string{"--data", t.TempDir()}, stores(t)...)
			p := startServer(t, append(at, "--log-level", "error", "--work=false")...)
			admin := newToken(t, at, "--role", "admin")
			const n, kills = 300, 20
			s := newStorm(t, p, at, n)
			s.run(nil)
			list := strictChecklist(t)
			command := func(args ...string) *exec.Cmd {
				return program(append(append([]string{"audit", "--reaudit", "--json", "--chunk", "1", "--workers", "1", "--checklist", list}, at...), args...)...)
			}
			var dry audit.Run
			lastLine(t, command("--dry-run"), &dry)
			if dry.Done != n || dry.Flipped == 0 {
				t.Fatalf("dry run: %+v", dry)
			}
			var run audit.Run
			progress := []int{}
			for range kills {
				var both sync.WaitGroup
				both.Go(func() { killAtWork(t, command("--hold"), " photos judged: ") })
				both.Go(func() {
					killAtWork(t, program(append([]string{"work", "--workers", "1"}, at...)...), " done=")
				})
				both.Wait()
				var runs struct{ Items []audit.Run }
				p.do(http.StatusOK, "GET", "/api/v1/reaudits", admin, "", nil).json(t, &runs)
				if len(runs.Items) != 1 {
					t.Fatalf("%d runs, want one that goes on", len(runs.Items))
				}
				run = runs.Items[0]
				progress = append(progress, run.Done)
			}
			t.Logf("of %d, judged after each of %d kills of both: %v", n, kills, progress)
			if run.State != audit.RunRunning {
				t.Fatalf("the last kills came too late: %+v", run)
			}
			lastLine(t, command("--hold"), &run)
			if run.State != audit.RunDone || run.Done != n || run.Total != n || run.Flipped != dry.Flipped || run.Failed != 0 || run.ChunksDone != n {
				t.Errorf("the run is %+v, the dry run said %d flips", run, dry.Flipped)
			}
			verdict := func(i int) (checklist string) {
				var d struct {
					Photos []struct{ Report struct{ Checklist string } }
				}
				p.do(http.StatusOK, "GET", fmt.Sprintf("/api/v1/deliveries/T%d", i), admin, "", nil).json(t, &d)
				return d.Photos[0].Report.Checklist
			}
			if got := verdict(0); got != "guide-2026" {
				t.Errorf("before it is published, the report is by %s", got)
			}
			p.do(http.StatusOK, "POST", "/api/v1/reaudits/"+run.RunID+"/state", admin, "application/json", []byte(`{"state":"published"}`))
			for i := range n {
				if got := verdict(i); got != "strict" {
					t.Errorf("delivery T%d: the report is by %s", i, got)
				}
				var reports struct{ Items []audit.Report }
				id := audit.PhotoID(stormPhoto(i))
				p.do(http.StatusOK, "GET", "/api/v1/photos/"+id+"/reports", admin, "", nil).json(t, &reports)
				if len(reports.Items) != 2 {
					t.Errorf("photo %d has %d reports, want the first and the run's", i, len(reports.Items))
				}
			}
			if out, err := program(append([]string{"verify", "--custody"}, at[:min(len(at), 4)]...)...).CombinedOutput(); err != nil {
				t.Errorf("the custody log: %v\n%s", err, out)
			}
		})
	}
}

// strictChecklist is the file of a checklist by which hardly any photo is bright enough.
func strictChecklist(t *testing.T) string {
	t.Helper()
	text := strings.NewReplacer("version: guide-2026", "version: strict", "fail_below: 60", "fail_below: 250", "warn_below: 80", "warn_below: 251").Replace(audit.Guide2026().Text())
	file := filepath.Join(t.TempDir(), "strict.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestReauditReport holds what a person is told of a re-audit, as text, JSON and CSV.
func TestReauditReport(t *testing.T) {
	at := []string{"--data", t.TempDir()}
	p := startServer(t, append(at, "--log-level", "error", "--work=false")...)
	admin := newToken(t, at, "--role", "admin")
	const n = 20
	newStorm(t, p, at, n).run(nil)
	p.do(http.StatusOK, "POST", "/api/v1/claims", admin, "application/json", []byte(`{"claim_id":"C1","tracking_id":"T7"}`))
	list := strictChecklist(t)
	// A dry run may be tried over and over with other limits: it keeps no checklist.
	for range 2 {
		text, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		out, _ := run(t, 0, append(at, "audit", "--reaudit", "--dry-run", "--checklist", list)...)
		if want := "20 photos judged by strict: 20 verdicts would flip (dry run: nothing was stored)"; !strings.Contains(out, want) {
			t.Errorf("the dry run says %q, want %q in it", out, want)
		}
		if err := os.WriteFile(list, append(text, "# and another thought\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, progress := run(t, 0, append(at, "audit", "--reaudit", "--checklist", list)...)
	if want := "20 of 20 photos judged: accept 0, review 0, retake 20; 20 flips"; !strings.Contains(progress, want) {
		t.Errorf("the log says %q, want %q in it", progress, want)
	}
	_, id, _ := strings.Cut(out, "\nrun ")
	id, _, _ = strings.Cut(id, " is published")
	text, _ := run(t, 0, append(at, "reaudits", "report", id)...)
	for _, want := range []string{"20 verdicts flipped", "20 accept -> retake because of brightness\n  T", "1 claims are on deliveries whose photos flipped:\n  C1\n", "run " + id + " is published\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report says %q, want %q in it", text, want)
		}
	}
	var r runReport
	lastLine(t, program(append(at, "reaudits", "report", "--json", id)...), &r)
	if r.RunID != id || len(r.Kinds) != 1 || r.Kinds[0].Count != n || len(r.Kinds[0].Examples) != examplesShown || !slices.Equal(r.Claims, []string{"C1"}) {
		t.Errorf("the report is %+v", r)
	}
	table, _ := run(t, 0, append(at, "reaudits", "flips", id)...)
	lines, _ := run(t, 0, append(at, "reaudits", "flips", "--json", id)...)
	if got := strings.Count(table, "\n"); got != n+1 || !strings.Contains(table, ",C1\n") {
		t.Errorf("the flips as CSV are %d lines:\n%s", got, table)
	}
	if got := strings.Count(lines, "\n"); got != n || strings.Count(lines, `"claims":["C1"]`) != 1 {
		t.Errorf("the flips as JSON are %d lines:\n%s", got, lines)
	}
}

// killAtWork starts a process and kills it a little after it has said on standard error that
// it judged something.
func killAtWork(t *testing.T, c *exec.Cmd, judged string) {
	out, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Error(err)
		return
	}
	said, all := false, ""
	for lines := bufio.NewScanner(out); !said && lines.Scan(); all += lines.Text() + "\n" {
		said = strings.Contains(lines.Text(), judged)
	}
	time.Sleep(rand.N(15 * time.Millisecond))
	c.Process.Kill()
	if err := c.Wait(); !said || err == nil {
		t.Errorf("%v ended before it was killed at work: %v\n%s", c.Args[1:], err, all)
	}
}

// TestReauditOutlivesTheDatabase takes the database away in the midst of a re-audit and
// brings it back: the service goes on, and every upload is judged once.
func TestReauditOutlivesTheDatabase(t *testing.T) {
	database, flags := ownPostgres(t)
	at := append([]string{"--data", t.TempDir()}, flags...)
	p := startServer(t, append(at, "--log-level", "error", "--work-rate", "10")...)
	admin := newToken(t, at, "--role", "admin")
	const n = 40
	newStorm(t, p, at, n).run(nil)
	st, err := (&storeSettings{data: at[1], database: flags[1]}).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run, err := st.audit.StartReaudit(t.Context(), audit.ReauditOptions{Again: true, Hold: true, ChunkSize: 1})
	if err != nil || run.Total != n {
		t.Fatalf("%+v, %v", run, err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	until := func(what string, enough func() bool) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			a, err := p.try("GET", "/api/v1/reaudits/"+run.RunID, admin, "", nil)
			if err == nil && a.status == http.StatusOK {
				a.json(t, &run)
			}
			if enough() {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: still %+v", what, run)
			}
		}
	}
	until("some are judged", func() bool { return run.Done >= 5 })
	judged := run.Done
	database.kill()
	time.Sleep(time.Second)
	database.start()
	until("all are judged", func() bool { return run.Ended() })
	t.Logf("%d of %d were judged when the database went", judged, n)
	if run.State != audit.RunDone || run.Done != n || run.Total != n || run.Failed != 0 || run.Skipped != 0 || run.ChunksDone != n {
		t.Errorf("the run is %+v", run)
	}
	if judged == n {
		t.Error("the database went too late to disturb anything")
	}
	p.do(http.StatusOK, "POST", "/api/v1/reaudits/"+run.RunID+"/state", admin, "application/json", []byte(`{"state":"published"}`))
	for i := range n {
		var reports struct{ Items []audit.Report }
		id := audit.PhotoID(stormPhoto(i))
		p.do(http.StatusOK, "GET", "/api/v1/photos/"+id+"/reports", admin, "", nil).json(t, &reports)
		if len(reports.Items) != 2 || reports.Items[1].RunID != run.RunID {
			t.Errorf("photo %d has %d reports, want the first and the run's", i, len(reports.Items))
		}
	}
	if out, err := program(append([]string{"verify", "--custody"}, at...)...).CombinedOutput(); err != nil {
		t.Errorf("the custody log: %v\n%s", err, out)
	}
}

// lastLine runs a command and reads the last line that it prints as JSON.
func lastLine(t *testing.T, c *exec.Cmd, v any) {
	t.Helper()
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), v); err != nil {
		t.Fatal(err)
	}
}
