package ai

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/genai"

	"kyrochat/kyro"
)

// Complete asks for a short text, given at once. It takes three seconds at most, and is tried
// again once, within the first of them.
func (g *Gemini) Complete(ctx context.Context, q kyro.Completion) (kyro.Completed, error) {
	within, cancel := context.WithTimeoutCause(ctx, completeTimeout, errSlow)
	defer cancel()
	tries := g.newTries(completeBudget, 1)
	for {
		done, f := g.complete(ctx, within, q, tries)
		if f == nil {
			return done, nil
		}
		if !tries.again(within, g.answers, f) {
			return kyro.Completed{}, f.outcome(ctx, within)
		}
	}
}

func (g *Gemini) complete(caller, ctx context.Context, q kyro.Completion, t *tries) (done kyro.Completed, f *failure) {
	model := g.cfg.Model
	c, f := g.begin(ctx, callComplete, g.answers, t.patience())
	if f != nil {
		return done, f
	}
	defer func() { c.end(f) }()
	limit := q.MaxOutputTokens
	if limit <= 0 {
		limit = kyro.MaxOutputTokens
	}
	contents := contentsOf([]kyro.PromptMessage{{Role: kyro.RoleUser, Text: q.Text}})
	resp, err := g.client.Models.GenerateContent(ctx, model, contents, newGenerateConfig(model, q.System, limit))
	if err != nil {
		return done, g.judge(caller, ctx, model, err)
	}
	if f := promptBlocked(resp); f != nil {
		return done, f
	}
	if len(resp.Candidates) == 0 || resp.Candidates[0] == nil {
		return done, &failure{err: failed(), again: true}
	}
	done.Text = visible(resp.Candidates[0])
	done.Usage = usageOf(resp, model, done.Usage)
	_, f = finished(resp.Candidates[0], done.Text != "")
	return done, f
}

// Why answers end that were held back.
var blockedReasons = []genai.FinishReason{
	genai.FinishReasonSafety, genai.FinishReasonRecitation, genai.FinishReasonBlocklist, genai.FinishReasonProhibitedContent,
	genai.FinishReasonSPII, genai.FinishReasonImageSafety, genai.FinishReasonImageProhibitedContent,
	genai.FinishReasonImageRecitation,
}

// finished says what the end of an answer means. wrote: it has visible text.
func finished(c *genai.Candidate, wrote bool) (kyro.FinishReason, *failure) {
	switch reason := c.FinishReason; {
	case reason == genai.FinishReasonStop && wrote:
		return kyro.FinishStop, nil
	case reason == genai.FinishReasonMaxTokens && wrote:
		return kyro.FinishLength, nil
	case reason == genai.FinishReasonMaxTokens:
		// Thinking took all there was.
		return "", &failure{err: kyro.Errorf(kyro.CodeUpstreamFailed, "The language model used up its tokens before the first word. Ask again, or raise the limit of output tokens."), alive: true}
	case slices.Contains(blockedReasons, reason):
		return "", &failure{err: blocked().Because(whyBlocked("answer", string(reason))), alive: true}
	case reason == "":
		return "", &failure{err: failed().Because(fmt.Errorf("an answer without an end")), again: true}
	default:
		return "", &failure{err: failed().Because(fmt.Errorf("the answer ended with %q", tokenOf(string(reason)))), alive: true}
	}
}

func whyBlocked(what, reason string) error {
	return fmt.Errorf("%s blocked: %s", what, tokenOf(reason))
}
