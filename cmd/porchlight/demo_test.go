package main

import (
	"bufio"
	"io"
	"net/http"
	"regexp"
	"testing"
)

// TestDemo starts the example and follows the links that it prints.
func TestDemo(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // without whatever models the machine has
	cmd := program("demo", "--data", t.TempDir(), "--listen", freeAddress(t), "--width", "480")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	link := regexp.MustCompile(`http://127\.0\.0\.1:\d+/\S*`)
	links, said := 0, ""
	for lines := bufio.NewScanner(out); links < 2 && lines.Scan(); {
		said += lines.Text() + "\n"
		url := link.FindString(lines.Text())
		if url == "" {
			continue
		}
		links++
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d, want 200", url, res.StatusCode)
		}
	}
	if links < 2 {
		t.Errorf("the example printed %d links, want those for a driver and an agent:\n%s", links, said)
	}
}
