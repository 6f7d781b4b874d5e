// Package dispute answers claims: it joins a delivered-not-received [Claim] with what
// is on record about the delivery, recommends dispute, review or accept, and freezes
// the evidence into packets.
//
// [Recommend] and everything that renders a [Packet] are pure; [Service] fetches what
// they need. A packet's JSON never changes once it is issued: the ZIP and the page in
// it are made from it alone. [Verify] checks a ZIP anywhere, without a server.
package dispute
