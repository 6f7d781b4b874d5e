package pdf

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/pixel/decode"
	"porchlight/fixtures"
)

var update = flag.Bool("update", false, "write the golden files anew")

// drawn gives a picture for every photo but the one whose bytes are no photo.
func drawn(undecodable bool) Originals {
	return func(_ context.Context, photoID string) ([]byte, error) {
		if undecodable {
			return []byte("\xff\xd8\xff\xe0 no more"), nil
		}
		return fixtures.Scene{Place: uint64(photoID[0]), Shot: 1, Number: "1428", Width: 1200, Height: 900}.JPEG(), nil
	}
}

// golden reads the packets that package dispute's own tests hold.
func golden(t testing.TB) map[string]dispute.Packet {
	t.Helper()
	names, _ := filepath.Glob("../testdata/*.json")
	if len(names) < 10 {
		t.Fatalf("%d golden packets, want at least 10", len(names))
	}
	packets := map[string]dispute.Packet{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := dispute.DecodePacket(b)
		if err != nil {
			t.Fatal(err)
		}
		packets[strings.TrimSuffix(filepath.Base(name), ".json")] = p
	}
	return packets
}

// tool runs a program on a file and answers what it prints.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// TestGoldenPackets renders each golden packet, has it checked by two validators, and
// holds its text. With PORCHLIGHT_PAGES the pages are left there as pictures.
func TestGoldenPackets(t *testing.T) {
	for name, p := range golden(t) {
		t.Run(name, func(t *testing.T) {
			var out, again bytes.Buffer
			originals := drawn(name == "undecodable")
			pages, err := Write(t.Context(), p, originals, Looks[0], &out)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Write(t.Context(), p, originals, Looks[0], &again); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
				t.Errorf("written twice it differs, %v", err)
			}
			if pages < 2 || pages > 19 {
				t.Errorf("%d pages", pages)
			}
			for _, must := range []string{"<pdfaid:part>2</pdfaid:part>", "/OutputIntents", "/ID [<"} {
				if !bytes.Contains(out.Bytes(), []byte(must)) {
					t.Errorf("PDF/A asks for %s", must)
				}
			}
			objects := regexp.MustCompile(`(?s)\bstream\r?\n.*?\bendstream\b`).ReplaceAll(out.Bytes(), nil) // a photo may hold any bytes
			for _, never := range []string{"/JavaScript <<", "/URI", "/Encrypt", "/SMask", "/AA"} {
				if bytes.Contains(objects, []byte(never)) {
					t.Errorf("it has %s, which PDF/A or a channel refuses", never)
				}
			}
			conf := model.NewDefaultConfiguration()
			conf.ValidationMode = model.ValidationStrict
			if err := api.Validate(bytes.NewReader(out.Bytes()), conf); err != nil {
				t.Errorf("pdfcpu: %v", err)
			}
			file := filepath.Join(t.TempDir(), name+".pdf")
			if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			tool(t, "qpdf", "--check", file)
			for _, line := range strings.Split(tool(t, "pdffonts", file), "\n")[2:] {
				if line != "" && !regexp.MustCompile(`\byes +(yes|no) +yes\b`).MatchString(line) {
					t.Errorf("a font is not embedded, or has no Unicode: %s", line)
				}
			}
			text := tool(t, "pdftotext", "-layout", file, "-")
			if folder := os.Getenv("PORCHLIGHT_PAGES"); folder != "" {
				tool(t, "pdftoppm", "-r", "80", "-png", file, filepath.Join(folder, name))
			}
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Fields(string(want)), strings.Fields(text)); diff != "" {
				t.Errorf("the text differs from %s (-want +got):\n%s", path, diff)
			}
		})
	}
}

func TestLegible(t *testing.T) {
	for in, want := range map[string]string{
		"4702 Maple St":            "4702 Maple St",
		"Đà Nẵng, Λεωφόρος":        "Đà Nẵng, Λεωφόρος",
		"Dan\u0303 Na\u0306\u0303": "Dañ Nẵ",
		"王小明 left":                 "[U+738B U+5C0F U+660E] left",
		"محمد":                     "[U+0645 U+062D U+0645 U+062F]",
		"a\u0000b\tc":              "a b c",
		"\U0001F4E6 box":           "[U+1F4E6] box",
		"\xff":                     "\ufffd",
		"one\ntwo":                 "one\ntwo",
	} {
		got, substituted := legible(in)
		if got != want || substituted != strings.Contains(want, "[U+") {
			t.Errorf("%q is shown as %q (%v), want %q", in, got, substituted, want)
		}
	}
}

// TestMissingOriginals holds that what cannot be shown is said, and what cannot be known
// now fails.
func TestMissingOriginals(t *testing.T) {
	p := golden(t)["strong"]
	var out bytes.Buffer
	gone := func(context.Context, string) ([]byte, error) { return nil, audit.Errorf(audit.CodeNotFound, "gone") }
	if _, err := Write(t.Context(), p, gone, Looks[0], &out); err != nil {
		t.Errorf("a missing original: %v", err)
	}
	away := func(context.Context, string) ([]byte, error) { return nil, audit.Errorf(audit.CodeUnavailable, "away") }
	if _, err := Write(t.Context(), p, away, Looks[0], &out); audit.ErrorCode(err) != audit.CodeUnavailable {
		t.Errorf("a store that is away: %v", err)
	}
}

// TestLooks holds that each look is smaller than the one before, so that trying them in
// turn ends with what is smallest.
func TestLooks(t *testing.T) {
	p := golden(t)["hidden"]
	last := 1 << 30
	for look := range Looks {
		var out bytes.Buffer
		if _, err := (Document{drawn(false)}).Write(t.Context(), p, look, &out); err != nil {
			t.Fatal(err)
		}
		if out.Len() >= last {
			t.Errorf("look %d has %d bytes, the one before %d", look, out.Len(), last)
		}
		last = out.Len()
	}
}

// BenchmarkPacket writes a packet with three photos of 12 MP. It reports the document's
// size, and how often the photos' own decoding goes into the time.
func BenchmarkPacket(b *testing.B) {
	p := golden(b)["hidden"]
	p.Photos = append(p.Photos, p.Photos[0])
	p.Photos[2].PhotoID = strings.Repeat("7", 64)
	photo := fixtures.Scene{Place: 1, Shot: 1, Number: "1428", Width: 4000, Height: 3000}.JPEG()
	size := 0
	var writing, decoding time.Duration
	b.ReportAllocs()
	for b.Loop() {
		var out bytes.Buffer
		began := time.Now()
		if _, err := Write(b.Context(), p, func(context.Context, string) ([]byte, error) { return photo, nil }, Looks[0], &out); err != nil {
			b.Fatal(err)
		}
		writing += time.Since(began)
		size = out.Len()
		b.StopTimer()
		began = time.Now()
		for range p.Photos {
			if _, err := decode.Image(photo, 1400); err != nil {
				b.Fatal(err)
			}
		}
		decoding += time.Since(began)
		b.StartTimer()
	}
	b.ReportMetric(float64(writing)/float64(decoding), "x-decode")
	b.ReportMetric(float64(size)/1e6, "MB")
	if size > 2_000_000 {
		b.Error(fmt.Sprint(size, " bytes, 2 MB are the most"))
	}
}
