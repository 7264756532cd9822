package store_test

import (
	"slices"
	"testing"

	"kyrochat/kyro"
)

func TestJobGivesBotQuestionAndHistory(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		answer := func(text string, status kyro.MessageStatus, reply string) kyro.Turn {
			turn := w.say(t, user, id, text)
			_, err := w.Finish(t.Context(), w.claim(t, id, "n"), kyro.Outcome{Status: status, Text: reply, Now: start})
			fine(t, err)
			return turn
		}
		answer("q1", kyro.MessageCompleted, "a1")
		answer("q2", kyro.MessageFailed, "a2")
		answer("q3", kyro.MessageStopped, "")
		again := answer("q4", kyro.MessageCompleted, "a4")
		_, err := w.SaveSibling(t.Context(), user, again.Bot.ID, "", 3, start, kyro.Charge{})
		fine(t, err)
		w.finish(t, w.claim(t, id, "n"), "b4")
		answer("q5", kyro.MessageInterrupted, "a5")
		asked := w.say(t, user, id, "q6")
		w.say(t, user, id, "q7")

		claim := w.claim(t, id, "n")
		before := w.statements.Load()
		for limit, want := range map[int][]string{
			100: {"q1", "a1", "q2", "q3", "q4", "b4", "q5", "a5"}, 3: {"b4", "q5", "a5"}, 0: nil,
		} {
			job, err := w.Job(t.Context(), claim, limit)
			fine(t, err)
			var got []string
			for _, m := range job.History {
				got = append(got, m.Text)
			}
			if !slices.Equal(got, want) {
				t.Errorf("at most %d: %q, want %q", limit, got, want)
			}
			if job.Bot.ID != bot || job.Question.ID != asked.User.ID {
				t.Errorf("bot %s, question %s", job.Bot.ID, job.Question.ID)
			}
		}
		if n := w.statements.Load() - before; n > 15 {
			t.Errorf("three jobs took %d statements", n)
		}
		w.finish(t, claim, "a6")

		// An answer that is made again sees the turns before its own only.
		_, err = w.Job(t.Context(), claim, 5)
		wantCode(t, err, kyro.CodeConflict)
	})
}

func TestAnswersFromChangedSourcesAreWithdrawn(t *testing.T) {
	for name, change := range changesOfTheSecond {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, w *world) {
				user, bot, id := w.talk(t)
				w.document(t, bot, user, 1)
				w.document(t, bot, user, 2)
				cite := func(document int64) kyro.Citation {
					return kyro.Citation{Marker: 1, DocumentID: kyro.DocumentID(document), ChunkID: kyro.ChunkID(document), DocumentVersion: 1, Quote: "x"}
				}
				w.say(t, user, id, "q1")
				w.finish(t, w.claim(t, id, "n"), "from one", cite(1))
				w.say(t, user, id, "q2")
				both := w.finish(t, w.claim(t, id, "n"), "from both", cite(1), cite(2))
				w.say(t, user, id, "q3")
				claim := w.claim(t, id, "n")
				read := func() (texts []string, citations []int) {
					job, err := w.Job(t.Context(), claim, 10)
					fine(t, err)
					for _, m := range job.History {
						if m.Role == kyro.RoleBot {
							texts, citations = append(texts, m.Text), append(citations, len(m.Citations))
						}
					}
					return texts, citations
				}
				if texts, citations := read(); !slices.Equal(texts, []string{"from one", "from both"}) || !slices.Equal(citations, []int{1, 2}) {
					t.Fatalf("before: %q %v", texts, citations)
				}
				w.exec(t, change)
				if texts, citations := read(); !slices.Equal(texts, []string{"from one", kyro.AnswerWithdrawn}) || !slices.Equal(citations, []int{1, 0}) {
					t.Errorf("after: %q %v", texts, citations)
				}
				if m, err := w.Message(t.Context(), user, both.ID); err != nil || m.Text != "from both" || len(m.Citations) != 2 {
					t.Errorf("a reader sees %+v %v", m, err)
				}
			})
		})
	}
}

// changesOfTheSecond make the only chunk of document 2 one that no answer may be made from.
var changesOfTheSecond = map[string]string{
	"deleted document":  "UPDATE documents SET deleted_at = '2026-11-22 10:00:00+00:00' WHERE id = 2",
	"new version":       "UPDATE documents SET active_version = 2 WHERE id = 2",
	"disabled chunk":    "UPDATE chunks SET enabled = FALSE WHERE id = 2",
	"chunk gone":        "DELETE FROM chunks WHERE id = 2",
	"version withdrawn": "UPDATE documents SET active_version = 0 WHERE id = 2",
}

