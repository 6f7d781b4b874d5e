// Package server is Porchlight's HTTP face: the API under /api/v1, the pages for
// drivers, agents and operations, and what an operator's machines ask for (/healthz,
// /readyz, /metrics, /openapi.json).
//
// Every route is a row of one table (see routes): its method, its path, the roles it
// serves and its handler. Handlers return errors; one place (problem.go) turns an
// [audit.Error]'s code into an HTTP status and an RFC 9457 problem document. Causes go
// to the log, never into a body.
//
// What the server needs of the outside it takes through the small interfaces of this
// package; it knows no database and no object store.
package server
