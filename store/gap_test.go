package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

const gapModel = "m@2"

// asked is a question that was answered as the grounding says.
func (k *knowledge) asked(t testing.TB, text string, grounding kyro.Grounding) kyro.Turn {
	t.Helper()
	turn, err := k.store.SaveTurn(t.Context(), kyro.NewTurn{
		SenderID: k.owner, BotID: k.bot, Text: text, ClientMessageID: fmt.Sprint("q", k.tick().UnixNano()), MaxWaiting: 3, Now: k.tick(),
	})
	check(t, err)
	k.answered(t, turn.Conversation.ID, grounding)
	return turn
}

func (k *knowledge) answered(t testing.TB, conversation kyro.ID, grounding kyro.Grounding) {
	t.Helper()
	claim, _, err := k.store.ClaimNext(t.Context(), conversation, "node", time.Minute)
	check(t, err)
	_, err = k.store.Finish(t.Context(), claim, kyro.Outcome{
		Status: kyro.MessageCompleted, Text: "said", Seq: 3, FinishReason: kyro.FinishStop, Grounding: &grounding, Now: k.tick(),
	})
	check(t, err)
}

// place gives the questions vectors, those that begin alike the same direction, and puts them together.
func (k *knowledge) place(t testing.TB) {
	t.Helper()
	questions, err := k.store.GapQuestionsToEmbed(t.Context(), k.bot, gapModel, 100)
	check(t, err)
	vectors := map[kyro.ID][]float32{}
	for i, q := range questions {
		if vectors[q.MessageID] = []float32{1, float32(i) / 1_000}; strings.HasPrefix(q.Text, "tea") {
			vectors[q.MessageID] = []float32{float32(i) / 1_000, 1}
		}
	}
	if len(vectors) > 0 {
		check(t, k.store.SaveGapVectors(t.Context(), k.bot, gapModel, vectors))
	}
	_, err = k.store.PlaceGapQuestions(t.Context(), kyro.GapPlacing{Bot: k.bot, Model: gapModel, Threshold: 0.9, Limit: 100, Now: k.tick()})
	check(t, err)
}

// gaps describes the gaps of the bot, in the order of the list.
func (k *knowledge) gaps(t testing.TB) (list []string, found []kyro.Gap) {
	t.Helper()
	req, err := kyro.PageArgs{}.Request(kyro.GapsOrder)
	check(t, err)
	every := []kyro.GapStatus{kyro.GapOpen, kyro.GapChecking, kyro.GapFixed, kyro.GapStillOpen, kyro.GapDismissed}
	pages, err := k.store.GapPages(t.Context(), k.owner, []kyro.ID{k.bot}, kyro.GapFilter{Status: every}, req)
	check(t, err)
	for _, g := range pages[k.bot].Nodes {
		c := g.Check
		list = append(list, fmt.Sprintf("%s %s asked %d unanswered %d down %d checked %d/%d", g.Status, g.Question, g.Asked, g.Unanswered, g.RatedDown, c.Done, c.Total))
	}
	return list, pages[k.bot].Nodes
}

func (k *knowledge) wantGaps(t testing.TB, when string, want ...string) {
	t.Helper()
	if got, _ := k.gaps(t); !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", when, got, want)
	}
}

