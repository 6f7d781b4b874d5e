// Package custody is the custody log: an append-only, hash-chained list of who
// uploaded, looked at, exported or changed what.
//
// # The chain
//
// Entries are numbered from 1 without gaps. Each carries the hash of the one before it
// (the first carries [Genesis]) and its own, which is the SHA-256, in lower-case hex, of
// these ten texts in this order, each written as its length in bytes in decimal, a
// colon, the bytes (UTF-8), and a comma:
//
//	porchlight-custody/1   this literal, see [Format]
//	seq                    decimal
//	at                     Unix microseconds, decimal
//	actor
//	role
//	action
//	subject_kind
//	subject_id
//	detail
//	previous               64 hex digits
//
// An entry that is empty but for its number, the time 0 and the first previous hash is
// hashed as
//
//	20:porchlight-custody/1,1:1,1:0,0:,0:,0:,0:,0:,0:,64:0000...0000,
//
// with nothing after the last comma. No two entries have the same encoding: every length
// is written before what it counts.
//
// # What it proves
//
// A row that was altered no longer matches its hash; a row whose hash was made anew is no
// longer the one that the row after it was sealed after; a removed row leaves a gap. What
// the chain cannot tell by itself is that its tail was cut off, or that all rows from one
// on were written anew. For that a [Head] has to be known from elsewhere: each packet
// carries the one of its moment, and the packet is in other hands.
package custody
