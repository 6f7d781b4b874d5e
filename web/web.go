// Package web draws Porchlight's pages: one typed struct and one template a page,
// rendered on the server. But for the check on the phone and the queue of photos, pages
// are complete without any script.
//
// A page struct says all that its page shows; the server fills it in and calls
// [Pages.Render]. Texts from outside (addresses, notes, claims, text read in photos) are
// escaped by html/template and kept from reordering what stands around them.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"

	"porchlight/audit"
)

//go:embed templates static
var files embed.FS

// ContentSecurityPolicy is what all pages hold to: everything from this server, neither
// script nor style inline. wasm-unsafe-eval lets WebAssembly be compiled, nothing else.
const ContentSecurityPolicy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; manifest-src 'self'; " +
	"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// StaticPath is the path under which the pages expect the files of [Static].
const StaticPath = "/static/"

// Page is one of this package's page structs.
type Page interface {
	template() string // file name of its template
	heading() string  // of the document, where Base.Title is empty
}

// Base is what every page knows about its reader. The zero value is a reader who is not
// signed in.
type Base struct {
	Title    string     // of the document; the page's own where empty
	Role     audit.Role // empty where nobody is signed in
	DriverID string     // of a driver
	Name     string     // of who signed in with an OpenID provider
	CSRF     string     // goes into each form's hidden field csrf
	Now      time.Time  // what "overdue" and "today" are held against
}

// Answering tells whether the reader may issue packets and record outcomes.
func (b Base) Answering() bool { return b.Role != audit.Dispatch }

// pages are all pages, for parsing their templates at start.
var pages = []Page{SignIn{}, Home{}, Driver{}, DriverStop{}, DriverVerdict{}, DriverRejects{}, DriverDisputes{}, DriverDispute{}, Agent{}, ImportClaims{}, AgentClaim{}, DriverStanding{}, Drivers{}, Reaudits{}, Reaudit{}, Reuse{}, AgentPacket{}, AgentPhoto{}, Review{}, Fleet{}, CarrierWeek{}, Checklist{}, Problem{}}

// Pages renders pages. It is safe for concurrent use.
type Pages struct {
	templates map[string]*template.Template
}

// New parses all templates. The error tells a template that is missing or broken.
func New() (*Pages, error) {
	return parse(files)
}

func parse(fsys fs.FS) (*Pages, error) {
	layout, err := template.New("layout.html").Funcs(words).ParseFS(fsys, "templates/layout.html", "templates/parts.html", "templates/phone.html", "templates/console.html")
	if err != nil {
		return nil, fmt.Errorf("parse the layout: %w", err)
	}
	p := &Pages{templates: map[string]*template.Template{}}
	for _, page := range pages {
		name := page.template()
		t, err := layout.Clone()
		if err == nil {
			t, err = t.ParseFS(fsys, "templates/pages/"+name)
		}
		if err != nil {
			return nil, fmt.Errorf("parse the page %s: %w", name, err)
		}
		if t.Lookup("main") == nil {
			return nil, fmt.Errorf("the page %s does not define main", name)
		}
		p.templates[name] = t
	}
	return p, nil
}

// Render writes a page with a status. Nothing is written where the page cannot be
// rendered, so that the caller can still answer with another one.
func (p *Pages) Render(w http.ResponseWriter, page Page, status int) error {
	t, ok := p.templates[page.template()]
	if !ok {
		return fmt.Errorf("no template for %T", page)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", view{page, page.heading()}); err != nil {
		return fmt.Errorf("render %s: %w", page.template(), err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, err := w.Write(bytes.Map(upright, b.Bytes()))
	return err
}

// upright replaces the characters that embed, override or isolate writing directions.
// Browsers let an unclosed one reach past the element that it stands in, so that a note
// could turn the words beside it around. Right-to-left scripts do not need them.
func upright(r rune) rune {
	if r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
		return '\ufffd'
	}
	return r
}

// view is what the layout sees.
type view struct {
	Page    Page
	Heading string
}

// Section names the entry of the navigation that the page belongs to; empty for none.
func (v view) Section() string {
	if p, ok := v.Page.(interface{ section() string }); ok {
		return p.section()
	}
	return ""
}

// Static is the style sheet and the icon, to be served under [StaticPath].
func Static() fs.FS {
	sub, err := fs.Sub(files, "static")
	if err != nil {
		panic("web: " + err.Error()) // the name is constant
	}
	return sub
}