func TestQuestionsComeAndGo(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		k.jobs.take()
		first := k.asked(t, "ferry one", kyro.GroundingNotFound)
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobPlaceGaps, Key: k.bot.Key}})
		second := k.asked(t, "ferry two", kyro.GroundingNotFound)
		tea := k.asked(t, "tea", kyro.GroundingNotFound)
		grounded := k.asked(t, "ferry grounded", kyro.Grounded)
		k.wantGaps(t, "before they are put together")
		brief := k.asked(t, "brief", kyro.GroundingNotFound)
		check(t, k.store.DeleteConversation(ctx, k.owner, brief.Conversation.ID, k.tick()))
		k.place(t)
		k.place(t)
		k.wantGaps(t, "put together", "OPEN ferry one asked 2 unanswered 2 down 0 checked 0/0", "OPEN tea asked 1 unanswered 1 down 0 checked 0/0")

		down := &kyro.Feedback{Rating: kyro.RatingDown, RatedAt: k.tick()}
		for range 2 {
			_, err := k.store.RateMessage(ctx, k.owner, grounded.Bot.ID, down)
			check(t, err)
		}
		_, err := k.store.RateMessage(ctx, k.owner, tea.Bot.ID, down)
		check(t, err)
		k.place(t)
		k.wantGaps(t, "rated down", "OPEN ferry one asked 3 unanswered 3 down 1 checked 0/0", "OPEN tea asked 1 unanswered 1 down 1 checked 0/0")
		for _, m := range []kyro.ID{grounded.Bot.ID, tea.Bot.ID} {
			_, err = k.store.RateMessage(ctx, k.owner, m, nil)
			check(t, err)
		}
		k.wantGaps(t, "taken back", "OPEN ferry one asked 2 unanswered 2 down 0 checked 0/0", "OPEN tea asked 1 unanswered 1 down 0 checked 0/0")

		_, err = k.store.SaveSibling(ctx, k.owner, tea.Bot.ID, "again", 3, k.tick(), kyro.Charge{})
		check(t, err)
		asked := []string{"OPEN ferry one asked 2 unanswered 2 down 0 checked 0/0", "OPEN tea asked 1 unanswered 1 down 0 checked 0/0"}
		k.wantGaps(t, "while another answer is made", asked...)
		claim, _, err := k.store.ClaimNext(ctx, tea.Conversation.ID, "node", time.Minute)
		check(t, err)
		_, err = k.store.Finish(ctx, claim, kyro.Outcome{Status: kyro.MessageFailed, FinishReason: kyro.FinishError, Now: k.tick()})
		check(t, err)
		k.wantGaps(t, "the other answer failed", asked...)
		_, err = k.store.SaveSibling(ctx, k.owner, claim.MessageID, "once more", 3, k.tick(), kyro.Charge{})
		check(t, err)
		k.answered(t, tea.Conversation.ID, kyro.Grounded)
		_, err = k.store.RateMessage(ctx, k.owner, tea.Bot.ID, down) // which another one has replaced
		check(t, err)
		k.place(t)
		k.wantGaps(t, "answered anew", "OPEN ferry one asked 2 unanswered 2 down 0 checked 0/0")

		check(t, k.store.DeleteConversation(ctx, k.owner, first.Conversation.ID, k.tick()))
		k.wantGaps(t, "without the first conversation", "OPEN ferry two asked 1 unanswered 1 down 0 checked 0/0")
		check(t, k.store.DeleteConversation(ctx, k.owner, second.Conversation.ID, k.tick()))
		k.wantGaps(t, "without both")
		k.asked(t, "tea again", kyro.GroundingNotFound)
		k.asked(t, "ferry again", kyro.GroundingNotFound)
		k.place(t)
		k.asked(t, "not placed", kyro.GroundingNotFound)
		// Answers that end after what they are part of was deleted.
		notFound := kyro.GroundingNotFound
		late := func(text string, remove func(kyro.Turn) error) {
			t.Helper()
			turn, err := k.store.SaveTurn(ctx, kyro.NewTurn{SenderID: k.owner, BotID: k.bot, Text: text, ClientMessageID: text, MaxWaiting: 3, Now: k.tick()})
			check(t, err)
			claim, _, err := k.store.ClaimNext(ctx, turn.Conversation.ID, "node", time.Minute)
			check(t, err)
			check(t, remove(turn))
			_, _ = k.store.Finish(ctx, claim, kyro.Outcome{
				Status: kyro.MessageCompleted, Text: "said", Seq: 3, FinishReason: kyro.FinishStop, Grounding: &notFound, Now: k.tick(),
			})
		}
		before := k.count(t, "gap_questions", "1 = 1")
		late("late", func(turn kyro.Turn) error {
			return k.store.DeleteConversation(ctx, k.owner, turn.Conversation.ID, k.tick())
		})
		expect(t, "questions after the end of an answer that was deleted", k.count(t, "gap_questions", "1 = 1"), before)
		late("too late", func(kyro.Turn) error { return k.store.DeleteBot(ctx, k.owner, k.bot, k.tick()) })
		expect(t, "questions of a deleted bot", k.count(t, "gap_questions", "1 = 1")+k.count(t, "gaps", "1 = 1"), 0)
	})
}

