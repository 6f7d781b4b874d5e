package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/vision/head"
	"porchlight/fixtures"
)

func TestParseLabels(t *testing.T) {
	for name, tt := range map[string]struct{ text, fault string }{
		"good":               {"photo,landmark,stop\na.jpg,yes,1\nb.jpg,No,1\n", ""},
		"without stops":      {"\ufefflandmark,photo\nyes,a.jpg\nno,b.jpg\n", ""},
		"the same twice":     {"photo,landmark\na.jpg,yes\nb.jpg,no\na.jpg,yes\n", ""},
		"another column":     {"photo,landmark,colour\n", `line 1: unknown column "colour"`},
		"a column missing":   {"photo,stop\n", "line 1: the columns photo and landmark are needed"},
		"neither yes nor no": {"photo,landmark\na.jpg,maybe\nb.jpg,\n", "line 2: landmark is \"maybe\", not yes or no\nline 3: landmark is \"\", not yes or no"},
		"no photo":           {"photo,landmark\n,yes\n", "line 2: no photo"},
		"yes and no":         {"photo,landmark\na.jpg,yes\na.jpg,no\n", "line 3: a.jpg is labelled yes and no"},
		"nothing":            {"", "no header: EOF"},
	} {
		all, err := parseLabels(strings.NewReader(tt.text), "dir")
		if got := audit.ErrorMessage(err); err != nil && err.Error() != tt.fault || err == nil && tt.fault != "" {
			t.Errorf("%s: %v (%s), want %q", name, err, got, tt.fault)
		}
		if tt.fault != "" {
			continue
		}
		if len(all) != 2 || all[0].path != filepath.Join("dir", "a.jpg") || !all[0].Yes || all[1].Yes {
			t.Errorf("%s: %+v", name, all)
		}
		if together := all[0].Stop == all[1].Stop; together != (name == "good") {
			t.Errorf("%s: stops %q and %q", name, all[0].Stop, all[1].Stop)
		}
	}
}

func TestTrainRefusesFewLabels(t *testing.T) {
	file := filepath.Join(t.TempDir(), "labels.csv")
	if err := os.WriteFile(file, []byte("photo,landmark\na.jpg,yes\nb.jpg,no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := modelsTrainCommand()
	cmd.SetArgs([]string{"--labels", file, "--models", t.TempDir()})
	cmd.SetErr(new(bytes.Buffer))
	cmd.SetOut(new(bytes.Buffer))
	err := cmd.ExecuteContext(t.Context())
	if audit.ErrorCode(err) != CodeFewLabels || !strings.Contains(audit.ErrorMessage(err), "2 photos (1 with a landmark, 1 without) of 2 stops are too few") {
		t.Errorf("code %s: %v", audit.ErrorCode(err), err)
	}
	if audit.ErrorCode(enoughLabels(head.Check(nil))) != CodeFewLabels {
		t.Error("no labels are enough")
	}
}

// TestExportLabels holds that those photos alone are written of which a person said
// whether a landmark is in them, as training takes them.
func TestExportLabels(t *testing.T) {
	s := storeSettings{data: t.TempDir(), lockMode: "compliance"}
	st, err := s.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	at := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)
	said := []struct {
		stop     string
		kind     audit.RulingKind
		landmark string
	}{{"1 Elm St", audit.RuledAccept, "yes"}, {"1 Elm St", audit.RuledReject, "no"}, {"2 Elm St", audit.RuledAccept, ""}, {"2 Elm St", audit.RuledAccept, "yes"}, {"3 Elm St", "", ""}}
	for i, x := range said {
		id := "T" + string(rune('1'+i))
		if _, err := st.db.PutDeliveries(t.Context(), []audit.Delivery{{TrackingID: id, DriverID: "D1", Stop: audit.Stop{Address: x.stop}}}, at); err != nil {
			t.Fatal(err)
		}
		photo := fixtures.Scene{Place: 1, Shot: uint64(i + 1), Width: 320, Height: 240}.JPEG()
		got, err := st.audit.Receive(t.Context(), audit.Upload{TrackingID: id, DriverID: "D1", Role: audit.Placement}, photo)
		if err != nil {
			t.Fatal(err)
		}
		if x.kind == "" {
			continue
		}
		r := audit.Ruling{RulingID: "R" + id, UploadID: got.Upload.UploadID, Kind: x.kind, Landmark: x.landmark, RuledBy: "cli:test", RuledAt: at}
		if x.kind == audit.RuledReject {
			r.Reason = audit.Other
		}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		if _, err := st.db.AddRuling(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(t.TempDir(), "reviewed")
	l, err := exportLabels(context.WithoutCancel(t.Context()), st, audit.Filter{}, folder)
	if err != nil || l.photos != 3 || l.yes != 2 || len(l.stops) != 2 {
		t.Errorf("%+v, %v; want 3 photos of 2 stops, 2 with a landmark", l, err)
	}
	all, err := readLabels(filepath.Join(folder, "labels.csv"))
	if err != nil || len(all) != 3 {
		t.Fatalf("%d labels, %v", len(all), err)
	}
	if all[0].Stop != all[1].Stop || all[0].Stop == all[2].Stop || !all[0].Yes || all[1].Yes {
		t.Errorf("labels %+v", all)
	}
	for _, x := range all {
		if b, err := os.ReadFile(x.path); err != nil || !strings.HasPrefix(filepath.Base(x.path), audit.PhotoID(b)) {
			t.Errorf("%s: %v", x.path, err)
		}
	}
}
