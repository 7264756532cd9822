package store_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/store"
	"kyrochat/text"
)

func limits(messages, tokens int64) (l kyro.SpendingLimits) {
	if messages >= 0 {
		l.Messages = &messages
	}
	if tokens >= 0 {
		l.Tokens = &tokens
	}
	return l
}

// priced is a charge that reserves so many tokens.
func priced(key kyro.ID, tokens int64) kyro.Charge {
	return kyro.Charge{KeyID: key, Estimate: func(kyro.Bot, string, bool) kyro.Spending {
		return kyro.Spending{Tokens: tokens, Cost: kyro.Money(10 * tokens)}
	}}
}

// spending gives what is used and reserved of the one budget of a target, by a clock.
func (w *world) spending(t testing.TB, owner, target kyro.ID, at time.Time) (used, reserved kyro.Spending) {
	t.Helper()
	found, err := w.Budgets(t.Context(), owner, []kyro.ID{target}, at)
	fine(t, err)
	if len(found[target]) != 1 {
		t.Fatalf("%d budgets of %s", len(found[target]), target)
	}
	b := found[target][0]
	return b.Used, b.Reserved
}

func (w *world) wantSpending(t testing.TB, owner, target kyro.ID, used, reserved kyro.Spending) {
	t.Helper()
	u, r := w.spending(t, owner, target, start)
	expect(t, "used of "+target.String(), u, used)
	expect(t, "reserved of "+target.String(), r, reserved)
}

func (w *world) someKey(t testing.TB, owner kyro.ID) kyro.ID {
	t.Helper()
	w.exec(t, fmt.Sprintf(`INSERT INTO api_keys (user_id, name, prefix, secret_hash, scopes, networks, created_at)
		VALUES (%d, 'k', 'p%d', 'h%d', '[]', '[]', '2026-11-22 10:00:00+00:00')`, owner.Key, owner.Key, owner.Key))
	return kyro.APIKeyID(int64(w.number(t, "SELECT max(id) FROM api_keys")))
}

func (w *world) setBudget(t testing.TB, owner, target kyro.ID, period kyro.BudgetPeriod, l kyro.SpendingLimits) {
	t.Helper()
	fine(t, w.SetBudget(t.Context(), owner, target, period, l))
}

// took is an end with so many tokens.
func took(prompt, output int) kyro.Outcome {
	return kyro.Outcome{
		Status: kyro.MessageCompleted, Text: "an answer", Seq: 3, FinishReason: kyro.FinishStop, Now: start.Add(time.Minute),
		Usage: &kyro.MessageUsage{PromptTokens: prompt, OutputTokens: output, Model: "m", Cost: kyro.Money(prompt + output)},
	}
}

