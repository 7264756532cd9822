package answer

import (
	"context"
	"iter"
	"time"

	"kyrochat/kyro"
)

// Follow gives the events of an answer, running or final. Without after they begin with a snapshot; with the
// cursor of an event that the reader has seen they go on behind it. Where that cannot be done exactly (the cursor
// is of the future or of another attempt, or the events are gone) a snapshot replaces what the reader shows, and
// may be shorter. A take-over in between is such a snapshot too. The last event is always one MessageFinished
// with the stored message.
//
// An error is the last thing a sequence gives: UNAUTHENTICATED, NOT_FOUND where the message is not the viewer's
// or is no more, BAD_USER_INPUT for a user message or the cursor of another stream, ctx's own error. After it a
// reader can come back with its last cursor. A sequence keeps nothing but its place, so it may be read slowly.
func (s *Service) Follow(
	ctx context.Context, viewer kyro.Viewer, message kyro.ID, after *kyro.StreamCursor,
) iter.Seq2[kyro.MessageStreamEvent, error] {
	return func(yield func(kyro.MessageStreamEvent, error) bool) {
		f := &follower{cfg: &s.cfg, viewer: viewer, id: message, yield: yield}
		defer f.release()
		if err := f.run(ctx, after); err != nil && !f.left {
			yield(nil, err)
		}
	}
}

// follower is one reader of one answer.
type follower struct {
	cfg    *Config
	viewer kyro.Viewer
	id     kyro.ID
	yield  func(kyro.MessageStreamEvent, error) bool
	left   bool // the reader wants no more

	// What the reader shows: the events of attempt up to seq, once it is placed. The place is sure when it is not
	// only the reader's word.
	attempt, seq int64
	placed, sure bool

	served  bool // the log has given something
	checked time.Time
	ahead   time.Time     // since when the place is not where the answer is yet; zero where it is
	wait    time.Duration // before it is looked for again

	// How long the log is waited for: until the row is due. One context serves all events until then.
	waiting context.Context
	stop    context.CancelFunc
	until   time.Time
}

// run follows until the end. The log is waited for; the row decides.
func (f *follower) run(ctx context.Context, after *kyro.StreamCursor) error {
	m, err := f.begin(ctx, after)
	if err != nil {
		return err
	}
	if !m.Status.Final() && !f.placed {
		m, err = f.show(ctx, m)
	}
	behind := false // the row was ahead of a silent log
	for err == nil && !f.left && !m.Status.Final() {
		var entries []kyro.LogEntry
		var known bool
		if entries, known, err = f.await(ctx, behind); err != nil {
			return err
		}
		ended := f.deliver(entries)
		silent := known && len(entries) == 0
		if f.left || known && !silent && !ended && time.Since(f.checked) < f.interval() {
			continue
		}
		if m, err = f.row(ctx); err != nil {
			return err
		}
		switch {
		case m.Status.Final():
		case m.Attempt != f.attempt && f.unbegun():
			f.attempt, f.sure = m.Attempt, true
		case m.Attempt != f.attempt:
			m, err = f.show(ctx, m)
		case !known || ended:
			m, err = f.catchUp(ctx, m)
		case silent && m.Seq > f.seq && behind:
			m, err = f.show(ctx, m)
			behind = false
		default:
			behind = silent && m.Seq > f.seq
		}
	}
	if err != nil || f.left {
		return err
	}
	return f.finish(ctx, m)
}

// begin checks that the viewer may follow the message from there.
func (f *follower) begin(ctx context.Context, after *kyro.StreamCursor) (kyro.Message, error) {
	if err := f.viewer.MustFor(f.id, kyro.KindMessage, kyro.ScopeRead, kyro.ScopeChat); err != nil {
		return kyro.Message{}, err
	}
	m, err := f.row(ctx)
	switch {
	case err != nil:
		return m, err
	case m.Role == kyro.RoleUser:
		return m, kyro.Errorf(kyro.CodeBadUserInput, "%s is a message of a user: only answers can be followed.", f.id)
	case after != nil && after.Stream != f.id:
		return m, kyro.Errorf(kyro.CodeBadUserInput, "The cursor belongs to another stream, not to %s.", f.id)
	}
	kyro.TraceFrom(ctx).Link(m.Trace) // of the answer, which goes on without its readers
	f.place(m, after)
	return m, nil
}

// place takes the reader's word for what it shows, where that can be of the message's attempt. Before any attempt
// there was nothing to see, so a reader from then can go on with any.
func (f *follower) place(m kyro.Message, after *kyro.StreamCursor) {
	switch {
	case after == nil:
	case after.Attempt == 0 && after.Seq == 0:
		f.attempt, f.placed, f.sure = m.Attempt, true, true
	case after.Attempt == m.Attempt:
		f.attempt, f.seq, f.placed = after.Attempt, after.Seq, true
	}
}

// unbegun reports that the reader shows the answer before any attempt, so that it can go on with the events of any.
func (f *follower) unbegun() bool { return f.attempt == 0 && f.seq == 0 }

// How long a stream waits for a store that is away. Whoever has only just come is told soon.
const (
	rowPatience   = 10 * time.Second
	beginPatience = time.Second
)

