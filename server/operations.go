package server

import (
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"porchlight/audit"
	"porchlight/audit/dispute"
	"porchlight/audit/rows"
	"porchlight/audit/standing"
)

var (
	text   = &huma.Schema{Type: huma.TypeString}
	number = &huma.Schema{Type: huma.TypeNumber}
	moment = &huma.Schema{Type: huma.TypeString, Format: "date-time"}
	binary = &huma.Schema{Type: huma.TypeString, Format: "binary"}
)

// jsonAnswer describes an answer whose body is T.
func jsonAnswer[T any](r huma.Registry, description string) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
		"application/json": {Schema: r.Schema(reflect.TypeFor[T](), true, "")},
	}}
}

func binaryAnswer(description string, mediaTypes ...string) *huma.Response {
	r := &huma.Response{Description: description, Content: map[string]*huma.MediaType{}}
	for _, mt := range mediaTypes {
		r.Content[mt] = &huma.MediaType{Schema: binary}
	}
	return r
}

// importBody describes what an import takes: its formats, with T's fields.
func importBody[T any]() *huma.RequestBody {
	// The schema is of its own: a row's fields are listed in place, so that the document
	// needs no second name for what an import leaves optional.
	registry := huma.NewMapRegistry(schemaPrefix, schemaName)
	registry.RegisterTypeAlias(reflect.TypeFor[audit.Proofs](), reflect.TypeFor[[]audit.Proof]())
	row := registry.Schema(reflect.TypeFor[T](), false, "")
	return &huma.RequestBody{
		Required: true,
		Description: "One object, an array, NDJSON, or CSV with a header of the same names. Absent fields keep what is on record; " +
			"unknown fields are errors.",
		Content: map[string]*huma.MediaType{
			"application/json":     {Schema: &huma.Schema{OneOf: []*huma.Schema{row, {Type: huma.TypeArray, Items: row}}}},
			"application/x-ndjson": {Schema: text},
			"text/csv":             {Schema: text},
		},
	}
}

func importAnswers(r huma.Registry, _ string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": jsonAnswer[rows.Summary](r, "What became of the rows. Rejected rows were not kept, all others were")}
}

var importDeliveriesDoc = operation{
	id: "import-deliveries", tag: "deliveries", summary: "Import deliveries",
	text:   "Inserts or updates deliveries by tracking id. The same import again changes nothing.",
	errors: []int{408, 413, 415, 422}, request: importBody[audit.Delivery](), answers: importAnswers,
}

var deliveriesDoc = operation{
	id: "list-deliveries", tag: "deliveries", summary: "Deliveries, the latest window first",
	text:   "A delivery without a window counts by when it was delivered, scanned or imported.",
	errors: []int{422},
}

var deliveryDoc = operation{
	id: "get-delivery", tag: "deliveries", summary: "A delivery with its photos and events",
	text: "Drivers see their own deliveries alone.", errors: []int{404, 422},
}

var eventDoc = operation{
	id: "add-event", tag: "deliveries", summary: "Add an event to a delivery", status: 201,
	text:   "A scan, a contact or password attempt, a note, a location fix. The same event_id again is kept once.",
	errors: []int{404, 413, 415, 422},
}

