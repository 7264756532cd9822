package live

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"kyrochat/kyro"
)

// SharedLogs are Logs that the readers of every node can follow. What is appended is kept in this process first, where
// readers of the same node find it at once, and goes into a stream of Redis behind their back. A node whose readers
// follow an answer that is made elsewhere keeps a mirror of its stream, for all of them, for as long as one of them
// comes back for more.
//
// Entries of a stream are packs of events, with the ids attempt-seq of their last event: an attempt that was taken over
// can add nothing behind the next one, and what is sent twice is refused or changes nothing. An end has the greatest seq
// that there is. A stream that was lost with its Redis is written anew by the node that makes the answer.
//
// While Redis is away appending works and readers on the same node miss nothing; on other nodes Read and Snapshot answer
// with an error, and readers go to the row.
type SharedLogs struct {
	local *Logs
	redis *Redis
	ttl   time.Duration

	mu      sync.Mutex
	own     map[kyro.ID]*ownLog
	mirrors map[kyro.ID]*mirror
}

const (
	maxStream  = "8192"           // entries of a stream, about
	linger     = 15 * time.Second // a mirror is kept up so long for a reader who does not come back
	tidyEvery  = 5 * time.Second
	endSeqID   = "9223372036854775807" // greater than any seq
	fieldPack  = "e"
	fetchCount = 1_000 // entries of a stream that are read at once
)

// NewSharedLogs puts logs on Redis. Run has to be called.
func NewSharedLogs(r *Redis, local *Logs) *SharedLogs {
	s := &SharedLogs{local: local, redis: r, ttl: local.ttl, own: map[kyro.ID]*ownLog{}, mirrors: map[kyro.ID]*mirror{}}
	r.tail.onBack(func(context.Context) error { s.doubt(); return nil })
	return s
}

// Run keeps the logs tidy until ctx ends.
func (s *SharedLogs) Run(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		back, lost := s.redis.health.back(), (<-chan struct{})(nil)
		if back == nil {
			lost = s.redis.health.lost()
		}
		select {
		case <-ctx.Done():
			return
		case <-back:
		case <-lost:
			s.abandon(func(*mirror) bool { return true })
		case now := <-tick.C:
			s.abandon(func(m *mirror) bool { return m.readers == 0 && now.Sub(m.left) > linger })
			s.disown(now)
		}
	}
}

// Append implements answer.Log.
func (s *SharedLogs) Append(ctx context.Context, message kyro.ID, entries ...kyro.LogEntry) error {
	if err := s.local.Append(ctx, message, entries...); err != nil || len(entries) == 0 {
		return err
	}
	attempt := entries[len(entries)-1].Attempt
	s.mu.Lock()
	o := s.own[message]
	if o == nil || o.attempt < attempt {
		o = &ownLog{logs: s, key: s.key(message), message: message, attempt: attempt}
		s.own[message] = o
		s.unfollow(message)
	}
	o.last = time.Now()
	send := !o.queued
	o.queued = true
	s.mu.Unlock()
	if send {
		s.redis.outbox.send(o)
	}
	return nil
}

// Read implements answer.Log.
func (s *SharedLogs) Read(ctx context.Context, message kyro.ID, attempt, seq int64) ([]kyro.LogEntry, bool, error) {
	m, err := s.follow(ctx, message, attempt)
	if err != nil {
		return nil, false, err
	}
	defer s.leave(m)
	return s.local.Read(ctx, message, attempt, seq)
}

// Snapshot implements answer.Log.
func (s *SharedLogs) Snapshot(ctx context.Context, message kyro.ID) (kyro.StreamSnapshot, bool, error) {
	m, err := s.follow(ctx, message, 0)
	if err != nil {
		return kyro.StreamSnapshot{}, false, err
	}
	defer s.leave(m)
	return s.local.Snapshot(ctx, message)
}

func (s *SharedLogs) key(message kyro.ID) string {
	return s.redis.key("log:" + strconv.FormatInt(message.Key, 10))
}

// doubt has the streams of all attempts of this node looked at, since Redis may have lost some of what it had.
func (s *SharedLogs) doubt() {
	var idle []*ownLog
	s.mu.Lock()
	for _, o := range s.own {
		o.unsure = true
		if !o.queued {
			o.queued = true
			idle = append(idle, o)
		}
	}
	s.mu.Unlock()
	for _, o := range idle {
		s.redis.outbox.send(o)
	}
}

// disown forgets attempts that were given up without an end, and those that Redis did not take for as long as they are
// kept: their readers find the rest in the row.
func (s *SharedLogs) disown(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for message, o := range s.own {
		if now.Sub(o.last) > s.ttl {
			delete(s.own, message)
		}
	}
}

