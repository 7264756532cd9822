package client

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is one top-level error of a GraphQL answer.
type Error struct {
	Message    string     `json:"message"`
	Path       []any      `json:"path,omitempty"`
	Extensions Extensions `json:"extensions"`
}

// Extensions are what KyroChat says about an error for programs.
type Extensions struct {
	Code         string  `json:"code"`
	RequestID    string  `json:"requestId"`
	RetryAfterMs float64 `json:"retryAfterMs"`
}

func (e *Error) Error() string {
	if e.Extensions.Code == "" {
		return e.Message
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Extensions.Code)
}

// RetryAfter is how long to wait before trying again; 0 where the server does not say.
func (e *Error) RetryAfter() time.Duration {
	return time.Duration(e.Extensions.RetryAfterMs * float64(time.Millisecond))
}

// Errors are the top-level errors of one answer, never empty. errors.As finds the first *Error.
type Errors []*Error

func (e Errors) Error() string {
	messages := make([]string, len(e))
	for i, one := range e {
		messages[i] = one.Error()
	}
	return strings.Join(messages, "; ")
}

// Unwrap gives the errors one by one.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// Code is the error code of the first GraphQL error in err, such as NOT_FOUND; "" where there is none.
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Extensions.Code
	}
	return ""
}

// StatusError is an answer that is no GraphQL, such as that of a proxy.
type StatusError struct {
	Status int
	Body   string // its beginning
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the server answered %d %s instead of GraphQL: %s", e.Status, http.StatusText(e.Status), e.Body)
}

// CloseError is the end of a subscription by a close code of the websocket: of graphql-transport-ws (4400 to
// 4499) or of the server's own, such as 1001 when it shuts down.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("the server closed the subscription with code %d", e.Code)
	}
	return fmt.Sprintf("the server closed the subscription with code %d: %s", e.Code, e.Reason)
}
