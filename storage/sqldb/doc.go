// Package sqldb keeps records in SQLite (embedded, the default) or Postgres, with
// one SQL text for both.
//
// What differs between the two is in [dialect]: error codes, row locks, and the
// triggers that make reports, measurements and packets append-only. A commit is
// durable before a method returns: SQLite runs in WAL mode with synchronous=FULL, a
// Postgres session with synchronous_commit off is switched on.
//
// SQLite has one connection that writes, behind BEGIN IMMEDIATE, and a pool that
// reads; Postgres has one pool. A method that reads more than once reads from one
// snapshot.
//
// Errors are [porchlight/audit.Error]: not_found, conflict, invalid (a text with a NUL
// byte or that is not UTF-8), unavailable (down, busy, full, out of time), else
// internal. The driver's error is the cause.
package sqldb