var uploadDoc = operation{
	id: "upload-photo", tag: "photos", summary: "Upload a photo of a delivery",
	text: "Keeps the photo exactly as sent, judges it and answers the report, so that the driver can retake it at the door. " +
		"The same bytes for the same delivery again answer 200 with the same report. " +
		"A photo that does not decode is kept too: 201, verdict retake, and a problem that says why.",
	errors: []int{404, 408, 413, 415, 422},
	request: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {
		Schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"photo"}, AdditionalProperties: false,
			Properties: map[string]*huma.Schema{
				"photo":       {Type: huma.TypeString, Format: "binary", Description: "JPEG, PNG, WebP or HEIC, at most 25 MB"},
				"role":        {Type: huma.TypeString, Enum: anys(audit.PhotoRoles), Default: string(audit.Placement)},
				"captured_at": moment,
				"latitude":    {Type: huma.TypeNumber, Description: "The phone's own fix, degrees"},
				"longitude":   number,
				"accuracy_m":  {Type: huma.TypeNumber, Description: "The fix's reported error, metres"},
				"also":        {Type: huma.TypeArray, Items: text, Description: "Further tracking ids of the same stop; repeated or separated by commas"},
			},
		},
	}}},
	answers: func(r huma.Registry, _ string) map[string]*huma.Response {
		return map[string]*huma.Response{
			"201": jsonAnswer[Uploaded](r, "Kept and judged"),
			"200": jsonAnswer[Uploaded](r, "Known already: the upload of then, and its latest report"),
		}
	},
}

var originalDoc = operation{
	id: "get-photo", tag: "photos", summary: "A photo's bytes exactly as first received",
	text:   "The bytes are checked against their digest before they are sent. Drivers see photos of their own deliveries alone. 410 says that they were deleted, past their retention.",
	errors: []int{404, 410},
	answers: func(huma.Registry, string) map[string]*huma.Response {
		return map[string]*huma.Response{
			"200": binaryAnswer("The photo", "image/jpeg", "image/png", "image/webp", "image/heic"),
			"304": {Description: "The client has it already"},
		}
	},
}

var previewDoc = operation{
	id: "get-photo-preview", tag: "photos", summary: "A photo upright and small, as JPEG",
	errors: []int{404, 410, 422},
	params: []*huma.Param{{Name: "side", In: "query", Description: "The most pixels of the long side, 160 to 2048; 1280 where absent",
		Schema: &huma.Schema{Type: huma.TypeInteger}}},
	answers: func(huma.Registry, string) map[string]*huma.Response {
		return map[string]*huma.Response{"200": binaryAnswer("The preview", "image/jpeg"), "304": {Description: "The client has it already"}}
	},
}

var reportsDoc = operation{
	id: "list-photo-reports", tag: "photos", summary: "All reports on a photo, oldest first",
	text: "Reports are appended, never changed.", errors: []int{404, 422},
}

var importClaimsDoc = operation{
	id: "import-claims", tag: "claims", summary: "Import claims",
	text:   "Inserts or updates claims by claim id. A claim about a delivery that is not on record is kept: that is an answer too.",
	errors: []int{408, 413, 415, 422}, request: importBody[dispute.Claim](), answers: importAnswers,
}

var claimsDoc = operation{id: "list-claims", tag: "claims", summary: "Claims, due first", errors: []int{422}}

var claimDoc = operation{
	id: "get-claim", tag: "claims", summary: "A claim with its evidence, the recommendation and its packets", errors: []int{404, 422},
}

var issueDoc = operation{
	id: "issue-packet", tag: "claims", summary: "Issue a packet: freeze the evidence that answers a claim", status: 201,
	text: "Each packet is new and never changes once issued.", errors: []int{404, 422},
}

var packetsDoc = operation{id: "list-packets", tag: "claims", summary: "A claim's packets, oldest first", errors: []int{404, 422}}

var packetDoc = operation{
	id: "get-packet", tag: "claims", summary: "A packet, as ZIP, as PDF or as JSON",
	text:   "The ZIP holds the packet, the originals, a manifest and its signature; `porchlight verify` checks it without a server.",
	errors: []int{404},
	paths:  []string{"/api/v1/packets/{packet_id}.zip", "/api/v1/packets/{packet_id}.pdf", "/api/v1/packets/{packet_id}.json"},
	answers: func(r huma.Registry, path string) map[string]*huma.Response {
		if strings.HasSuffix(path, ".json") {
			return map[string]*huma.Response{"200": jsonAnswer[dispute.Packet](r, "The packet, as it was frozen")}
		}
		if strings.HasSuffix(path, ".pdf") {
			return map[string]*huma.Response{"200": binaryAnswer("The packet for people, as PDF/A; with show=1 to be shown rather than kept", "application/pdf")}
		}
		return map[string]*huma.Response{"200": binaryAnswer("The packet with the originals", "application/zip")}
	},
}