// TestGapIsAnswered walks a gap through its states, beside a stranger who sees none of it.
func TestGapIsAnswered(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		for _, text := range []string{"ferry one", "Ferry one", "ferry two"} {
			k.asked(t, text, kyro.GroundingNotFound)
		}
		k.place(t)
		_, gaps := k.gaps(t)
		gap := gaps[0].ID
		answer := func(content string) (kyro.Document, bool, error) {
			size := int64(1)
			return k.store.AnswerGap(ctx, gap, kyro.NewDocument{
				BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentQA, Title: "ferry", SizeBytes: &size, ContentHash: content, Now: k.tick(),
			}, strings.NewReader(content))
		}
		k.jobs.take()
		d, added, err := answer("9")
		check(t, err)
		jobs := k.jobs.take()
		expect(t, "added", added, true)
		expect(t, "the job that asks again", jobs[len(jobs)-1], kyro.Job{Kind: kyro.JobCheckGap, Key: gap.Key, Run: 1})
		k.wantGaps(t, "answered, each wording once", "CHECKING ferry one asked 3 unanswered 3 down 0 checked 0/2")
		same, added, err := answer("9")
		check(t, err)
		expect(t, "the same answer", []any{same.ID, added}, []any{d.ID, false})
		_, _, err = answer("8")
		wantCode(t, err, kyro.CodeConflict)
		_, err = k.store.DismissGap(ctx, k.owner, gap, true)
		wantCode(t, err, kyro.CodeConflict)

		c, found, err := k.store.CheckedGap(ctx, gap, 1)
		check(t, err)
		expect(t, "what is checked", []any{found, c.Document.ID}, []any{true, d.ID})
		free := func(kyro.Bot, string, bool) kyro.Spending { return kyro.Spending{Messages: 1, Tokens: 1} }
		ask := func(run int64, verdict kyro.GapVerdict) bool {
			t.Helper()
			trial, found, err := k.store.BeginGapTrial(ctx, gap, run, 20, free, k.tick())
			check(t, err)
			if found {
				check(t, k.store.SaveGapVerdict(ctx, gap, run, trial, verdict, kyro.MessageUsage{Model: "m", PromptTokens: 2, OutputTokens: 3}, k.tick()))
				check(t, k.store.SaveGapVerdict(ctx, gap, run, trial, verdict, kyro.MessageUsage{}, k.tick())) // by somebody who comes late
			}
			return found
		}
		ask(1, kyro.GapAnswered)
		k.wantGaps(t, "one of two", "CHECKING ferry one asked 3 unanswered 2 down 0 checked 1/2")
		ask(1, kyro.GapUnanswered)
		expect(t, "more to ask", ask(1, kyro.GapAnswered), false)
		check(t, k.store.EndGapCheck(ctx, gap, 1, "", k.tick()))
		check(t, k.store.EndGapCheck(ctx, gap, 1, kyro.GapNotChecked, k.tick()))
		k.wantGaps(t, "half is not enough", "STILL_OPEN ferry one asked 3 unanswered 2 down 0 checked 2/2")
		_, gaps = k.gaps(t)
		expect(t, "why, and what it took", []any{gaps[0].Check.Problem, gaps[0].Check.Tokens}, []any{kyro.GapNotAnswered, int64(10)})
		expect(t, "what is counted on the account", k.count(t, "usages", "model = 'm' AND kind = 'ANSWER' AND messages = 2 AND prompt_tokens = 4"), 1)

		_, added, err = answer("9")
		check(t, err)
		expect(t, "added for the same answer", added, false)
		for ask(2, kyro.GapAnswered) {
		}
		check(t, k.store.EndGapCheck(ctx, gap, 2, "", k.tick()))
		k.wantGaps(t, "all answered", "FIXED ferry one asked 3 unanswered 0 down 0 checked 2/2")
		k.asked(t, "ferry anew", kyro.GroundingNotFound)
		k.place(t)
		k.wantGaps(t, "asked again and not answered", "OPEN ferry one asked 4 unanswered 1 down 0 checked 2/2")
		dismissed, err := k.store.DismissGap(ctx, k.owner, gap, true)
		check(t, err)
		expect(t, "dismissed", dismissed.Status, kyro.GapDismissed)

		counts, err := k.store.GapCounts(ctx, k.owner, k.bot, kyro.Span{From: k.now.Add(-time.Hour), To: k.now.Add(time.Hour)}, 10)
		check(t, err)
		expect(t, "counts", []int{len(counts), counts[0].Count}, []int{1, 4})
		counts, err = k.store.GapCounts(ctx, k.owner, k.bot, kyro.Span{From: k.now.Add(-2 * time.Hour), To: k.now.Add(-time.Hour)}, 10)
		check(t, err)
		expect(t, "counts of another time", len(counts), 0)

		stranger, _, err := k.store.CreateUser(ctx, kyro.NewUser{Email: "other@example.com", Name: "Other", CreatedAt: k.now}, kyro.Session{})
		check(t, err)
		theirs, err := k.store.Gaps(ctx, stranger.ID, []kyro.ID{gap})
		check(t, err)
		_, err = k.store.DismissGap(ctx, stranger.ID, gap, true)
		wantCode(t, err, kyro.CodeNotFound)
		req, err := kyro.PageArgs{}.Request(kyro.GapQuestionsOrder)
		check(t, err)
		pages, err := k.store.GapQuestionPages(ctx, stranger.ID, []kyro.ID{gap}, req)
		check(t, err)
		expect(t, "what a stranger sees", len(theirs)+len(pages[gap].Nodes), 0)
		pages, err = k.store.GapQuestionPages(ctx, k.owner, []kyro.ID{gap}, req)
		check(t, err)
		expect(t, "the newest question", pages[gap].Nodes[0].Text, "ferry anew")
	})
}

