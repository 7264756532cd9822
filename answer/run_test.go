package answer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/live"
)

func findsSlowly(ctx context.Context, _ string) (answer.Retrieved, error) {
	return answer.Retrieved{}, wait(ctx, time.Hour)
}

// breaking is a model that writes the pieces and then fails.
func breaking(err error, pieces ...string) model {
	return func(_ context.Context, _ kyro.Prompt, yield func(kyro.Delta, error) bool) {
		for _, piece := range pieces {
			if !yield(kyro.Delta{Text: piece}, nil) {
				return
			}
		}
		if err != nil {
			yield(kyro.Delta{}, err)
		}
	}
}

// A piece that is as long as one event may be is one, and a longer one is cut between code points.
func TestLongPieces(t *testing.T) {
	t.Parallel()
	const most = 16 << 10
	for _, text := range []string{
		strings.Repeat("a", most-1), strings.Repeat("a", most), strings.Repeat("a", most+1),
		strings.Repeat("a", most-1) + "ä", strings.Repeat("a", most-2) + "ä", strings.Repeat("a", 2*most),
	} {
		inWorld(t, saying(0, text), func(t *testing.T, w *world) {
			if m := w.final(w.say("Hi").Bot.ID); m.Status != kyro.MessageCompleted || m.Text != text {
				t.Errorf("%d bytes: %s with %d bytes", len(text), m.Status, len(m.Text))
			}
		})
	}
}