var preflightsDoc = operation{
	id: "list-packet-channels", tag: "claims", summary: "Which channels a packet fits, and why not", errors: []int{404, 422},
	text: "Photos are shown smaller where that is what makes the packet fit; `look` says by how much, 0 is the finest.",
}

var submissionDoc = operation{
	id: "get-packet-for-channel", tag: "claims", summary: "A packet made ready for a channel",
	text:   "A PDF within the channel's limits, or for email the driver's own dispute as a draft message. What does not fit even with its photos at their smallest is refused with `channel_limit`.",
	errors: []int{404, 422},
	answers: func(huma.Registry, string) map[string]*huma.Response {
		return map[string]*huma.Response{"200": binaryAnswer("What to send", "application/pdf", "message/rfc822")}
	},
}

const othersColumns = " CSV may also have the columns of the carrier's report (audit/standing/columns-2026.yaml); flags are 1 or a bullet."

var importBlocksDoc = operation{
	id: "import-blocks", tag: "standings", summary: "Import drivers' blocks",
	text:   "Inserts or updates blocks by block id. A check-in or a cancellation may come alone: absent fields keep what is on record.",
	errors: []int{408, 413, 415, 422}, request: importBody[standing.Block](), answers: importAnswers,
}

var importFeedbackDoc = operation{
	id: "import-feedback", tag: "standings", summary: "Import customers' feedback",
	text:   "A row replaces the one of its feedback id. A complaint without a rating counts in no average." + othersColumns,
	errors: []int{408, 413, 415, 422}, request: importBody[standing.Feedback](), answers: importAnswers,
}

var importConcessionsDoc = operation{
	id: "import-concessions", tag: "standings", summary: "Import a carrier's concessions",
	text: "The carrier's claims that a package was not received. A row replaces the one of its id, which is by default the tracking id and the day. " +
		"Flags may overlap: all are kept." + othersColumns,
	errors: []int{408, 413, 415, 422}, request: importBody[standing.Concession](), answers: importAnswers,
}

var importPhotoReportsDoc = operation{
	id: "import-photo-reports", tag: "standings", summary: "Import a carrier's weekly photo report",
	text:   "One row a driver. A row replaces the one of its week and driver." + othersColumns,
	errors: []int{408, 413, 415, 422}, request: importBody[standing.PhotoWeek](), answers: importAnswers,
	params: []*huma.Param{{Name: "week", In: "query", Description: "The week of rows that do not name theirs, such as 2026-W47", Schema: text}},
}

var standingDoc = operation{
	id: "get-standing", tag: "standings", summary: "A driver's standing: the figures, what moved them, and its history",
	text: "Held against the operator's own targets, which are no carrier's numbers. A figure with too little data is unknown, which is never a pass. " +
		"Drivers see their own alone.",
	errors: []int{404, 422},
}

var standingsDoc = operation{
	id: "list-standings", tag: "standings", summary: "Drivers' standings of a day, by driver id",
	text: "As they were last computed: `computed_at` says when. A driver's own address computes them anew.", errors: []int{422},
}

var holdsDoc = operation{
	id: "list-holds", tag: "holds", summary: "Legal holds, oldest first", text: "Released ones too.", errors: []int{422},
}

var placeHoldDoc = operation{
	id: "place-hold", tag: "holds", summary: "Keep photos from being deleted", status: 201,
	text:   "What a hold covers is not deleted, however old it is, until the hold is released: a photo, all photos of a delivery, or all that a driver uploaded.",
	errors: []int{413, 415, 422},
}

var releaseHoldDoc = operation{
	id: "release-hold", tag: "holds", summary: "Release a legal hold",
	text: "Releasing it again changes nothing.", errors: []int{404, 422},
}