func TestWhatAnAnswerTookIsCountedAndTheRestGivenBack(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		key := w.someKey(t, user)
		for _, target := range []kyro.ID{user, bot, key} {
			w.setBudget(t, user, target, kyro.BudgetDay, limits(2, 1_000))
		}
		turn := saying(user, id, "1")
		turn.Charge = priced(key, 400)
		first, err := w.SaveTurn(t.Context(), turn)
		fine(t, err)
		held := kyro.Spending{Messages: 1, Tokens: 400, Cost: 4_000}
		for _, target := range []kyro.ID{user, bot, key} {
			w.wantSpending(t, user, target, kyro.Spending{}, held)
		}
		again, err := w.SaveTurn(t.Context(), turn)
		fine(t, err)
		if !again.Repeated {
			t.Error("sent again, it is another turn")
		}
		w.wantSpending(t, user, user, kyro.Spending{}, held)

		_, err = w.Finish(t.Context(), *first.Claim, took(30, 12))
		fine(t, err)
		used := kyro.Spending{Messages: 1, Tokens: 42, Cost: 42}
		for _, target := range []kyro.ID{user, bot, key} {
			w.wantSpending(t, user, target, used, kyro.Spending{})
		}
		if _, err = w.Finish(t.Context(), *first.Claim, took(30, 12)); kyro.ErrorCode(err) != kyro.CodeConflict {
			t.Errorf("ended twice: %v", err)
		}
		w.wantSpending(t, user, user, used, kyro.Spending{})

		// An answer made anew goes on the same budgets; in person, not on the key's.
		_, err = w.SaveSibling(t.Context(), user, first.Bot.ID, "anew", 3, start, priced(kyro.ID{}, 100))
		fine(t, err)
		w.wantSpending(t, user, bot, used, kyro.Spending{Messages: 1, Tokens: 100, Cost: 1_000})
		w.wantSpending(t, user, key, used, kyro.Spending{})
		_, err = w.Finish(t.Context(), w.claim(t, id, "n1"), took(1, 1))
		fine(t, err)
		used = used.Plus(kyro.Spending{Messages: 1, Tokens: 2, Cost: 2})
		w.wantSpending(t, user, bot, used, kyro.Spending{})

		// Two of two messages are used: neither way is open any more, and nothing is stored of what is refused.
		messages := w.number(t, "SELECT count(*) FROM messages")
		_, err = w.SaveTurn(t.Context(), saying(user, id, "2"))
		wantExceeded(t, err, start.Truncate(24*time.Hour).AddDate(0, 0, 1))
		_, err = w.SaveSibling(t.Context(), user, first.Bot.ID, "more", 3, start, kyro.Charge{})
		wantExceeded(t, err, start.Truncate(24*time.Hour).AddDate(0, 0, 1))
		expect(t, "messages", w.number(t, "SELECT count(*) FROM messages"), messages)
		w.wantSpending(t, user, user, used, kyro.Spending{})
		if again, err = w.SaveTurn(t.Context(), turn); err != nil || !again.Repeated {
			t.Errorf("what was stored before is not given again: %v", err)
		}

		// The next day has a budget of its own, and usage says what it says.
		tomorrow := saying(user, id, "tomorrow")
		tomorrow.Now = start.AddDate(0, 0, 1)
		_, err = w.SaveTurn(t.Context(), tomorrow)
		fine(t, err)
		r, err := kyro.NewUsageRange(nil, nil, "UTC", start)
		fine(t, err)
		all, err := w.Usage(t.Context(), user, []kyro.ID{user}, r, true)
		fine(t, err)
		u := all[user]
		expect(t, "usage", u.UsageFigures, kyro.UsageFigures{Messages: 2, PromptTokens: 31, OutputTokens: 13, Cost: 44})
		expect(t, "by key", fmt.Sprint(u.APIKeys), fmt.Sprintf("[{{1 30 12 42} %s} {{1 1 1 2} }]", key))
		expect(t, "by bot", fmt.Sprint(u.Bots), fmt.Sprintf("[{{2 31 13 44} %s}]", bot))
		expect(t, "by model", fmt.Sprint(u.Models), "[{{2 31 13 44} ANSWER m}]")
		expect(t, "days", len(u.Days), 22)
		expect(t, "the last day", u.Days[21], kyro.DayUsage{UsageFigures: u.UsageFigures, Date: "2026-11-22"})
	})
}

func wantExceeded(t testing.TB, err error, resets time.Time) {
	t.Helper()
	known, _ := err.(*kyro.Error)
	if known == nil || known.Code != kyro.CodeBudgetExceeded || known.ResetAt == nil || !known.ResetAt.Equal(resets) {
		t.Fatalf("%v, want BUDGET_EXCEEDED until %s", err, resets)
	}
}