func chunks(keys ...int64) []kyro.ID {
	ids := make([]kyro.ID, len(keys))
	for i, key := range keys {
		ids[i] = kyro.ChunkID(key)
	}
	return ids
}

// An answer is withdrawn for what was in its prompt, whether it cites it or not, and however it ended.
func TestAnswersAreWithdrawnForWhatTheyWereMadeFrom(t *testing.T) {
	for name, change := range changesOfTheSecond {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, w *world) {
				user, bot, id := w.talk(t)
				w.document(t, bot, user, 1)
				w.document(t, bot, user, 2)
				end := func(text string, status kyro.MessageStatus, sources []kyro.ID) {
					t.Helper()
					w.say(t, user, id, "q "+text)
					_, err := w.Finish(t.Context(), w.claim(t, id, "n"), kyro.Outcome{Status: status, Text: text, Now: start, Sources: sources})
					fine(t, err)
				}
				end("from one", kyro.MessageCompleted, chunks(1))
				end("from two", kyro.MessageCompleted, chunks(1, 2))
				end("from two, stopped", kyro.MessageStopped, chunks(2))
				end("from nothing", kyro.MessageCompleted, []kyro.ID{})

				w.say(t, user, id, "q lost") // its node saves some of it, once with its sources, and dies
				lost := w.claim(t, id, "dead")
				w.keep(t, lost, kyro.Checkpoint{Status: kyro.MessageStreaming, Seq: 1, Sources: chunks(2)})
				w.keep(t, lost, kyro.Checkpoint{Status: kyro.MessageStreaming, Seq: 2, Text: "from two, lost"})
				ended, _, err := w.Recover(t.Context(), kyro.Recovery{Now: start, Everything: true})
				fine(t, err)
				if len(ended) != 1 || ended[0].Status != kyro.MessageInterrupted {
					t.Fatalf("recovered %+v", ended)
				}

				w.say(t, user, id, "now")
				claim := w.claim(t, id, "n")
				read := func() (texts []string, job kyro.AnswerJob) {
					before := w.statements.Load()
					job, err := w.Job(t.Context(), claim, 20)
					fine(t, err)
					if n := w.statements.Load() - before; n > 6 {
						t.Errorf("%d statements", n)
					}
					for _, m := range job.History {
						if m.Role == kyro.RoleBot {
							texts = append(texts, m.Text)
						}
					}
					return texts, job
				}
				texts, job := read()
				if want := []string{"from one", "from two", "from two, stopped", "from nothing", "from two, lost"}; !slices.Equal(texts, want) {
					t.Fatalf("before: %q, want %q", texts, want)
				}
				for i, want := range [][]kyro.ID{chunks(1), chunks(1, 2), chunks(2), nil, chunks(2)} {
					if got := job.History[2*i+1].Sources; !slices.Equal(got, want) {
						t.Errorf("%q was made from %v, want %v", texts[i], got, want)
					}
				}
				w.exec(t, change)
				texts, job = read()
				out := kyro.AnswerWithdrawn
				if want := []string{"from one", out, out, "from nothing", out}; !slices.Equal(texts, want) {
					t.Errorf("after: %q, want %q", texts, want)
				}
				for _, m := range job.History {
					if m.Text == out && m.Sources != nil {
						t.Errorf("a withdrawn answer has the sources %v", m.Sources)
					}
				}
			})
		})
	}
}

// An answer of before sources were kept has those that it cites.
func TestSourcesOfOlderAnswersAreTheirCitations(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		w.document(t, bot, user, 1)
		w.say(t, user, id, "q")
		w.finish(t, w.claim(t, id, "n"), "from one", kyro.Citation{
			Marker: 1, DocumentID: kyro.DocumentID(1), ChunkID: kyro.ChunkID(1), DocumentVersion: 1, Quote: "x",
		})
		w.say(t, user, id, "now")
		job, err := w.Job(t.Context(), w.claim(t, id, "n"), 20)
		fine(t, err)
		if got := job.History[1].Sources; !slices.Equal(got, chunks(1)) {
			t.Errorf("sources %v", got)
		}
	})
}
