package live

import (
	"container/list"
	"context"
	"strings"
	"sync"
	"time"

	"kyrochat/kyro"
)

// LogsConfig bounds the logs. A zero field takes its default.
type LogsConfig struct {
	TTL             time.Duration    // how long an attempt is kept after its last event; 10 minutes
	MaxBytes        int              // of all logs: above it the attempts that ended first are dropped; 64 MiB
	MaxAttemptBytes int              // of one attempt: above it its oldest events are dropped; 256 KiB
	Now             func() time.Time // time.Now
}

// Logs keeps the events of the newest attempt of each message, whole while it runs and for a while after, so that
// a reader can begin anywhere in it. Readers pull; there is no buffer for any of them.
type Logs struct {
	ttl        time.Duration
	maxBytes   int
	maxAttempt int
	now        func() time.Time

	mu      sync.Mutex
	topics  map[kyro.ID]*logTopic
	running *list.List // of *logTopic: attempts without their end, the longest silent first
	ended   *list.List // of *logTopic: attempts with their end, the oldest first
	bytes   int
}

// logTopic is the log of one message. One that has no entries exists only while a reader waits for the first.
type logTopic struct {
	gate
	message kyro.ID
	attempt int64
	entries []kyro.LogEntry // never changed once written, so that readers may keep slices of it
	dropped bool            // the entries do not begin at seq 1
	gone    bool            // nobody keeps it up any more, so that there is nothing to wait for
	bytes   int
	last    time.Time
	place   *list.Element // in running or ended; nil while there are no entries
}

// entryBytes is what an entry takes besides its text.
const entryBytes = 64

// NewLogs makes empty logs.
func NewLogs(cfg LogsConfig) *Logs {
	l := &Logs{
		ttl: cfg.TTL, maxBytes: cfg.MaxBytes, maxAttempt: cfg.MaxAttemptBytes, now: cfg.Now,
		topics: map[kyro.ID]*logTopic{}, running: list.New(), ended: list.New(),
	}
	if l.ttl <= 0 {
		l.ttl = 10 * time.Minute
	}
	if l.maxBytes <= 0 {
		l.maxBytes = 64 << 20
	}
	if l.maxAttempt <= 0 {
		l.maxAttempt = 256 << 10
	}
	if l.now == nil {
		l.now = time.Now
	}
	return l
}

// Append adds events of an attempt. A seq that is there already changes nothing, so that an uncertain append can
// be repeated. A newer attempt starts the log anew. It answers CONFLICT for an older attempt, for anything new
// after the end, and for a gap. Only an end may come with a gap or with a seq that another event had: who
// declares a lost attempt ended knows the row and not the log, so the log then keeps the end alone, and readers
// go to the row.
func (l *Logs) Append(_ context.Context, message kyro.ID, entries ...kyro.LogEntry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.expire(now)
	for _, e := range entries {
		t := l.topic(message)
		if err := l.add(t, e, now, false); err != nil {
			l.forget(t)
			return err
		}
	}
	l.shrink()
	return nil
}

// mirror adds events that another node appended. Where some before them are missing, the log begins anew behind the
// gap, and readers who are not that far go to the row.
func (l *Logs) mirror(message kyro.ID, entries []kyro.LogEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.expire(now)
	for _, e := range entries {
		t := l.topic(message)
		_ = l.add(t, e, now, true) // an older attempt, or what follows an end: nothing new
		l.forget(t)
	}
	l.shrink()
}

// unsent gives what is there of the attempt behind seq, and an end in any case. Events before them may be missing.
func (l *Logs) unsent(message kyro.ID, attempt, seq int64) []kyro.LogEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.topics[message]
	if t == nil || t.attempt != attempt || len(t.entries) == 0 {
		return nil
	}
	n := int64(len(t.entries))
	first := min(max(seq-t.entries[0].Seq+1, 0), n) // they have no gaps
	if first == n && t.end().Final {
		first--
	}
	return t.entries[first:n:n]
}

// over reports whether the log has the attempt's end, so that it grows no more.
func (l *Logs) over(message kyro.ID, attempt int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.topics[message]
	return t != nil && t.end().Final && t.attempt >= attempt
}

// abandon drops a log that is not kept up any more. Who waits at it learns that it is gone.
func (l *Logs) abandon(message kyro.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.topics[message]; t != nil && !t.end().Final {
		t.gone = true
		l.drop(t)
	}
}

// Read gives the events of the attempt after seq; see answer.Log. A message without a log is waited for when seq
// is 0, since its first event may be on its way, and unknown otherwise.
func (l *Logs) Read(ctx context.Context, message kyro.ID, attempt, seq int64) ([]kyro.LogEntry, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		t := l.topics[message]
		if t == nil {
			if seq != 0 {
				return nil, false, nil
			}
			t = l.topic(message)
		}
		entries, known := t.after(attempt, seq)
		if !known || len(entries) > 0 {
			l.forget(t)
			return entries, known, nil
		}
		err := t.wait(ctx, &l.mu)
		l.forget(t)
		if err != nil {
			return nil, false, err
		}
		if t.gone {
			return nil, false, nil
		}
	}
}