// However an answer ends, what was reserved for it is given back once.
func TestNothingStaysReserved(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		user, bot, id := w.talk(t)
		w.setBudget(t, user, user, kyro.BudgetMonth, limits(100, 100_000))
		send := func(conversation kyro.ID, text string) kyro.Turn {
			t.Helper()
			turn := saying(user, conversation, text)
			turn.Charge, turn.Owner = priced(kyro.ID{}, 1_000), ""
			if conversation.IsZero() {
				turn.BotID = bot
			}
			stored, err := w.SaveTurn(ctx, turn)
			fine(t, err)
			return stored
		}
		messages := int64(0)
		want := func(what string, counted int64) {
			t.Helper()
			messages += counted
			used, reserved := w.spending(t, user, user, start)
			expect(t, what+": messages", used.Messages, messages)
			expect(t, what+": reserved", reserved, kyro.Spending{})
		}

		// The process dies before it wrote a word, and another one answers.
		send(id, "lost")
		w.claim(t, id, "dead")
		w.setClock(w.now.Load().Add(time.Hour))
		_, _, err := w.Recover(ctx, kyro.Recovery{Now: start})
		fine(t, err)
		_, reserved := w.spending(t, user, user, start)
		expect(t, "reserved while it is taken over", reserved.Messages, 1)
		w.finish(t, w.claim(t, id, "n2"), "done")
		want("taken over", 1)

		// It dies in the middle of the answer, which stays as it is. Whoever looks at it again finds nothing to do.
		const half = "half of what there would have been to say"
		before, _ := w.spending(t, user, user, start)
		send(id, "cut")
		w.keep(t, w.claim(t, id, "dead"), kyro.Checkpoint{Status: kyro.MessageStreaming, Text: half, Seq: 2})
		w.setClock(w.now.Load().Add(time.Hour))
		for range 2 {
			_, _, err = w.Recover(ctx, kyro.Recovery{Now: start})
			fine(t, err)
		}
		after, _ := w.spending(t, user, user, start)
		expect(t, "tokens of the text that is kept", after.Tokens-before.Tokens, int64(text.Tokens(half)))
		want("cut", 1)

		// It dies in the middle, and the answer is begun again.
		send(id, "restarted")
		w.keep(t, w.claim(t, id, "dead"), kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "half", Seq: 2})
		w.setClock(w.now.Load().Add(time.Hour))
		_, _, err = w.Recover(ctx, kyro.Recovery{Now: start, Restart: true})
		fine(t, err)
		w.finish(t, w.claim(t, id, "n2"), "done")
		want("restarted", 1)

		stopped := send(id, "stopped before it began")
		for range 2 {
			_, err = w.RequestStop(ctx, user, stopped.Bot.ID, start)
			fine(t, err)
		}
		want("stopped before it began", 0)

		// It dies before it wrote a word, and the answer is stopped before it is begun again: a model may have been asked.
		stopped = send(id, "stopped after it was lost")
		w.claim(t, id, "dead")
		w.setClock(w.now.Load().Add(time.Hour))
		_, _, err = w.Recover(ctx, kyro.Recovery{Now: start})
		fine(t, err)
		_, err = w.RequestStop(ctx, user, stopped.Bot.ID, start)
		fine(t, err)
		want("stopped after it was lost", 1)

		failed := send(id, "failed")
		_ = failed
		o := took(5, 0)
		o.Status, o.FinishReason, o.Error = kyro.MessageFailed, kyro.FinishError, &kyro.MessageError{Code: kyro.CodeUpstreamFailed}
		_, err = w.Finish(ctx, w.claim(t, id, "n1"), o)
		fine(t, err)
		want("failed", 1)

		// What waits is stopped where its conversation, its bot or its account goes; what runs ends as it would.
		gone := send(kyro.ID{}, "conversation")
		fine(t, w.DeleteConversation(ctx, user, gone.Conversation.ID, start))
		want("conversation deleted", 0)
		gone = send(kyro.ID{}, "running")
		claim := w.claim(t, gone.Conversation.ID, "n1")
		fine(t, w.DeleteConversation(ctx, user, gone.Conversation.ID, start))
		w.finish(t, claim, "written")
		want("conversation deleted while it was answered", 1)
		send(kyro.ID{}, "bot")
		running := w.claim(t, send(kyro.ID{}, "running in the bot").Conversation.ID, "n1")
		fine(t, w.DeleteBot(ctx, user, bot, start))
		w.finish(t, running, "written")
		want("bot deleted", 1)
		bot = w.bot(t, user, "another", start)
		send(kyro.ID{}, "account 1")
		send(kyro.ID{}, "account 2")
		_, err = w.Deactivate(ctx, user, nil, start, nil)
		fine(t, err)
		want("account deactivated", 0)
		expect(t, "messages by usage", w.number(t, "SELECT SUM(messages) FROM usages"), int(messages))
	})
}

