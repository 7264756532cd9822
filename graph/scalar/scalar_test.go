package scalar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"kyrochat/graph/scalar"
	"kyrochat/kyro"
)

func written(m graphql.Marshaler) string {
	var b strings.Builder
	m.MarshalGQL(&b)
	return b.String()
}

func TestScalarsAreWritten(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 11, 0, 0, 5000, time.FixedZone("", 3600))
	cursor := kyro.StreamCursor{Stream: kyro.MessageID(1), Attempt: 2, Seq: 3}
	for got, want := range map[string]string{
		written(scalar.MarshalID(kyro.BotID(42))):          `"bot_42"`,
		written(scalar.MarshalID(kyro.ReadID("bot"))):      `"bot"`,
		written(scalar.MarshalID(kyro.ReadID(`a","b":"`))): `"a\",\"b\":\""`,
		written(scalar.MarshalDateTime(at)):                `"2026-11-22T10:00:00.000005Z"`,
		written(scalar.MarshalStreamCursor(cursor)):        `"` + cursor.String() + `"`,
		written(scalar.MarshalURL("https://x.io/?a=\"")):   `"https://x.io/?a=\""`,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestScalarsAreRead(t *testing.T) {
	t.Parallel()
	if id, err := scalar.UnmarshalID("conv_7"); err != nil || id != kyro.ConversationID(7) {
		t.Errorf("%v, %v", id, err)
	}
	if at, err := scalar.UnmarshalDateTime("2026-11-22T11:00:00.0000059+01:00"); err != nil || !at.Equal(time.Date(2026, 11, 22, 10, 0, 0, 5000, time.UTC)) {
		t.Errorf("%v, %v", at, err)
	}
	cursor := kyro.StreamCursor{Stream: kyro.MessageID(1), Attempt: 2, Seq: 3}
	if got, err := scalar.UnmarshalStreamCursor(cursor.String()); err != nil || got != cursor {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := scalar.UnmarshalURL("https://example.com/a"); err != nil || got != "https://example.com/a" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := scalar.UnmarshalUpload(&kyro.Upload{FileName: "a.txt"}); err != nil || got.FileName != "a.txt" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestScalarsRefuseEverythingElse: whatever JSON may hold gets BAD_USER_INPUT and never a panic.
func TestScalarsRefuseEverythingElse(t *testing.T) {
	t.Parallel()
	for _, v := range []any{nil, 42, int64(42), 4.2, true, "", "42", "x y", []any{"bot_1"}, map[string]any{}, (*kyro.Upload)(nil)} {
		read, id := scalar.UnmarshalID(v)
		if id == nil {
			id = read.Expect(kyro.KindBot)
		}
		_, at := scalar.UnmarshalDateTime(v)
		_, cursor := scalar.UnmarshalStreamCursor(v)
		_, url := scalar.UnmarshalURL(v)
		_, upload := scalar.UnmarshalUpload(v)
		for name, err := range map[string]error{"ID": id, "DateTime": at, "StreamCursor": cursor, "URL": url, "Upload": upload} {
			if kyro.ErrorCode(err) != kyro.CodeBadUserInput {
				t.Errorf("%s of %v: %v", name, v, err)
			}
		}
	}
}
