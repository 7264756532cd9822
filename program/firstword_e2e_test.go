package program

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
)

// heard are the statements between the sending of a message and the first word of its answer: those of the person's own
// requests and those of the attempt. What is sent to the database together counts once.
type heard struct {
	mu              sync.Mutex
	asking, writing []string
}

func (h *heard) take(ctx context.Context, statement string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if aside.MatchString(statement) {
		return
	}
	if kyro.ViewerFrom(ctx).SignedIn() {
		h.asking = append(h.asking, statement)
	} else {
		h.writing = append(h.writing, statement)
	}
}

// aside is what is read of sessions: who asks is remembered for a few seconds, and looked at again now and then.
var aside = regexp.MustCompile(`(?s)^\s*SELECT .*\bFROM "?sessions\b`)

// words are what a statement begins with and what it is about.
var words = regexp.MustCompile(`^\s*\w+|\b(?:FROM|INTO|UPDATE|JOIN) "?\w+`)

func (h *heard) String() string {
	var b strings.Builder
	for who, list := range map[string][]string{"asking": h.asking, "writing": h.writing} {
		fmt.Fprintf(&b, "%s: %d\n", who, len(list))
		for _, sent := range list {
			var each []string
			for statement := range strings.SplitSeq(sent, ";\n") {
				each = append(each, strings.Join(words.FindAllString(statement, -1), " "))
			}
			fmt.Fprintf(&b, "  %s\n", strings.Join(each, "; "))
		}
	}
	return b.String()
}

// rest waits until nothing that earlier answers left to do runs any more: whether a gap is in a question, for one.
func (s *testServer) rest(t *testing.T) {
	t.Helper()
	waitUntil(t, "the jobs are done", func() bool {
		n, err := s.app.queue.Unfinished(t.Context(), kyro.JobPlaceGaps)
		if err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
}

// TestLittleStandsBeforeTheFirstWord counts what goes to the database one after another before the first word of an
// answer. The person's requests and the attempt are two that run beside each other from the end of the first on. What
// jobs that come again by themselves do at the time may be among it, the more the busier the machine is, so that the best of many
// times counts.
func TestLittleStandsBeforeTheFirstWord(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bare, knowing := p.newBot(), p.newBot()
		p.know(knowing, "Tea", teaText)
		const question = "How long does black tea steep?"
		least := func(v vars, asking, writing int) *heard {
			var least *heard
			for i := range 60 {
				s.rest(t)
				h := &heard{}
				hear := h.take
				s.overhear.Store(&hear)
				message := p.must(`mutation($c: ID, $b: ID, $t: String!, $k: String!) { sendMessage(input: {conversationId: $c, botId: $b, text: $t,
					clientMessageId: $k}) { botMessage { id } errors { code } } }`, vars{"c": v["conversationId"], "b": v["botId"], "t": question, "k": newKey()}).
					text("sendMessage.botMessage.id")
				l := &listener{t: t}
				l.enough = func() bool {
					if l.deltas > 0 {
						s.overhear.Store(nil)
					}
					return false
				}
				if err := p.follow(messageStream, vars{"m": message, "a": nil}, l.handle); err != nil || l.finished == nil {
					t.Fatalf("%v, finished %v", err, l.finished)
				}
				s.overhear.Store(nil)
				if i > 0 && (least == nil || len(h.asking)+len(h.writing) < len(least.asking)+len(least.writing)) {
					least = h // the first time warms up
				}
				if least != nil && len(least.asking) <= asking && len(least.writing) <= writing {
					break
				}
			}
			return least
		}
		talk := func(bot string) vars {
			c := p.must(`mutation($b: ID!) { createConversation(input: {botId: $b}) { conversation { id } errors { code } } }`, vars{"b": bot})
			return vars{"conversationId": c.text("createConversation.conversation.id")}
		}
		postgres := s.app.pools.Postgres()
		// To store a turn: what it stands on, then what is new with the end. On SQLite, where nothing is sent anywhere, each
		// statement counts, BEGIN and COMMIT with them. Then whoever follows looks at the message.
		asking := pick(postgres, 2+1, 7+1)
		for name, c := range map[string]struct {
			say     vars
			writing int
		}{
			"a new conversation without documents": {vars{"botId": bare}, 0},
			// Languages, the index, its chunks, the passages; and beside them whether the vectors are still those.
			"a new conversation with documents": {vars{"botId": knowing}, pick(postgres, 5, 7)},
			// The history and what it cites.
			"a conversation that goes on": {talk(bare), 2},
		} {
			h := least(c.say, asking, c.writing)
			t.Logf("%s:\n%s", name, h)
			if len(h.asking) > asking || len(h.writing) > c.writing {
				t.Errorf("%s: %d and %d statements stand before the first word, want at most %d and %d", name, len(h.asking), len(h.writing), asking, c.writing)
			}
		}
	}
	const pace = "30ms" // so that the end of an answer does not stand before its first word
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, startServer(t, map[string]string{"KYRO_OFFLINE_PACE": pace}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, startServer(t, map[string]string{"KYRO_OFFLINE_PACE": pace, "DATABASE_URL": testdb.PostgresURL(t)}))
	})
}
