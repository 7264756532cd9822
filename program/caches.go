package program

import (
	"time"

	"kyrochat/account"
	"kyrochat/catalog"
	"kyrochat/config"
	"kyrochat/kyro"
	"kyrochat/live"
)

// caches are what this process remembers of the rows that are read often and seldom changed.
type caches struct {
	users     *live.Cache[kyro.User]
	sessions  *live.Cache[kyro.Session]
	keys      *live.Cache[kyro.APIKey]
	bots      *live.Cache[kyro.Bot]
	documents *live.Cache[kyro.Document]
}

const (
	sessionCache = time.Second            // so soon does a node refuse a session or an API key that another one ended
	alone        = 900 * time.Millisecond // so soon does a node see what another one changed that it cannot hear
)

// newCaches makes the caches. What another process changes is known by the bus; where there is none, or while it is
// away, by nothing being older than unheard says.
func newCaches(cfg config.Config, several bool, bus *live.Bus, unheard time.Duration) caches {
	entries, ttl := cfg.CacheEntries, cfg.CacheTTL
	if several && bus == nil {
		ttl = min(ttl, unheard)
	}
	return caches{
		users:    live.NewCache(live.CacheConfig[kyro.User]{Name: "user", Shared: bus, TTLAlone: unheard, Entries: entries, TTL: ttl, ID: (*kyro.User).NodeID}),
		sessions: live.NewCache(live.CacheConfig[kyro.Session]{Name: "session", Shared: bus, TTLAlone: unheard, Entries: entries, TTL: min(ttl, sessionCache), ID: (*kyro.Session).NodeID}),
		keys:     live.NewCache(live.CacheConfig[kyro.APIKey]{Name: "key", Shared: bus, TTLAlone: unheard, Entries: entries, TTL: min(ttl, sessionCache), ID: (*kyro.APIKey).NodeID, Clone: (*kyro.APIKey).Clone}),
		bots:     live.NewCache(live.CacheConfig[kyro.Bot]{Name: "bot", Shared: bus, TTLAlone: unheard, Entries: entries, TTL: ttl, ID: (*kyro.Bot).NodeID, Clone: (*kyro.Bot).Clone}),
		documents: live.NewCache(live.CacheConfig[kyro.Document]{
			Name: "document", Shared: bus, TTLAlone: unheard, Entries: entries, TTL: ttl, ID: (*kyro.Document).NodeID, Clone: (*kyro.Document).Clone,
			// What is not ready changes by itself, on any node: it is read from the store each time.
			Keep: func(d *kyro.Document) bool { return d.Status.Ready() },
		}),
	}
}

func (c caches) account() account.Caches {
	return account.Caches{Users: c.users, Sessions: c.sessions, Keys: c.keys}
}

func (c caches) catalog() catalog.Caches {
	return catalog.Caches{Bots: c.bots, Documents: c.documents}
}

func (c caches) close() {
	if c.users == nil {
		return // they were not made yet
	}
	c.users.Close()
	c.sessions.Close()
	c.keys.Close()
	c.bots.Close()
	c.documents.Close()
}
