package rows

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"porchlight/audit"
)

// register keeps deliveries as an idempotent store does, whole batches or nothing.
type register struct {
	kept  map[string]string
	calls int
	fail  map[string]error // by tracking id
}

func (r *register) put(_ context.Context, ds []audit.Delivery) ([]audit.Change, error) {
	r.calls++
	for _, d := range ds {
		if err := r.fail[d.TrackingID]; err != nil {
			return nil, err
		}
	}
	var changes []audit.Change
	for _, d := range ds {
		note, ok := r.kept[d.TrackingID]
		switch {
		case !ok:
			changes = append(changes, audit.Created)
		case note != d.Note:
			changes = append(changes, audit.Updated)
		default:
			changes = append(changes, audit.Unchanged)
		}
		r.kept[d.TrackingID] = d.Note
	}
	return changes, nil
}

func TestImport(t *testing.T) {
	const in = "tracking_id,note\nA,x\nB,\nC D,\nA,y\nB,\nE,\n"
	read := func() *strings.Reader { return strings.NewReader(in) }
	r := &register{kept: map[string]string{}, fail: map[string]error{"E": audit.Errorf(audit.CodeConflict, "E is taken")}}
	var progress []int
	got, err := Import(t.Context(), Read[audit.Delivery](read(), CSV), 2, r.put, func(s Summary) { progress = append(progress, s.Rows()) })
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{Created: 2, Updated: 1, Unchanged: 1, RejectedCount: 2, Rejected: []Rejection{
		{4, audit.CodeInvalid, `tracking_id "C D" may hold neither spaces, slashes nor control characters`},
		{7, audit.CodeConflict, "E is taken"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 4, 6, 6}, progress); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}

	// Once more: A changes to x and back to y, nothing is created twice.
	got, err = Import(t.Context(), Read[audit.Delivery](read(), CSV), 100, r.put, nil)
	if err != nil {
		t.Fatal(err)
	}
	want.Created, want.Updated, want.Unchanged = 0, 2, 2
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("second summary (-want +got):\n%s", diff)
	}
}

func TestImportEndsEarly(t *testing.T) {
	down := audit.Errorf(audit.CodeUnavailable, "The store is down")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx     context.Context
		in      string
		fail    map[string]error
		put     func(context.Context, []audit.Delivery) ([]audit.Change, error)
		want    error
		code    audit.Code
		created int
	}{
		"store down":            {ctx: t.Context(), in: `[{"tracking_id":"A"},{"tracking_id":"B"},{"tracking_id":"C"}]`, fail: map[string]error{"C": down}, want: down, created: 2},
		"store down one by one": {ctx: t.Context(), in: `[{"tracking_id":"A"},{"tracking_id":"B"}]`, fail: map[string]error{"A": audit.Errorf(audit.CodeConflict, "no"), "B": down}, want: down},
		"cancelled":             {ctx: cancelled, in: `[{"tracking_id":"A"}]`, want: context.Canceled},
		"array cut":             {ctx: t.Context(), in: `[{"tracking_id":"A"},{"tra`, code: audit.CodeInvalid, created: 1},
		"answers too few": {ctx: t.Context(), in: `[{"tracking_id":"A"}]`, code: audit.CodeInternal,
			put: func(context.Context, []audit.Delivery) ([]audit.Change, error) { return nil, nil }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &register{kept: map[string]string{}, fail: test.fail}
			put := test.put
			if put == nil {
				put = r.put
			}
			sum, err := Import(test.ctx, Read[audit.Delivery](strings.NewReader(test.in), JSON), 2, put, nil)
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if test.want == nil && audit.ErrorCode(err) != test.code {
				t.Errorf("error %v, want code %s", err, test.code)
			}
			if sum.Created != test.created {
				t.Errorf("%d created, want %d", sum.Created, test.created)
			}
		})
	}
}

func TestImportCapsRejections(t *testing.T) {
	const n = MaxRejections + 234
	r := &register{kept: map[string]string{}}
	sum, err := Import(t.Context(), Read[audit.Delivery](strings.NewReader(strings.Repeat("{}\n", n)), NDJSON), 500, r.put, nil)
	if err != nil {
		t.Fatal(err)
	}
	if sum.RejectedCount != n || len(sum.Rejected) != MaxRejections {
		t.Errorf("%d rejected, %d listed", sum.RejectedCount, len(sum.Rejected))
	}
	if last := sum.Rejected[len(sum.Rejected)-1]; last.Line != MaxRejections || !strings.Contains(last.Message, "tracking_id") {
		t.Errorf("last listed: %s", fmt.Sprint(last))
	}
	if r.calls != 0 {
		t.Errorf("put was called %d times without a row", r.calls)
	}
}
