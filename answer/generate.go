package answer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"kyrochat/kyro"
)

// made is what an attempt got from retrieval and from the model, as far as it came.
type made struct {
	bot      kyro.ID
	asked    string // the model's name
	opens    bool   // no earlier turn of the conversation has an answer
	question string
	noAnswer string            // what the bot says where it finds nothing
	spent    kyro.MessageUsage // tokens of what was asked of a model before the answer
	passages []kyro.Passage
	notices  []kyro.MessageNotice
	quotes   []kyro.Quote
	usage    kyro.MessageUsage // of the answer, as far as the model told
	finish   *kyro.Finish      // nil: the model did not end by itself
	cut      bool              // there was more of the answer than is shown
}

// maxQuotes bounds the quotes of one answer.
const maxQuotes = 200

// generate retrieves and writes. Its error says why there is no finish. A panic in what it calls fails this
// answer and no other.
func (a *attempt) generate() (m made, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errPanicked
			a.logger.Error("making an answer panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	if err := a.stage(a.ctx, kyro.MessageRetrieving); err != nil {
		return m, err
	}
	if a.nonce, err = newNonce(a.cfg.Random); err != nil {
		return m, err
	}
	read := a.cfg.Now()
	job, err := a.job()
	if err != nil {
		return m, err
	}
	m.bot, m.question, m.noAnswer = job.Bot.ID, job.Question.Text, noAnswerText(job.Bot)
	m.asked = a.cfg.asked(job.Bot)
	m.opens = !slices.ContainsFunc(job.History, func(h kyro.Message) bool { return h.Role == kyro.RoleBot })
	found, err := a.retrieve(&m, job)
	if err == nil {
		err = context.Cause(a.ctx)
	}
	if err == nil {
		err = a.recheck(&job, &found, read)
	}
	if err != nil {
		return m, err
	}
	m.notices = found.Notices
	prompt := a.prompt(job, found)
	m.passages = prompt.Passages
	if err := a.stage(a.ctx, kyro.MessageStreaming); err != nil {
		return m, err
	}
	if job.Bot.Strict && len(prompt.Passages) == 0 && a.cfg.Completer != nil {
		return m, a.decline(&m)
	}
	return m, a.stream(&m, prompt)
}

func (a *attempt) job() (Job, error) {
	job, err := outlast(a, func() (Job, error) {
		ctx, cancel := context.WithTimeout(a.ctx, storeTimeout)
		defer cancel()
		return a.read(ctx)
	})
	if kyro.ErrorCode(err) == kyro.CodeConflict {
		a.lose(err)
	}
	return job, err
}

// retrieve gets as long as the model gets for its first piece, beside the time to rewrite the question.
func (a *attempt) retrieve(m *made, job Job) (Retrieved, error) {
	if job.Bare {
		return Retrieved{}, nil
	}
	question, history := job.Question.Text, job.History
	if alone, rewritten := a.cfg.rewrite(a.ctx, job, a.nonce, m, a.logger); rewritten {
		question, history = alone, nil
	}
	timer := time.AfterFunc(a.cfg.Limits.AnswerFirstByte, func() { a.cancel(errFirstByte) })
	defer timer.Stop()
	ctx, trace := kyro.BeginPart(a.ctx, "retrieve")
	found, err := outlast(a, func() (Retrieved, error) { return a.cfg.Retriever.Retrieve(ctx, job.Bot, question, history) })
	trace.End(partCode(err))
	return found, err
}

// recheckAfter is how old what was read of documents may be when a prompt is made of it.
const recheckAfter = 20 * time.Millisecond

// recheck leaves out what is live no more, where it took a while since that was read: passages, and what earlier answers
// say that were made from such. So what a prompt holds was live at most 20 ms before it is made.
func (a *attempt) recheck(job *Job, found *Retrieved, read time.Time) error {
	if a.cfg.Now().Sub(read) < recheckAfter {
		return nil
	}
	var asked []kyro.ID
	for _, p := range found.Passages {
		asked = append(asked, p.Chunk.ID)
	}
	for _, m := range job.History {
		asked = append(asked, m.Sources...)
	}
	slices.SortFunc(asked, func(a, b kyro.ID) int { return cmp.Compare(a.Key, b.Key) })
	asked = slices.Compact(asked)
	if len(asked) == 0 {
		return nil
	}
	list, err := outlast(a, func() ([]kyro.ID, error) {
		ctx, cancel := context.WithTimeout(a.ctx, storeTimeout)
		defer cancel()
		return a.cfg.Store.LiveChunks(ctx, job.Bot.ID, asked)
	})
	if err != nil || len(list) == len(asked) {
		return err
	}
	live := make(map[kyro.ID]bool, len(list))
	for _, id := range list {
		live[id] = true
	}
	gone := func(id kyro.ID) bool { return !live[id] }
	found.Passages = slices.DeleteFunc(found.Passages, func(p kyro.Passage) bool { return gone(p.Chunk.ID) })
	for i := range job.History {
		if m := &job.History[i]; slices.ContainsFunc(m.Sources, gone) {
			m.Text, m.Citations, m.Sources = kyro.AnswerWithdrawn, nil, nil
		}
	}
	return nil
}