// row reads the message as the viewer may see it now. A store that fails for a while does not end a stream.
func (f *follower) row(ctx context.Context) (kyro.Message, error) {
	m, err := patiently(ctx, f.patience(), func() (kyro.Message, error) { return f.cfg.Store.Message(ctx, f.viewer.UserID, f.id) })
	if err == nil {
		f.checked = time.Now()
	}
	return m, err
}

// patience is how long this stream waits for the row.
func (f *follower) patience() time.Duration {
	if f.checked.IsZero() {
		return beginPatience
	}
	return rowPatience
}

// patiently reads for a stream, which a store that fails for no longer than that does not end.
func patiently[T any](ctx context.Context, patience time.Duration, read func() (T, error)) (T, error) {
	began := time.Now()
	for try := 1; ; try++ {
		value, err := read()
		if err == nil {
			return value, nil
		}
		if kyro.ErrorCode(err) != kyro.CodeInternal && kyro.ErrorCode(err) != kyro.CodeUnavailable || time.Since(began) > patience {
			return value, err
		}
		if kyro.Pause(ctx, time.Duration(min(try, 10))*100*time.Millisecond) != nil {
			return value, ctx.Err()
		}
	}
}

// interval is how often the row is looked at.
func (f *follower) interval() time.Duration {
	if f.served {
		return f.cfg.FollowPoll
	}
	return f.cfg.FollowPollEmpty
}

// await waits for events until the row is due. known is true also where nothing came. A log that fails is one that
// knows nothing.
func (f *follower) await(ctx context.Context, behind bool) (entries []kyro.LogEntry, known bool, err error) {
	until := f.checked.Add(f.interval())
	if behind {
		until = time.Now().Add(20 * time.Millisecond)
	}
	if f.waiting == nil || !until.Equal(f.until) || f.waiting.Err() != nil {
		f.release()
		f.until = until
		f.waiting, f.stop = context.WithTimeout(ctx, max(time.Until(until), time.Millisecond))
	}
	entries, known, err = f.cfg.Log.Read(f.waiting, f.id, f.attempt, f.seq)
	switch {
	case err == nil && known: // as for every token
		f.served, f.sure = true, true
		return entries, true, nil
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case f.waiting.Err() != nil && err != nil:
		f.sure = true
		return nil, true, nil //nolint:nilerr // the time to wait is over, and so is the reading
	}
	return nil, false, nil
}

// release gives back what waiting took.
func (f *follower) release() {
	if f.stop != nil {
		f.stop()
	}
}

// placePatience is how long a reader who says to be further than the answer is known here is believed. One that comes from
// the node where the answer is made is ahead of this one by what is on its way, and while Redis is away by what the row
// does not have yet, which is saved every second.
const placePatience = 3 * time.Second

// catchUp is for a place that the log cannot go on from: a snapshot where there is more to show, else a pause,
// after which the log is asked again. A place that is only the reader's word, and is not where the answer is even after a
// while, is of the future, or of a node that was lost: it is replaced.
func (f *follower) catchUp(ctx context.Context, m kyro.Message) (kyro.Message, error) {
	latest, logged, err := f.latest(ctx, m)
	if err != nil || latest.Status.Final() {
		return latest, err
	}
	if latest.Attempt == f.attempt && latest.Seq < f.seq && !f.sure && f.believed() {
		if kyro.Pause(ctx, f.wait) != nil {
			return m, ctx.Err()
		}
		return latest, nil
	}
	if latest.Attempt != f.attempt || latest.Seq > f.seq || latest.Seq < f.seq && !f.sure {
		f.snapshot(latest, latest.Seq)
	}
	f.sure = true
	if !logged && !f.left && kyro.Pause(ctx, f.cfg.FollowPollEmpty) != nil {
		return m, ctx.Err()
	}
	return latest, nil
}

// believed says that a place ahead of the answer may still come true, and how long to wait before the next look.
func (f *follower) believed() bool {
	if f.ahead.IsZero() {
		f.ahead, f.wait = time.Now(), 5*time.Millisecond
	}
	f.wait = min(2*f.wait, f.cfg.FollowPollEmpty)
	return time.Since(f.ahead) < placePatience
}

// show gives a snapshot of a running answer. The message it returns is final where the end came meanwhile; there
// is no snapshot then.
func (f *follower) show(ctx context.Context, m kyro.Message) (kyro.Message, error) {
	latest, _, err := f.latest(ctx, m)
	if err == nil && !latest.Status.Final() {
		f.snapshot(latest, latest.Seq)
	}
	return latest, err
}

// latest is the running answer as far as the log has it, or else the row. Text and seq are of one source.
func (f *follower) latest(ctx context.Context, m kyro.Message) (latest kyro.Message, logged bool, err error) {
	s, known, err := f.cfg.Log.Snapshot(ctx, f.id)
	switch {
	case ctx.Err() != nil:
		return m, false, ctx.Err()
	case err != nil || !known || s.Attempt < m.Attempt || s.Attempt == m.Attempt && s.Seq < m.Seq:
		return m, false, nil //nolint:nilerr // the row is the truth
	case s.Final:
		m, err = f.row(ctx)
		return m, false, err
	}
	m.Attempt, m.Seq, m.Status, m.Text = s.Attempt, s.Seq, s.Status, s.Text
	return m, true, nil
}
