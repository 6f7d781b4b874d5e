package server

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"porchlight/audit"
	"porchlight/audit/custody"
)

// Custody is the custody log on record.
type Custody interface {
	custody.Appender
	// Custody lists the log in its order from the one after the cursor; a subject with an
	// id chooses what was done to that. Errors: [audit.CodeInvalid] for a bad cursor.
	Custody(ctx context.Context, of custody.Subject, after string, limit int) (entries []custody.Entry, next string, err error)
}

const (
	glanceTime = 10 * time.Minute // for which looking at one thing again is the same look
	maxGlances = 8192             // looks remembered
)

// disclosures logs what people get to see before they see it. Where the log cannot be
// written nothing is disclosed.
type disclosures struct {
	journal *custody.Journal
	now     func() time.Time
	glances *lru.Cache[glance, time.Time] // when a look was logged
}

// glance is somebody's look at a claim or at a photo's preview.
type glance struct {
	actor string
	at    custody.Subject
}

func newDisclosures(to custody.Appender, now func() time.Time) *disclosures {
	glances, err := lru.New[glance, time.Time](maxGlances)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &disclosures{journal: custody.NewJournal(to), now: now, glances: glances}
}

// actorOf is the caller's name in the custody log.
func actorOf(p audit.Principal) custody.Actor {
	return custody.Actor{Name: p.Actor(), Role: p.Role}
}

// log logs that the caller is about to be shown something. Drivers see what they
// uploaded themselves, which needs no entry. Errors: [audit.CodeUnavailable].
func (d *disclosures) log(ctx context.Context, action custody.Action, kind custody.Kind, id string) error {
	if principalOf(ctx).Role == audit.Driver {
		return nil
	}
	return d.journal.Append(ctx, custody.Entry{Action: action, Subject: custody.Subject{Kind: kind, ID: id}})
}

// look logs that the caller is about to be shown a claim or a photo's preview. A page
// shows one photo in several sizes, and agents go back and forth between their claims:
// looks of one actor at one thing within ten minutes share an entry.
// Errors: [audit.CodeUnavailable].
func (d *disclosures) look(ctx context.Context, action custody.Action, kind custody.Kind, id string) error {
	g := glance{custody.ActorOf(ctx).Name, custody.Subject{Kind: kind, ID: id}}
	if at, ok := d.glances.Get(g); ok && d.now().Sub(at) < glanceTime {
		return nil
	}
	at := d.now()
	if err := d.log(ctx, action, kind, id); err != nil {
		return err
	}
	d.glances.Add(g, at)
	return nil
}

// signedIn logs that a session begins for the holder of a token, or for a person whom
// the OpenID provider vouches for.
func (d *disclosures) signedIn(ctx context.Context, p audit.Principal) error {
	subject := custody.Subject{Kind: custody.Token, ID: p.TokenID}
	if p.Subject != "" {
		subject = custody.Subject{Kind: custody.Person, ID: p.Issuer + "|" + p.Subject}
	}
	return d.journal.Append(custody.WithActor(ctx, actorOf(p)), custody.Entry{Action: custody.SessionStarted, Subject: subject})
}

type custodyInput struct {
	Paging
	Kind custody.Kind `query:"subject_kind" enum:"photo,delivery,event,claim,packet,token,person,webhook,checklist,reaudit,address" doc:"With subject_id: what was done to that alone"`
	ID   string       `query:"subject_id" maxLength:"256" doc:"Goes with subject_kind"`
}

// custodyLog is GET /api/v1/custody.
func (s *Server) custodyLog(ctx context.Context, in *custodyInput) (*body[List[custody.Entry]], error) {
	if (in.Kind == "") != (in.ID == "") {
		return nil, invalid("subject_kind and subject_id go together")
	}
	return listOf(s.records.Custody(ctx, custody.Subject{Kind: in.Kind, ID: in.ID}, in.Cursor, in.Limit))
}
