package dispute

import "time"

// Around are the other claims that an agent should know of when answering one.
type Around struct {
	Stop   []PastClaim // on the stop's last [StopHistory] packages, the latest first
	Driver []PastClaim // on the driver's last [DriverHistory] packages, the latest first
}

// Bounds of an [Around].
const (
	DriverHistory = 500
	MaxAround     = 20 // claims of each kind
)

// PastClaim is another claim with how it ended.
type PastClaim struct {
	ClaimID    string
	TrackingID string
	At         time.Time // the package's window, else when it was delivered, scanned or imported
	Decision   Decision  // empty while it is open
}