var tokensDoc = operation{
	id: "list-tokens", tag: "tokens", summary: "Tokens, oldest first, without their secrets",
	text: "Revoked and expired ones too.", errors: []int{422},
}

var makeTokenDoc = operation{
	id: "make-token", tag: "tokens", summary: "Make a token", status: 201,
	text:   "The answer holds the secret, which is shown this once: only its SHA-256 is kept.",
	errors: []int{413, 415, 422},
}

var revokeTokenDoc = operation{
	id: "revoke-token", tag: "tokens", summary: "Revoke a token", status: 204,
	text: "It and the sessions begun with it end at once. Revoking it again changes nothing.", errors: []int{404, 422},
}

var startReauditDoc = operation{
	id: "start-reaudit", tag: "reaudits", summary: "Judge stored photos again", status: 202,
	text: "Answers 200 where the run is done already, else 202. Where one that does the same is not at its end, that one is answered. " +
		"What the checklist has judged already is skipped. The new reports count from when all are there. Issued packets never change.",
	errors: []int{413, 415, 422},
	answers: func(r huma.Registry, _ string) map[string]*huma.Response {
		done := jsonAnswer[audit.Run](r, "Done already")
		done.Headers = map[string]*huma.Param{"Location": {Description: "The run's own address", Schema: text}}
		return map[string]*huma.Response{"200": done}
	},
}

var reauditsDoc = operation{id: "list-reaudits", tag: "reaudits", summary: "Re-audits, newest first", errors: []int{422}}

var reauditDoc = operation{
	id: "get-reaudit", tag: "reaudits", summary: "A re-audit with the verdicts it changed", errors: []int{404, 422},
}

var changeReauditDoc = operation{
	id: "change-reaudit", tag: "reaudits", summary: "Pause, resume, cancel or publish a re-audit", errors: []int{404, 409, 413, 415, 422},
}

var reauditFailuresDoc = operation{id: "list-reaudit-failures", tag: "reaudits", summary: "What a re-audit could not judge, with the reasons", errors: []int{404, 422}}

var webhooksDoc = operation{id: "list-webhooks", tag: "webhooks", summary: "Webhook endpoints, oldest first, without their secrets", errors: []int{422}}

var addWebhookDoc = operation{
	id: "add-webhook", tag: "webhooks", summary: "Add a webhook endpoint", status: 201,
	text: "It is told of events from now on. Messages follow the Standard Webhooks specification: webhook-id, webhook-timestamp and " +
		"webhook-signature, the HMAC-SHA256 of id, timestamp and body by the secret, which this answer alone shows. " +
		"They are sent at least once, and again for about a day until the answer's status is 200 to 299; 410 disables the endpoint.",
	errors: []int{409, 413, 415, 422},
}

var removeWebhookDoc = operation{
	id: "remove-webhook", tag: "webhooks", summary: "Remove a webhook endpoint with its messages", status: 204, errors: []int{404},
}

var testWebhookDoc = operation{
	id: "test-webhook", tag: "webhooks", summary: "Send a ping to a webhook endpoint", status: 202,
	text: "The ping goes the way of every message; the endpoint's deliveries tell what came of it.", errors: []int{404, 409},
}

var webhookMessagesDoc = operation{
	id: "list-webhook-deliveries", tag: "webhooks", summary: "A webhook endpoint's messages, newest first",
	text: "Delivered messages are forgotten after seven days; those that were given up stay.", errors: []int{404, 422},
}

var custodyDoc = operation{
	id: "list-custody", tag: "custody", summary: "The custody log: who uploaded, looked at, exported or changed what",
	text: "In the order of its hash chain, oldest first. Each entry carries the hash of the one before it and its own, so that a removed " +
		"or altered row is found: `porchlight verify --custody`. Previews of one photo that one actor looks at within ten minutes share an entry.",
	errors: []int{422},
}

func anys[T ~string](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}
