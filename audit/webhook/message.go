package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"
)

// State is what has become of a message.
type State string

const (
	Pending   State = "pending"   // to be sent, or sent again
	Delivered State = "delivered" // answered with a status of 200 to 299
	Failed    State = "failed"    // given up
)

// Message is an event on its way to one endpoint.
type Message struct {
	EndpointID string    `json:"endpoint_id"`
	MessageID  string    `json:"message_id"` // webhook-id: the same at each attempt
	Type       Type      `json:"type"`
	Body       []byte    `json:"-"`
	CreatedAt  time.Time `json:"created_at"`
	State      State     `json:"state"`
	Attempts   int       `json:"attempts"` // begun so far
	// LastAttemptAt is when the last attempt ended, or began where it has not.
	LastAttemptAt *time.Time `json:"last_attempt_at,omitempty"`
	LastStatus    int        `json:"last_status,omitempty"` // HTTP; absent where no answer came
	LastError     string     `json:"last_error,omitempty"`  // why the last attempt failed, in words
	// NextAttemptAt is when a pending message is sent, or sent again where the program
	// that is sending it now does not come back.
	NextAttemptAt *time.Time `json:"next_attempt_at,omitempty"`
}

// Attempt is the outcome of sending a message once.
type Attempt struct {
	EndpointID string
	MessageID  string
	Number     int // 1 for the first
	At         time.Time
	State      State     // of the message, by this attempt
	NextAt     time.Time // of the next attempt, where the message stays pending
	Status     int       // HTTP; 0 where no answer came
	Error      string    // in words; empty where it was delivered
	Gone       bool      // the endpoint wants nothing more
}

// Backlog is how much waits to be sent.
type Backlog struct {
	Messages int
	Oldest   time.Time // zero where nothing waits
}

// The headers of a message.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp" // Unix seconds
	HeaderSignature = "webhook-signature"
)

// Sign makes the headers that go with a message's body when it is sent at that time.
// The signature is "v1," and the base64 of the HMAC-SHA256, by the secret's bytes, of
// id, timestamp and body with full stops between them. Errors: [audit.CodeInternal] for
// a secret that is none.
func (e Endpoint) Sign(m Message, at time.Time) (map[string]string, error) {
	key, err := e.key()
	if err != nil {
		return nil, err
	}
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(m.MessageID + "." + seconds + "."))
	mac.Write(m.Body)
	return map[string]string{
		HeaderID: m.MessageID, HeaderTimestamp: seconds,
		HeaderSignature: "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}, nil
}
