package answer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
)

func TestSendAnswersFromTheDocuments(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(100*time.Millisecond, "It reaches ", "1,260 degrees ", "[1]."), func(t *testing.T, w *world) {
		turn := w.say("How hot?\r\nReally")
		if turn.User.Text != "How hot?\nReally" {
			t.Errorf("stored text %q", turn.User.Text)
		}
		if turn.Bot.Status != kyro.MessageRetrieving || turn.Bot.Attempt != 1 {
			t.Errorf("the answer is %s in attempt %d when Send returns", turn.Bot.Status, turn.Bot.Attempt)
		}
		synctest.Wait()
		r := &reader{t: t, id: turn.Bot.ID}
		r.follow(t.Context(), w.Service, w.viewer, -1)
		want := `snapshot 1.1 RETRIEVING "", STREAMING, "It reaches ", "1,260 degrees ", "[1].", finished COMPLETED STOP`
		if got := strings.Join(r.seen, ", "); got != want {
			t.Errorf("events\n%s, want\n%s", got, want)
		}
		m := w.message(turn.Bot.ID)
		if len(m.Citations) != 1 || m.Citations[0].Quote != passageText || !m.Citations[0].Verified {
			t.Errorf("citations %+v", m.Citations)
		}
		if m.Usage == nil || *m.Usage.TimeToFirstTokenMs != 1100 || *m.Usage.DurationMs != 1300 || m.Usage.Model != "scripted" {
			t.Errorf("usage %+v", m.Usage)
		}
		if m.Grounding == nil || *m.Grounding != kyro.Grounded || !slices.Equal(m.Notices, []kyro.MessageNotice{kyro.NoticeLexicalOnly}) {
			t.Errorf("grounding %v, notices %v", m.Grounding, m.Notices)
		}
		if m.Attempt != 1 || m.Seq != 6 || m.CompletedAt == nil {
			t.Errorf("attempt %d, seq %d, completed %v", m.Attempt, m.Seq, m.CompletedAt)
		}
	}, func(c *answer.Config) {
		c.Retriever = retriever(func(ctx context.Context, question string) (answer.Retrieved, error) {
			if err := wait(ctx, time.Second); err != nil {
				return answer.Retrieved{}, err
			}
			return findsPassage(ctx, question)
		})
	})
}

func TestSendRefuses(t *testing.T) {
	t.Parallel()
	good := answer.SendInput{BotID: kyro.BotID(1), Text: "Hi", ClientMessageID: "a"}
	tests := []struct {
		name   string
		viewer kyro.Viewer
		change func(in *answer.SendInput)
		code   kyro.Code
		field  string
	}{
		{"nobody", kyro.Viewer{}, func(in *answer.SendInput) {}, kyro.CodeUnauthenticated, ""},
		{"neither id", person, func(in *answer.SendInput) { in.BotID = kyro.ID{} }, kyro.CodeValidation, "conversationId"},
		{"both ids", person, func(in *answer.SendInput) { in.ConversationID = kyro.ConversationID(1) }, kyro.CodeValidation, "botId"},
		{"a bot's id of another kind", person, func(in *answer.SendInput) { in.BotID = kyro.UserID(1) }, kyro.CodeBadUserInput, ""},
		{"a conversation's id of another kind", person, func(in *answer.SendInput) {
			in.BotID, in.ConversationID = kyro.ID{}, kyro.BotID(1)
		}, kyro.CodeBadUserInput, ""},
		{"empty", person, func(in *answer.SendInput) { in.Text = "" }, kyro.CodeValidation, "text"},
		{"white space", person, func(in *answer.SendInput) { in.Text = " \n\u00a0" }, kyro.CodeValidation, "text"},
		{"only what nobody sees", person, func(in *answer.SendInput) { in.Text = "\u200b\x00\ufeff" }, kyro.CodeValidation, "text"},
		{"broken UTF-8", person, func(in *answer.SendInput) { in.Text = "a\xff" }, kyro.CodeValidation, "text"},
		{"too long", person, func(in *answer.SendInput) { in.Text = strings.Repeat("é", 8_001) }, kyro.CodeValidation, "text"},
		{"no clientMessageId", person, func(in *answer.SendInput) { in.ClientMessageID = "" }, kyro.CodeValidation, "clientMessageId"},
		{"another's conversation", person, func(in *answer.SendInput) {
			in.BotID, in.ConversationID = kyro.ID{}, kyro.ConversationID(99)
		}, kyro.CodeNotFound, ""},
	}
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		for _, test := range tests {
			in := good
			test.change(&in)
			_, err := w.Send(t.Context(), test.viewer, in)
			checkError(t, test.name, err, test.code, test.field)
		}
		if n := len(w.store.rows); n > 0 {
			t.Errorf("%d messages were stored", n)
		}
		in := good
		in.Text = strings.Repeat("é", 8_000)
		if _, err := w.Send(t.Context(), person, in); err != nil {
			t.Errorf("a message of the greatest length: %v", err)
		}
	})
}

