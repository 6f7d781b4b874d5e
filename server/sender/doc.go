// Package sender sends the messages of webhooks: it takes those that are due out of the
// outbox, posts each to its endpoint, and keeps what came of it.
//
// A message is sent at least once. It is leased from the outbox while it is under way,
// so that any number of senders share the work, and the message of one that died is
// sent by another when its lease runs out. Each endpoint has its own few places, so that
// a slow one holds up nobody else.
//
// Endpoints are whatever an administrator typed in, so the sender keeps its distance
// from them: it connects to public addresses alone, which is checked on the resolved
// address that is dialled (a name cannot change its mind in between), follows no
// redirect, goes through no proxy, and reads 64 KiB of an answer at most.
package sender
