package transport

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"time"
)

// requestIDHeader is the response header that names a request for a report and in the log.
const requestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// RequestID gives every request an id, in the context and in the answer. What a client sends under that name
// counts for nothing, so that nobody can write into the log. newID is nil but in tests.
func RequestID(newID func() string) func(http.Handler) http.Handler {
	if newID == nil {
		newID = rand.Text
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := newID()
			w.Header().Set(requestIDHeader, id)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
		})
	}
}

// Timeouts bound how long the body of a request and its answer may take, 15 s and 30 s where they are zero. They are for
// what no transport takes care of: net/http reads what is left of a body before it answers, and would wait for a client
// that sends a byte now and then, or that takes no answer. Transports set times of their own, which belong to the
// connection and end here for the next request that comes by it.
func Timeouts(body, answer time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			deadlines, now := http.NewResponseController(w), time.Now()
			_ = deadlines.SetWriteDeadline(now.Add(cmp.Or(answer, defaultAnswerTime)))
			if r.ContentLength != 0 { // a deadline that passes without a body to read looks as if the client had gone
				_ = deadlines.SetReadDeadline(now.Add(cmp.Or(body, defaultBodyTimeout)))
			}
			next.ServeHTTP(w, r)
		})
	}
}

// RequestIDFrom gives the id of the request, or of the operation on a websocket; "" outside of one.
func RequestIDFrom(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
