package answer

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"kyrochat/kyro"
)

const (
	maxAnswerBytes = 128 << 10 // an answer is cut here, as by its token limit; no model is allowed that many
	maxDeltaBytes  = 16 << 10  // a longer piece becomes several events
	maxUnsent      = 1_024     // events kept for a log that fails; beyond it the log is given up
	saveBytes      = 2 << 10   // unsaved text that is saved at once
	saveText       = time.Second
	saveStage      = 100 * time.Millisecond // a stage is saved only if it lasts; short answers save their end alone
)

// attempt is one try at a bot message. One goroutine runs it; the node's keeper keeps its claim and saves what is
// written.
type attempt struct {
	*Service
	claim  kyro.Claim
	given  *Job // what was read with the claim; nil: nothing
	logger *slog.Logger
	began  time.Time
	ctx    context.Context // until something ends the attempt; its cause says what
	cancel context.CancelCauseFunc
	trace  kyro.Trace
	done   chan struct{} // closed when the end is stored, or is not for this attempt to store

	// Of an attempt that began before its turn was stored; see take.go.
	once    sync.Once
	settled chan struct{} // closed when it is known whether the turn is; nil: it was from the start

	// Of the running goroutine alone.
	filter *Filter
	nonce  string    // marks what is data in prompts of this attempt
	first  time.Time // when the first text was written
	code   string    // of the error that the answer ended with

	saying sync.Mutex      // held while the log is written
	unsent []kyro.LogEntry // what the log did not take
	mute   bool            // the log was given up
	warned bool            // that the log fails

	kept keptState // the keeper's

	mu         sync.Mutex
	until      time.Time // the end of the lease as far as it is known here
	status     kyro.MessageStatus
	text       strings.Builder
	seq        int64
	savedBytes int                // of text that are on the row
	savedSeq   int64              // the last event that is on the row
	shown      kyro.MessageStatus // that is on the row
	dirty      bool               // there are events that the keeper has not taken
	sources    []kyro.ID          // what the text is made from; nil: not known yet
	placed     bool               // sources are on the row
	early      bool               // the turn is not stored, as far as it is known
	held       []kyro.LogEntry    // that are kept back until it is
}

func (s *Service) newAttempt(claim kyro.Claim) *attempt {
	a := &attempt{
		Service: s, claim: claim, began: s.cfg.Now(), filter: NewFilter(),
		logger: s.cfg.Logger.With("message", claim.MessageID, "attempt", claim.Attempt),
		shown:  kyro.MessageRetrieving, until: claim.Until, done: make(chan struct{}),
	}
	a.ctx, a.cancel = context.WithCancelCause(s.ctx)
	if a.ctx, a.trace = s.cfg.Traces.Begin(a.ctx, "answer", claim.Trace); a.trace.Recorded() {
		a.logger = a.logger.With("trace", a.trace.TraceID())
		a.trace.Note("message_id", claim.MessageID.String())
		a.trace.Note("attempt", strconv.FormatInt(claim.Attempt, 10))
	}
	return a
}

// run makes the answer and stores how it ended.
func (a *attempt) run() {
	a.keeper.enter(a)
	defer a.keeper.leave(a)
	total := time.AfterFunc(a.cfg.Limits.AnswerTotal, func() { a.cancel(errTotal) })

	made, err := a.generate()

	total.Stop()
	a.keeper.leave(a)
	if a.stands() {
		a.end(made, err)
	}
}

