package transport

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
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

	retryAfter time.Duration // of a 429 or 503 that waiting helps against
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
	if why.retryAfter > 0 {
		extensions["retryAfterMs"] = why.retryAfter.Milliseconds()
		w.Header().Set("Retry-After", wholeSeconds(why.retryAfter))
	}
	write(w, media, why.status, &graphql.Response{Errors: gqlerror.List{{Message: why.message, Extensions: extensions}}}, 0)
}

// answer writes a response of the executor. One without data is a request error: its status is 4xx or 5xx in
// application/graphql-response+json, and 200 in application/json, which older clients read by that alone
// (GraphQL over HTTP §4.4). One that came too often is 429 in both, which everything between the client and here
// knows. Data that is null because a field failed stays, with 200.
func answer(w http.ResponseWriter, media string, response *graphql.Response, timeout time.Duration) {
	if response == nil {
		response = &graphql.Response{}
	}
	status := http.StatusOK
	if response.Data == nil {
		status = refusedStatus(media, response.Errors)
	}
	write(w, media, status, response, timeout)
}

func refusedStatus(media string, errs gqlerror.List) int {
	has := func(code kyro.Code) bool {
		return slices.ContainsFunc(errs, func(err *gqlerror.Error) bool { return codeOf(err) == string(code) })
	}
	switch {
	case has(kyro.CodeRateLimited):
		return http.StatusTooManyRequests
	case media != mediaResponse:
		return http.StatusOK
	case has(kyro.CodeInternal):
		return http.StatusInternalServerError
	default:
		return http.StatusBadRequest
	}
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
		tail = appendExtensions(tail, response.Extensions)
	}
	if response.Data != nil {
		if len(head) > 1 {
			head = append(head, ',')
		}
		head = append(head, `"data":`...)
	}
	return head, append(tail, '}')
}

// Header values that every answer has. None is ever added to.
var (
	contentTypes = map[string][]string{mediaJSON: {mediaJSON + "; charset=utf-8"}, mediaResponse: {mediaResponse + "; charset=utf-8"}}
	nosniff      = []string{"nosniff"}
	noStore      = []string{"no-store"}
)

// write sends the response within the time, or the default where it is zero.
func write(w http.ResponseWriter, media string, status int, response *graphql.Response, timeout time.Duration) {
	head, tail := frame(response)
	h := w.Header()
	h["Content-Type"] = contentTypes[media]
	h["X-Content-Type-Options"], h["Cache-Control"] = nosniff, noStore
	h.Set("Content-Length", strconv.Itoa(len(head)+len(response.Data)+len(tail)))
	// Writers without deadlines, as in tests, do without. It is Timeouts that ends it for the next request.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(cmp.Or(timeout, defaultAnswerTime)))
	w.WriteHeader(status)
	if _, err := w.Write(head); err != nil { //nolint:gosec // JSON, and typed as such
		return // the client is gone
	}
	// Data has room for the little that follows, which would be a packet of its own otherwise.
	_, _ = w.Write(append(response.Data, tail...)) //nolint:gosec // JSON, and typed as such
}

// appendExtensions writes the extensions of a response. Most have the cost alone, which is quicker by hand.
func appendExtensions(to []byte, extensions map[string]any) []byte {
	cost, has := extensions[costKey].(Cost)
	if !has || len(extensions) > 1 {
		return appendMember(to, "extensions", extensions)
	}
	to = strconv.AppendInt(append(to, `"extensions":{"cost":{"requested":`...), int64(cost.Requested), 10)
	return append(strconv.AppendInt(append(to, `,"max":`...), int64(cost.Max), 10), "}}"...)
}

func appendMember(to []byte, name string, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		// Errors and extensions are of our own making; whatever cannot be encoded is left out.
		text = []byte("null")
	}
	return append(append(append(append(to, '"'), name...), `":`...), text...)
}
