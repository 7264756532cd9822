package answer

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// deliver gives the reader the events of a running answer and reports whether the log's end came after them. The
// end itself is for finish, which has the row.
func (f *follower) deliver(entries []kyro.LogEntry) (ended bool) {
	for _, e := range entries {
		if e.Final {
			return true
		}
		f.attempt, f.seq = e.Attempt, e.Seq
		if e.Status != "" {
			f.give(&kyro.MessageStage{Seq: e.Seq, Cursor: f.cursor(), Status: e.Status})
		} else {
			f.give(&kyro.MessageDelta{Seq: e.Seq, Cursor: f.cursor(), Text: e.Text})
		}
		if f.left {
			return false
		}
	}
	return false
}

// snapshot replaces what the reader shows by the message, whose text holds the events up to seq.
func (f *follower) snapshot(m kyro.Message, seq int64) {
	f.attempt, f.seq, f.placed, f.sure = m.Attempt, seq, true, true
	f.give(&kyro.MessageSnapshot{Seq: seq, Cursor: f.cursor(), Message: &m})
}

// finish brings the reader to the end: what is missing, or a snapshot in place of it, and the one finish.
func (f *follower) finish(ctx context.Context, m kyro.Message) error {
	end := endSeq(m)
	if !f.placed || !f.leadUp(ctx, m, end) {
		if f.left || ctx.Err() != nil {
			return ctx.Err()
		}
		f.snapshot(m, end-1)
	}
	if f.left {
		return nil
	}
	f.attempt, f.seq = m.Attempt, end
	f.give(&kyro.MessageFinished{Seq: end, Cursor: f.cursor(), Message: &m, FinishReason: finishReason(m)})
	return nil
}

// leadUp gives what the reader misses before the end of a final message and reports whether the reader shows the
// stored text then. Readers of an answer that did not end by itself, but was ended after a crash, may have seen
// more than was stored, under seqs that the stored end took over; only a snapshot is sure for them.
func (f *follower) leadUp(ctx context.Context, m kyro.Message, end int64) bool {
	if m.Status == kyro.MessageInterrupted || m.Status == kyro.MessageStopped && !f.sawEnd(ctx, m) || m.Attempt != f.attempt && !f.unbegun() {
		return false
	}
	f.attempt = m.Attempt
	if f.seq >= end-1 {
		return f.seq <= end
	}
	s, known, err := f.cfg.Log.Snapshot(ctx, f.id)
	if err != nil || !known || s.Attempt != m.Attempt || s.Seq < end-1 {
		return false
	}
	bounded, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	entries, known, err := f.cfg.Log.Read(bounded, f.id, f.attempt, f.seq)
	if err != nil || !known {
		return false
	}
	f.deliver(entries)
	return !f.left && f.seq == end-1
}

// sawEnd reports whether the log holds the end of the message's attempt, as it does where the attempt stored it.
func (f *follower) sawEnd(ctx context.Context, m kyro.Message) bool {
	s, known, err := f.cfg.Log.Snapshot(ctx, f.id)
	return err == nil && known && s.Attempt == m.Attempt && s.Final
}

func (f *follower) give(e kyro.MessageStreamEvent) {
	f.left = f.left || !f.yield(e, nil)
}

func (f *follower) cursor() kyro.StreamCursor {
	return kyro.StreamCursor{Stream: f.id, Attempt: f.attempt, Seq: f.seq}
}

// finishReason is why a final message ended. A row without one is told by its status.
func finishReason(m kyro.Message) kyro.FinishReason {
	if m.FinishReason != nil {
		return *m.FinishReason
	}
	switch m.Status {
	case kyro.MessageStopped:
		return kyro.FinishUser
	case kyro.MessageFailed:
		return kyro.FinishError
	case kyro.MessageInterrupted:
		return kyro.FinishInterrupted
	}
	return kyro.FinishStop
}