func checkError(t *testing.T, name string, err error, code kyro.Code, field string) {
	t.Helper()
	if kyro.ErrorCode(err) != code {
		t.Errorf("%s: %v, want %s", name, err, code)
		return
	}
	if e := err.(*kyro.Error); field != "" && !slices.Equal(e.Field, []string{field}) {
		t.Errorf("%s: field %v, want %s", name, e.Field, field)
	}
}

func TestSendingAgainGivesTheStoredTurn(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		in := answer.SendInput{BotID: kyro.BotID(1), Text: "Hi\r\nthere", ClientMessageID: "same"}
		first, err := w.Send(t.Context(), w.viewer, in)
		if err != nil {
			t.Fatal(err)
		}
		in.Text = "Hi\nthere"
		for range 3 {
			again, err := w.Send(t.Context(), w.viewer, in)
			if err != nil || !again.Repeated || again.Bot.ID != first.Bot.ID || again.User.ID != first.User.ID {
				t.Errorf("sent again: %+v, %v", again, err)
			}
		}
		in.Text = "Something else"
		_, err = w.Send(t.Context(), w.viewer, in)
		checkError(t, "another text", err, kyro.CodeIdempotencyConflict, "")
		if m := w.final(first.Bot.ID); m.Attempt != 1 {
			t.Errorf("answered in attempt %d", m.Attempt)
		}
		if n := w.store.count("Finish"); n != 1 {
			t.Errorf("finished %d times", n)
		}
	})
}

// A turn that was stored while its node could not answer is taken up when it is sent again.
func TestSendingAgainTakesUpAPendingTurn(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		in := kyro.NewTurn{SenderID: person.UserID, BotID: kyro.BotID(1), Text: "Hi", ClientMessageID: "m-1", Now: time.Now()}
		if _, err := w.store.SaveTurn(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if m := w.final(w.say("Hi").Bot.ID); m.Text != "You said: Hi" || time.Since(begun) > time.Second {
			t.Errorf("%q after %v", m.Text, time.Since(begun))
		}
	})
}

func TestWaitingTurnsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		first := w.say("one")
		turns := []kyro.Turn{first}
		for _, text := range []string{"two", "three", "four"} {
			turns = append(turns, w.say(text, first.Conversation.ID))
		}
		_, err := w.Send(t.Context(), w.viewer, answer.SendInput{ConversationID: first.Conversation.ID, Text: "five", ClientMessageID: "m-5"})
		checkError(t, "one more than may wait", err, kyro.CodeLimitReached, "")
		var before time.Time
		for i, text := range []string{"one", "two", "three", "four"} {
			m := w.final(turns[i].Bot.ID)
			if m.Text != "You said: "+text {
				t.Errorf("answer %d is %q", i, m.Text)
			}
			if d := m.CompletedAt.Sub(before); i > 0 && d != 2*time.Second {
				t.Errorf("answer %d came %v after the one before", i, d)
			}
			before = *m.CompletedAt
		}
	})
}

func TestRegenerateAnswersAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(time.Second), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		_, err := w.Regenerate(t.Context(), w.viewer, turn.Bot.ID, "again")
		checkError(t, "a running answer", err, kyro.CodeConflict, "")
		w.final(turn.Bot.ID)
		_, err = w.Regenerate(t.Context(), kyro.Viewer{}, turn.Bot.ID, "again")
		checkError(t, "nobody", err, kyro.CodeUnauthenticated, "")
		_, err = w.Regenerate(t.Context(), w.viewer, turn.Bot.ID, "not valid!")
		checkError(t, "a bad clientMessageId", err, kyro.CodeValidation, "clientMessageId")
		_, err = w.Regenerate(t.Context(), w.viewer, kyro.BotID(1), "again")
		checkError(t, "an id of another kind", err, kyro.CodeBadUserInput, "")
		_, err = w.Regenerate(t.Context(), kyro.Viewer{UserID: kyro.UserID(2)}, turn.Bot.ID, "again")
		checkError(t, "another's message", err, kyro.CodeNotFound, "")

		again, err := w.Regenerate(t.Context(), w.viewer, turn.Bot.ID, "again")
		if err != nil || again.Bot.ID == turn.Bot.ID {
			t.Fatalf("%+v, %v", again.Bot, err)
		}
		if m := w.final(again.Bot.ID); m.Text != "You said: Hi" {
			t.Errorf("answered %q", m.Text)
		}
		if !w.message(turn.Bot.ID).Superseded {
			t.Error("the former answer is not superseded")
		}
	})
}