// TestHeldForAGapIsGivenBack asks beyond a budget, and deletes what is being asked.
func TestHeldForAGapIsGivenBack(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		turn := k.asked(t, "ferry", kyro.GroundingNotFound)
		k.place(t)
		_, gaps := k.gaps(t)
		most := int64(10)
		check(t, k.store.SetBudget(ctx, k.owner, k.owner, kyro.BudgetDay, kyro.SpendingLimits{Tokens: &most}))
		size := int64(1)
		_, _, err := k.store.AnswerGap(ctx, gaps[0].ID, kyro.NewDocument{
			BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentQA, Title: "f", SizeBytes: &size, ContentHash: "1", Now: k.tick(),
		}, strings.NewReader("1"))
		check(t, err)
		takes := func(tokens int64) func(kyro.Bot, string, bool) kyro.Spending {
			return func(kyro.Bot, string, bool) kyro.Spending { return kyro.Spending{Messages: 1, Tokens: tokens} }
		}
		_, _, err = k.store.BeginGapTrial(ctx, gaps[0].ID, 1, 20, takes(11), k.tick())
		wantCode(t, err, kyro.CodeBudgetExceeded)
		for range 2 { // after a crash, too, it is held once
			_, found, err := k.store.BeginGapTrial(ctx, gaps[0].ID, 1, 20, takes(7), k.tick())
			check(t, err)
			expect(t, "found", found, true)
		}
		expect(t, "budgets of which it is held", k.count(t, "spendings", "held_tokens = 7 AND held_messages = 1"), 1)
		trial := kyro.GapTrial{AnswerJob: kyro.AnswerJob{Bot: kyro.Bot{ID: k.bot, OwnerID: k.owner}, Question: turn.User}}
		for try := range 2 {
			tries, err := k.store.FailGapTrial(ctx, gaps[0].ID, 1, trial, kyro.MessageUsage{Model: "m", PromptTokens: 1 - try}, k.tick())
			check(t, err)
			expect(t, "tries", tries, try+1)
			expect(t, "budgets that know what the first took", k.count(t, "spendings", "held_tokens = 0 AND held_messages = 0 AND tokens = 1 AND messages = 2"), 1)
			_, found, err := k.store.BeginGapTrial(ctx, gaps[0].ID, 1, 20, takes(7), k.tick())
			check(t, err)
			expect(t, "found again", found, true)
		}
		check(t, k.store.DeleteConversation(ctx, k.owner, turn.Conversation.ID, k.tick()))
		k.wantGaps(t, "while it is asked")
		check(t, k.store.EndGapCheck(ctx, gaps[0].ID, 1, "", k.tick()))
		expect(t, "budgets of which something is held", k.count(t, "spendings", "held_tokens > 0 OR held_messages > 0"), 0)
		expect(t, "gaps", k.count(t, "gaps", "1 = 1"), 0)
	})
}