// Fifty answers that are asked for at once through two stores get what is left, and no more.
func TestParallelAnswersNeverOverrunABudget(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, _ := w.talk(t)
		w.setBudget(t, user, user, kyro.BudgetDay, limits(17, -1))
		w.setBudget(t, user, bot, kyro.BudgetMonth, limits(-1, 1_000))
		second := store.New(w.pools, rowQueue{})
		var sent, refused atomic.Int64
		var all sync.WaitGroup
		begin := make(chan struct{})
		for i := range 50 {
			st := w.Store
			if i%2 == 1 {
				st = second
			}
			all.Go(func() {
				<-begin
				turn := saying(user, kyro.ID{}, fmt.Sprint("m", i))
				turn.BotID, turn.Charge = bot, priced(kyro.ID{}, 60) // of which 16 fit
				_, err := st.SaveTurn(t.Context(), turn)
				switch kyro.ErrorCode(err) {
				case "":
					sent.Add(1)
				case kyro.CodeBudgetExceeded:
					refused.Add(1)
				default:
					t.Errorf("send: %v", err)
				}
			})
		}
		close(begin)
		all.Wait()
		expect(t, "sent", sent.Load(), 16)
		expect(t, "refused", refused.Load(), 34)
		_, reserved := w.spending(t, user, bot, start)
		expect(t, "reserved", reserved.Tokens, 16*60)
		expect(t, "messages", w.number(t, "SELECT count(*) FROM messages WHERE role = 'BOT'"), 16)
	})
}

// A budget that is set in the middle of its period counts what was used before, and one set to less than that is used up.
func TestABudgetCountsWhatWasUsedBefore(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		for i, at := range []time.Time{start.AddDate(0, 0, -1), start.Add(-time.Hour), start} {
			turn := saying(user, id, fmt.Sprint(i))
			turn.Now = at
			stored, err := w.SaveTurn(t.Context(), turn)
			fine(t, err)
			_, err = w.Finish(t.Context(), *stored.Claim, took(10, 0))
			fine(t, err)
		}
		w.setBudget(t, user, bot, kyro.BudgetDay, limits(-1, 25))
		w.wantSpending(t, user, bot, kyro.Spending{Messages: 2, Tokens: 20, Cost: 20}, kyro.Spending{})
		turn := saying(user, id, "more")
		turn.Charge = priced(kyro.ID{}, 6)
		_, err := w.SaveTurn(t.Context(), turn)
		wantExceeded(t, err, start.Truncate(24*time.Hour).AddDate(0, 0, 1))
		turn.Charge = priced(kyro.ID{}, 5)
		_, err = w.SaveTurn(t.Context(), turn)
		fine(t, err)
		w.wantSpending(t, user, bot, kyro.Spending{Messages: 2, Tokens: 20, Cost: 20}, kyro.Spending{Messages: 1, Tokens: 5, Cost: 50})

		w.setBudget(t, user, bot, kyro.BudgetDay, limits(-1, -1))
		found, err := w.Budgets(t.Context(), user, []kyro.ID{bot}, start)
		fine(t, err)
		expect(t, "budgets", len(found[bot]), 0)
		more := saying(user, id, "unlimited")
		more.Charge = priced(kyro.ID{}, 1_000_000)
		_, err = w.SaveTurn(t.Context(), more)
		fine(t, err)
		for _, strange := range []kyro.ID{kyro.BotID(99_999), kyro.APIKeyID(99_999), kyro.UserID(99_999), w.bot(t, w.user(t), "theirs", start)} {
			expectCode(t, w.SetBudget(t.Context(), user, strange, kyro.BudgetDay, limits(1, 1)), kyro.CodeNotFound)
		}
	})
}

