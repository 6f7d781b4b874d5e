package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/spf13/cobra"

	"porchlight/audit"
	"porchlight/storage/s3"
)

// photoRow is one upload with what was measured and judged, for those who analyse
// elsewhere. Units are in the names; absent values are empty.
type photoRow struct {
	UploadID           string    `parquet:"upload_id"`
	PhotoID            string    `parquet:"photo_id"` // SHA-256 of the bytes
	TrackingID         string    `parquet:"tracking_id"`
	DriverID           string    `parquet:"driver_id"`
	Role               string    `parquet:"role"`
	CapturedAt         string    `parquet:"captured_at"` // RFC 3339, by the phone
	ReceivedAt         time.Time `parquet:"received_at,timestamp(microsecond)"`
	MediaType          string    `parquet:"media_type"`
	Bytes              int64     `parquet:"bytes"`
	MeasurementVersion string    `parquet:"measurement_version"`
	Problem            string    `parquet:"problem"` // why it does not decode
	Width              *int64    `parquet:"width_px,optional"`
	Height             *int64    `parquet:"height_px,optional"`
	BrightTile         *float64  `parquet:"bright_tile,optional"`
	BlownOut           *float64  `parquet:"blown_out,optional"`
	EntropyBits        *float64  `parquet:"entropy_bits,optional"`
	FineDetail         *float64  `parquet:"fine_detail,optional"`
	WeakestDirection   *float64  `parquet:"weakest_direction,optional"`
	BlurExtent         *float64  `parquet:"blur_extent,optional"`
	Blur               *float64  `parquet:"blur,optional"`
	Fingerprint        string    `parquet:"fingerprint"` // PDQ
	FingerprintQuality *int64    `parquet:"fingerprint_quality,optional"`
	Make               string    `parquet:"make"`
	Model              string    `parquet:"model"`
	Software           string    `parquet:"software"`
	Checklist          string    `parquet:"checklist"`
	Verdict            string    `parquet:"verdict"`
	Score              int64     `parquet:"score"`
	JudgedAt           time.Time `parquet:"judged_at,timestamp(microsecond)"`
	RunID              string    `parquet:"run_id"`
	Decision           string    `parquet:"decision"` // a person's, where there is one
	Reason             string    `parquet:"decision_reason"`
}

// findingRow is one finding of an upload's report that counts.
type findingRow struct {
	UploadID   string   `parquet:"upload_id"`
	TrackingID string   `parquet:"tracking_id"`
	DriverID   string   `parquet:"driver_id"`
	Checklist  string   `parquet:"checklist"`
	Check      string   `parquet:"check"`
	Result     string   `parquet:"result"`
	Value      *float64 `parquet:"value,optional"`
	Text       string   `parquet:"value_text"` // where the value is no number
	Limit      *float64 `parquet:"limit,optional"`
	Unit       string   `parquet:"unit"`
	Reason     string   `parquet:"reason"`
	Detail     string   `parquet:"detail"`
	Source     string   `parquet:"source"`
	Score      *float64 `parquet:"model_score,optional"`
}

func photoRows(j audit.JudgedUpload) []photoRow {
	u, m, r := j.Upload, j.Measurement, j.Report
	row := photoRow{UploadID: u.UploadID, PhotoID: u.PhotoID, TrackingID: u.TrackingID, DriverID: u.DriverID, Role: string(u.Role),
		ReceivedAt: u.ReceivedAt, MediaType: u.MediaType, Bytes: u.Bytes, MeasurementVersion: m.Version, Make: m.Exif.Make, Model: m.Exif.Model, Software: m.Exif.Software,
		Checklist: r.Checklist, Verdict: string(r.Verdict), Score: int64(r.Score), JudgedAt: r.JudgedAt, RunID: r.RunID}
	if u.CapturedAt != nil {
		row.CapturedAt = u.CapturedAt.UTC().Format(time.RFC3339Nano)
	}
	if m.Problem != nil {
		row.Problem = string(m.Problem.Code)
	}
	if p := m.Measures; p != nil {
		whole := func(n int) *int64 { v := int64(n); return &v }
		row.Width, row.Height, row.FingerprintQuality, row.Fingerprint = whole(p.Width), whole(p.Height), whole(p.FingerprintQuality), p.Fingerprint
		row.BrightTile, row.BlownOut, row.EntropyBits = &p.BrightTile, &p.BlownOut, &p.EntropyBits
		row.FineDetail, row.WeakestDirection, row.BlurExtent, row.Blur = &p.FineDetail, &p.WeakestDirection, &p.BlurExtent, &p.Blur
	}
	if j.Ruling != nil {
		row.Decision, row.Reason = string(j.Ruling.Kind), string(j.Ruling.Reason)
	}
	return []photoRow{row}
}

func findingRows(j audit.JudgedUpload) []findingRow {
	rows := make([]findingRow, 0, len(j.Report.Findings))
	number := func(v any) *float64 {
		if f, ok := v.(float64); ok {
			return &f
		}
		return nil
	}
	for _, f := range j.Report.Findings {
		row := findingRow{UploadID: j.Upload.UploadID, TrackingID: j.Upload.TrackingID, DriverID: j.Upload.DriverID, Checklist: j.Report.Checklist,
			Check: f.Check, Result: string(f.Result), Value: number(f.Value), Limit: number(f.Limit), Unit: f.Unit, Reason: f.Reason, Detail: f.Detail, Source: f.Source}
		if row.Value == nil && f.Value != nil {
			row.Text = fmt.Sprint(f.Value)
		}
		if f.Score > 0 {
			row.Score = &f.Score
		}
		rows = append(rows, row)
	}
	return rows
}

