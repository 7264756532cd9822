package answer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"kyrochat/kyro"
)

// made is what an attempt got from retrieval and from the model, as far as it came.
type made struct {
	passages []kyro.Passage
	notices  []kyro.MessageNotice
	quotes   []kyro.Quote
	finish   *kyro.Finish // nil: the model did not end by itself
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
	job, err := a.job()
	if err != nil {
		return m, err
	}
	found, err := a.retrieve(job)
	if err != nil {
		return m, err
	}
	m.passages, m.notices = found.Passages, found.Notices
	if err := a.stage(a.ctx, kyro.MessageStreaming); err != nil {
		return m, err
	}
	return m, a.stream(&m, kyro.Prompt{
		Bot: job.Bot, History: job.History, Question: job.Question.Text,
		Passages: found.Passages, Lexical: found.Lexical, Languages: found.Languages,
	})
}

func (a *attempt) job() (Job, error) {
	ctx, cancel := context.WithTimeout(a.ctx, storeTimeout)
	defer cancel()
	job, err := a.read(ctx)
	if kyro.ErrorCode(err) == kyro.CodeConflict {
		a.lose(err)
	}
	return job, err
}

// retrieve gets as long as the model gets for its first piece.
func (a *attempt) retrieve(job Job) (Retrieved, error) {
	if job.Bare {
		return Retrieved{}, nil
	}
	timer := time.AfterFunc(a.cfg.Limits.AnswerFirstByte, func() { a.cancel(errFirstByte) })
	defer timer.Stop()
	return a.cfg.Retriever.Retrieve(a.ctx, job.Bot, job.Question.Text, job.History)
}

// stream passes the model's pieces on. The clock for silence stands while a piece is passed on.
func (a *attempt) stream(m *made, prompt kyro.Prompt) error {
	a.filter.Guard(prompt.System)
	first := time.AfterFunc(a.cfg.Limits.AnswerFirstByte, func() { a.cancel(errFirstByte) })
	defer first.Stop()
	idle := time.AfterFunc(time.Hour, func() { a.cancel(errIdle) })
	idle.Stop()
	defer idle.Stop()

	read := 0
	for d, err := range a.cfg.Model.Answer(a.ctx, prompt) {
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
		room := max(0, maxAnswerBytes-read)
		read += len(d.Text)
		if err := a.write(a.ctx, a.filter.Write(head(d.Text, room))); err != nil {
			return err
		}
		m.quotes = append(m.quotes, d.Quotes[:min(len(d.Quotes), maxQuotes-len(m.quotes))]...)
		switch {
		case d.Finish != nil:
			m.finish = d.Finish
			return nil
		case a.filter.Cut():
			m.finish = &kyro.Finish{Reason: kyro.FinishStop, Grounding: kyro.GroundedPartly}
			return nil
		case read > maxAnswerBytes:
			m.finish = &kyro.Finish{Reason: kyro.FinishLength, Grounding: kyro.GroundedPartly}
			return nil
		case d.Text != "":
			idle.Reset(a.cfg.Limits.AnswerIdle)
		}
	}
	return errCut
}

// errPanicked stands for a panic, which is logged where it is caught.
var errPanicked = errors.New("making an answer panicked")

// errCut is an answer that ended without its finish.
var errCut = kyro.Errorf(kyro.CodeUpstreamFailed, "The answer was cut off before its end. Ask for it again.")
