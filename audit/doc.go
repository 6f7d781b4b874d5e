// Package audit is the heart of Porchlight: the words of proof of delivery, the
// checklist that photos are held against, and the service that receives a photo,
// has it measured, judges it and keeps the report.
//
// It reads top to bottom: a [Delivery] says what was promised, an [Upload] says
// what a driver's photo is meant to show, a [Measurement] says what its pixels and
// metadata say, a [Checklist] judges the measurement, and a [Report] is what the
// judgement found. [Service] joins them; what it needs of the outside (objects,
// records, a clock, ids) it takes through the small interfaces of this package.
//
// The package knows no HTTP server, no SQL and no object store.
package audit
