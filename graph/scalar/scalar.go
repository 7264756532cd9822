// Package scalar writes and reads the contract's own scalars. Reading never panics and answers BAD_USER_INPUT with
// a message that says what was expected.
package scalar

import (
	"encoding/json"
	"io"
	"net/url"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"kyrochat/kyro"
)

// MarshalID writes an id in its typed text form.
func MarshalID(id kyro.ID) graphql.Marshaler { return appended(AppendID, id) }

// AppendID appends an id in its typed text form, in quotes. What a client gave for an id may be any text, and is told again
// where a result says what it is about.
func AppendID(to []byte, id kyro.ID) []byte {
	if id.Check() != nil && !id.IsZero() {
		quoted, _ := json.Marshal(id.String()) // of a text, which cannot fail
		return append(to, quoted...)
	}
	return append(id.AppendTo(append(to, '"')), '"')
}

// UnmarshalID reads an id. Numbers are no ids here, although GraphQL would allow them. A text that is no id is
// refused where it is known which kind was asked for.
func UnmarshalID(v any) (kyro.ID, error) {
	s, ok := v.(string)
	if !ok {
		return kyro.ID{}, kyro.Errorf(kyro.CodeBadUserInput, "An id is a string such as bot_42.")
	}
	return kyro.ReadID(s), nil
}

// MarshalDateTime writes a time in UTC with microseconds.
func MarshalDateTime(t time.Time) graphql.Marshaler { return appended(AppendDateTime, t) }

// AppendDateTime appends a time in UTC, always with six digits of a second, in quotes: "2026-11-22T10:15:30.000000Z".
// Lists are full of times, and time.Format reads its layout anew for each.
func AppendDateTime(to []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	micros := t.Nanosecond() / 1000
	to = append(to, `"0000-00-00T00:00:00.000000Z"`...)
	text := to[len(to)-29:]
	for _, pair := range [...]struct{ at, number int }{
		{1, year / 100}, {3, year % 100}, {6, int(month)}, {9, day}, {12, hour}, {15, minute}, {18, second},
		{21, micros / 10_000}, {23, micros / 100 % 100}, {25, micros % 100},
	} {
		text[pair.at], text[pair.at+1] = '0'+byte(pair.number/10), '0'+byte(pair.number%10)
	}
	return to
}

// UnmarshalDateTime reads an RFC 3339 time of any zone.
func UnmarshalDateTime(v any) (time.Time, error) {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, kyro.Errorf(kyro.CodeBadUserInput, "A DateTime is an RFC 3339 string such as 2026-11-22T10:15:30Z.")
	}
	return kyro.Moment(t), nil
}

// MarshalStreamCursor writes a place in a stream.
func MarshalStreamCursor(c kyro.StreamCursor) graphql.Marshaler {
	return appended(AppendStreamCursor, c)
}

// AppendStreamCursor appends a place in a stream, in quotes.
func AppendStreamCursor(to []byte, c kyro.StreamCursor) []byte {
	return append(c.AppendTo(append(to, '"')), '"')
}

// UnmarshalStreamCursor reads a place in a stream.
func UnmarshalStreamCursor(v any) (kyro.StreamCursor, error) {
	s, ok := v.(string)
	if !ok {
		return kyro.StreamCursor{}, kyro.Errorf(kyro.CodeBadUserInput, "A StreamCursor is a string that an event carried.")
	}
	return kyro.ParseStreamCursor(s)
}

// MarshalURL writes a URL.
func MarshalURL(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalURL reads an absolute URL.
func UnmarshalURL(v any) (string, error) {
	s, _ := v.(string)
	u, err := url.Parse(s)
	if err != nil || !u.IsAbs() || u.Host == "" {
		return "", kyro.Errorf(kyro.CodeBadUserInput, "A URL is an absolute address such as https://example.com/page.")
	}
	return s, nil
}

// MarshalUpload never runs: an Upload is input only.
func MarshalUpload(kyro.Upload) graphql.Marshaler { return graphql.Null }

// UnmarshalUpload takes the file that the multipart transport put in the variable's place.
func UnmarshalUpload(v any) (kyro.Upload, error) {
	upload, ok := v.(*kyro.Upload)
	if !ok || upload == nil {
		return kyro.Upload{}, kyro.Errorf(kyro.CodeBadUserInput,
			"An Upload is sent as a part of a multipart/form-data request, with null in its place among the variables.")
	}
	return *upload, nil
}

func appended[T any](write func([]byte, T) []byte, value T) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(write(nil, value)) })
}