func TestAnswersThatFail(t *testing.T) {
	t.Parallel()
	quota := kyro.Errorf(kyro.CodeUpstreamQuota, "The model's quota is used up. Try again in a minute.")
	blocked := kyro.Errorf(kyro.CodeContentBlocked, "The model refused to answer this.")
	tests := []struct {
		name      string
		model     model
		retriever retriever
		text      string
		reason    kyro.FinishReason
		code      kyro.Code
		retryable bool
		message   string // part of it
		after     time.Duration
	}{
		{name: "no first piece", model: silent(), reason: kyro.FinishTimeout, code: kyro.CodeTimeout, retryable: true,
			message: "did not begin", after: 25 * time.Second},
		{name: "no first piece, though it tells what it counted", model: func(ctx context.Context, _ kyro.Prompt, yield func(kyro.Delta, error) bool) {
			if yield(kyro.Delta{Usage: &kyro.MessageUsage{PromptTokens: 7}}, nil) {
				<-ctx.Done()
				yield(kyro.Delta{}, ctx.Err())
			}
		}, reason: kyro.FinishTimeout, code: kyro.CodeTimeout, retryable: true, message: "did not begin", after: 25 * time.Second},
		{name: "retrieval hangs", model: echo(0), retriever: findsSlowly, reason: kyro.FinishTimeout, code: kyro.CodeTimeout,
			retryable: true, message: "did not begin", after: 20 * time.Second},
		{name: "no next piece", model: silent("Well, "), text: "Well, ", reason: kyro.FinishTimeout, code: kyro.CodeTimeout,
			retryable: true, message: "halt", after: 18750 * time.Millisecond},
		{name: "too long in all", model: saying(11*time.Second, strings.Split(strings.Repeat("a", 20), "")...),
			text: strings.Repeat("a", 10), reason: kyro.FinishTimeout, code: kyro.CodeTimeout, retryable: true,
			message: "too long", after: 120 * time.Second},
		{name: "no finish", model: breaking(nil, "It is"), text: "It is", reason: kyro.FinishError,
			code: kyro.CodeUpstreamFailed, retryable: true, message: "cut off"},
		{name: "no finish and no text", model: breaking(nil), reason: kyro.FinishError,
			code: kyro.CodeUpstreamFailed, retryable: true, message: "cut off"},
		{name: "empty", model: saying(0), reason: kyro.FinishError, code: kyro.CodeUpstreamFailed, retryable: true, message: "empty"},
		{name: "quota", model: breaking(fmt.Errorf("answering: %w", quota), "A"), text: "A", reason: kyro.FinishError,
			code: kyro.CodeUpstreamQuota, retryable: true, message: quota.Message},
		{name: "blocked", model: breaking(blocked), reason: kyro.FinishSafety, code: kyro.CodeContentBlocked, message: blocked.Message},
		{name: "an error of ours", model: breaking(errors.New("secret detail"), "A"), text: "A", reason: kyro.FinishError,
			code: kyro.CodeInternal, retryable: true, message: "Something went wrong"},
		{name: "retrieval fails", model: echo(0), retriever: func(context.Context, string) (answer.Retrieved, error) {
			return answer.Retrieved{}, errors.New("secret detail")
		}, reason: kyro.FinishError, code: kyro.CodeInternal, retryable: true, message: "Something went wrong"},
		{name: "a panic in the model", model: func(_ context.Context, _ kyro.Prompt, yield func(kyro.Delta, error) bool) {
			yield(kyro.Delta{Text: "Oh"}, nil)
			panic("secret detail")
		}, text: "Oh", reason: kyro.FinishError, code: kyro.CodeInternal, retryable: true, message: "Something went wrong"},
		{name: "a panic in retrieval", model: echo(0), retriever: func(context.Context, string) (answer.Retrieved, error) {
			panic("secret detail")
		}, reason: kyro.FinishError, code: kyro.CodeInternal, retryable: true, message: "Something went wrong"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, test.model, func(t *testing.T, w *world) {
				begun := time.Now()
				turn := w.say("Hi")
				m := w.final(turn.Bot.ID)
				if m.Status != kyro.MessageFailed || *m.FinishReason != test.reason || m.Text != test.text {
					t.Errorf("got %s %s %q, want FAILED %s %q", m.Status, *m.FinishReason, m.Text, test.reason, test.text)
				}
				if isBlocked := m.Grounding != nil && *m.Grounding == kyro.GroundingBlocked; isBlocked != (test.reason == kyro.FinishSafety) {
					t.Errorf("%s with the grounding %v", *m.FinishReason, m.Grounding)
				}
				if e := m.Error; e == nil || e.Code != test.code || e.Retryable != test.retryable || !strings.Contains(e.Message, test.message) {
					t.Errorf("error %+v, want %s %q", e, test.code, test.message)
				}
				if d := m.CompletedAt.Sub(begun); d != test.after {
					t.Errorf("failed after %v, want %v", d, test.after)
				}
				if strings.Contains(fmt.Sprint(m), "secret") {
					t.Errorf("the message tells what is ours: %+v", m.Error)
				}
				errors, secrets := strings.Count(w.logged.String(), "level=ERROR"), strings.Count(w.logged.String(), "secret detail")
				if ours := test.code == kyro.CodeInternal; ours && (errors != 1 || secrets == 0) || !ours && errors != 0 {
					t.Errorf("%d errors in the log:\n%s", errors, w.logged)
				}
				w.final(w.say("Are you still there?", turn.Conversation.ID).Bot.ID)
			}, func(c *answer.Config) {
				if test.retriever != nil {
					c.Retriever = test.retriever
				}
			})
		})
	}
}

func TestSafetyFinishWithoutTextIsComplete(t *testing.T) {
	t.Parallel()
	refusing := model(func(_ context.Context, _ kyro.Prompt, yield func(kyro.Delta, error) bool) {
		yield(kyro.Delta{Finish: &kyro.Finish{Reason: kyro.FinishSafety, Grounding: kyro.GroundingBlocked}}, nil)
	})
	inWorld(t, refusing, func(t *testing.T, w *world) {
		m := w.final(w.say("Hi").Bot.ID)
		if m.Status != kyro.MessageCompleted || *m.FinishReason != kyro.FinishSafety || *m.Grounding != kyro.GroundingBlocked {
			t.Errorf("got %s %v %v", m.Status, m.FinishReason, m.Grounding)
		}
	})
}

