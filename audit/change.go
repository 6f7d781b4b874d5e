package audit

// Change is what an import did with a row. The same row again is unchanged.
type Change string

const (
	Created   Change = "created"
	Updated   Change = "updated"
	Unchanged Change = "unchanged"
)
