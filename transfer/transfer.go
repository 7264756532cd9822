// Package transfer carries files over HTTP: to the server in parts, and back to their owners. Both go by addresses that are
// capabilities, so that a browser needs no header to follow them; they are in no log.
package transfer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"kyrochat/export"
	"kyrochat/ingest"
	"kyrochat/kyro"
)

// Documents is what the handlers need of the use cases of documents.
type Documents interface {
	Slot(ctx context.Context, token string) (kyro.UploadSlot, error)
	Send(ctx context.Context, token string, p ingest.Part) (ingest.Sent, error)
	EndSlot(ctx context.Context, token string) error
	Download(ctx context.Context, token string) (ingest.Download, error)
}

// Exports is what the handlers need of the use cases of exports.
type Exports interface {
	Download(ctx context.Context, token string) (export.Download, error)
}

// DefaultIdle is how long nothing may come, or be taken, before a connection is given up.
const DefaultIdle = 30 * time.Second

// Handlers answer for files.
type Handlers struct {
	Documents Documents
	Exports   Exports
	Idle      time.Duration // zero: DefaultIdle
	RequestID func(context.Context) string
	Log       *slog.Logger
}

func (h *Handlers) idle() time.Duration { return cmp.Or(h.Idle, DefaultIdle) }

// answerTime is for what has no body to speak of.
const answerTime = 30 * time.Second

// problem is an error as clients read it.
type problem struct {
	Code      kyro.Code `json:"code"`
	Message   string    `json:"message"`
	RequestID string    `json:"requestId,omitempty"`
}

// statuses are those of errors; all others are 500.
var statuses = map[kyro.Code]int{
	kyro.CodeValidation: http.StatusBadRequest, kyro.CodeBadUserInput: http.StatusBadRequest, kyro.CodeFileEmpty: http.StatusBadRequest,
	kyro.CodeNotFound: http.StatusNotFound, kyro.CodeConflict: http.StatusConflict, kyro.CodeFileTooLarge: http.StatusRequestEntityTooLarge,
	kyro.CodeUnsupportedType: http.StatusUnsupportedMediaType, kyro.CodeLimitReached: http.StatusUnprocessableEntity,
	kyro.CodeRateLimited: http.StatusTooManyRequests, kyro.CodeUnavailable: http.StatusServiceUnavailable,
	kyro.CodeTimeout: http.StatusServiceUnavailable, kyro.CodeUpstreamFailed: http.StatusServiceUnavailable,
}

// refuse answers with an error. What nobody outside is to know is logged, without the address.
func (h *Handlers) refuse(w http.ResponseWriter, r *http.Request, err error) {
	known, told := errors.AsType[*kyro.Error](err)
	if !told && r.Context().Err() != nil {
		known, told = kyro.Errorf(kyro.CodeUnavailable, "The request ended before it could be answered."), true
		err = known
	}
	status := statuses[kyro.ErrorCode(err)]
	if !told || status == 0 {
		h.Log.ErrorContext(r.Context(), "a file could not be carried", "requestId", h.RequestID(r.Context()), "method", r.Method, "error", err)
		status, known = http.StatusInternalServerError, kyro.Errorf(kyro.CodeInternal, "Something went wrong on our side.")
	}
	if known.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((known.RetryAfter+time.Second-1)/time.Second), 10))
	}
	writeJSON(w, status, map[string][]problem{"errors": {{known.Code, known.Message, h.RequestID(r.Context())}}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // all of them are of plain fields
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// allow says what else could be asked here.
func allow(w http.ResponseWriter, methods string) {
	w.Header().Set("Allow", methods)
	writeJSON(w, http.StatusMethodNotAllowed, map[string][]problem{"errors": {{Code: "METHOD_NOT_ALLOWED", Message: "Use one of " + methods + "."}}})
}
