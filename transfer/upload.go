package transfer

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
)

// Headers of uploads.
const (
	offsetHeader = "Upload-Offset" // how many bytes are there
	lengthHeader = "Upload-Length" // how many there are to be, where that is known
)

// Upload takes files in, at /uploads/{token}:
//
//	PUT, the whole file                          201, or where it is cut off nothing, and what arrived stays
//	PUT, Content-Range: bytes 0-8388607/20000000  308 with Upload-Offset; 201 after the last; the total may be *
//	PUT, Content-Range: bytes */20000000, no body 308, or 201 where all of it is there
//	HEAD                                         Upload-Offset, and Upload-Length where that is known
//	DELETE                                       gives it up
//
// A part that begins elsewhere than at the offset is answered by 409 with Upload-Offset. An error has a body with code and
// message, as in GraphQL.
func (h *Handlers) Upload(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	switch r.Method {
	case http.MethodPut:
		h.put(w, r, token)
	case http.MethodHead:
		slot, err := h.Documents.Slot(r.Context(), token)
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		tell(w, slot)
		w.WriteHeader(http.StatusOK)
	case http.MethodDelete:
		if err := h.Documents.EndSlot(r.Context(), token); err != nil {
			h.refuse(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		allow(w, "PUT, HEAD, DELETE")
	}
}

// tell says in the headers what is there.
func tell(w http.ResponseWriter, slot kyro.UploadSlot) {
	w.Header().Set(offsetHeader, strconv.FormatInt(slot.ReceivedBytes, 10))
	if slot.SizeBytes != nil {
		w.Header().Set(lengthHeader, strconv.FormatInt(*slot.SizeBytes, 10))
	}
	if slot.ReceivedBytes > 0 { // as others tell of it
		w.Header().Set("Range", "bytes=0-"+strconv.FormatInt(slot.ReceivedBytes-1, 10))
	}
}

// sent is the answer to the last part.
type sent struct {
	DocumentID string              `json:"documentId"`
	Status     kyro.DocumentStatus `json:"status"`
}

func (h *Handlers) put(w http.ResponseWriter, r *http.Request, token string) {
	part, asks, err := readRange(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if asks {
		slot, err := h.Documents.Slot(r.Context(), token)
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		part.At = slot.ReceivedBytes
	}
	connection := http.NewResponseController(w)
	body := &slowBody{body: r.Body, connection: connection, idle: h.idle(), began: time.Now()}
	part.Body, part.RequestID = body, h.RequestID(r.Context())
	_ = connection.SetWriteDeadline(time.Time{}) // as long as enough arrives
	got, err := h.Documents.Send(r.Context(), token, part)
	if !got.Slot.ID.IsZero() {
		body.drain() // most clients look at no answer before they have sent everything
	}
	_ = connection.SetWriteDeadline(time.Now().Add(answerTime))
	if !got.Slot.ID.IsZero() {
		tell(w, got.Slot)
	}
	switch {
	case err != nil:
		h.refuse(w, r, err)
	case got.Document == nil:
		w.WriteHeader(http.StatusPermanentRedirect)
	default:
		writeJSON(w, http.StatusCreated, sent{got.Document.ID.String(), got.Document.Status})
	}
}

// readRange reads which part of the file the body is. asks says that there is none, and that the client wants to know how
// much is there.
func readRange(r *http.Request) (part ingest.Part, asks bool, err error) {
	bad := kyro.Invalid("file", `Content-Range is to be "bytes first-last/total", where total may be *, or "bytes */total" without a body.`)
	given := r.Header.Get("Content-Range")
	if given == "" {
		return ingest.Part{Size: r.ContentLength, Total: -1, Whole: true}, false, nil
	}
	span, found := strings.CutPrefix(given, "bytes ")
	span, total, cut := strings.Cut(span, "/")
	if !found || !cut {
		return ingest.Part{}, false, bad
	}
	part.Total = -1
	if total != "*" {
		if part.Total, err = number(total); err != nil || part.Total < 1 {
			return ingest.Part{}, false, bad
		}
	}
	if span == "*" {
		if part.Total < 0 || r.ContentLength != 0 {
			return ingest.Part{}, false, bad
		}
		return part, true, nil
	}
	first, last, cut := strings.Cut(span, "-")
	a, err1 := number(first)
	b, err2 := number(last)
	if !cut || err1 != nil || err2 != nil || b < a || part.Total >= 0 && b >= part.Total {
		return ingest.Part{}, false, bad
	}
	part.At, part.Size = a, b-a+1
	if r.ContentLength >= 0 && r.ContentLength != part.Size {
		return ingest.Part{}, false, kyro.Invalid("file", "Content-Range tells of %d bytes, and the body has %d.", part.Size, r.ContentLength)
	}
	return part, false, nil
}

// number reads digits, of which there are not so many that sums of two overflow.
func number(s string) (int64, error) {
	if len(s) > 15 || strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0, errors.New("not a number")
	}
	return strconv.ParseInt(s, 10, 64)
}

// slowest is how many bytes of a body have to come in a second, besides those of the first while. Of a body that is cut off
// all is kept that came, so that whoever has a slower line gets on by parts.
const slowest = 10 << 10

// slowBody is a body that may take long, as long as something comes, and not too little.
type slowBody struct {
	body       io.Reader
	connection *http.ResponseController
	idle       time.Duration
	began      time.Time
	taken      int64 // bytes so far

	mu     sync.Mutex
	closed bool
	err    error // of a Read
}

// Read implements io.Reader.
func (b *slowBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return 0, os.ErrClosed
	}
	until, last := time.Now().Add(b.idle), b.began.Add(b.idle+time.Duration(b.taken)*time.Second/slowest)
	if last.Before(until) {
		until = last
	}
	_ = b.connection.SetReadDeadline(until)
	b.mu.Unlock()
	n, err := b.body.Read(p)
	b.taken += int64(n)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.err = err; err == io.EOF && !b.closed {
			_ = b.connection.SetReadDeadline(time.Time{}) // one that passed now would look as if the client had gone
		}
	}
	return n, err
}

// Close ends a Read that waits.
func (b *slowBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.connection.SetReadDeadline(time.Now())
}

// drainBytes is how much is read of a body that nobody wants, and drainTime how long: then the connection is closed, as
// net/http does, and the client may not come to see the answer.
const (
	drainBytes = 8 << 20
	drainTime  = 5 * time.Second
)

// drain reads what is left.
func (b *slowBody) drain() {
	b.mu.Lock()
	over := b.closed || b.err != nil
	b.mu.Unlock()
	if over {
		return
	}
	_ = b.connection.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, b.body, drainBytes)
}
