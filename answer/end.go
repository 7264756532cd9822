package answer

import (
	"context"
	"errors"
	"slices"
	"time"

	"kyrochat/kyro"
	"kyrochat/text"
)

// end stores how the attempt ended. The row comes first and the log after it, so that whoever reads the end in
// the log finds it on the row.
func (a *attempt) end(m made, err error) {
	if cause := context.Cause(a.ctx); cause != nil && m.finish == nil {
		err = cause
	}
	if a.lost() {
		return
	}
	if err == errDrained {
		switch wrote := a.state().Text != ""; {
		case !wrote:
			a.release(false)
			return
		case a.cfg.Restart && !a.claim.Restarted:
			if a.release(true) {
				return
			}
			err = errStopped // what alone keeps an answer that is this node's from being given back
		}
	}
	ctx := context.WithoutCancel(a.ctx)
	rest, filtered := a.filter.Close()
	if err := bounded(ctx, func(ctx context.Context) error { return a.write(ctx, rest) }); err != nil {
		return
	}
	if filtered {
		m.notices = append(m.notices, kyro.NoticeFiltered)
	}
	outcome := a.outcome(m, err, filtered)
	if outcome.Error != nil {
		a.code = string(outcome.Error.Code)
	}
	stored, ok := a.finish(ctx, outcome)
	if !ok {
		return
	}
	a.trace.Note("status", string(outcome.Status))
	a.ended(outcome)
	a.mute = false // the log takes an end also after a gap
	_ = bounded(ctx, func(ctx context.Context) error {
		a.publish(ctx, kyro.LogEntry{Attempt: stored.Attempt, Seq: endSeq(stored), Status: stored.Status, Final: true})
		return nil
	})
	a.entitle(m, stored)
}

// endCode is how the attempt ended, for its trace.
func (a *attempt) endCode() string {
	switch context.Cause(a.ctx) {
	case errLost:
		return string(kyro.CodeConflict)
	case errStopped, errUnstored:
		return kyro.CallCode(context.Canceled)
	default:
		return a.code
	}
}

// partCode is how a part of an attempt ended, for its trace.
func partCode(err error) string {
	switch err {
	case errStopped, errDrained, errLost, errUnstored:
		return kyro.CallCode(context.Canceled)
	case errFirstByte, errIdle, errTotal:
		return string(kyro.CodeTimeout)
	default:
		return kyro.CallCode(err)
	}
}

// bounded calls what must not wait for ever on behalf of nobody.
func bounded(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return call(ctx)
}

// outcome is the message as it will be stored. What was written is kept however the attempt ended.
func (a *attempt) outcome(m made, err error, filtered bool) kyro.Outcome {
	state, now := a.state(), a.now()
	o := kyro.Outcome{
		Text: state.Text, Seq: state.Seq + 1, Notices: distinct(m.notices), Now: now, Sources: state.Sources,
	}
	said := m.resolve(state.Text)
	o.Citations, o.Usage = said.Citations, a.usage(m, state.Text)
	if f := m.finish; f != nil {
		o.Notices = distinct(append(m.notices, f.Notices...))
		if state.Text == "" && !filtered && f.Reason != kyro.FinishSafety {
			err = kyro.Errorf(kyro.CodeUpstreamFailed, "The model gave an empty answer. Ask for it again.")
		} else {
			grounding := m.grounding(&said)
			o.Status, o.FinishReason, o.Grounding, o.Citations = kyro.MessageCompleted, f.Reason, &grounding, said.Citations
			return o
		}
	}
	o.Status, o.FinishReason, o.Error = a.failure(err)
	if o.FinishReason == kyro.FinishSafety {
		blocked := kyro.GroundingBlocked
		o.Grounding = &blocked
	}
	return o
}

// resolve makes the citations of what was written.
func (m *made) resolve(written string) Resolved {
	if len(m.quotes) > 0 {
		return Resolved{Citations: Cite(m.passages, written, m.quotes)}
	}
	return Resolve(m.passages, written)
}

// grounding says how far an answer that the model ended rests on its passages. Markers behind the no-answer text support
// nothing, and are no citations then.
func (m *made) grounding(said *Resolved) kyro.Grounding {
	switch f := m.finish; {
	case f.Grounding != "":
		return f.Grounding
	case f.Reason == kyro.FinishSafety:
		return kyro.GroundingBlocked
	}
	switch grounding := said.Grounding(m.noAnswer); {
	case grounding == kyro.GroundingNotFound:
		said.Citations = nil
		return grounding
	case m.cut:
		return kyro.GroundedPartly
	default:
		return grounding
	}
}

// usage is what the answer took, however it ended. A model that is left before its end may not have told yet of all that it
// wrote.
func (a *attempt) usage(m made, written string) *kyro.MessageUsage {
	u := m.took(&a.cfg, written)
	u.DurationMs = millis(a.cfg.Now().Sub(a.began)) // by the clock that no step of the wall's moves
	if !a.first.IsZero() {
		u.TimeToFirstTokenMs = millis(a.first.Sub(a.began))
	}
	return &u
}

