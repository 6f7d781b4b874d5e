package sqldb

import (
	"context"
	"math"
	"time"

	"porchlight/audit"
	"porchlight/audit/dispute"
)

// Evidence is all that is on record about a delivery. Errors: [audit.CodeNotFound].
func (db *DB) Evidence(ctx context.Context, trackingID string) (e dispute.Evidence, err error) {
	err = db.read(ctx, func(s session) error {
		ids := []string{trackingID}
		s.foresee(s.links(ids)...)
		s.foresee(s.events(ids)...)
		s.foresee(statement{queryAttachments, []any{trackingID}})
		d, err := s.delivery(ctx, trackingID)
		if err != nil {
			return err
		}
		s.foresee(nearScans(d)...)
		s.foresee(stopHistory(d)...)
		s.foresee(trackOf(d)...)
		all, err := s.evidence(ctx, []audit.Delivery{d})
		if err != nil {
			return err
		}
		e = all[0]
		if e.History, err = s.history(ctx, d); err != nil {
			return err
		}
		if e.Track, err = s.track(ctx, d); err != nil {
			return err
		}
		e.Attached, err = s.attachments(ctx, trackingID)
		return err
	})
	return e, err
}

// DriverDeliveries lists a driver's deliveries in the order of their windows (where
// there is none, of when they were delivered, scanned or imported) from one time up to,
// not including, another; a zero time is no bound.
func (db *DB) DriverDeliveries(ctx context.Context, driverID string, from, to time.Time) (all []dispute.Evidence, err error) {
	first, last := int64(math.MinInt64), int64(math.MaxInt64)
	if !from.IsZero() {
		first = micros(from)
	}
	if !to.IsZero() {
		last = micros(to)
	}
	err = db.read(ctx, func(s session) error {
		ds, err := collect(ctx, s, scanJSON[audit.Delivery], queryDriverDeliveries, driverID, first, last)
		if err == nil {
			err = s.locate(ctx, ds)
		}
		if err == nil {
			all, err = s.evidence(ctx, ds)
		}
		return err
	})
	return all, err
}

const queryDriverDeliveries = `SELECT json FROM deliveries WHERE driver_id = $1 AND sort_at >= $2 AND sort_at < $3 ORDER BY sort_at, tracking_id`

const (
	queryEvents = `SELECT json FROM events WHERE tracking_id IN `
	eventOrder  = ` ORDER BY at, event_id`
)

func (s session) events(trackingIDs []string) []statement {
	return s.among(queryEvents, trackingIDs, eventOrder)
}

// evidence joins deliveries with their uploads and events.
func (s session) evidence(ctx context.Context, ds []audit.Delivery) ([]dispute.Evidence, error) {
	ids := make([]string, len(ds))
	for i, d := range ds {
		ids[i] = d.TrackingID
	}
	photos, err := s.photosOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	events := map[string][]dispute.Event{}
	found, err := collectAll(ctx, s, scanJSON[dispute.Event], s.events(ids))
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		events[e.TrackingID] = append(events[e.TrackingID], e)
	}
	all := make([]dispute.Evidence, len(ds))
	for i, d := range ds {
		all[i] = dispute.Evidence{Delivery: d, Photos: photos[d.TrackingID], Events: events[d.TrackingID]}
	}
	return all, nil
}

// photosOf loads the uploads that show each of the deliveries, oldest first.
func (s session) photosOf(ctx context.Context, trackingIDs []string) (map[string][]audit.JudgedUpload, error) {
	links, err := s.linkedUploads(ctx, trackingIDs)
	if err != nil {
		return nil, err
	}
	shows := map[string][]string{} // tracking ids by upload id
	var ids, photoIDs []string
	for _, l := range links {
		if shows[l.uploadID] == nil {
			ids, photoIDs = append(ids, l.uploadID), append(photoIDs, l.photoID)
		}
		shows[l.uploadID] = append(shows[l.uploadID], l.trackingID)
	}
	s.foresee(s.judged(ids)...)
	s.foresee(s.rulings(ids)...)
	s.foresee(s.deleted(photoIDs)...)
	judged, err := s.judgedUploads(ctx, ids)
	if err == nil {
		err = s.rule(ctx, judged)
	}
	if err != nil {
		return nil, err
	}
	photos := map[string][]audit.JudgedUpload{}
	for _, j := range judged {
		for _, id := range shows[j.Upload.UploadID] {
			photos[id] = append(photos[id], j)
		}
	}
	return photos, nil
}
