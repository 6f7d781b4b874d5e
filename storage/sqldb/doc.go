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
// What changes the records appends to the custody log in the same transaction, as the
// last thing before the commit: on Postgres the log's lock is held for no longer than
// that, and since nothing else is locked after it nobody waits in a circle. Who acts is
// taken from the context, see [porchlight/audit/custody.WithActor].
//
// Errors are [porchlight/audit.Error]: not_found, conflict, invalid (a text with a NUL
// byte or that is not UTF-8), unavailable (down, busy, full, out of time), else
// internal. The driver's error is the cause.
package sqldb
