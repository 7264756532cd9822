package fetch

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"mime"
	"net/textproto"
	"strings"

	"kyrochat/kyro"
)

// kinds are the types that text can be read from. What is none of them, a server would have to call nothing, or a stream
// of octets: then it is decided by content later.
var kinds = map[string]bool{ // to: whether it is a page, which is short
	"text/html": true, "application/xhtml+xml": true, "text/plain": true, "text/markdown": true, "text/x-markdown": true,
	"text/csv": false, "application/json": false, "application/pdf": false,
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   false,
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": false,
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         false,
	"": false, "application/octet-stream": false, "binary/octet-stream": false,
}

// limit is how long a body of the type may be, in bytes; UNSUPPORTED_TYPE where no text is read from the type.
func (f *Fetcher) limit(claimed string) (int64, error) {
	name, _, _ := strings.Cut(claimed, ";") // what follows may be wrong, and is
	name = strings.ToLower(textproto.TrimString(name))
	page, known := kinds[name]
	switch {
	case !known && len(name) <= 100 && isType(name):
		return 0, kyro.Errorf(kyro.CodeUnsupportedType, "The site sent %s, which no text is read from.", name)
	case !known:
		return 0, kyro.Errorf(kyro.CodeUnsupportedType, "The site sent something that no text is read from.")
	case page:
		return f.MaxPage, nil
	}
	return f.MaxFile, nil
}

func isType(s string) bool {
	parsed, parameters, err := mime.ParseMediaType(s)
	return err == nil && parsed == s && len(parameters) == 0 && strings.Count(s, "/") == 1
}

// body is what an answer brings, unpacked. It ends with FILE_TOO_LARGE beyond its limit, and by the clock.
type body struct {
	a     *answer
	from  io.Reader
	left  int64 // bytes until the limit
	limit int64
	err   error // that it ended with
}

// body unpacks what the answer brings. Only what was asked for is unpacked: gzip, once.
func (a *answer) body(limit int64) (io.ReadCloser, error) {
	b := &body{a: a, left: limit, limit: limit, from: a.Body}
	switch coding := strings.ToLower(strings.Join(a.Header.Values("Content-Encoding"), ",")); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		// What is packed is hardly ever longer than what it was: so much of it does for everything within the limit.
		b.from = &unpacked{packed: &io.LimitedReader{R: a.Body, N: limit + 64<<10}}
	default:
		return nil, failed("The site packs its answer in a way that it was not asked for.")
	}
	return b, nil
}

func tooLarge(limit int64) error {
	if limit < 1<<20 {
		return kyro.Errorf(kyro.CodeFileTooLarge, "What is at the address is larger than %d bytes.", limit)
	}
	return kyro.Errorf(kyro.CodeFileTooLarge, "What is at the address is larger than %d MiB.", limit>>20)
}

// Read gives what is left, within the limit.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more tells whether it goes on
	}
	n, err := b.from.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), tooLarge(b.limit)
	}
	b.left -= int64(n)
	b.err = b.explain(err)
	return n, b.err
}

// explain makes of an error of reading what a caller gets.
func (b *body) explain(err error) error {
	switch {
	case err == nil, err == io.EOF, kyro.ErrorCode(err) != kyro.CodeInternal:
		return err
	case b.a.caller.Err() != nil:
		return b.a.caller.Err()
	case errors.Is(b.a.deadline.Err(), context.DeadlineExceeded):
		return later(kyro.CodeTimeout, usualPause, "The site took too long to send the page.").Because(err)
	}
	return later(kyro.CodeUpstreamFailed, usualPause, "The site broke off while it sent the page.").Because(err)
}

// Close ends the connection where there is more to come, and lets others ask the host.
func (b *body) Close() error {
	if b.err == nil || b.err == io.EOF {
		b.err = errClosed
	}
	b.a.end()
	return nil
}

var errClosed = errors.New("the body is closed")

// unpacked undoes gzip.
type unpacked struct {
	packed *io.LimitedReader
	z      *gzip.Reader
}

func (u *unpacked) Read(p []byte) (n int, err error) {
	if u.z == nil {
		if u.z, err = gzip.NewReader(u.packed); err == io.EOF {
			return 0, io.EOF // nothing at all is nothing packed, to some servers
		}
	}
	if err == nil {
		n, err = u.z.Read(p)
	}
	switch {
	case err == nil, err == io.EOF:
	case u.packed.N <= 0:
		err = failed("The site packs its answer in a way that makes it longer.")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), isCorrupt(err):
		err = failed("The site sent something that cannot be unpacked.").Because(err)
	}
	return n, err
}

func isCorrupt(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt
}
