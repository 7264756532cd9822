package answer

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// keep renews the claim with every heartbeat and saves what is written: text after a second or 2 KiB, a stage
// once it has lasted a little. It runs beside the model, so that a slow store does not hold the stream up.
func (a *attempt) keep(ctx context.Context) {
	beat := time.NewTicker(a.cfg.Limits.AnswerHeartbeat)
	defer beat.Stop()
	save := time.NewTimer(time.Hour)
	save.Stop()
	defer save.Stop()
	var due time.Time // zero: nothing to save
	failed := false   // the save that is due is another try
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			a.renew(ctx)
		case <-a.nudge:
			wait := a.saveIn()
			if at := time.Now().Add(wait); due.IsZero() || !failed && at.Before(due) {
				due = at
				save.Reset(wait)
			}
		case <-save.C:
			due, failed = time.Time{}, !a.save(ctx)
			if failed {
				due = time.Now().Add(saveText)
				save.Reset(saveText)
			}
		}
	}
}

// saveIn is how long what is unsaved may wait.
func (a *attempt) saveIn() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch unsaved := a.text.Len() - a.saved; {
	case unsaved >= saveBytes:
		return 0
	case unsaved == 0:
		return saveStage
	default:
		return saveText
	}
}

// save writes a checkpoint and reports false where it should be tried again. A store that fails is tolerated while
// the claim holds: the next save has everything.
func (a *attempt) save(ctx context.Context) bool {
	a.mu.Lock()
	a.dirty = false // what comes from now on is for the next save
	a.mu.Unlock()
	if a.lost() {
		return true
	}
	c := a.state()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := a.cfg.Store.Checkpoint(ctx, a.claim, c)
	switch {
	case err == nil:
		a.mu.Lock()
		a.saved = len(c.Text)
		moved := a.shown != c.Status
		a.shown = c.Status
		a.mu.Unlock()
		if moved {
			a.cfg.Wakes.Wake(a.claim.ConversationID)
		}
		return true
	case isLost(err):
		a.lose(err)
		return true
	}
	if ctx.Err() == nil || ctx.Err() == context.DeadlineExceeded {
		a.logger.Warn("an answer could not be saved; trying again", "error", err)
	}
	return false
}

// renew keeps the claim, and takes up a stop that was asked for anywhere.
func (a *attempt) renew(ctx context.Context) {
	if a.lost() {
		return
	}
	until := a.now().Add(a.cfg.Limits.AnswerLease)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	stop, err := a.cfg.Store.Renew(ctx, a.claim, until)
	switch {
	case err == nil:
		a.mu.Lock()
		a.until = until
		a.mu.Unlock()
		if stop {
			a.cancel(errStopped)
		}
	case isLost(err):
		a.lose(err)
	default:
		a.logger.Warn("the claim of an answer could not be renewed; trying again", "error", err)
	}
}

// lose stops the attempt at once: another one has the message, or nobody shall.
func (a *attempt) lose(err error) {
	a.logger.Warn("the claim of an answer is lost", "error", err)
	a.cancel(errLost)
}

// isLost reports the store's word that an attempt may write no more: taken over, or deleted.
func isLost(err error) bool {
	code := kyro.ErrorCode(err)
	return code == kyro.CodeConflict || code == kyro.CodeNotFound
}
