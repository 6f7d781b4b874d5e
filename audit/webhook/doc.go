// Package webhook is what Porchlight tells other programs of its own accord: the
// events, the endpoints that hear of them, and the signed messages in between.
//
// Messages follow the Standard Webhooks specification 1.0
// (https://www.standardwebhooks.com): the headers webhook-id, webhook-timestamp and
// webhook-signature, secrets as whsec_BASE64, a JSON body of type, timestamp and data.
// A message is sent at least once; its id is the same each time. It carries ids, the
// verdict with its reasons, and paths of the API to read more: never a coordinate, a
// photo's bytes or a customer's words.
//
// The package sends nothing itself: porchlight/server/sender does.
package webhook
