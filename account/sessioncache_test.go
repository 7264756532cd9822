package account

import (
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestSessionCacheIsBounded(t *testing.T) {
	t.Parallel()
	c, now := newSessionCache(), time.Unix(1_800_000_000, 0)
	for key := range int64(5 * cacheSessions) {
		c.put(kyro.Session{ID: kyro.SessionID(key + 1)}, now)
	}
	if got := len(c.young) + len(c.old); got > 2*cacheSessions {
		t.Errorf("holds %d sessions", got)
	}
	if _, found := c.get(kyro.SessionID(5*cacheSessions), now); !found {
		t.Error("the newest session is gone")
	}
}

func TestSessionCacheKeepsTheEnd(t *testing.T) {
	t.Parallel()
	c, now := newSessionCache(), time.Unix(1_800_000_000, 0)
	id := kyro.SessionID(1)
	c.put(kyro.Session{ID: id, RevokedAt: now}, now)
	c.put(kyro.Session{ID: id}, now.Add(time.Millisecond))
	if s, _ := c.get(id, now.Add(time.Millisecond)); s.RevokedAt.IsZero() {
		t.Error("a state read before the end replaced it")
	}
	if _, found := c.get(id, now.Add(cacheFor)); found {
		t.Error("an entry of one second was used")
	}
}
