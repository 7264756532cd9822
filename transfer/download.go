package transfer

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
)

// served are the types that originals are served as. HTML, and whatever is not here, is bytes: nothing that a person
// uploaded is ever a page of this server.
var served = map[string]string{
	"application/pdf": "application/pdf", "text/plain": "text/plain; charset=utf-8", "text/markdown": "text/markdown; charset=utf-8",
	"text/csv": "text/csv; charset=utf-8", "application/json": "application/json",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"application/zip": "application/zip", "application/jsonl": "application/jsonl",
}

// Download gives originals out, at /files/{token}: GET, with Range for clients that go on with what was cut off, and HEAD.
// It is always a file to be saved, never a page.
func (h *Handlers) Download(w http.ResponseWriter, r *http.Request) {
	h.give(w, r, h.Documents.Download)
}

// Export gives exports out, at /exports/{token}, as Download does originals.
func (h *Handlers) Export(w http.ResponseWriter, r *http.Request) {
	h.give(w, r, func(ctx context.Context, token string) (ingest.Download, error) {
		file, err := h.Exports.Download(ctx, token)
		return ingest.Download(file), err
	})
}

func (h *Handlers) give(w http.ResponseWriter, r *http.Request, open func(context.Context, string) (ingest.Download, error)) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		allow(w, "GET, HEAD")
		return
	}
	file, err := open(r.Context(), r.PathValue("token"))
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	defer func() { _ = file.Body.Close() }()
	// What has no end cannot be read: ServeContent would tell why, and that is for the log.
	if _, err := file.Body.Seek(0, io.SeekEnd); err != nil {
		h.refuse(w, r, err)
		return
	}
	kind, known := served[file.MimeType]
	if !known {
		kind = "application/octet-stream"
	}
	head := w.Header()
	head.Set("Content-Type", kind)
	head.Set("Content-Disposition", disposition(file.Name))
	head.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "private, no-store")
	if file.Hash != "" {
		head.Set("ETag", `"`+file.Hash+`"`)
	}
	// Each of several ranges would be looked for anew, in a bucket by a request of its own: whoever asks for them gets the whole.
	if strings.Contains(r.Header.Get("Range"), ",") {
		r.Header.Del("Range")
	}
	connection := http.NewResponseController(w)
	body := &taken{ReadSeeker: file.Body, idle: func() { _ = connection.SetWriteDeadline(time.Now().Add(h.idle())) }}
	late := &lateHead{ResponseWriter: w}
	http.ServeContent(late, r, "", time.Time{}, body)
	switch {
	case !late.sent && body.err != nil:
		for _, name := range []string{"Content-Length", "Content-Range", "Content-Disposition", "Accept-Ranges", "ETag"} {
			head.Del(name)
		}
		h.refuse(w, r, body.err)
	case !late.sent:
		late.send()
	case body.err != nil && r.Context().Err() == nil && kyro.ErrorCode(body.err) != kyro.CodeNotFound:
		h.Log.WarnContext(r.Context(), "a download was cut off", "requestId", h.RequestID(r.Context()), "error", body.err)
	}
}

// lateHead is an answer whose head is written with the first of its body: that cannot be had is known only then.
type lateHead struct {
	http.ResponseWriter
	status int
	sent   bool
}

// WriteHeader implements http.ResponseWriter.
func (l *lateHead) WriteHeader(status int) { l.status = status }

// Write implements http.ResponseWriter.
func (l *lateHead) Write(p []byte) (int, error) {
	if !l.sent {
		l.send()
	}
	return l.ResponseWriter.Write(p)
}

func (l *lateHead) send() {
	l.sent = true
	l.ResponseWriter.WriteHeader(cmp.Or(l.status, http.StatusOK))
}

// taken is a body that may take as long as it likes, as long as the client takes something.
type taken struct {
	io.ReadSeeker
	idle func()
	err  error
}

// Read implements io.Reader.
func (t *taken) Read(p []byte) (int, error) {
	t.idle()
	n, err := t.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}

// disposition says that the body is a file with a name: in ASCII for old clients, and as it is (RFC 6266, RFC 8187).
func disposition(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%/`, r) {
			return '_'
		}
		return r
	}, name)
	encoded := strings.NewReplacer("+", "%20", "*", "%2A", "'", "%27", "(", "%28", ")", "%29").Replace(url.QueryEscape(name))
	return `attachment; filename="` + plain + `"; filename*=UTF-8''` + encoded
}