// took is how many tokens that were, and what they cost.
func (m *made) took(c *Config, written string) kyro.MessageUsage {
	u := m.usage
	if u.Model != "" && (m.finish == nil || m.finish.Usage.Model == "") {
		u.OutputTokens = max(u.OutputTokens, text.Tokens(written))
	}
	u.Cost = c.cost(u, m.asked) + c.rewritten(m.spent)
	u.PromptTokens += m.spent.PromptTokens
	u.OutputTokens += m.spent.OutputTokens
	return u
}

// failure says in the contract's words why an answer has no proper end. Errors made for people pass through;
// others are logged and masked.
func (a *attempt) failure(err error) (kyro.MessageStatus, kyro.FinishReason, *kyro.MessageError) {
	timeout := func(message string) (kyro.MessageStatus, kyro.FinishReason, *kyro.MessageError) {
		a.logger.Warn("answer timed out", "why", err)
		return kyro.MessageFailed, kyro.FinishTimeout, &kyro.MessageError{Code: kyro.CodeTimeout, Message: message, Retryable: true}
	}
	switch err {
	case errStopped:
		return kyro.MessageStopped, kyro.FinishUser, nil
	case errDrained:
		return kyro.MessageInterrupted, kyro.FinishInterrupted, &kyro.MessageError{
			Code: kyro.CodeInterrupted, Message: "The server was restarted while it answered. Ask for the answer again.", Retryable: true}
	case errFirstByte:
		return timeout("The answer did not begin in time. Ask for it again.")
	case errIdle:
		return timeout("The answer came to a halt. Ask for it again.")
	case errTotal:
		return timeout("The answer took too long and was cut. Ask for it again, or ask for less at once.")
	}
	var known *kyro.Error
	if !errors.As(err, &known) || known.Code == kyro.CodeInternal {
		if err != errPanicked {
			a.logger.Error("answer failed", "error", err)
		}
		return kyro.MessageFailed, kyro.FinishError, &kyro.MessageError{
			Code: kyro.CodeInternal, Message: "Something went wrong while answering. Ask for the answer again.", Retryable: true}
	}
	a.logger.Warn("answer failed", "error", err)
	reason := kyro.FinishError
	switch known.Code {
	case kyro.CodeContentBlocked:
		reason = kyro.FinishSafety
	case kyro.CodeTimeout:
		reason = kyro.FinishTimeout
	}
	failed := &kyro.MessageError{Code: known.Code, Message: known.Message, Retryable: retryable(known.Code)}
	if failed.Retryable && known.RetryAfter > 0 {
		at := a.now().Add(known.RetryAfter)
		failed.RetryAt = &at
	}
	return kyro.MessageFailed, reason, failed
}

// finish stores the outcome. A store that fails is tried again while the lease lasts; after it the message is
// for the sweep, which keeps what was saved.
func (a *attempt) finish(ctx context.Context, o kyro.Outcome) (kyro.Message, bool) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		var stored kyro.Message
		err := bounded(ctx, func(ctx context.Context) (err error) {
			stored, err = a.cfg.Store.Finish(ctx, a.claim, o)
			return err
		})
		if err == nil {
			a.cfg.Wakes.Wake(a.claim.ConversationID)
			return stored, true
		}
		if isLost(err) {
			a.lose(err)
			return kyro.Message{}, false
		}
		a.logger.Warn("the end of an answer could not be stored; trying again", "error", err)
		_ = kyro.Pause(ctx, wait)
		if a.lost() {
			return kyro.Message{}, false
		}
	}
}

// release gives the message back for another node to answer, with restart from its beginning. It reports false where
// the store says that it may not.
func (a *attempt) release(restart bool) bool {
	err := bounded(context.WithoutCancel(a.ctx), func(ctx context.Context) error { return a.cfg.Store.Release(ctx, a.claim, restart) })
	if err != nil && !isLost(err) {
		a.logger.Warn("an answer could not be given back; it is taken over when its lease ends", "error", err)
	}
	if err == nil {
		a.cfg.Wakes.Wake(a.claim.ConversationID)
	}
	return !isLost(err)
}

// retryable reports whether the same question may fare better next time.
func retryable(code kyro.Code) bool {
	switch code {
	case kyro.CodeUpstreamFailed, kyro.CodeUpstreamQuota, kyro.CodeUnavailable, kyro.CodeRateLimited,
		kyro.CodeTimeout, kyro.CodeInterrupted, kyro.CodeInternal:
		return true
	}
	return false
}

// distinct gives the notices without repeats, in the order of their first appearance.
func distinct(notices []kyro.MessageNotice) []kyro.MessageNotice {
	var out []kyro.MessageNotice
	for _, n := range notices {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func millis(d time.Duration) *int {
	ms := int(max(0, d).Milliseconds())
	return &ms
}
