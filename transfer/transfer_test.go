package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
	"kyrochat/transfer"
)

// documents gives one file.
type documents struct {
	transfer.Documents
	file ingest.Download
	err  error
}

func (d documents) Download(context.Context, string) (ingest.Download, error) { return d.file, d.err }

// body can fail behind so many bytes.
type body struct {
	*bytes.Reader
	fail error
}

func (b body) Read(p []byte) (int, error) {
	if b.fail != nil {
		return 0, b.fail
	}
	return b.Reader.Read(p)
}

func (body) Close() error { return nil }

func download(t *testing.T, d documents, log io.Writer) *httptest.ResponseRecorder {
	t.Helper()
	h := &transfer.Handlers{Documents: d, RequestID: func(context.Context) string { return "r1" }, Log: slog.New(slog.NewTextHandler(log, nil))}
	w := httptest.NewRecorder()
	h.Download(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/files/x", nil))
	return w
}

func TestDownloadsAreNeverPages(t *testing.T) {
	t.Parallel()
	for mimeType, want := range map[string]string{
		"text/html": "application/octet-stream", "application/xhtml+xml": "application/octet-stream", "image/svg+xml": "application/octet-stream",
		"": "application/octet-stream", "text/plain": "text/plain; charset=utf-8", "application/pdf": "application/pdf",
	} {
		page := body{Reader: bytes.NewReader([]byte("<script>alert(1)</script>"))}
		w := download(t, documents{file: ingest.Download{Name: "a\r\nX-Evil: 1\".html", MimeType: mimeType, Body: page}}, io.Discard)
		if got := w.Header().Get("Content-Type"); got != want || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q is served as %q", mimeType, got)
		}
		if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "sandbox; default-src 'none'") {
			t.Errorf("what it may do is %q", got)
		}
		if got := w.Header().Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; ") || strings.ContainsAny(got, "\r\n") {
			t.Errorf("it is %q", got)
		}
	}
}

func TestDownloadThatCannotBeHad(t *testing.T) {
	t.Parallel()
	away := kyro.Errorf(kyro.CodeUnavailable, "It is away.").Because(errors.New("a secret of the bucket"))
	var log bytes.Buffer
	for name, c := range map[string]struct {
		documents documents
		status    int
	}{
		"not there":      {documents{err: kyro.NotFound(kyro.KindDocument)}, 404},
		"away at once":   {documents{err: away}, 503},
		"away when read": {documents{file: ingest.Download{Name: "a.pdf", Hash: "h", Body: body{bytes.NewReader([]byte("body")), away}}}, 503},
		"broken":         {documents{err: errors.New("the disk is broken")}, 500},
	} {
		w := download(t, c.documents, &log)
		if w.Code != c.status || strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "disk") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w.Header().Get("Content-Disposition") != "" || w.Header().Get("ETag") != "" {
			t.Errorf("%s: an error has the head of a file: %v", name, w.Header())
		}
	}
	if !strings.Contains(log.String(), "the disk is broken") || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("the log says %s", log.String())
	}
}

// receiver reads what is sent to its end.
type receiver struct {
	documents
	got chan int64
}

func (r receiver) Send(_ context.Context, _ string, p ingest.Part) (ingest.Sent, error) {
	n, err := io.Copy(io.Discard, p.Body)
	r.got <- n
	return ingest.Sent{}, kyro.Errorf(kyro.CodeBadUserInput, "It broke off.").Because(err)
}

// TestTricklesAreCutOff: a byte now and then keeps no connection for ever.
func TestTricklesAreCutOff(t *testing.T) {
	t.Parallel()
	got := make(chan int64, 1)
	h := &transfer.Handlers{
		Documents: receiver{got: got}, Idle: 300 * time.Millisecond, RequestID: func(context.Context) string { return "r1" }, Log: slog.New(slog.DiscardHandler),
	}
	server := httptest.NewServer(http.HandlerFunc(h.Upload))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, "PUT /uploads/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	hangs := time.After(time.Minute)
	for {
		_, _ = conn.Write([]byte("x"))
		select {
		case n := <-got:
			if n == 0 {
				t.Error("nothing of it was taken")
			}
			return
		case <-time.After(10 * time.Millisecond): // how slowly it comes
		case <-hangs:
			t.Fatal("it goes on")
		}
	}
}

// counting counts how often it is sought in.
type counting struct {
	body
	sought int
}

func (c *counting) Seek(offset int64, whence int) (int64, error) {
	c.sought++
	return c.body.Seek(offset, whence)
}

// TestManyRangesAreNone: in a bucket each of them would be a request.
func TestManyRangesAreNone(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 2_000)
	file := &counting{body: body{Reader: bytes.NewReader(content)}}
	h := &transfer.Handlers{Documents: documents{file: ingest.Download{Name: "a.txt", Body: file}}, RequestID: func(context.Context) string { return "r1" }}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/files/x", nil)
	r.Header.Set("Range", "bytes=0-0"+strings.Repeat(",7-7", 2_000))
	w := httptest.NewRecorder()
	h.Download(w, r)
	if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), content) || file.sought > 10 {
		t.Errorf("%d with %d bytes of %s, sought %d times", w.Code, w.Body.Len(), w.Header().Get("Content-Type"), file.sought)
	}
}