// ownLog is an attempt whose events this node appends, as a parcel of what is not in its stream yet.
type ownLog struct {
	logs    *SharedLogs
	key     string
	message kyro.ID
	attempt int64

	// Of the logs, under mu.
	queued bool
	last   time.Time
	sent   int64 // the stream has the events up to here
	there  bool  // the stream has been begun
	unsure bool  // Redis may have lost it

	// Of the outbox.
	pack    []kyro.LogEntry
	added   *redis.Cmd
	looked  *redis.Cmd
	renewed time.Time // when the stream's time was last set
}

// lastOf is the id of a stream's last entry, or nothing.
const lastOf = "local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1] return last and last[1] or ''"

func (o *ownLog) write(ctx context.Context, p redis.Pipeliner) int {
	o.logs.mu.Lock()
	o.queued = false // whatever is appended from now on is for the next parcel
	sent, there, unsure := o.sent, o.there, o.unsure
	o.logs.mu.Unlock()
	o.added, o.looked = nil, nil
	if unsure {
		o.looked = p.Eval(ctx, lastOf, []string{o.key})
		return len(lastOf)
	}
	if o.pack = o.logs.local.unsent(o.message, o.attempt, sent); len(o.pack) == 0 {
		return 0
	}
	data := appendPack(make([]byte, 0, 64), o.pack)
	id := strconv.FormatInt(o.attempt, 10) + "-" + strconv.FormatInt(o.end().Seq, 10)
	if o.end().Final {
		id = strconv.FormatInt(o.attempt, 10) + "-" + endSeqID
	}
	if there {
		o.added = p.Do(ctx, "XADD", o.key, "NOMKSTREAM", "MAXLEN", "~", maxStream, id, fieldPack, data)
	} else { // the attempts before it go
		o.added = p.Do(ctx, "XADD", o.key, "MINID", strconv.FormatInt(o.attempt, 10)+"-0", id, fieldPack, data)
	}
	if now := time.Now(); !there || o.end().Final || now.Sub(o.renewed) > o.logs.ttl/4 {
		o.renewed = now
		p.PExpire(ctx, o.key, o.logs.ttl)
	}
	return len(data)
}

// appendPack appends events as JSON, as encoding/json reads them. There is one for nearly every token.
func appendPack(to []byte, events []kyro.LogEntry) []byte {
	for i, e := range events {
		to = append(to, "[,"[min(i, 1)])
		to = strconv.AppendInt(append(to, `{"a":`...), e.Attempt, 10)
		to = strconv.AppendInt(append(to, `,"s":`...), e.Seq, 10)
		if e.Text != "" {
			to = appendText(append(to, `,"t":`...), e.Text)
		}
		if e.Status != "" {
			to = appendText(append(to, `,"m":`...), string(e.Status))
		}
		if e.Final {
			to = append(to, `,"f":true`...)
		}
		to = append(to, '}')
	}
	return append(to, ']')
}

// appendText appends a text as JSON. Most have nothing in them that must be written otherwise.
func appendText(to []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err) // of a text
			}
			return append(to, quoted...)
		}
	}
	return append(append(append(to, '"'), s...), '"')
}

func (o *ownLog) end() kyro.LogEntry { return o.pack[len(o.pack)-1] }

func (o *ownLog) answered() parcelState {
	o.logs.mu.Lock()
	defer o.logs.mu.Unlock()
	if o.looked != nil {
		return o.found(o.looked.Text())
	}
	if o.added == nil {
		return parcelDone
	}
	err := o.added.Err()
	switch {
	case err == nil || redis.HasErrorPrefix(err, "The ID specified in XADD is equal or smaller"): // it is there already
		o.sent, o.there = max(o.sent, o.end().Seq), true
		if o.end().Final && o.logs.own[o.message] == o {
			delete(o.logs.own, o.message)
		}
		return parcelDone
	case errors.Is(err, redis.Nil): // the stream was lost
		o.sent, o.there, o.queued = 0, false, true
		return parcelMore
	default:
		o.queued = true
		return parcelAgain
	}
}

// found goes on behind the entry with the id, which is the last of the stream. The caller holds mu.
func (o *ownLog) found(id string, err error) parcelState {
	o.queued = true
	if err != nil {
		return parcelAgain
	}
	attempt, seq, _ := strings.Cut(id, "-")
	o.sent, o.there, o.unsure = 0, attempt == strconv.FormatInt(o.attempt, 10), false
	if o.there {
		o.sent, _ = strconv.ParseInt(seq, 10, 64)
	}
	return parcelMore
}

// keeps has it wait for as long as it is this node's newest attempt, and not given up.
func (o *ownLog) keeps() bool {
	o.logs.mu.Lock()
	defer o.logs.mu.Unlock()
	return o.logs.own[o.message] == o
}