func TestGapsAreComparedByAnotherModel(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		k.asked(t, "ferry one", kyro.GroundingNotFound)
		k.place(t)
		k.asked(t, "ferry two", kyro.GroundingNotFound)
		bots, err := k.store.BotsWithGapWork(ctx, "n@1", 10)
		check(t, err)
		expect(t, "bots with work", bots, []kyro.ID{k.bot})
		questions, err := k.store.GapQuestionsToEmbed(ctx, k.bot, "n@1", 10)
		check(t, err)
		expect(t, "those of gaps first", []string{questions[0].Text, questions[1].Text}, []string{"ferry one", "ferry two"})
		check(t, k.store.SaveGapVectors(ctx, k.bot, "n@1", map[kyro.ID][]float32{questions[0].MessageID: {1}, questions[1].MessageID: {2}}))
		_, err = k.store.PlaceGapQuestions(ctx, kyro.GapPlacing{Bot: k.bot, Model: "n@1", Threshold: 0.9, Limit: 10, Now: k.tick()})
		check(t, err)
		k.wantGaps(t, "by the other model", "OPEN ferry one asked 2 unanswered 2 down 0 checked 0/0")
		bots, err = k.store.BotsWithGapWork(ctx, "n@1", 10)
		check(t, err)
		expect(t, "bots with work left", len(bots), 0)
	})
}

// TestTwoPutQuestionsTogether has two at it at once.
func TestTwoPutQuestionsTogether(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		for i := range 20 {
			k.asked(t, fmt.Sprint("ferry ", i), kyro.GroundingNotFound)
		}
		questions, err := k.store.GapQuestionsToEmbed(t.Context(), k.bot, gapModel, 100)
		check(t, err)
		vectors := map[kyro.ID][]float32{}
		for _, q := range questions {
			vectors[q.MessageID] = []float32{1, 1}
		}
		check(t, k.store.SaveGapVectors(t.Context(), k.bot, gapModel, vectors))
		done := make(chan error)
		for range 2 {
			go func() {
				for {
					n, err := k.store.PlaceGapQuestions(t.Context(), kyro.GapPlacing{Bot: k.bot, Model: gapModel, Threshold: 0.9, Limit: 3, Now: k.now})
					if err != nil || n == 0 {
						done <- err
						return
					}
				}
			}()
		}
		check(t, <-done)
		check(t, <-done)
		k.wantGaps(t, "both are done", "OPEN ferry 0 asked 20 unanswered 20 down 0 checked 0/0")
	})
}
