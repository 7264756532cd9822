package s3

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/md5" // what ETags are
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// How bodies are signed that are sent in chunks.
const (
	unsigned        = "UNSIGNED-PAYLOAD"
	chunked         = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	chunkedTrailer  = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// maxChunk is the largest chunk that is taken.
const maxChunk = 16 << 20

var (
	errSignature = errors.New("the signature of the body does not match")
	errChecksum  = errors.New("the checksum of the body does not match")
	errChunk     = errors.New("the body is not in chunks as it says")
)

// checked is the body of a request, which is checked as its payload says.
func checked(r *http.Request, s signature, payload string) io.ReadCloser {
	switch payload {
	case unsigned:
		return r.Body
	case chunked, chunkedTrailer, unsignedTrailer:
		return &chunks{r: r, in: bufio.NewReader(r.Body), s: s, last: s.mac, signed: payload != unsignedTrailer, trailer: payload != chunked}
	default:
		return &whole{r.Body, sha256.New(), payload}
	}
}

// whole is a body of which the hash is signed.
type whole struct {
	io.ReadCloser
	sum interface {
		io.Writer
		Sum([]byte) []byte
	}
	want string
}

func (b *whole) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(b.sum.Sum(nil)) != b.want {
		err = errSignature
	}
	return n, err
}

// chunks is a body in chunks (aws-chunked): "size;chunk-signature=hex", the bytes, and so on, then one of no bytes, and the
// trailer where one is told of. The signature of each is over that of the one before.
type chunks struct {
	r       *http.Request
	in      *bufio.Reader
	s       signature
	last    string
	signed  bool
	trailer bool
	rest    []byte
	all     bytes.Buffer // for the checksum of the trailer
	end     error
}

func (b *chunks) Close() error { return nil }

func (b *chunks) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.end == nil {
			b.end = b.next()
		}
		if b.end != nil {
			return 0, b.end
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// next reads a chunk; io.EOF behind the last one.
func (b *chunks) next() error {
	line, err := b.line()
	if err != nil {
		return err
	}
	digits, extension, _ := strings.Cut(line, ";")
	size, err := strconv.ParseInt(digits, 16, 64)
	if err != nil || size < 0 || size > maxChunk {
		return errChunk
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(b.in, body); err != nil {
		return io.ErrUnexpectedEOF
	}
	if b.signed {
		if err := b.check("AWS4-HMAC-SHA256-PAYLOAD", hash("")+"\n"+hash(string(body)), strings.TrimPrefix(extension, "chunk-signature=")); err != nil {
			return err
		}
	}
	if size == 0 {
		return b.finish()
	}
	if line, err := b.line(); err != nil || line != "" {
		return errChunk
	}
	if b.trailer {
		b.all.Write(body)
	}
	b.rest = body
	return nil
}

func (b *chunks) line() (string, error) {
	line, err := b.in.ReadString('\n')
	if err != nil {
		return "", io.ErrUnexpectedEOF
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// check checks a signature, on which the next one is based.
func (b *chunks) check(algorithm, text, given string) error {
	signed := strings.Join([]string{algorithm, b.s.at.Format("20060102T150405Z"), b.s.scope, b.last, text}, "\n")
	want := hex.EncodeToString(mac(b.s.key, signed))
	if !hmac.Equal([]byte(want), []byte(given)) {
		return errSignature
	}
	b.last = want
	return nil
}

// finish reads what stands behind the last chunk.
func (b *chunks) finish() error {
	var canonical, given string
	for {
		line, err := b.in.ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		name, value, found := strings.Cut(line, ":")
		name, value = strings.ToLower(name), strings.TrimSpace(value)
		switch {
		case found && name == "x-amz-trailer-signature":
			given = value
		case found:
			canonical += name + ":" + value + "\n"
			if want, known := checksum(name, b.all.Bytes()); known && want != value {
				return errChecksum
			}
		}
		if err != nil {
			break
		}
	}
	if b.trailer && canonical == "" {
		return errChunk
	}
	if b.trailer && b.signed {
		if err := b.check("AWS4-HMAC-SHA256-TRAILER", hash(canonical), given); err != nil {
			return err
		}
	}
	return io.EOF
}

// checksum is that of a body, as a header or trailer has it.
func checksum(name string, body []byte) (value string, known bool) {
	var sum []byte
	switch strings.TrimPrefix(strings.ToLower(name), "x-amz-checksum-") {
	case "crc32":
		sum = binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	case "crc32c":
		sum = binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	case "crc64nvme":
		sum = binary.BigEndian.AppendUint64(nil, crc64.Checksum(body, crc64.MakeTable(0x9a6c9329ac4bc9b5)))
	case "sha256":
		s := sha256.Sum256(body)
		sum = s[:]
	default:
		return "", false
	}
	return base64.StdEncoding.EncodeToString(sum), true
}

// readBody reads the body of an object, and checks what the headers say of it.
func readBody(r *http.Request) ([]byte, *refusal) {
	body, err := io.ReadAll(r.Body)
	switch {
	case errors.Is(err, errSignature):
		return nil, refused(http.StatusForbidden, "SignatureDoesNotMatch", err.Error())
	case errors.Is(err, errChecksum):
		return nil, refused(http.StatusBadRequest, "BadDigest", err.Error())
	case err != nil:
		return nil, refused(http.StatusBadRequest, "IncompleteBody", err.Error())
	}
	if said := r.Header.Get("X-Amz-Decoded-Content-Length"); said != "" && said != strconv.Itoa(len(body)) {
		return nil, refused(http.StatusBadRequest, "IncompleteBody", "The body has another length than it says.")
	}
	if said := r.Header.Get("Content-Md5"); said != "" {
		if sum := md5.Sum(body); said != base64.StdEncoding.EncodeToString(sum[:]) { // as S3 has it
			return nil, refused(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	for name := range r.Header {
		if want, known := checksum(name, body); known && strings.HasPrefix(strings.ToLower(name), "x-amz-checksum-") && r.Header.Get(name) != want {
			return nil, refused(http.StatusBadRequest, "BadDigest", "The checksum you specified did not match what we received.")
		}
	}
	return body, nil
}
