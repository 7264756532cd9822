package transport

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"time"

	"kyrochat/kyro"
)

// drainTimeout is how long the rest of a refused upload is read, so that its sender sees why.
const drainTimeout = 30 * time.Second

// uploadStream hands the parts of a form to the uploads they belong to, in the order they arrive.
type uploadStream struct {
	mu      sync.Mutex
	form    *multipart.Reader
	part    *multipart.Part // the file that is being read; nil before the first and after the last
	waiting map[string]*kyro.Upload
	closed  bool
}

// uploadReader is the Reader of one Upload.
type uploadReader struct {
	stream *uploadStream
	name   string
	done   bool
}

// first gives every upload its reader and opens the first file, so that its name is known when the operation runs.
func (s *uploadStream) first() *refusal {
	for name, upload := range s.waiting {
		upload.Reader = &uploadReader{stream: s, name: name}
	}
	if len(s.waiting) == 0 {
		return nil
	}
	if err := s.open(); err != nil {
		return badRequest(err.Message)
	}
	return nil
}

// open goes on to the next file and tells its upload what the client calls it. What is left of the present one is
// skipped.
func (s *uploadStream) open() *kyro.Error {
	s.part = nil
	if len(s.waiting) == 0 {
		return nil
	}
	part, err := s.form.NextPart()
	if errors.Is(err, io.EOF) {
		return kyro.Errorf(kyro.CodeBadUserInput,
			"The request has no part for the file %s of its map.", strings.Join(names(s.waiting), ", "))
	}
	if err != nil {
		return uploadError(err)
	}
	upload, found := s.waiting[part.FormName()]
	if !found {
		return kyro.Errorf(kyro.CodeBadUserInput, "The request has a part that its map does not name.")
	}
	delete(s.waiting, part.FormName())
	upload.FileName, upload.ContentType = part.FileName(), part.Header.Get("Content-Type")
	s.part = part
	return nil
}

// Read reads the file from the connection.
func (r *uploadReader) Read(p []byte) (int, error) {
	s := r.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return 0, errors.New("the request of the upload has been answered")
	case r.done:
		return 0, io.EOF
	}
	if _, mine := s.waiting[r.name]; mine {
		if err := s.open(); err != nil {
			return 0, err
		}
	}
	if s.part == nil || s.part.FormName() != r.name {
		return 0, kyro.Errorf(kyro.CodeBadUserInput, "The files of a request must come in the order they are used in.")
	}
	n, err := s.part.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		r.done = true
		// The name of the next file is known before the field that takes it runs. Where there is none, its own
		// reader says so.
		if next := s.open(); next != nil {
			s.part = nil
		}
		return n, io.EOF
	case err != nil:
		return n, uploadError(err)
	}
	return n, nil
}

func (s *uploadStream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// uploadError tells a person why the rest of a file did not come.
func uploadError(err error) *kyro.Error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return kyro.Errorf(kyro.CodeFileTooLarge, "The files of the request are larger than the limit.").Because(err)
	}
	return kyro.Errorf(kyro.CodeBadUserInput, "The upload ended before the file was complete. Send it again.").Because(err)
}

// pacedBody is a request body with a budget of bytes, from a client that has to keep up a pace.
type pacedBody struct {
	from      io.Reader
	left      int64 // bytes that may still come
	read      int64
	started   time.Time
	grace     time.Duration
	rate      int64 // bytes a second
	deadlines *http.ResponseController
	until     time.Time // when the body has to be through, where it only is read to be thrown away
	ended     bool      // the last byte has come
	broken    bool      // no more will come
}

func (b *pacedBody) allow(more int64) { b.left += more }

// Read answers *http.MaxBytesError when the budget is spent.
func (b *pacedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &http.MaxBytesError{Limit: b.read}
	}
	n, err := b.receive(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

func (b *pacedBody) receive(p []byte) (int, error) {
	// Writers without deadlines, as in tests, do without.
	due := b.started.Add(b.grace + time.Duration(float64(b.read)/float64(b.rate)*float64(time.Second)))
	if !b.until.IsZero() && b.until.Before(due) {
		due = b.until
	}
	_ = b.deadlines.SetReadDeadline(due)
	n, err := b.from.Read(p)
	b.read += int64(n)
	switch {
	case err == nil:
	case !errors.Is(err, io.EOF):
		b.broken = true
	case !b.broken:
		b.ended = true
		// A deadline that passed while the operation runs would look as if the client had gone.
		_ = b.deadlines.SetReadDeadline(time.Time{})
	}
	return n, err
}

// drain reads on, up to limit bytes and for thirty seconds, and reports whether that was all. Where it was not, the deadline stays, for
// net/http reads on a little before it answers.
func (b *pacedBody) drain(limit int64) bool {
	if b.ended || b.broken {
		return b.ended
	}
	b.until = time.Now().Add(drainTimeout)
	_, err := io.Copy(io.Discard, io.LimitReader(readerFunc(b.receive), limit))
	return err == nil && b.ended
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