func TestEndlessAnswerIsCut(t *testing.T) {
	t.Parallel()
	endless := model(func(_ context.Context, _ kyro.Prompt, yield func(kyro.Delta, error) bool) {
		for yield(kyro.Delta{Text: strings.Repeat("世界和平", 10_000)}, nil) {
		}
	})
	inWorld(t, endless, func(t *testing.T, w *world) {
		m := w.final(w.say("Hi").Bot.ID)
		if m.Status != kyro.MessageCompleted || *m.FinishReason != kyro.FinishLength || len(m.Text) > 128<<10 || len(m.Text) < 120<<10 {
			t.Errorf("got %s %v with %d bytes", m.Status, *m.FinishReason, len(m.Text))
		}
		if strings.ContainsRune(m.Text, '\uFFFD') {
			t.Error("a character was cut")
		}
	})
}

func TestPiecesOfCharactersBecomeWhole(t *testing.T) {
	t.Parallel()
	const text = "Größe 世界 👩‍🔬!"
	var bytes []string
	for i := range len(text) {
		bytes = append(bytes, text[i:i+1])
	}
	inWorld(t, saying(time.Millisecond, bytes...), func(t *testing.T, w *world) {
		if m := w.final(w.say("Hi").Bot.ID); m.Text != text {
			t.Errorf("got %q", m.Text)
		}
	})
}

func TestWhatIsWrittenIsSavedInTime(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(10*time.Second), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		time.Sleep(200 * time.Millisecond)
		if m := w.message(turn.Bot.ID); m.Status != kyro.MessageStreaming || m.Seq != 2 {
			t.Errorf("the stage is not saved: %s %d", m.Status, m.Seq)
		}
		time.Sleep(10*time.Second + 900*time.Millisecond)
		if m := w.message(turn.Bot.ID); m.Text != "You said: " || m.Seq != 3 {
			t.Errorf("the text is not saved within a second: %q %d", m.Text, m.Seq)
		}
	})
	inWorld(t, silent(strings.Repeat("x", 1_000), strings.Repeat("y", 1_100)), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		synctest.Wait()
		if m := w.message(turn.Bot.ID); len(m.Text) != 2_100 {
			t.Errorf("2 KiB are not saved at once: %d bytes", len(m.Text))
		}
	})
}

func TestShortAnswerIsStoredOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(0), func(t *testing.T, w *world) {
		w.final(w.say("Hi").Bot.ID)
		if n := w.store.count("Checkpoint"); n > 0 {
			t.Errorf("%d checkpoints of an answer that took no time", n)
		}
	})
}

func TestFailingStoreIsTolerated(t *testing.T) {
	t.Parallel()
	inWorld(t, echo(4*time.Second), func(t *testing.T, w *world) {
		turn := w.say("Hi")
		synctest.Wait()
		away, tries := time.Now().Add(9*time.Second), 0
		w.store.failing(func(call string) error {
			if call != "Message" && time.Now().Before(away) {
				tries++
				return errors.New("the database is away")
			}
			return nil
		})
		if m := w.final(turn.Bot.ID); m.Status != kyro.MessageCompleted || m.Text != "You said: Hi" || m.Attempt != 1 {
			t.Errorf("got %s %q in attempt %d", m.Status, m.Text, m.Attempt)
		}
		if tries < 5 || tries > 40 {
			t.Errorf("%d calls while the store was away", tries)
		}
	})
}

// failingLog is a log that can be away, and come back with nothing.
type failingLog struct {
	mu  sync.Mutex
	log answer.Log
	err error
}

func (l *failingLog) set(log answer.Log, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log, l.err = log, err
}

func (l *failingLog) get() (answer.Log, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log, l.err
}

func (l *failingLog) Append(ctx context.Context, m kyro.ID, entries ...kyro.LogEntry) error {
	log, err := l.get()
	if err != nil {
		return err
	}
	return log.Append(ctx, m, entries...)
}

func (l *failingLog) Read(ctx context.Context, m kyro.ID, attempt, seq int64) ([]kyro.LogEntry, bool, error) {
	log, err := l.get()
	if err != nil {
		return nil, false, err
	}
	return log.Read(ctx, m, attempt, seq)
}

func (l *failingLog) Snapshot(ctx context.Context, m kyro.ID) (kyro.StreamSnapshot, bool, error) {
	log, err := l.get()
	if err != nil {
		return kyro.StreamSnapshot{}, false, err
	}
	return log.Snapshot(ctx, m)
}

