// Package standing computes what the guides on driver ratings call a standing: a
// driver's figures over the last packages and blocks, held against limits that are data.
//
// The limits are an operator's own targets. No carrier publishes how it computes its
// standings, so none of these numbers is a carrier's, and a report says so.
//
// Everything here is computation on what the caller has loaded: no clock, no store. Too
// little data makes a figure unknown, which is never a pass.
package standing
