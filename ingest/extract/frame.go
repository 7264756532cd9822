package extract

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"kyrochat/kyro"
)

// A frame is a length of four bytes, big-endian, and that many bytes of JSON. Requests go to the child, replies
// come back: any number with progress, then one with a result or a failure. The text of a result follows its frame as
// it is, so that nobody holds it more than once.

// maxRequest bounds a request, in bytes.
const maxRequest = 64 << 10

// request asks a child for one file.
type request struct {
	Original kyro.Original `json:"original"`
	Limits   kyro.Limits   `json:"limits"`
	CacheDir string        `json:"cacheDir,omitempty"` // where the PDF engine keeps its machine code
}

// reply is what a child answers: that it has begun, progress, a result or a failure.
type reply struct {
	Begun     bool             `json:"begun,omitempty"` // it is about to open the file, and has done nothing with it before
	Progress  *stage           `json:"progress,omitempty"`
	Result    *kyro.Extraction `json:"result,omitempty"`    // without its text
	TextBytes int              `json:"textBytes,omitempty"` // of the result's text, which follows the frame
	Failure   *failure         `json:"failure,omitempty"`
	Memory    uint64           `json:"memory,omitempty"` // bytes the child holds, told with a result or failure
}

// stage is how many pages are read.
type stage struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// failure is an error on its way between processes; it has no code where it is no person's to mend.
type failure struct {
	Code    kyro.Code `json:"code,omitempty"`
	Message string    `json:"message"`
}

// maxReply bounds a reply without its text: there are at most maxBlocks blocks, a warning and a count for every page, and
// the links of a page of the web, of which no byte takes more than two of JSON.
func maxReply(limits kyro.Limits) int {
	return 160*maxBlocks + 320*limits.MaxPages + 2*kyro.MaxPageLinks*kyro.MaxURL + maxRequest
}

var errFrameTooLarge = errors.New("the frame is larger than allowed")

// writeResult writes a reply with a result, and then its text.
func writeResult(w io.Writer, r reply) error {
	text, bare := r.Result.Text, *r.Result
	bare.Text = ""
	r.Result, r.TextBytes = &bare, len(text)
	if err := writeFrame(w, r); err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("writing a text: %w", err)
	}
	return nil
}

// receiveText reads the text that follows a result, of at most limit bytes.
func receiveText(r io.Reader, n, limit int) (string, error) {
	if n < 0 || n > limit {
		return "", errFrameTooLarge
	}
	var b strings.Builder
	b.Grow(n)
	if _, err := io.CopyN(&b, r, int64(n)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return "", fmt.Errorf("reading a text: %w", err)
	}
	return b.String(), nil
}

func writeFrame(w io.Writer, v any) error {
	var b bytes.Buffer
	b.Write(make([]byte, 4))
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encoding a frame: %w", err)
	}
	frame := b.Bytes()
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	if _, err := w.Write(frame); err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	return nil
}

// readFrame reads one frame of at most limit bytes. io.EOF means that there is none, at its very start.
func readFrame(r io.Reader, limit int, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n > int64(limit) {
		return errFrameTooLarge
	}
	// Grown as bytes arrive: a length alone must not take memory.
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, n); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("reading a frame: %w", err)
	}
	if err := json.Unmarshal(body.Bytes(), v); err != nil {
		return fmt.Errorf("decoding a frame: %w", err)
	}
	return nil
}
