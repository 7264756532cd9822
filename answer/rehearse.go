package answer

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"kyrochat/kyro"
)

// Rehearsal answers questions as conversations get them answered, by the same retrieval, prompt and model, and judges the
// answers by the same rules, but for nobody to see: nothing is stored, logged or streamed. It needs no Store, Log or Wakes.
type Rehearsal struct{ cfg Config }

// NewRehearsal makes it of what a Service works with.
func NewRehearsal(cfg Config) *Rehearsal { return &Rehearsal{cfg.withDefaults()} }

// Estimate is the most that an answer is expected to take, as for a message of a conversation.
func (r *Rehearsal) Estimate(bot kyro.Bot, question string, opens bool) kyro.Spending {
	return r.cfg.estimate(bot, question, opens)
}

// History is how many messages of earlier turns an answer is made from.
func (r *Rehearsal) History() int { return r.cfg.History }

// Ask answers a question within AnswerTotal. Where it fails, what it took until then is given with the error.
func (r *Rehearsal) Ask(ctx context.Context, job kyro.AnswerJob) (asked kyro.Rehearsed, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.Limits.AnswerTotal, kyro.Errorf(kyro.CodeTimeout, "The answer took too long."))
	defer cancel()
	m := made{bot: job.Bot.ID, question: job.Question.Text, noAnswer: noAnswerText(job.Bot), asked: r.cfg.asked(job.Bot)}
	written := ""
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Logger.Error("asking a question again panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errPanicked
		}
		asked.Usage = m.took(&r.cfg, written)
	}()
	if written, err = r.answer(ctx, job, &m); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return asked, err
	}
	asked.Degraded = slices.Contains(m.notices, kyro.NoticeLexicalOnly) ||
		r.cfg.Completer != nil && m.finish != nil && slices.Contains(m.finish.Notices, kyro.NoticeOfflineAnswer)
	said := m.resolve(written)
	asked.Grounding = m.grounding(&said)
	asked.Citations = said.Citations
	return asked, nil
}

// answer gives what the model writes.
func (r *Rehearsal) answer(ctx context.Context, job kyro.AnswerJob, m *made) (string, error) {
	nonce, err := newNonce(r.cfg.Random)
	if err != nil {
		return "", err
	}
	question, history := job.Question.Text, job.History
	if alone, rewritten := r.cfg.rewrite(ctx, job, nonce, m, r.cfg.Logger); rewritten {
		question, history = alone, nil
	}
	found, err := r.cfg.Retriever.Retrieve(ctx, job.Bot, question, history)
	if err != nil {
		return "", err
	}
	prompt, _ := r.cfg.prompt(job, found, nonce)
	m.passages, m.notices = prompt.Passages, found.Notices
	if job.Bot.Strict && len(prompt.Passages) == 0 && r.cfg.Completer != nil {
		m.finish = &kyro.Finish{Reason: kyro.FinishStop, Grounding: kyro.GroundingNotFound}
		return m.noAnswer, nil
	}
	var written []byte
	for d, err := range r.cfg.Model.Answer(ctx, prompt) {
		if err != nil {
			return string(written), err
		}
		written = append(written, d.Text...)
		if d.Usage != nil {
			m.usage = *d.Usage
		}
		m.quotes = append(m.quotes, slices.Clone(d.Quotes[:min(len(d.Quotes), maxQuotes-len(m.quotes))])...)
		switch {
		case d.Finish != nil:
			m.finish, m.usage = d.Finish, d.Finish.Usage
			return string(written), nil
		case len(written) > maxAnswerBytes:
			m.finish, m.cut = &kyro.Finish{Reason: kyro.FinishLength}, true
			return head(string(written), maxAnswerBytes), nil
		}
	}
	return string(written), errCut
}
