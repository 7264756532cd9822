package kyro

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Code is the machine-readable reason of an error. Clients decide by it; it never changes its meaning.
type Code string

// The codes of the contract.
const (
	CodeValidation          Code = "VALIDATION"
	CodeWeakPassword        Code = "WEAK_PASSWORD"
	CodeEmailTaken          Code = "EMAIL_TAKEN"
	CodeInvalidCredentials  Code = "INVALID_CREDENTIALS"
	CodeInvalidToken        Code = "INVALID_TOKEN"
	CodeConflict            Code = "CONFLICT"
	CodeIdempotencyConflict Code = "IDEMPOTENCY_CONFLICT"
	CodeLimitReached        Code = "LIMIT_REACHED"
	CodeBudgetExceeded      Code = "BUDGET_EXCEEDED"
	CodeUnsupportedType     Code = "UNSUPPORTED_TYPE"
	CodeFileEmpty           Code = "FILE_EMPTY"
	CodeFileTooLarge        Code = "FILE_TOO_LARGE"
	CodeFetchFailed         Code = "FETCH_FAILED"
	CodeNotFound            Code = "NOT_FOUND"
	CodeForbidden           Code = "FORBIDDEN"
	CodeUnauthenticated     Code = "UNAUTHENTICATED"
	CodeBadUserInput        Code = "BAD_USER_INPUT"
	CodeRateLimited         Code = "RATE_LIMITED"
	CodeUnavailable         Code = "UNAVAILABLE"
	CodeInternal            Code = "INTERNAL"
	CodeUpstreamFailed      Code = "UPSTREAM_FAILED"
	CodeUpstreamQuota       Code = "UPSTREAM_QUOTA"
	CodeContentBlocked      Code = "CONTENT_BLOCKED"
	CodeTimeout             Code = "TIMEOUT"
	CodeInterrupted         Code = "INTERRUPTED"
	CodeResponseTooLarge    Code = "RESPONSE_TOO_LARGE" // besides the enumeration, as all that is about the whole answer
)

// payloadCodes are the errors a caller can mend by sending something else: they are data in a mutation's payload.
// All others are top-level errors, so that a client's error link sees them.
var payloadCodes = map[Code]bool{
	CodeValidation: true, CodeWeakPassword: true, CodeEmailTaken: true, CodeInvalidCredentials: true,
	CodeInvalidToken: true, CodeConflict: true, CodeIdempotencyConflict: true, CodeLimitReached: true,
	CodeBudgetExceeded: true, CodeUnsupportedType: true, CodeFileEmpty: true, CodeFileTooLarge: true, CodeFetchFailed: true,
}

// Error is an error a client may see: Message is for a person and says what to do; the cause is for the log only.
type Error struct {
	Code       Code
	Message    string
	Field      []string      // the path of the input field that is wrong, from the mutation's input downwards
	RetryAfter time.Duration // how long to wait before trying again; zero where waiting does not help
	Limit      string        // of RATE_LIMITED: what was done too often, in the plural
	ResetAt    *time.Time    // of BUDGET_EXCEEDED: when the budget is whole again
	cause      error
}

// Errorf makes an Error with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid is a VALIDATION error of one input field.
func Invalid(field, format string, args ...any) *Error {
	return Errorf(CodeValidation, format, args...).At(field)
}

// NotFound is the one answer for "there is none" and for "not yours".
func NotFound(kind Kind) *Error {
	return Errorf(CodeNotFound, "%s not found.", kind.Noun())
}

// NoRoom is for what could not be stored since the server's disk is full, which passes once somebody makes room.
func NoRoom(cause error) *Error {
	e := Errorf(CodeUnavailable, "The server has no room left to store this. Try again later.")
	e.RetryAfter = noRoomPause
	return e.Because(cause)
}

const noRoomPause = 5 * time.Second

// One gives the single row of a read by id, or the NOT_FOUND of its kind.
func One[T any](rows []T, err error, kind Kind) (T, error) {
	var none T
	if err != nil {
		return none, err
	}
	if len(rows) == 0 {
		return none, NotFound(kind)
	}
	return rows[0], nil
}

// At returns the error with the path of the input field that is wrong.
func (e *Error) At(path ...string) *Error {
	e.Field = path
	return e
}

// Because returns the error with its cause, which is logged and never shown.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// Error is the text for logs; clients get Message alone.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s (%v)", e.Code, e.Message, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// InPayload reports whether the caller can mend the error, so that it belongs into the payload of a mutation.
func (e *Error) InPayload() bool { return payloadCodes[e.Code] }

// ErrorCode is the code of the first Error in the chain, INTERNAL for any other error and "" for nil.
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

// CallCode names how a call of an upstream ended, for figures: OK, CANCELED where its caller went away, or the code.
func CallCode(err error) string {
	switch {
	case err == nil:
		return "OK"
	case errors.Is(err, context.Canceled):
		return "CANCELED"
	case errors.Is(err, context.DeadlineExceeded):
		return string(CodeTimeout)
	}
	return string(ErrorCode(err))
}
