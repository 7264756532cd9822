package transport

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"kyrochat/kyro"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Codes of requests that are refused before a document is looked at.
const (
	codeBadRequest      = "BAD_REQUEST"
	codeBatching        = "BATCHING_NOT_SUPPORTED"
	codeMethod          = "METHOD_NOT_ALLOWED"
	codeMediaType       = "UNSUPPORTED_MEDIA_TYPE"
	codeNotAcceptable   = "NOT_ACCEPTABLE"
	codeTooLarge        = "PAYLOAD_TOO_LARGE"
	codePreflight       = "PREFLIGHT_REQUIRED"
	codeTooManyOnSocket = "TOO_MANY_OPERATIONS"
	codeIntrospection   = "INTROSPECTION_DISABLED"
)

// refusal is a request that gets no further than the transport.
type refusal struct {
	status  int
	code    string
	message string
	allow   string // the Allow header of a 405
}

func badRequest(message string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: codeBadRequest, message: message}
}

// refuse answers with the one error of the refusal. media is "" where none was negotiated.
func refuse(w http.ResponseWriter, r *http.Request, media string, why *refusal) {
	if media == "" {
		media = mediaJSON
	}
	if why.allow != "" {
		w.Header().Set("Allow", why.allow)
	}
	extensions := map[string]any{"code": why.code, "requestId": RequestIDFrom(r.Context())}
	write(w, media, why.status, &graphql.Response{Errors: gqlerror.List{{Message: why.message, Extensions: extensions}}}, 0)
}

// answer writes a response of the executor. One without data is a request error: its status is 4xx or 5xx in
// application/graphql-response+json, and 200 in application/json, which older clients read by that alone
// (GraphQL over HTTP §4.4). Data that is null because a field failed stays, with 200.
func answer(w http.ResponseWriter, media string, response *graphql.Response, timeout time.Duration) {
	if response == nil {
		response = &graphql.Response{}
	}
	status := http.StatusOK
	if response.Data == nil && media == mediaResponse {
		status = http.StatusBadRequest
		for _, err := range response.Errors {
			if codeOf(err) == string(kyro.CodeInternal) {
				status = http.StatusInternalServerError
			}
		}
	}
	write(w, media, status, response, timeout)
}

// frame is what surrounds the data of a response. The data is already JSON and goes out as it is: to encode it again
// would cost more than to make it.
func frame(response *graphql.Response) (head, tail []byte) {
	head = []byte{'{'}
	if len(response.Errors) > 0 {
		head = appendMember(head, "errors", response.Errors)
	}
	if len(response.Extensions) > 0 {
		if len(head) > 1 || response.Data != nil {
			tail = append(tail, ',')
		}
		tail = appendMember(tail, "extensions", response.Extensions)
	}
	if response.Data != nil {
		if len(head) > 1 {
			head = append(head, ',')
		}
		head = append(head, `"data":`...)
	}
	return head, append(tail, '}')
}

// write sends the response within the time, or the default where it is zero.
func write(w http.ResponseWriter, media string, status int, response *graphql.Response, timeout time.Duration) {
	head, tail := frame(response)
	h := w.Header()
	h.Set("Content-Type", media+"; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(head)+len(response.Data)+len(tail)))
	// Writers without deadlines, as in tests, do without. It is RequestID that ends it for the next request.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(cmp.Or(timeout, defaultAnswerTime)))
	w.WriteHeader(status)
	for _, part := range [][]byte{head, response.Data, tail} {
		if _, err := w.Write(part); err != nil {
			return // the client is gone
		}
	}
}

func appendMember(to []byte, name string, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		// Errors and extensions are of our own making; whatever cannot be encoded is left out.
		text = []byte("null")
	}
	return append(append(append(append(to, '"'), name...), `":`...), text...)
}