// What the server allows to an account for a day holds whatever its owner set.
func TestTheServersLimitHolds(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		within := kyro.DefaultLimits()
		within.UserDailyMessages = 1
		w.Within(within)
		w.setBudget(t, user, user, kyro.BudgetDay, limits(5, 77))
		found, err := w.Budgets(t.Context(), user, []kyro.ID{user}, start)
		fine(t, err)
		expect(t, "limits", found[user][0].Limits.String(), "messages 1, tokens 77")
		w.setBudget(t, user, user, kyro.BudgetDay, limits(-1, -1))
		w.say(t, user, id, "one")
		w.wantSpending(t, user, user, kyro.Spending{}, kyro.Spending{Messages: 1})
		_, err = w.SaveTurn(t.Context(), saying(user, id, "two"))
		wantExceeded(t, err, start.Truncate(24*time.Hour).AddDate(0, 0, 1))
	})
}

func TestOwnersAreWarnedOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		w.setBudget(t, user, bot, kyro.BudgetMonth, limits(10, -1))
		warned := func() int { return w.number(t, "SELECT count(*) FROM letters WHERE kind = 'budget-warning'") }
		for i := range 10 {
			turn := saying(user, id, fmt.Sprint(i))
			stored, err := w.SaveTurn(t.Context(), turn)
			fine(t, err)
			_, err = w.Finish(t.Context(), *stored.Claim, took(1, 1))
			fine(t, err)
			if want := map[bool]int{true: 1}[i >= 7]; warned() != want {
				t.Fatalf("%d mails after %d messages, want %d", warned(), i+1, want)
			}
		}
		expect(t, "jobs", w.number(t, "SELECT count(*) FROM test_jobs WHERE kind = 'mail'"), 1)
		letter, err := w.Letter(t.Context(), int64(w.number(t, "SELECT id FROM letters WHERE kind = 'budget-warning'")))
		fine(t, err)
		n := letter.Budget
		if letter.UserID != user || n == nil || n.What != "messages" || n.Used.Messages != 8 || n.Limit.Messages != 10 ||
			!strings.Contains(n.Name, "monthly budget of the bot "+bot.String()) || !n.ResetAt.Equal(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%+v of %+v", n, letter)
		}
	})
}

// Each limit is warned of for itself, and anew where it was changed.
func TestEachLimitIsWarnedOf(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, bot, id := w.talk(t)
		w.setBudget(t, user, bot, kyro.BudgetMonth, limits(5, 100))
		n := 0
		answer := func(prompt int) {
			t.Helper()
			n++
			stored, err := w.SaveTurn(t.Context(), saying(user, id, fmt.Sprint(n)))
			fine(t, err)
			_, err = w.Finish(t.Context(), *stored.Claim, took(prompt, 0))
			fine(t, err)
		}
		warned := func(when string, messages, tokens int) {
			t.Helper()
			for what, want := range map[string]int{kyro.BudgetOfMessages: messages, kyro.BudgetOfTokens: tokens} {
				expect(t, when+", of "+what, w.number(t, "SELECT count(*) FROM letters WHERE kind = 'budget-warning' AND seed LIKE '%"+what+"'"), want)
			}
		}
		answer(85)
		warned("after one answer", 0, 1)
		for range 3 {
			answer(1)
		}
		warned("after four", 1, 1)
		w.setBudget(t, user, bot, kyro.BudgetMonth, limits(5, 100))
		answer(1)
		warned("with the same limits", 1, 1)
		w.setBudget(t, user, bot, kyro.BudgetMonth, limits(5, 1_000))
		w.setBudget(t, user, bot, kyro.BudgetMonth, limits(10, 1_000))
		answer(1)
		warned("with room", 1, 1)
		answer(800)
		warned("near the second limit of tokens", 1, 2)
		answer(1)
		warned("near the second limit of messages", 2, 2)
		w.setBudget(t, user, bot, kyro.BudgetMonth, limits(-1, -1))
		w.setBudget(t, user, bot, kyro.BudgetMonth, limits(10, 1_000))
		answer(1)
		warned("removed and set again", 3, 3)
	})
}

