package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"kyrochat/kyro"
)

func ptr[T any](v T) *T { return &v }

func TestBotsKeepEveryField(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		owner := w.user(t)
		full := *kyro.NewBot(owner, start)
		full.Name, full.Description, full.Instructions = "Ünïcode ' \" \\ ? %", ptr("d"), ptr("line 1\nline 2 ?0")
		full.WelcomeMessage, full.SuggestedQuestions, full.Model = ptr(""), []string{"a?", "it's \"b\"?", "<é>"}, ptr("m")
		full.Temperature, full.MaxOutputTokens, full.MinScore = ptr(0.1), ptr(17), ptr(-0.25)
		full.NoAnswerText, full.Strict, full.TopK = "no", false, 7
		bare := *kyro.NewBot(owner, start)
		bare.Name, bare.SuggestedQuestions = "bare", []string{}
		for _, want := range []kyro.Bot{full, bare} {
			made, err := w.CreateBot(t.Context(), want)
			fine(t, err)
			want.ID = made.ID
			got, err := w.Bots(t.Context(), owner, []kyro.ID{made.ID})
			fine(t, err)
			if len(got) != 1 || !reflect.DeepEqual(got[0], want) || !reflect.DeepEqual(made, want) {
				t.Errorf("made %+v\nread %+v\nwant %+v", made, got, want)
			}
		}
	})
}

func TestUpdateBot(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		owner, other := w.user(t), w.user(t)
		id := w.bot(t, owner, "Before", start)
		later := start.Add(time.Hour)
		got, err := w.UpdateBot(t.Context(), owner, id, func(b *kyro.Bot) error {
			b.Name, b.Description, b.UpdatedAt = "After", ptr("new"), later
			b.OwnerID, b.ID = other, kyro.BotID(99999) // neither can be changed
			return nil
		})
		fine(t, err)
		read, err := w.Bots(t.Context(), owner, []kyro.ID{id})
		fine(t, err)
		if len(read) != 1 || !reflect.DeepEqual(read[0], got) || got.Name != "After" || got.OwnerID != owner || got.ID != id || got.UpdatedAt != later || got.CreatedAt != start {
			t.Errorf("updated %+v, read %+v", got, read)
		}

		mine := errors.New("mine")
		_, err = w.UpdateBot(t.Context(), owner, id, func(b *kyro.Bot) error { b.Name = "X"; return mine })
		if !errors.Is(err, mine) {
			t.Errorf("error %v, want that of change", err)
		}
		if n := w.number(t, "SELECT count(*) FROM bots WHERE name = 'After' AND name_key = 'after'"); n != 1 {
			t.Error("a refused change was written")
		}

		nothing := func(*kyro.Bot) error { return nil }
		_, others := w.UpdateBot(t.Context(), other, id, nothing)
		_, missing := w.UpdateBot(t.Context(), owner, kyro.BotID(99999), nothing)
		sameAsMissing(t, "UpdateBot", others, missing)
		sameAsMissing(t, "DeleteBot", w.DeleteBot(t.Context(), other, id, later), w.DeleteBot(t.Context(), owner, kyro.BotID(99999), later))
		if got, err := w.Bots(t.Context(), other, []kyro.ID{id}); err != nil || len(got) != 0 {
			t.Errorf("another's bot is read: %v %v", got, err)
		}
	})
}