func TestFailingLogIsTolerated(t *testing.T) {
	t.Parallel()
	for _, back := range []time.Duration{time.Second, 3 * time.Second, time.Hour} {
		log := &failingLog{}
		inWorld(t, saying(100*time.Millisecond, strings.Split(strings.Repeat("word ", 20), " ")...), func(t *testing.T, w *world) {
			turn := w.say("Hi")
			time.AfterFunc(back, func() { log.set(live.NewLogs(live.LogsConfig{}), nil) })
			if m := w.final(turn.Bot.ID); m.Status != kyro.MessageCompleted {
				t.Errorf("got %s", m.Status)
			}
			if n := strings.Count(w.logged.String(), "stream log fails"); n != 1 {
				t.Errorf("the failing log was logged %d times", n)
			}
			time.Sleep(time.Hour)
		}, func(c *answer.Config) { log.set(nil, errCutOff); c.Log = log })
	}
}

func TestAnswersAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int32
	counting := model(func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		echo(time.Second)(ctx, p, yield)
	})
	inWorld(t, counting, func(t *testing.T, w *world) {
		var turns []kyro.Turn
		for range 20 {
			turns = append(turns, w.say("Hi"))
		}
		for _, turn := range turns {
			if m := w.final(turn.Bot.ID); m.Status != kyro.MessageCompleted {
				t.Errorf("got %s", m.Status)
			}
		}
		if most.Load() != 2 {
			t.Errorf("%d answers at once, want 2", most.Load())
		}
	}, func(c *answer.Config) { c.Limits.MaxRunning, c.Limits.MaxQueued = 2, 3 })
}

func TestHistoryReachesTheModel(t *testing.T) {
	t.Parallel()
	remembering := model(func(ctx context.Context, p kyro.Prompt, yield func(kyro.Delta, error) bool) {
		var texts []string
		for _, m := range p.History {
			texts = append(texts, m.Text)
		}
		saying(0, strings.Join(append(texts, p.Question), "; "))(ctx, p, yield)
	})
	inWorld(t, remembering, func(t *testing.T, w *world) {
		first := w.say("one")
		w.final(first.Bot.ID)
		w.final(w.say("two", first.Conversation.ID).Bot.ID)
		m := w.final(w.say("three", first.Conversation.ID).Bot.ID)
		if want := "one; one; two; one; one; two; three"; m.Text != want {
			t.Errorf("the model saw %q, want %q", m.Text, want)
		}
	}, func(c *answer.Config) { c.History = 4 })
}

// fragile is a store that panics where it is asked to keep an answer, once.
type fragile struct {
	answer.Store
	on     string
	broken atomic.Bool
}

func (f *fragile) panicOn(call string) {
	if call == f.on && f.broken.CompareAndSwap(false, true) {
		panic("secret detail")
	}
}

func (f *fragile) Finish(ctx context.Context, c kyro.Claim, o kyro.Outcome) (kyro.Message, error) {
	f.panicOn("Finish")
	return f.Store.Finish(ctx, c, o)
}

func (f *fragile) Keep(ctx context.Context, lease time.Duration, list []kyro.Keeping) ([]kyro.Kept, error) {
	f.panicOn("Keep")
	return f.Store.Keep(ctx, lease, list)
}

func TestAPanicWhileAnAnswerIsKeptEndsNoServer(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]kyro.MessageStatus{
		"Finish": kyro.MessageInterrupted, // with the text that was kept
		"Keep":   kyro.MessageCompleted,   // the next call keeps it
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			inWorld(t, echo(8*time.Second), func(t *testing.T, w *world) {
				turn := w.say("Hi")
				if m := w.final(turn.Bot.ID); m.Status != want || m.Text == "" {
					t.Errorf("got %s %q", m.Status, m.Text)
				}
				if m := w.final(w.say("Are you still there?", turn.Conversation.ID).Bot.ID); m.Status != kyro.MessageCompleted {
					t.Errorf("the next answer: %s", m.Status)
				}
				if !strings.Contains(w.logged.String(), "secret detail") {
					t.Errorf("the panic is not in the log:\n%s", w.logged)
				}
			}, func(c *answer.Config) { c.Store = &fragile{Store: c.Store, on: call} })
		})
	}
}