// Snapshot gives the newest attempt's text and place. It is unknown also where the text is not whole any more.
func (l *Logs) Snapshot(ctx context.Context, message kyro.ID) (kyro.StreamSnapshot, bool, error) {
	if err := ctx.Err(); err != nil {
		return kyro.StreamSnapshot{}, false, err
	}
	l.mu.Lock()
	l.expire(l.now())
	t := l.topics[message]
	if t == nil || len(t.entries) == 0 || t.dropped {
		l.mu.Unlock()
		return kyro.StreamSnapshot{}, false, nil
	}
	entries := t.entries
	l.mu.Unlock()

	last := entries[len(entries)-1]
	s := kyro.StreamSnapshot{Attempt: last.Attempt, Seq: last.Seq, Final: last.Final}
	size := 0
	for _, e := range entries {
		size += len(e.Text)
	}
	var text strings.Builder
	text.Grow(size)
	for _, e := range entries {
		text.WriteString(e.Text)
		if e.Status != "" {
			s.Status = e.Status
		}
	}
	s.Text = text.String()
	return s, true, nil
}

// topic gives the message's topic, which is made where there is none.
func (l *Logs) topic(message kyro.ID) *logTopic {
	t := l.topics[message]
	if t == nil {
		t = &logTopic{message: message}
		l.topics[message] = t
	}
	return t
}

// add puts one entry at the end of a topic. gaps says that events may be missing, as in what comes from another node.
func (l *Logs) add(t *logTopic, e kyro.LogEntry, now time.Time, gaps bool) error {
	if e.Seq < 1 || e.Attempt < t.attempt {
		return kyro.Errorf(kyro.CodeConflict, "Event %d of attempt %d comes after attempt %d.", e.Seq, e.Attempt, t.attempt)
	}
	end := t.end()
	newer := len(t.entries) == 0 || e.Attempt > t.attempt
	if newer {
		end = kyro.LogEntry{}
	}
	switch {
	case e.Seq <= end.Seq && (end.Final || !e.Final):
		return nil
	case end.Final:
		return kyro.Errorf(kyro.CodeConflict, "Event %d comes after the end of attempt %d.", e.Seq, e.Attempt)
	case e.Seq != end.Seq+1 && !e.Final && !gaps:
		return kyro.Errorf(kyro.CodeConflict, "Event %d of attempt %d follows event %d.", e.Seq, e.Attempt, end.Seq)
	case newer || e.Seq != end.Seq+1:
		l.reset(t)
		t.attempt, t.dropped = e.Attempt, e.Seq > 1
	}
	t.entries = append(t.entries, e)
	l.charge(t, entryBytes+len(e.Text))
	t.last = now
	l.arrange(t, e.Final)
	for t.bytes > l.maxAttempt && len(t.entries) > 1 {
		l.charge(t, -entryBytes-len(t.entries[0].Text))
		t.entries = t.entries[1:]
		t.dropped = true
	}
	t.open()
	return nil
}

// after gives the entries of the attempt behind seq; known is false where the topic cannot tell them all, or
// where none will ever come.
func (t *logTopic) after(attempt, seq int64) (entries []kyro.LogEntry, known bool) {
	end := t.end()
	switch {
	case len(t.entries) == 0 || attempt > t.attempt:
		return nil, seq == 0
	case attempt < t.attempt, seq > end.Seq, seq == end.Seq && end.Final:
		return nil, false
	}
	first := t.entries[0].Seq
	if seq < first-1 {
		return nil, false
	}
	n := len(t.entries)
	return t.entries[seq-first+1 : n : n], true
}

func (t *logTopic) end() kyro.LogEntry {
	if len(t.entries) == 0 {
		return kyro.LogEntry{}
	}
	return t.entries[len(t.entries)-1]
}

// expire drops what had no event for the TTL. An attempt without its end goes too: its writer is gone.
func (l *Logs) expire(now time.Time) {
	for _, order := range []*list.List{l.running, l.ended} {
		for front := order.Front(); front != nil; front = order.Front() {
			t := front.Value.(*logTopic)
			if now.Sub(t.last) < l.ttl {
				break
			}
			l.drop(t)
		}
	}
}

// shrink drops ended attempts until the logs are within their bound. Running ones stay: they are bounded one by
// one.
func (l *Logs) shrink() {
	for l.bytes > l.maxBytes && l.ended.Len() > 0 {
		l.drop(l.ended.Front().Value.(*logTopic))
	}
}

func (l *Logs) drop(t *logTopic) {
	l.reset(t)
	delete(l.topics, t.message)
	t.open()
}

// forget removes a topic that has nothing and nobody.
func (l *Logs) forget(t *logTopic) {
	if len(t.entries) == 0 && len(t.waiting) == 0 && l.topics[t.message] == t {
		delete(l.topics, t.message)
	}
}

// reset takes a topic's entries away.
func (l *Logs) reset(t *logTopic) {
	l.charge(t, -t.bytes)
	t.entries, t.dropped = nil, false
	if t.place != nil {
		l.running.Remove(t.place)
		l.ended.Remove(t.place)
		t.place = nil
	}
}

// arrange puts the topic last in the list it belongs to.
func (l *Logs) arrange(t *logTopic, ended bool) {
	switch {
	case ended:
		if t.place != nil {
			l.running.Remove(t.place)
		}
		t.place = l.ended.PushBack(t)
	case t.place == nil:
		t.place = l.running.PushBack(t)
	default:
		l.running.MoveToBack(t.place)
	}
}

func (l *Logs) charge(t *logTopic, bytes int) {
	t.bytes += bytes
	l.bytes += bytes
}