// survive keeps a panic from ending the server. What it leaves undone is for the sweep, once the lease is over.
func (a *attempt) survive(panicked any) {
	if panicked != nil {
		a.logger.Error("keeping an answer panicked", "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
	}
}

// lost reports that the claim is gone, or can be gone by the clock; nothing may be written then, to the row or to the
// log. A process that was frozen finds it here.
func (a *attempt) lost() bool {
	if context.Cause(a.ctx) == errLost {
		return true
	}
	a.mu.Lock()
	over := !a.cfg.Now().Before(a.until)
	a.mu.Unlock()
	if over {
		a.lose("the lease is over")
	}
	return over
}

// lose stops the attempt at once: another one has the message, or nobody shall.
func (a *attempt) lose(why any) {
	a.logger.Warn("the claim of an answer is lost", "error", why)
	a.cancel(errLost)
}

// isLost reports the store's word that an attempt may write no more: taken over, or deleted.
func isLost(err error) bool {
	code := kyro.ErrorCode(err)
	return code == kyro.CodeConflict || code == kyro.CodeNotFound
}

// stage moves the answer to a status.
func (a *attempt) stage(ctx context.Context, status kyro.MessageStatus) error {
	return a.emit(ctx, kyro.LogEntry{Status: status})
}

// write adds text that passed the filter.
func (a *attempt) write(ctx context.Context, text string) error {
	for text != "" {
		piece := head(text, maxDeltaBytes)
		text = text[len(piece):]
		if a.first.IsZero() {
			a.first = a.cfg.Now()
		}
		if err := a.emit(ctx, kyro.LogEntry{Text: piece}); err != nil {
			return err
		}
	}
	return nil
}

// emit makes the next event and gives it to the log and, in time, to the row.
func (a *attempt) emit(ctx context.Context, e kyro.LogEntry) error {
	if a.lost() {
		return errLost
	}
	a.mu.Lock()
	a.seq++
	e.Attempt, e.Seq = a.claim.Attempt, a.seq
	a.text.WriteString(e.Text)
	if e.Status != "" {
		a.status = e.Status
	}
	if a.early {
		a.held = append(a.held, e)
		a.mu.Unlock()
		return nil
	}
	urgent := !a.dirty || e.Status != "" || a.text.Len()-a.savedBytes >= saveBytes
	a.dirty = true
	a.mu.Unlock()

	a.publish(ctx, e)
	if urgent {
		a.save()
	}
	return nil
}

// save tells the keeper of what it has not taken.
func (a *attempt) save() {
	if unsaved, wait := a.saveIn(); unsaved {
		a.keeper.hurry(a, wait)
	}
}

// publish appends to the log. The answer does not depend on it: what a failing log did not take is sent with the
// next event, until that is too much; readers look at the row meanwhile.
func (a *attempt) publish(ctx context.Context, e kyro.LogEntry) {
	a.saying.Lock()
	defer a.saying.Unlock()
	a.append(ctx, e)
}

// append is publish for who holds saying.
func (a *attempt) append(ctx context.Context, entries ...kyro.LogEntry) {
	if a.mute {
		return
	}
	var err error
	if len(a.unsent) == 0 {
		err = a.cfg.Log.Append(ctx, a.claim.MessageID, entries...)
	} else {
		err = a.cfg.Log.Append(ctx, a.claim.MessageID, append(a.unsent, entries...)...)
	}
	if err == nil {
		a.unsent = nil
		return
	}
	if !a.warned && ctx.Err() == nil {
		a.warned = true
		a.logger.Warn("the stream log fails; readers follow the row", "error", err)
	}
	if a.unsent = append(a.unsent, entries...); len(a.unsent) > maxUnsent {
		a.mute, a.unsent = true, nil
	}
}

// state is what is written so far.
func (a *attempt) state() kyro.Checkpoint {
	a.mu.Lock()
	defer a.mu.Unlock()
	return kyro.Checkpoint{Status: a.status, Text: a.text.String(), Seq: a.seq, Sources: a.sources}
}

// saveIn reports whether there is something that the keeper has not taken, and how long it may wait.
func (a *attempt) saveIn() (unsaved bool, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch size := a.text.Len() - a.savedBytes; {
	case size >= saveBytes:
		return a.dirty, 0
	case size == 0:
		return a.dirty, saveStage
	default:
		return a.dirty, saveText
	}
}

// unsavedState gives the keeper what is written so far; nil where the row has it.
func (a *attempt) unsavedState() *kyro.Checkpoint {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dirty = false // what comes from now on is for the next save
	if a.seq == a.savedSeq {
		return nil
	}
	state := &kyro.Checkpoint{Status: a.status, Text: a.text.String(), Seq: a.seq}
	if !a.placed {
		state.Sources = a.sources
	}
	return state
}

// madeFrom notes the sources of the text to come, before there is any.
func (a *attempt) madeFrom(sources []kyro.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sources = sources
}

// keptUntil notes that the claim holds for longer, and what is on the row, unless that is nil. moved reports that the
// row shows another status now.
func (a *attempt) keptUntil(until time.Time, state *kyro.Checkpoint) (moved bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if until.After(a.until) {
		a.until = until
	}
	if state != nil {
		moved = state.Status != a.shown
		a.savedBytes, a.savedSeq, a.shown = len(state.Text), state.Seq, state.Status
		a.placed = a.placed || state.Sources != nil
	}
	return moved
}

// head is the beginning of a text: at most limit bytes of whole code points.
func head(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
