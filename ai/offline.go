package ai

import (
	"context"
	"iter"
	"time"

	"kyrochat/kyro"
	"kyrochat/text"
)

// ExtractiveModel is the name under which offline answers are kept.
const ExtractiveModel = "kyro-extractive-1"

// Extractive answers without a model: it picks the one to three sentences of the passages that answer the
// question and quotes them verbatim, or says that it found nothing. It never writes a sentence of its own, so it
// cannot say anything that the documents do not.
type Extractive struct {
	// Pace is how long to wait before each piece, so that tests can watch a stream. Zero: no wait.
	Pace time.Duration
}

// Answer streams the answer in pieces of about a word. It stops with ctx, whose error it then gives.
func (e *Extractive) Answer(ctx context.Context, p kyro.Prompt) iter.Seq2[kyro.Delta, error] {
	return func(yield func(kyro.Delta, error) bool) {
		w := &writer{ctx: ctx, pace: e.Pace, yield: yield, limit: kyro.MaxOutputTokens}
		if p.Bot.MaxOutputTokens != nil {
			w.limit = *p.Bot.MaxOutputTokens
		}
		finish := &kyro.Finish{Reason: kyro.FinishStop, Notices: []kyro.MessageNotice{kyro.NoticeOfflineAnswer}}
		picked, grounding := pick(newAsked(p), p.Passages)
		finish.Grounding = grounding
		if len(picked) == 0 {
			w.plain(noAnswer(p.Bot))
		} else if !w.quotes(p.Passages, picked) {
			finish.Reason = kyro.FinishLength
		}
		finish.Usage = kyro.MessageUsage{Model: ExtractiveModel, PromptTokens: promptTokens(p), OutputTokens: text.Tokens(w.written.String())}
		w.send(kyro.Delta{Finish: finish})
	}
}

func noAnswer(b kyro.Bot) string {
	if b.NoAnswerText == "" {
		return kyro.DefaultNoAnswerText
	}
	return b.NoAnswerText
}

// promptTokens estimates what was read for the answer: the question and the passages.
func promptTokens(p kyro.Prompt) int {
	n := text.Tokens(p.Question)
	for _, passage := range p.Passages {
		n += text.Tokens(passage.Chunk.Text)
	}
	return n
}
