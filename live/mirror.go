package live

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redis/go-redis/v9"

	"kyrochat/kyro"
)

// mirror is the log of an answer that is made elsewhere, kept up for the readers of this node.
type mirror struct {
	message kyro.ID
	ready   chan struct{} // closed once what was in the stream is here, or could not be had
	err     error         // why not; set before ready is closed

	// Under the logs' mu.
	readers int
	left    time.Time // when the last reader left
}

// follow sees that the local log holds the attempt: because it is made here, because it is over, or by a mirror, which
// the caller leaves again. The mirror is nil where none is needed. Attempt 0 is any.
func (s *SharedLogs) follow(ctx context.Context, message kyro.ID, attempt int64) (*mirror, error) {
	s.mu.Lock()
	m, known := s.mirrors[message]
	if o := s.own[message]; o != nil && attempt <= o.attempt && !known || s.local.over(message, attempt) {
		s.mu.Unlock()
		return nil, nil
	}
	if !known {
		m = &mirror{message: message, ready: make(chan struct{})}
		s.mirrors[message] = m
	}
	m.readers++
	s.mu.Unlock()
	if !known {
		s.redis.outbox.send(&fetch{logs: s, mirror: m, key: s.key(message), last: "0-0"})
	}
	select {
	case <-m.ready:
	case <-ctx.Done():
		s.leave(m)
		return nil, ctx.Err()
	}
	if m.err != nil {
		s.leave(m)
		return nil, m.err
	}
	return m, nil
}

func (s *SharedLogs) leave(m *mirror) {
	if m == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.readers--
	m.left = time.Now()
}

// fetch is a parcel that reads what is in a stream, and has the rest delivered as it comes. Many readers may come at
// once, after a restart, so the streams are asked for together.
type fetch struct {
	logs   *SharedLogs
	mirror *mirror
	key    string
	last   string // the id of the last entry that was read
	found  *redis.XMessageSliceCmd
}

func (f *fetch) write(ctx context.Context, p redis.Pipeliner) int {
	f.found = p.XRangeN(ctx, f.key, "("+f.last, "+", fetchCount)
	return fetchCount * entryBytes
}

func (f *fetch) answered() parcelState {
	entries, err := f.found.Result()
	if err != nil {
		f.end(err)
		return parcelDone
	}
	f.logs.deliver(f.mirror, entries)
	if len(entries) > 0 {
		f.last = entries[len(entries)-1].ID
	}
	if len(entries) == fetchCount {
		return parcelMore
	}
	f.end(nil)
	return parcelDone
}

func (f *fetch) keeps() bool {
	f.end(errAway)
	return false
}

// end lets the mirror's readers begin.
func (f *fetch) end(err error) {
	s, m := f.logs, f.mirror
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m.err = err; {
	case err != nil:
		s.forget(m)
	case s.mirrors[m.message] == m:
		s.redis.tail.follow(f.key, f.last, func(entries []redis.XMessage) { s.deliver(m, entries) })
	case s.own[m.message] == nil: // it was abandoned meanwhile
		m.err = errAway
	}
	close(m.ready)
}

// deliver adds entries of a stream to the local log, unless the mirror has ended: another may have begun, and misses
// nothing, whereas what was on its way to this one would be a log without a beginning.
func (s *SharedLogs) deliver(m *mirror, entries []redis.XMessage) {
	for _, e := range entries {
		data, _ := e.Values[fieldPack].(string)
		var pack []kyro.LogEntry
		if err := json.Unmarshal([]byte(data), &pack); err != nil {
			s.redis.log.Warn("events of another node cannot be read; does it run another version?", "message", m.message, "error", err)
			continue
		}
		s.mu.Lock()
		if s.mirrors[m.message] == m {
			s.local.mirror(m.message, pack)
		}
		s.mu.Unlock()
	}
}

// unfollow ends the mirror of an answer that is made here from now on. Its readers go on with the local log. The caller
// holds mu.
func (s *SharedLogs) unfollow(message kyro.ID) {
	if m := s.mirrors[message]; m != nil {
		s.forget(m)
	}
}

// forget ends a mirror. The caller holds mu.
func (s *SharedLogs) forget(m *mirror) {
	if s.mirrors[m.message] == m {
		delete(s.mirrors, m.message)
		s.redis.tail.leave(s.key(m.message))
	}
}

// abandon ends mirrors together with what they hold, unless that is whole: it would look as if nothing more came.
func (s *SharedLogs) abandon(which func(*mirror) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.mirrors {
		if which(m) {
			s.forget(m)
			if s.own[m.message] == nil {
				s.local.abandon(m.message)
			}
		}
	}
}