func TestDeleteBotTakesEverythingAlong(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, talk := w.talk(t)
		otherTalk := func() kyro.ID { _, _, c := w.talk(t); return c }()
		for i := range 3 {
			w.document(t, bot, user, i+1)
		}
		running, waiting := w.say(t, user, talk, "one").Bot, w.say(t, user, talk, "two").Bot
		claim := w.claim(t, talk, "n1")
		now := start.Add(time.Hour)
		fine(t, w.DeleteBot(t.Context(), user, bot, now))

		wantCode(t, w.DeleteBot(t.Context(), user, bot, now), kyro.CodeNotFound)
		for query, want := range map[string]int{
			"SELECT count(*) FROM bots WHERE deleted_at IS NOT NULL AND knowledge = 1":                                       1,
			"SELECT count(*) FROM documents WHERE deleted_at IS NOT NULL AND run = 2 AND status = 'READY'":                   3,
			"SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL":                                                1,
			"SELECT count(*) FROM test_jobs WHERE kind = 'purge' AND job_key IN (1, 2, 3)":                                   3,
			"SELECT count(*) FROM test_jobs WHERE kind = 'purge-bot' AND job_key = 1":                                        1,
			"SELECT count(*) FROM test_jobs":                                                                                 4,
			fmt.Sprintf("SELECT count(*) FROM conversations WHERE id = %d AND deleted_at IS NULL", otherTalk.Key):            1,
			fmt.Sprintf("SELECT count(*) FROM messages WHERE id = %d AND status = 'STOPPED'", waiting.ID.Key):                1,
			fmt.Sprintf("SELECT count(*) FROM messages WHERE id = %d AND status = 'RETRIEVING'", running.ID.Key):             1,
			fmt.Sprintf("SELECT count(*) FROM messages WHERE id = %d AND completed_at IS NULL", running.ID.Key):              1,
			fmt.Sprintf("SELECT count(*) FROM messages WHERE id = %d AND completed_at IS NOT NULL", waiting.ID.Key):          1,
			fmt.Sprintf("SELECT count(*) FROM messages WHERE id = %d AND finish_reason IS NULL", running.ID.Key):             1,
			fmt.Sprintf("SELECT count(*) FROM messages WHERE finish_reason = 'STOPPED_BY_USER' AND id = %d", waiting.ID.Key): 1,
		} {
			if n := w.number(t, query); n != want {
				t.Errorf("%s: %d, want %d", query, n, want)
			}
		}
		if !w.askedToStop(t, claim) {
			t.Error("the running answer is not told to stop")
		}
		_, err := w.Job(t.Context(), claim, 5)
		wantCode(t, err, kyro.CodeNotFound)
		for _, turn := range []kyro.NewTurn{{ConversationID: talk}, {BotID: bot}} {
			turn.SenderID, turn.Text, turn.ClientMessageID, turn.MaxWaiting, turn.Now = user, "x", "x", 3, now
			_, err := w.SaveTurn(t.Context(), turn)
			wantCode(t, err, kyro.CodeNotFound)
		}
		_, err = w.CreateConversation(t.Context(), kyro.Conversation{BotID: bot, UserID: user, CreatedAt: now, LastMessageAt: now, UpdatedAt: now})
		wantCode(t, err, kyro.CodeNotFound)
		if got, err := w.Messages(t.Context(), user, []kyro.ID{running.ID, waiting.ID}); err != nil || len(got) != 0 {
			t.Errorf("messages of a deleted bot are read: %v %v", got, err)
		}
	})
}

// document puts a ready document with the id and one chunk of the same id there.
func (w *world) document(t testing.TB, bot, owner kyro.ID, id int) {
	t.Helper()
	w.exec(t, fmt.Sprintf(`INSERT INTO documents (id, bot_id, owner_id, kind, title, search_key, file_name, url, mime_type, version,
		active_version, run, status, status_reason, stage_done, chunk_count, language, content_hash, warnings, prepared_version, created_at, updated_at)
		VALUES (%d, %d, %d, 'TEXT', 'T', 't', '', '', '', 1, 1, 1, 'READY', '', 0, 1, 'en', '', '[]', 1, '2026-11-22 10:00:00+00:00', '2026-11-22 10:00:00+00:00')`,
		id, bot.Key, owner.Key))
	w.exec(t, fmt.Sprintf(`INSERT INTO chunks (id, document_id, bot_id, version, seq, text, heading_path, char_start, char_end, byte_start,
		byte_end, token_count, term_count, content_hash, enabled) VALUES (%d, %d, %d, 1, 0, 'x', '[]', 0, 1, 0, 1, 1, 1, '', TRUE)`, id, id, bot.Key))
}
