package kyro

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Cursor names a place in a list: the sort value of a row and, to break ties, its key.
type Cursor struct {
	Order string // the order it belongs to, such as "NAME.ASC"
	Value string // the row's sort value in the store's own text form
	Key   int64
}

const maxCursorBytes = 2048

// String is the opaque form: base64url of version, order, key and sort value.
func (c Cursor) String() string {
	return encodeCursor("1", c.Order, strconv.FormatInt(c.Key, 10), c.Value)
}

// ParseCursor reads the opaque form and answers BAD_USER_INPUT for anything that String did not write.
func ParseCursor(s string) (Cursor, error) {
	parts, ok := decodeCursor("1", s)
	if !ok {
		return Cursor{}, badCursor()
	}
	key, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || parts[1] == "" {
		return Cursor{}, badCursor()
	}
	return Cursor{Order: parts[1], Value: parts[3], Key: key}, nil
}

// StreamCursor names a place in a stream: which stream, which attempt, and the seq of the last event seen.
type StreamCursor struct {
	Stream  ID
	Attempt int64
	Seq     int64
}

// String is the opaque form.
func (c StreamCursor) String() string { return string(c.AppendTo(nil)) }

// AppendTo appends the opaque form: every token of an answer has one.
func (c StreamCursor) AppendTo(to []byte) []byte {
	var room [96]byte
	plain := c.Stream.AppendTo(append(room[:0], "s1|"...))
	plain = strconv.AppendInt(append(plain, '|'), c.Attempt, 10)
	plain = strconv.AppendInt(append(plain, '|'), c.Seq, 10)
	return base64.RawURLEncoding.AppendEncode(to, plain)
}

// ParseStreamCursor reads the opaque form and answers BAD_USER_INPUT for anything that String did not write.
func ParseStreamCursor(s string) (StreamCursor, error) {
	parts, ok := decodeCursor("s1", s)
	if !ok {
		return StreamCursor{}, badCursor()
	}
	stream, err := ParseID(parts[1])
	attempt, err2 := strconv.ParseInt(parts[2], 10, 64)
	seq, err3 := strconv.ParseInt(parts[3], 10, 64)
	if err != nil || err2 != nil || err3 != nil || attempt < 0 || seq < 0 {
		return StreamCursor{}, badCursor()
	}
	return StreamCursor{Stream: stream, Attempt: attempt, Seq: seq}, nil
}

func encodeCursor(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, "|")))
}

// decodeCursor splits a cursor of the version into its four parts; only the last may hold the separator.
func decodeCursor(version, s string) ([]string, bool) {
	if len(s) > maxCursorBytes {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, false
	}
	parts := strings.SplitN(string(raw), "|", 4)
	return parts, len(parts) == 4 && parts[0] == version
}

func badCursor() error {
	return Errorf(CodeBadUserInput, "The cursor is not one that this server gave out.")
}
