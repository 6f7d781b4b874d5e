package server

import (
	"context"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// body is an answer whose body is T.
type body[T any] struct{ Body T }

// DeliveryPhoto is an upload of a delivery with its latest report.
type DeliveryPhoto struct {
	audit.Upload
	Report audit.Report `json:"report"`
}

// DeliveryOnRecord is a delivery with what is on record about it.
type DeliveryOnRecord struct {
	audit.Delivery
	Photos []DeliveryPhoto `json:"photos"` // oldest first
	Events []dispute.Event `json:"events"` // oldest first
}

type deliveriesInput struct {
	Paging
	DriverID string    `query:"driver_id" maxLength:"128" doc:"That driver's alone"`
	Since    time.Time `query:"since" doc:"With a window that starts at or after that time"`
	Until    time.Time `query:"until" doc:"With a window that starts before that time"`
}

// deliveries is GET /api/v1/deliveries.
func (s *Server) deliveries(ctx context.Context, in *deliveriesInput) (*body[List[audit.Delivery]], error) {
	if !in.Since.IsZero() && !in.Until.IsZero() && !in.Since.Before(in.Until) {
		return nil, invalid("until is not after since")
	}
	f := audit.DeliveryFilter{DriverID: in.DriverID, Since: in.Since, Until: in.Until}
	return listOf(s.records.Deliveries(ctx, f, in.Cursor, in.Limit))
}

// DeliveryPath names a delivery.
type DeliveryPath struct {
	TrackingID string `path:"tracking_id" doc:"The package's tracking id"`
}

// deliveryOnRecord is GET /api/v1/deliveries/{tracking_id}.
func (s *Server) deliveryOnRecord(ctx context.Context, in *DeliveryPath) (*body[DeliveryOnRecord], error) {
	d, err := s.delivery(ctx, in.TrackingID)
	if err != nil {
		return nil, err
	}
	ev, err := s.records.Evidence(ctx, d.TrackingID)
	if err != nil {
		return nil, err
	}
	out := DeliveryOnRecord{Delivery: ev.Delivery, Photos: []DeliveryPhoto{}, Events: ev.Events}
	for _, u := range ev.Photos {
		r := u.Report
		if r.Measurement == nil {
			r.Measurement = &u.Measurement
		}
		out.Photos = append(out.Photos, DeliveryPhoto{Upload: u.Upload, Report: r})
	}
	if out.Events == nil {
		out.Events = []dispute.Event{}
	}
	return &body[DeliveryOnRecord]{out}, nil
}

// EventIn is an event as a client tells it.
type EventIn struct {
	EventID   string    `json:"event_id,omitempty" maxLength:"128" doc:"The client's own id, so that the same event again is kept once; made where absent"`
	Kind      string    `json:"kind" minLength:"1" maxLength:"64" example:"contact" doc:"arrival, scan, contact_text, contact_call, contact_answer, departure, password_entered, password_failed, signature, id_check, access_problem, closure, instruction_conflict, next_safe_place, customer_told_delivered, note, ...; any other is kept as it is"`
	At        time.Time `json:"at" doc:"When it happened"`
	Source    string    `json:"source,omitempty" maxLength:"128" doc:"Who says so: driver, carrier, phone, ..."`
	Detail    string    `json:"detail,omitempty" maxLength:"4096"`
	Latitude  *float64  `json:"latitude,omitempty" minimum:"-90" maximum:"90" doc:"Degrees, WGS 84"`
	Longitude *float64  `json:"longitude,omitempty" minimum:"-180" maximum:"180" doc:"Degrees, WGS 84"`
	PhotoIDs  []string  `json:"photo_ids,omitempty" maxItems:"20" doc:"Photos of the delivery that show it"`
}

// EventKept answers an event.
type EventKept struct {
	EventID string `json:"event_id"`
}

type eventInput struct {
	DeliveryPath
	Body EventIn
}

// addEvent is POST /api/v1/deliveries/{tracking_id}/events.
func (s *Server) addEvent(ctx context.Context, in *eventInput) (*body[EventKept], error) {
	d, err := s.delivery(ctx, in.TrackingID)
	if err != nil {
		return nil, err
	}
	e := in.Body
	if e.EventID == "" {
		e.EventID = s.newID()
	}
	if err := audit.ValidateID("event_id", e.EventID); err != nil {
		return nil, err
	}
	if e.Source == "" {
		e.Source = string(principalOf(ctx).Role)
	}
	event := dispute.Event{
		EventID: e.EventID, TrackingID: d.TrackingID, Kind: e.Kind, At: e.At.UTC(), Source: e.Source, Detail: e.Detail,
		Latitude: e.Latitude, Longitude: e.Longitude, PhotoIDs: e.PhotoIDs, RecordedAt: s.now().UTC(),
	}.Redacted()
	if err := event.Validate(); err != nil {
		return nil, err
	}
	if err := s.records.AddEvents(ctx, []dispute.Event{event}); err != nil {
		return nil, err
	}
	return &body[EventKept]{EventKept{e.EventID}}, nil
}
