package server

import (
	"context"
	"time"

	"porchlight/audit/webhook"
)

// Webhooks are the endpoints on record that are told of events.
type Webhooks interface {
	// AddEndpoint keeps one. Errors: [audit.CodeConflict] where there are too many.
	AddEndpoint(ctx context.Context, e webhook.Endpoint) error
	// Endpoints lists them, oldest first.
	Endpoints(ctx context.Context) ([]webhook.Endpoint, error)
	// RemoveEndpoint forgets one with its messages. Errors: [audit.CodeNotFound].
	RemoveEndpoint(ctx context.Context, endpointID string) error
	// SendEvent puts an event into the outbox for one endpoint. Errors:
	// [audit.CodeNotFound], [audit.CodeConflict] for one that is disabled.
	SendEvent(ctx context.Context, endpointID string, e webhook.Event) error
	// Messages lists an endpoint's messages, newest first, from the one after the cursor.
	// Errors: [audit.CodeNotFound].
	Messages(ctx context.Context, endpointID, after string, limit int) (messages []webhook.Message, next string, err error)
}

// WebhookIn is an endpoint to add.
type WebhookIn struct {
	URL    string   `json:"url" minLength:"1" maxLength:"2048" doc:"Where messages are posted to; https, at a public address"`
	Events []string `json:"events,omitempty" maxItems:"10" doc:"photo.audited, photo.rejected, claim.opened, packet.issued; all of them where absent"`
}

type webhookInput struct{ Body WebhookIn }

// NewWebhook is an endpoint that was added, with its secret.
type NewWebhook struct {
	webhook.Endpoint
	Secret string `json:"secret" doc:"Signs every message (Standard Webhooks); shown this once"`
}

type webhookAdded struct {
	Location string `header:"Location"`
	Body     NewWebhook
}

// addWebhook is POST /api/v1/webhooks.
func (s *Server) addWebhook(ctx context.Context, in *webhookInput) (*webhookAdded, error) {
	var events []webhook.Type
	for _, e := range in.Body.Events {
		events = append(events, webhook.Type(e))
	}
	e, err := webhook.NewEndpoint(s.newID(), in.Body.URL, events, s.now().Truncate(time.Microsecond), s.webhookPrivate)
	if err != nil {
		return nil, err
	}
	if err := s.records.AddEndpoint(ctx, e); err != nil {
		return nil, err
	}
	return &webhookAdded{"/api/v1/webhooks/" + e.EndpointID + "/deliveries", NewWebhook{e, e.Secret}}, nil
}

// webhooks is GET /api/v1/webhooks.
func (s *Server) webhooks(ctx context.Context, in *Paging) (*body[List[webhook.Endpoint]], error) {
	all, err := s.records.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	return listOf(pageOf(all, func(e webhook.Endpoint) string { return e.EndpointID }, *in))
}

// WebhookPath names an endpoint.
type WebhookPath struct {
	EndpointID string `path:"endpoint_id" doc:"The endpoint's id, as adding it answered"`
}

// removeWebhook is DELETE /api/v1/webhooks/{endpoint_id}.
func (s *Server) removeWebhook(ctx context.Context, in *WebhookPath) (*struct{}, error) {
	return nil, s.records.RemoveEndpoint(ctx, in.EndpointID)
}

// MessageRef names a message that is on its way.
type MessageRef struct {
	MessageID string `json:"message_id"`
}

// testWebhook is POST /api/v1/webhooks/{endpoint_id}/test.
func (s *Server) testWebhook(ctx context.Context, in *WebhookPath) (*body[MessageRef], error) {
	e := webhook.PingEvent(s.newID(), in.EndpointID, s.now().UTC())
	if err := s.records.SendEvent(ctx, in.EndpointID, e); err != nil {
		return nil, err
	}
	return &body[MessageRef]{MessageRef{e.MessageID()}}, nil
}

type webhookMessagesInput struct {
	WebhookPath
	Paging
}

// webhookMessages is GET /api/v1/webhooks/{endpoint_id}/deliveries.
func (s *Server) webhookMessages(ctx context.Context, in *webhookMessagesInput) (*body[List[webhook.Message]], error) {
	return listOf(s.records.Messages(ctx, in.EndpointID, in.Cursor, in.Limit))
}