// Only where there are budgets does a message take another statement.
func TestAMessageTakesOneStatementMoreForBudgets(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, _, id := w.talk(t)
		statements := func(text string) (saved, ended int64) {
			w.statements.Store(0)
			stored, err := w.SaveTurn(t.Context(), saying(user, id, text))
			fine(t, err)
			saved = w.statements.Swap(0)
			_, err = w.Finish(t.Context(), *stored.Claim, took(1, 1))
			fine(t, err)
			return saved, w.statements.Load()
		}
		saved, ended := statements("without")
		w.setBudget(t, user, user, kyro.BudgetDay, limits(100, -1))
		saved2, ended2 := statements("with")
		expect(t, "more to store it", saved2-saved, 1)
		expect(t, "more to end it", ended2-ended, 1)
	})
}

// What embeddings of documents take is usage, and in no budget.
func TestEmbeddingsAreUsage(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		k.ready(t, "Title", "a passage")
		used := kyro.EmbeddingUsage{BotID: k.bot, Tokens: 7, Cost: 3, At: k.now}
		for range 2 {
			check(t, k.store.SaveEmbeddings(ctx, "emb", 1, map[string][]float32{sha("a passage"): {1}}, used))
		}
		limit := int64(5)
		check(t, k.store.SetBudget(ctx, k.owner, k.owner, kyro.BudgetDay, kyro.SpendingLimits{Tokens: &limit}))
		found, err := k.store.Budgets(ctx, k.owner, []kyro.ID{k.owner}, k.now)
		check(t, err)
		expect(t, "used of the budget", found[k.owner][0].Used, kyro.Spending{})
		r, err := kyro.NewUsageRange(nil, nil, "UTC", k.now)
		check(t, err)
		usage, err := k.store.Usage(ctx, k.owner, []kyro.ID{k.bot}, r, false)
		check(t, err)
		expect(t, "models", fmt.Sprint(usage[k.bot].Models), "[{{0 14 0 6} INGESTION emb}]")
	})
}

// Many answers that end together lock what they are settled with in the order of answers that begin: one that begins has its
// bot's budget and goes on to the account's, and whoever waits for the former must not have the latter.
func TestManyAnswersAreSettledInTheOrderOfLocks(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		if !w.pools.Postgres() {
			t.Skip("SQLite has one writer at a time")
		}
		user, first, id := w.talk(t)
		second := w.bot(t, user, "second", start)
		for _, target := range []kyro.ID{user, first, second} {
			w.setBudget(t, user, target, kyro.BudgetDay, limits(10, -1))
		}
		w.say(t, user, id, "one")
		turn := kyro.NewTurn{SenderID: user, BotID: second, Text: "two", ClientMessageID: "two", MaxWaiting: 3, Now: start}
		other, err := w.SaveTurn(t.Context(), turn)
		fine(t, err)
		for _, conversation := range []kyro.ID{id, other.Conversation.ID} {
			w.keep(t, w.claim(t, conversation, "dead"), kyro.Checkpoint{Status: kyro.MessageStreaming, Text: "half", Seq: 2})
		}
		w.setClock(w.now.Load().Add(time.Hour))

		beginning, err := w.pools.Pgx.Begin(t.Context())
		fine(t, err)
		defer func() { _ = beginning.Rollback(t.Context()) }()
		_, err = beginning.Exec(t.Context(), "SELECT id FROM spendings WHERE scope = 'bot' AND target_id = $1 FOR UPDATE", second.Key)
		fine(t, err)
		var recovered sync.WaitGroup
		recovered.Go(func() {
			ended, _, err := w.Recover(t.Context(), kyro.Recovery{Now: start})
			if err != nil || len(ended) != 2 {
				t.Errorf("%d answers ended: %v", len(ended), err)
			}
		})
		for w.number(t, waitingForLocks) == 0 {
			time.Sleep(time.Millisecond)
		}
		if _, err = beginning.Exec(t.Context(), "SELECT id FROM spendings WHERE scope = 'user' FOR UPDATE NOWAIT"); err != nil {
			t.Errorf("the account's budget is locked before the bot's: %v", err)
		}
		fine(t, beginning.Rollback(t.Context()))
		recovered.Wait()
		for _, target := range []kyro.ID{user, first, second} {
			if used, reserved := w.spending(t, user, target, start); used.Messages == 0 || reserved != (kyro.Spending{}) {
				t.Errorf("of %s %+v are used and %+v reserved", target, used, reserved)
			}
		}
	})
}
