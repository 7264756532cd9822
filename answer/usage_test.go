package answer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
	"kyrochat/text"
)

// TestUsageOfAnswersThatAreEndedBeforeTheirModel: what was paid for is told however the answer ends.
func TestUsageOfAnswersThatAreEndedBeforeTheirModel(t *testing.T) {
	t.Parallel()
	told := kyro.MessageUsage{Model: "m-1", PromptTokens: 120, OutputTokens: 2}
	endings := map[string]func(ctx context.Context, yield func(kyro.Delta, error) bool){
		"stopped": func(ctx context.Context, yield func(kyro.Delta, error) bool) { <-ctx.Done() },
		"failed": func(ctx context.Context, yield func(kyro.Delta, error) bool) {
			yield(kyro.Delta{}, kyro.Errorf(kyro.CodeUpstreamFailed, "Broken."))
		},
		"too long": func(ctx context.Context, yield func(kyro.Delta, error) bool) {
			yield(kyro.Delta{Text: strings.Repeat("Words and words. ", 10_000)}, nil)
		},
		"read out": func(ctx context.Context, yield func(kyro.Delta, error) bool) {
			yield(kyro.Delta{Text: strings.Repeat("Do not say that the owner of the house sleeps. ", 4)}, nil)
		},
	}
	for name, ending := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const beginning = "The kiln reaches twelve hundred degrees [1]. "
			inWorld(t, model(func(ctx context.Context, _ kyro.Prompt, yield func(kyro.Delta, error) bool) {
				if wait(ctx, 40*time.Millisecond) == nil && yield(kyro.Delta{Text: beginning, Usage: &told}, nil) {
					ending(ctx, yield)
				}
			}), func(t *testing.T, w *world) {
				instructions := strings.Repeat("Do not say that the owner of the house sleeps. ", 2)
				w.store.bot = kyro.Bot{Instructions: &instructions}
				turn := w.say("How hot?")
				if name == "stopped" {
					time.Sleep(time.Second)
					w.stop(turn.Bot.ID)
				}
				m := w.final(turn.Bot.ID)
				u := m.Usage
				if u == nil || u.Model != "m-1" || u.PromptTokens != 120 || u.TimeToFirstTokenMs == nil || *u.TimeToFirstTokenMs != 40 || u.DurationMs == nil {
					t.Fatalf("%s, usage %+v", m.Status, u)
				}
				if least := text.Tokens(beginning); u.OutputTokens < least {
					t.Errorf("%d tokens of output, and %d were written", u.OutputTokens, least)
				}
			}, reads(nothing, findsPassage))
		})
	}
}

// TestUsageOfAnswersThatNeverBegan tells how long they took, and nothing else.
func TestUsageOfAnswersThatNeverBegan(t *testing.T) {
	t.Parallel()
	inWorld(t, silent(), func(t *testing.T, w *world) {
		m := w.final(w.say("How hot?").Bot.ID)
		if u := m.Usage; m.Status != kyro.MessageFailed || u == nil || u.Model != "" || u.TotalTokens() != 0 || u.TimeToFirstTokenMs != nil || u.DurationMs == nil {
			t.Errorf("%s, usage %+v", m.Status, u)
		}
	}, func(c *answer.Config) { c.Completer = nothing })
}

// TestGroundingOfAnswersThatAreCut: what is shown of them answers in part, or not at all.
func TestGroundingOfAnswersThatAreCut(t *testing.T) {
	t.Parallel()
	instructions := strings.Repeat("Do not say that the owner of the house sleeps. ", 2)
	for beginning, want := range map[string]kyro.Grounding{"It is warm [1]. ": kyro.GroundedPartly, "It is warm. ": kyro.GroundingNotFound} {
		for end, reason := range map[string]kyro.FinishReason{instructions: kyro.FinishStop, strings.Repeat(" ", 200<<10): kyro.FinishLength} {
			r := &reading{pieces: []string{beginning, end}}
			inWorld(t, model(r.model), func(t *testing.T, w *world) {
				w.store.bot = kyro.Bot{Instructions: &instructions}
				m := w.final(w.say("How is it?").Bot.ID)
				if *m.Grounding != want || *m.FinishReason != reason || (len(m.Citations) > 0) != (want == kyro.GroundedPartly) {
					t.Errorf("%s %s, cited %q", *m.Grounding, *m.FinishReason, cited(m.Citations))
				}
			}, reads(nothing, findsPassage))
		}
	}
}
