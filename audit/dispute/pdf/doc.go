// Package pdf writes a packet as a PDF for people: a cover letter, the timeline, the
// photos with their findings, a map drawn from the positions on record, the driver's
// record, and what the evidence can be checked against.
//
// It is made to be accepted where claims are answered: PDF/A-2b (ISO 19005-2), fonts
// embedded, text that can be selected, no links, no scripts, no transparency. For the same
// packet, photos and [Look] the bytes are the same.
package pdf