// prompt puts together what the model gets to see, within the budgets of tokens where it reads, and notes what the answer
// is made from, so that this is on the row with the first word of it.
func (a *attempt) prompt(job Job, found Retrieved) kyro.Prompt {
	p, sources := a.cfg.prompt(job, found, a.nonce)
	a.madeFrom(sources)
	return p
}

func (c *Config) prompt(job Job, found Retrieved, nonce string) (p kyro.Prompt, sources []kyro.ID) {
	p = kyro.Prompt{
		Bot: job.Bot, Question: job.Question.Text, Passages: found.Passages, Lexical: found.Lexical, Languages: found.Languages,
	}
	reads, historyTokens := c.Completer != nil, math.MaxInt
	if reads {
		p.Passages, historyTokens = fitting(p.Passages, c.PassageTokens), c.HistoryTokens
	}
	p.History, sources = newest(job.History, p.Passages, historyTokens)
	if reads {
		putInWords(&p, nonce)
	}
	return p, sources
}

// decline answers for a bot that speaks from its documents only where they hold nothing: no model is asked, and none is
// named.
func (a *attempt) decline(m *made) error {
	if err := a.write(a.ctx, a.filter.Write(m.noAnswer)); err != nil {
		return err
	}
	m.finish = &kyro.Finish{Reason: kyro.FinishStop, Grounding: kyro.GroundingNotFound}
	return nil
}

// stream passes the model's pieces on. The clock for silence stands while a piece is passed on. Models that are asked over
// a network have clocks of their own for the same limits; these here are for a model that does not keep to them.
func (a *attempt) stream(m *made, prompt kyro.Prompt) (err error) {
	ctx, trace := kyro.BeginPart(a.ctx, "write")
	waiting := trace.Begin("first piece")
	defer func() { waiting.End(partCode(err)); trace.End(partCode(err)) }()
	a.filter.Guard(prompt.System, saidIn(prompt.Passages)...)
	first := time.AfterFunc(outer(a.cfg.Limits.AnswerFirstByte), func() { a.cancel(errFirstByte) })
	defer first.Stop()
	idle := time.AfterFunc(time.Hour, func() { a.cancel(errIdle) })
	idle.Stop()
	defer idle.Stop()

	read := 0
	for d, err := range a.cfg.Model.Answer(ctx, prompt) {
		if err != nil {
			return err
		}
		if d.Text != "" || d.Finish != nil {
			first.Stop()
			idle.Stop()
		}
		if err := context.Cause(a.ctx); err != nil {
			return err
		}
		if d.Text != "" && read == 0 {
			waiting.End("")
		}
		room := max(0, maxAnswerBytes-read)
		read += len(d.Text)
		if err := a.write(a.ctx, a.filter.Write(head(d.Text, room))); err != nil {
			return err
		}
		if d.Usage != nil {
			m.usage = *d.Usage
		}
		m.quotes = append(m.quotes, d.Quotes[:min(len(d.Quotes), maxQuotes-len(m.quotes))]...)
		switch {
		case d.Finish != nil:
			m.finish, m.usage = d.Finish, d.Finish.Usage
			return nil
		case a.filter.Cut():
			m.finish, m.cut = &kyro.Finish{Reason: kyro.FinishStop}, true
			return nil
		case read > maxAnswerBytes:
			m.finish, m.cut = &kyro.Finish{Reason: kyro.FinishLength}, true
			return nil
		case d.Text != "":
			idle.Reset(outer(a.cfg.Limits.AnswerIdle))
		}
	}
	return errCut
}

// saidIn gives the texts of passages.
func saidIn(passages []kyro.Passage) []string {
	texts := make([]string, len(passages))
	for i, p := range passages {
		texts[i] = p.Chunk.Text
	}
	return texts
}

// outer is a limit that a model should have kept by itself, and a quarter.
func outer(limit time.Duration) time.Duration { return limit + limit/4 }

// errPanicked stands for a panic, which is logged where it is caught.
var errPanicked = errors.New("making an answer panicked")

// errCut is an answer that ended without its finish.
var errCut = kyro.Errorf(kyro.CodeUpstreamFailed, "The answer was cut off before its end. Ask for it again.")
