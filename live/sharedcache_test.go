package live_test

import (
	"context"
	"testing"
	"time"

	"kyrochat/internal/redis"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/live"
)

// reader reads one row through a cache of a node.
type reader struct {
	t     *testing.T
	cache *live.Cache[kyro.Bot]
	row   *kyro.Bot // what the store has
	reads int
}

func (r *reader) name() string {
	r.t.Helper()
	rows, err := r.cache.Read(r.t.Context(), kyro.UserID(1), []kyro.ID{kyro.BotID(2)},
		func(context.Context, kyro.ID, []kyro.ID) ([]kyro.Bot, error) {
			r.reads++
			return []kyro.Bot{*r.row}, nil
		})
	fine(r.t, err)
	return rows[0].Name
}

// caching joins a node with a cache of the row, which it remembers for an hour while it is connected.
func caching(t *testing.T, server *redis.Server, name string, row *kyro.Bot) (*node, *reader) {
	r := &reader{t: t, row: row}
	n := join(t, server, name, func(n *node) {
		r.cache = live.NewCache(live.CacheConfig[kyro.Bot]{
			TTL: time.Hour, TTLAlone: time.Nanosecond, ID: func(b *kyro.Bot) kyro.ID { return b.ID }, Shared: n.bus, Name: "bot",
		})
	})
	t.Cleanup(r.cache.Close)
	return n, r
}

func TestWhatOneNodeChangesTheOthersForget(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	row := &kyro.Bot{ID: kyro.BotID(2), Name: "before"}
	_, a := caching(t, server, "a", row)
	_, b := caching(t, server, "b", row)
	for name, forget := range map[string]func(){
		"the row":          func() { a.cache.Forget(kyro.UserID(1), kyro.BotID(2)) },
		"all of the owner": func() { a.cache.ForgetAll(kyro.UserID(1)) },
	} {
		row.Name = "before"
		forget()
		until(t, "b reads again", func() bool { return b.name() == "before" })
		until(t, "b remembers it", func() bool { // what it was told before may still come
			reads := b.reads
			return b.name() == "before" && b.reads == reads
		})
		row.Name = "after"
		forget()
		until(t, "b reads what a has changed, told to forget "+name, func() bool { return b.name() == "after" })
	}
}

func TestCachesDoNotTrustWhatTheyRememberWithoutTheirRedis(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	row := &kyro.Bot{ID: kyro.BotID(2), Name: "before"}
	n, b := caching(t, server, "b", row)
	until(t, "b is connected", n.Connected)
	b.name()
	row.Name = "changed elsewhere, and nobody heard of it"
	if b.name() != "before" {
		t.Fatal("the node does not remember the row")
	}
	fine(t, server.Freeze())
	until(t, "b reads again", func() bool { return b.name() == row.Name })
	row.Name = "changed once more"
	until(t, "b reads again", func() bool { return b.name() == row.Name })
	fine(t, server.Thaw())
	until(t, "b is connected again", n.Connected)
	until(t, "and remembers again", func() bool {
		reads := b.reads
		b.name()
		b.name()
		return b.reads <= reads+1
	})
}

func TestProgressIsSeenOnEveryNode(t *testing.T) {
	t.Parallel()
	server := testdb.Redis(t)
	boards := map[string]*live.SharedProgress{}
	board := func(name string) func(n *node) {
		return func(n *node) { boards[name] = live.NewSharedProgress(n.bus, live.NewProgress(live.ProgressConfig{})) }
	}
	join(t, server, "a", board("a"))
	n := join(t, server, "b", board("b"))
	until(t, "b is connected", n.Connected)
	total := 7
	at := time.Date(2026, 11, 22, 10, 0, 0, 5000, time.UTC)
	want := kyro.DocumentProgress{
		DocumentID: kyro.DocumentID(3), Status: kyro.DocumentEmbedding, StageDone: 2, StageTotal: &total, Reached: 0.5, RetryAt: &at, UpdatedAt: at,
	}
	for _, topic := range []kyro.ID{kyro.DocumentID(3), kyro.BotID(2)} {
		_, position, _, err := boards["b"].Read(t.Context(), topic, -1)
		fine(t, err)
		boards["a"].Publish(t.Context(), kyro.BotID(2), want)
		changes, position, lost, err := boards["b"].Read(t.Context(), topic, position)
		fine(t, err)
		if lost || len(changes) == 0 {
			t.Fatalf("%v: %v, lost %v", topic, changes, lost)
		}
		got := changes[len(changes)-1]
		if *got.StageTotal != total || !got.RetryAt.Equal(at) || !got.UpdatedAt.Equal(at) || got.Status != want.Status || got.DocumentID != want.DocumentID || got.StageDone != 2 || got.Reached != 0.5 {
			t.Errorf("%v arrived, want %v", got, want)
		}
		fine(t, server.Freeze())
		if _, _, lost, err := boards["b"].Read(t.Context(), topic, position); !lost || err != nil {
			t.Errorf("while Redis is away the watcher is not told that changes may be lost: %v", err)
		}
		fine(t, server.Thaw())
		until(t, "b is connected again", n.Connected)
	}
}