func exportCommand() *cobra.Command {
	var s storeSettings
	var out, format, since, until, driver string
	cmd := &cobra.Command{
		Use:   "export photos|findings",
		Short: "Write measurements and reports as CSV or Parquet",
		Long: `Write a row for each upload (photos) or for each finding of its report that counts
(findings), in order of receipt, for those who analyse elsewhere. It is streamed: memory
does not grow with the rows.

With -o s3://BUCKET/KEY it goes into a bucket that there is, by way of a temporary file,
at the endpoint and with the keys that are in the environment (AWS_ENDPOINT_URL and so on).`,
		Example: `  porchlight export photos --since 2026-11-01 --format parquet -o november.parquet
  porchlight export findings --format parquet -o s3://analysis/porchlight/findings.parquet`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"photos", "findings"},
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err1 := parseTime("since", since)
			to, err2 := parseTime("until", until)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			if format != "csv" && format != "parquet" {
				return fmt.Errorf("--format %q is neither csv nor parquet", format)
			}
			if format == "parquet" && out == "" {
				return errors.New("a Parquet file needs -o FILE")
			}
			st, err := s.open(cmd.Context())
			if err != nil {
				return err
			}
			defer st.Close()
			bar := newBar(cmd.ErrOrStderr(), -1, "photos")
			defer bar.Finish()
			f := audit.Filter{Since: from, Until: to, DriverID: driver}
			write := func(w io.Writer) error {
				if args[0] == "findings" {
					return export(cmd.Context(), st, f, newRows[findingRow](w, format), findingRows, func(n int) { bar.Add(n) })
				}
				return export(cmd.Context(), st, f, newRows[photoRow](w, format), photoRows, func(n int) { bar.Add(n) })
			}
			switch {
			case out == "":
				return write(cmd.OutOrStdout())
			case strings.HasPrefix(out, "s3://"):
				return writeObject(cmd.Context(), out, write)
			}
			return writeFile(out, write)
		},
	}
	cmd.AddCommand(exportLabelsCommand())
	s.flags(cmd.Flags())
	cmd.Flags().StringVarP(&out, "output", "o", "", "`FILE` to write, or s3://BUCKET/KEY; default the standard output")
	cmd.Flags().StringVar(&format, "format", "csv", "csv or parquet")
	cmd.Flags().StringVar(&since, "since", "", "only photos received at or after this `TIME` (RFC 3339, or a date)")
	cmd.Flags().StringVar(&until, "until", "", "only photos received before this `TIME` (RFC 3339, or a date)")
	cmd.Flags().StringVar(&driver, "driver", "", "only photos of this driver `ID`")
	return cmd
}

// writeObject writes a file of that name, s3://BUCKET/KEY, and has it stored once it is whole.
func writeObject(ctx context.Context, name string, write func(io.Writer) error) error {
	folder, key, _ := strings.Cut(strings.TrimPrefix(name, "s3://"), "/")
	if folder == "" || key == "" {
		return fmt.Errorf("-o %q is not s3://BUCKET/KEY", name)
	}
	c, err := bucket("s3://" + folder)
	if err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	c.MustExist = true
	store, err := s3.Open(ctx, c)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp("", "porchlight-export-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	mediaType := "text/csv"
	if path.Ext(key) == ".parquet" {
		mediaType = "application/vnd.apache.parquet"
	}
	return store.PutFile(ctx, key, f, mediaType)
}

// exportedAtOnce is how many uploads are read at once by an export.
const exportedAtOnce = 1000

// export writes the rows of all uploads that match.
func export[T any](ctx context.Context, st *stores, f audit.Filter, w rowWriter[T], rows func(audit.JudgedUpload) []T, step func(int)) error {
	chunks, _, err := st.db.Plan(ctx, f, exportedAtOnce)
	if err != nil {
		return err
	}
	for _, span := range chunks {
		judged, err := st.db.Judged(ctx, f, span)
		if err != nil {
			return err
		}
		for _, j := range judged {
			if err := w.write(rows(j)); err != nil {
				return err
			}
		}
		step(len(judged))
	}
	return w.close()
}

// rowWriter writes rows in one format.
type rowWriter[T any] struct {
	write func([]T) error
	close func() error
}

// newRows writes rows as CSV, or as Parquet in groups of some ten thousand rows.
func newRows[T any](w io.Writer, format string) rowWriter[T] {
	if format == "parquet" {
		p := parquet.NewGenericWriter[T](w, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(20_000), parquet.CreatedBy("Porchlight", version, ""))
		return rowWriter[T]{func(rows []T) error { _, err := p.Write(rows); return err }, p.Close}
	}
	c := csv.NewWriter(w)
	c.Write(columnNames[T]())
	return rowWriter[T]{func(rows []T) error {
		for _, r := range rows {
			if err := c.Write(cells(r)); err != nil {
				return err
			}
		}
		return nil
	}, func() error { c.Flush(); return c.Error() }}
}

// columnNames are the names in a row type's parquet tags.
func columnNames[T any]() (names []string) {
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("parquet"), ",")
		names = append(names, name)
	}
	return names
}

// plainCell is a text that a spreadsheet does not take for a formula (OWASP, CSV injection).
func plainCell(v string) string {
	if v != "" && strings.ContainsRune("=+-@\t\r", rune(v[0])) {
		return "'" + v
	}
	return v
}

// cells are a row's values as CSV has them.
func cells(row any) (all []string) {
	v := reflect.ValueOf(row)
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				all = append(all, "")
				continue
			}
			f = f.Elem()
		}
		switch value := f.Interface().(type) {
		case time.Time:
			all = append(all, value.UTC().Format(time.RFC3339Nano))
		case float64:
			all = append(all, strconv.FormatFloat(value, 'f', -1, 64))
		case string:
			all = append(all, plainCell(value))
		default:
			all = append(all, fmt.Sprint(value))
		}
	}
	return all
}
