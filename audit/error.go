package audit

import (
	"errors"
	"fmt"
)

// Code names a kind of error for programs. Codes are stable: clients may branch on
// them, messages may change.
type Code string

// The codes that the core and the stores give. The server maps each to one HTTP
// status; a code it does not know is an internal error.
const (
	CodeInternal     Code = "internal"
	CodeInvalid      Code = "invalid"              // a value is out of its range, or the wrong kind
	CodeUnknownField Code = "unknown_field"        // a row or a file names a field that does not exist
	CodeNotFound     Code = "not_found"            // nothing is kept under that id
	CodeConflict     Code = "conflict"             // the id is taken by something else
	CodeImmutable    Code = "immutable"            // the thing exists and never changes
	CodeForbidden    Code = "forbidden"            // the caller's role does not reach that far
	CodeUnauthorized Code = "unauthorized"         // no credentials, or bad ones
	CodeExpired      Code = "token_expired"        // the credentials were good once
	CodeEmpty        Code = "photo_empty"          // no bytes
	CodeTooLarge     Code = "photo_too_large"      // more bytes than a photo may have
	CodeTooManyPix   Code = "photo_too_many_pixel" // more pixels than a photo may have
	CodeNotAPhoto    Code = "photo_type_unknown"   // bytes that are no JPEG, PNG, WebP or HEIC
	CodeUndecodable  Code = "photo_undecodable"    // a photo by its first bytes, but it does not decode whole
	CodeUnreadable   Code = "file_unreadable"      // the file cannot be opened or read
	CodeDelivery     Code = "delivery_unknown"     // no delivery with that tracking id
	CodeNotYours     Code = "delivery_not_yours"   // another driver's delivery
	CodeChecklist    Code = "checklist_invalid"    // a checklist that cannot be used
	CodeUnavailable  Code = "unavailable"          // a store is down or full: try again
	CodeBusy         Code = "busy"                 // too much at once: try again
	CodeCorrupted    Code = "object_corrupted"     // stored bytes no longer match their digest
	CodeDeleted      Code = "photo_deleted"        // the photo's bytes were deleted, past their retention
)

// Error is an error with a stable code and a message that a user may see. Err is
// the cause, for the log alone.
type Error struct {
	Code    Code
	Message string
	Err     error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an [Error]. Where the last argument is an error it becomes the cause
// and is not part of the message.
func Errorf(code Code, format string, args ...any) *Error {
	e := &Error{Code: code}
	if n := len(args); n > 0 {
		if err, ok := args[n-1].(error); ok {
			e.Err, args = err, args[:n-1]
		}
	}
	e.Message = fmt.Sprintf(format, args...)
	return e
}

// ErrorCode is the code of the first [Error] in err's chain, [CodeInternal] where
// there is none, and "" for nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// ErrorMessage is what a user may see of err: the message of the first [Error] in
// its chain, or a plain "Internal error".
func ErrorMessage(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return "Internal error"
}
