package live

import (
	"context"
	"encoding/json"

	"kyrochat/kyro"
)

// Count is how many keys are counted.
func (r *Rates) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.keys)
}

// Sent reports whether everything that was appended is in its stream.
func (s *SharedLogs) Sent() bool {
	s.redis.outbox.mu.Lock()
	waiting := len(s.redis.outbox.waiting)
	s.redis.outbox.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.own {
		if unsent := s.local.unsent(o.message, o.attempt, o.sent); o.queued || len(unsent) > 0 {
			return false
		}
	}
	return waiting == 0
}

// Arrived reports whether all of a message's stream is in its mirror, where there is one.
func (s *SharedLogs) Arrived(message kyro.ID) bool {
	newest, err := s.redis.commands.XRevRangeN(context.Background(), s.key(message), "+", "-", 1).Result()
	s.mu.Lock()
	m := s.mirrors[message]
	s.mu.Unlock()
	if m == nil || err != nil || len(newest) == 0 {
		return err == nil
	}
	var pack []kyro.LogEntry
	if err := json.Unmarshal([]byte(newest[0].Values[fieldPack].(string)), &pack); err != nil {
		panic(err)
	}
	want := pack[len(pack)-1]
	s.local.mu.Lock()
	defer s.local.mu.Unlock()
	t := s.local.topics[message]
	return t != nil && t.end() == want
}

// Watched is how many conversations are watched.
func (w *Wakes) Watched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.watching)
}
