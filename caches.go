package main

import (
	"time"

	"kyrochat/account"
	"kyrochat/catalog"
	"kyrochat/kyro"
	"kyrochat/live"
)

// caches are what this process remembers of the rows that are read often and seldom changed.
type caches struct {
	users     *live.Cache[kyro.User]
	sessions  *live.Cache[kyro.Session]
	bots      *live.Cache[kyro.Bot]
	documents *live.Cache[kyro.Document]
}

const (
	maxCacheTTL  = 10 * time.Minute
	sessionCache = time.Second // so soon does a node refuse a session that another one ended
)

func newCaches(cfg Config) caches {
	entries, ttl := cfg.CacheEntries, cfg.CacheTTL
	return caches{
		users:    live.NewCache(live.CacheConfig[kyro.User]{Entries: entries, TTL: ttl, ID: (*kyro.User).NodeID}),
		sessions: live.NewCache(live.CacheConfig[kyro.Session]{Entries: entries, TTL: min(ttl, sessionCache), ID: (*kyro.Session).NodeID}),
		bots:     live.NewCache(live.CacheConfig[kyro.Bot]{Entries: entries, TTL: ttl, ID: (*kyro.Bot).NodeID, Clone: (*kyro.Bot).Clone}),
		documents: live.NewCache(live.CacheConfig[kyro.Document]{
			Entries: entries, TTL: ttl, ID: (*kyro.Document).NodeID, Clone: (*kyro.Document).Clone,
			// What is not ready changes by itself, on any node: it is read from the store each time.
			Keep: func(d *kyro.Document) bool { return d.Status.Ready() },
		}),
	}
}

func (c caches) account() account.Caches {
	return account.Caches{Users: c.users, Sessions: c.sessions}
}

func (c caches) catalog() catalog.Caches {
	return catalog.Caches{Bots: c.bots, Documents: c.documents}
}

func (c caches) close() {
	c.users.Close()
	c.sessions.Close()
	c.bots.Close()
	c.documents.Close()
}
