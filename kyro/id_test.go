package kyro_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"kyrochat/kyro"
)

func TestParseIDReadsExactlyWhatStringWrites(t *testing.T) {
	t.Parallel()
	for _, id := range []kyro.ID{
		kyro.UserID(1), kyro.SessionID(2), kyro.BotID(42), kyro.DocumentID(7), kyro.ChunkID(1 << 40),
		kyro.ConversationID(9), kyro.MessageID(math.MaxInt64),
	} {
		got, err := kyro.ParseID(id.String())
		if err != nil || got != id {
			t.Errorf("ParseID(%q) = %v, %v", id.String(), got, err)
		}
	}
	for _, s := range []string{
		"", "bot", "bot_", "bot_0", "bot_-1", "bot_+1", "bot_01", "bot_1 ", " bot_1", "Bot_1", "cat_1", "_1", "bot_1_2",
		"bot_9223372036854775808", "bot_１", "bot_1e3", "bot_0x1", "42",
	} {
		if id, err := kyro.ParseID(s); kyro.ErrorCode(err) != kyro.CodeBadUserInput {
			t.Errorf("ParseID(%q) = %v, %v; want BAD_USER_INPUT", s, id, err)
		}
	}
}

func TestReadIDIsRefusedWhereItIsUsed(t *testing.T) {
	t.Parallel()
	if id := kyro.ReadID("bot_42"); id != kyro.BotID(42) || id.Expect(kyro.KindBot) != nil || id.Check() != nil {
		t.Errorf("bot_42: %v", id)
	}
	for _, s := range []string{"", "zz", "bot", "bot_0", "bot_-1", "bot_042", "dog_1"} {
		id := kyro.ReadID(s)
		if id.IsZero() {
			t.Fatalf("ReadID(%q) names nothing, as if nothing had been given", s)
		}
		for _, err := range []error{id.Check(), id.Expect(kyro.KindBot)} {
			if kyro.ErrorCode(err) != kyro.CodeBadUserInput || !strings.Contains(err.Error(), strconv.Quote(s)) || !strings.Contains(err.Error(), "bot_") {
				t.Errorf("%q: %v", s, err)
			}
		}
	}
}

// An id whose key is missing is none, whatever its kind says.
func TestIDsWithoutAKeyAreRefused(t *testing.T) {
	t.Parallel()
	for _, id := range []kyro.ID{{}, kyro.BotID(0), kyro.BotID(-1)} {
		for _, err := range []error{id.Check(), id.Expect(kyro.KindBot)} {
			if kyro.ErrorCode(err) != kyro.CodeBadUserInput {
				t.Errorf("%#v: %v", id, err)
			}
		}
	}
	if err := kyro.BotID(1).Check(); err != nil {
		t.Error(err)
	}
}

func TestParseIDDoesNotEchoALongText(t *testing.T) {
	t.Parallel()
	long := make([]byte, 100_000)
	for i := range long {
		long[i] = 'x'
	}
	if _, err := kyro.ParseID(string(long)); len(err.Error()) > 200 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func TestExpectNamesTheKind(t *testing.T) {
	t.Parallel()
	if err := kyro.BotID(1).Expect(kyro.KindBot); err != nil {
		t.Error(err)
	}
	err := kyro.BotID(1).Expect(kyro.KindConversation)
	const want = "BAD_USER_INPUT: bot_1 is not the id of a Conversation: expected one that begins with conv_."
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := kyro.ReadID("7").Expect(kyro.KindAPIKey); !strings.Contains(err.Error(), "the id of an ApiKey") {
		t.Error(err)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("bot_42")
	f.Add("msg_9223372036854775807")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := kyro.ParseID(s); err == nil && id.String() != s {
			t.Errorf("%q was read as %q", s, id)
		}
	})
}
