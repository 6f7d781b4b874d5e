package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"porchlight/audit"
)

// printer writes the lines of an audit, and shows how far it is on a terminal.
type printer struct {
	w      *bufio.Writer
	json   *json.Encoder // nil for the table
	bar    *progressbar.ProgressBar
	live   bool // lines and bar go to the same terminal
	counts map[string]int
	n      int
}

func newPrinter(cmd *cobra.Command, asJSON bool, total int) *printer {
	p := &printer{w: bufio.NewWriter(cmd.OutOrStdout()), counts: map[string]int{}}
	if asJSON {
		p.json = json.NewEncoder(p.w)
		p.json.SetEscapeHTML(false)
	}
	p.bar = newBar(cmd.ErrOrStderr(), total, "photos")
	p.live = isTerminal(cmd.OutOrStdout())
	return p
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// newBar is a progress bar for work that may be long; it is silent where w is no terminal.
func newBar(w io.Writer, total int, unit string) *progressbar.ProgressBar {
	return barWith(w, total, progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit), progressbar.OptionSetPredictTime(true))
}

// barWith is newBar, but for what the options say of how fast it goes and how long it takes.
func barWith(w io.Writer, total int, speed ...progressbar.Option) *progressbar.ProgressBar {
	if !isTerminal(w) || total == 1 {
		return progressbar.DefaultSilent(int64(total))
	}
	return progressbar.NewOptions(total, append(speed, progressbar.OptionSetWriter(w), progressbar.OptionShowCount(),
		progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())...)
}

func (p *printer) print(l auditLine, c *audit.Checklist) error {
	p.n++
	if p.json != nil {
		if err := p.json.Encode(l); err != nil {
			return err
		}
	} else {
		p.row(l, c)
	}
	if p.live {
		p.bar.Clear()
	}
	if p.live || p.n%64 == 0 {
		if err := p.w.Flush(); err != nil {
			return err
		}
	}
	return p.bar.Add(1)
}

// marks stand before the verdicts, so that they differ in shape and not by colour.
var marks = map[audit.Verdict]string{audit.Accept: "✓", audit.Review: "?", audit.Retake: "✗"}

// row writes a photo's line, and under it each finding that is not in order with its
// advice.
func (p *printer) row(l auditLine, c *audit.Checklist) {
	if l.Report == nil {
		p.counts["error"]++
		fmt.Fprintf(p.w, "! %-7s  --  %s\n            %s [%s]\n", "error", l.File, l.Error.Message, l.Error.Code)
		return
	}
	p.counts[string(l.Verdict)]++
	fmt.Fprintf(p.w, "%s %-7s %3d  %s\n", marks[l.Verdict], l.Verdict, l.Score, l.File)
	if lead, ok := c.Leading(*l.Report); ok {
		fmt.Fprintf(p.w, "            %s\n", lead.Advice)
	}
	for _, f := range l.Findings {
		if f.Result == audit.Fail || f.Result == audit.Warn {
			fmt.Fprintf(p.w, "            %s %s: %s\n", f.Result, f.Check, f.Words())
		}
	}
}

func (p *printer) end() {
	p.bar.Finish()
	if p.json == nil {
		if p.n == 0 {
			fmt.Fprintln(p.w, "No photos found.")
		} else {
			fmt.Fprintf(p.w, "%d photos: %d accept, %d review, %d retake", p.n, p.counts["accept"], p.counts["review"], p.counts["retake"])
			if n := p.counts["error"]; n > 0 {
				fmt.Fprintf(p.w, ", %d could not be audited", n)
			}
			fmt.Fprintln(p.w)
		}
	}
	p.w.Flush()
}
