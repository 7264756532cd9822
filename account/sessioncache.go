package account

import (
	"sync"
	"time"

	"kyrochat/kyro"
)

// Bounds of the session cache. At most twice cacheSessions are held.
const (
	cacheFor      = time.Second
	cacheSessions = 10_000
)

// sessionCache remembers sessions for a second. It keeps two generations: a new one begins when the young one is
// a second old or full, and the old one is dropped whole, so that nothing has to be swept.
type sessionCache struct {
	mu         sync.Mutex
	young, old map[kyro.ID]seenSession
	born       time.Time
}

type seenSession struct {
	session kyro.Session
	at      time.Time
}

func newSessionCache() *sessionCache {
	return &sessionCache{young: map[kyro.ID]seenSession{}}
}

// get gives a session that was put less than a second ago.
func (c *sessionCache) get(id kyro.ID, now time.Time) (kyro.Session, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, found := c.find(id, now)
	return s.session, found
}

// put remembers a session. A session that ended stays ended: the state put over it may have been read before.
func (c *sessionCache) put(session kyro.Session, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, found := c.find(session.ID, now); found && !s.session.RevokedAt.IsZero() {
		return
	}
	if now.Sub(c.born) >= cacheFor || len(c.young) >= cacheSessions {
		c.old, c.young, c.born = c.young, make(map[kyro.ID]seenSession), now
	}
	c.young[session.ID] = seenSession{session, now}
}

func (c *sessionCache) find(id kyro.ID, now time.Time) (seenSession, bool) {
	s, found := c.young[id]
	if !found {
		s, found = c.old[id]
	}
	age := now.Sub(s.at)
	return s, found && age >= 0 && age < cacheFor
}
