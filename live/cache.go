package live

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"kyrochat/kyro"
)

// CacheConfig says what a cache remembers, and its bounds. ID is required.
type CacheConfig[T any] struct {
	Entries int           // about how many rows are remembered; above it those go that are of the least use; 10,000
	TTL     time.Duration // how old a row may be that is given; 0: nothing is remembered

	ID    func(*T) kyro.ID
	Clone func(*T) T    // a copy that shares nothing with the row; nil where assigning makes one
	Keep  func(*T) bool // whether a row is remembered once it was read; nil: every row is

	// Shared tells the other nodes what to forget, and hears it from them, under the Name. While it does not arrive
	// here, nothing older than TTLAlone is given. Without it, TTL alone bounds what other nodes have changed.
	Shared   *Bus
	Name     string
	TTLAlone time.Duration
}

// Cache remembers rows of one kind under their owners, so that what is read often and seldom changed does not go to
// the store each time. It knows what it was told: whoever changes a row calls Forget after the write returned.
//
// No Read that begins after Forget gives what was read before it, also where that read is still under way. Every row
// that is given is a copy. What is not there is not remembered.
type Cache[T any] struct {
	rows  *otter.Cache[cacheKey, *T] // nil where nothing is remembered. No row in it is ever changed
	id    func(*T) kyro.ID
	clone func(*T) T
	// eras count how often all rows of an owner were forgotten, which makes their keys others. Owners share a
	// counter where there are many: to forget too much is only to read again.
	eras [256]atomic.Uint64

	shared *Bus
	name   string

	hits, misses atomic.Uint64 // rows that were asked for, and there or not
}

// forgotten is what the nodes tell each other: one row, or all of the owner where ID is zero.
type forgotten struct{ Owner, ID kyro.ID }

type cacheKey struct {
	owner, id kyro.ID
	era       uint64
}

// NewCache makes an empty cache. Close ends it.
func NewCache[T any](c CacheConfig[T]) *Cache[T] {
	cache := &Cache[T]{id: c.ID, clone: c.Clone, shared: c.Shared, name: "forget " + c.Name}
	if cache.clone == nil {
		cache.clone = func(row *T) T { return *row }
	}
	if c.TTL <= 0 {
		return cache
	}
	if c.Entries <= 0 {
		c.Entries = 10_000
	}
	cache.rows = otter.Must(&otter.Options[cacheKey, *T]{
		MaximumSize: c.Entries,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[cacheKey, *T]) time.Duration {
			if c.Keep != nil && !c.Keep(e.Value) {
				return 1 // gone at once; 0 would be for ever
			}
			if c.Shared != nil && !c.Shared.Connected() {
				return min(c.TTL, c.TTLAlone)
			}
			return c.TTL
		}),
	})
	On(c.Shared, cache.name, func(f forgotten) {
		if f.ID.IsZero() {
			cache.forgetAll(f.Owner)
		} else {
			cache.forget(f.Owner, f.ID)
		}
	})
	c.Shared.OnMissed(cache.clear)
	return cache
}

// Read gives the owner's rows with the ids, in any order: those that are remembered, and the others by one call of
// read. Where another Read is reading some of them already, it waits for these; an error of that call is then its own,
// but not that the other caller went away. The rows of read must be the owner's, whoever asks.
func (c *Cache[T]) Read(
	ctx context.Context, owner kyro.ID, ids []kyro.ID, read func(context.Context, kyro.ID, []kyro.ID) ([]T, error),
) ([]T, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if c.rows == nil {
		return read(ctx, owner, ids)
	}
	era := c.era(owner).Load()
	if len(ids) == 1 { // most often so, and then in the cache
		if row, found := c.rows.GetIfPresent(cacheKey{owner, ids[0], era}); found {
			c.hits.Add(1)
			return []T{c.clone(row)}, nil
		}
	}
	keys := make([]cacheKey, len(ids))
	for i, id := range ids {
		keys[i] = cacheKey{owner, id, era}
	}
	there := len(ids)
	found, err := c.rows.BulkGet(ctx, keys, otter.BulkLoaderFunc[cacheKey, *T](
		func(ctx context.Context, missing []cacheKey) (map[cacheKey]*T, error) {
			ids := make([]kyro.ID, len(missing))
			for i, key := range missing {
				ids[i] = key.id
			}
			there -= len(missing)
			c.misses.Add(uint64(len(missing)))
			list, err := read(ctx, owner, ids)
			rows := make(map[cacheKey]*T, len(list))
			for i := range list {
				rows[cacheKey{owner, c.id(&list[i]), era}] = &list[i]
			}
			return rows, err
		}))
	c.hits.Add(uint64(max(0, there))) // an id may be asked for twice
	if err != nil {
		return nil, firstOf(err)
	}
	rows := make([]T, 0, len(found))
	for _, row := range found {
		rows = append(rows, c.clone(row))
	}
	return rows, nil
}

// firstOf takes one error of those that the calls waited for ended with: to the caller they are one failure.
func firstOf(err error) error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return several.Unwrap()[0]
	}
	return err
}

// Forget forgets one row of the owner, here at once and on the other nodes soon. Reads of it that are under way read
// again.
func (c *Cache[T]) Forget(owner, id kyro.ID) {
	c.forget(owner, id)
	Send(c.shared, c.name, forgotten{owner, id})
}

// ForgetAll forgets all rows of the owner.
func (c *Cache[T]) ForgetAll(owner kyro.ID) {
	c.forgetAll(owner)
	Send(c.shared, c.name, forgotten{Owner: owner})
}

func (c *Cache[T]) forget(owner, id kyro.ID) {
	if c.rows != nil {
		c.rows.Invalidate(cacheKey{owner, id, c.era(owner).Load()})
	}
}

func (c *Cache[T]) forgetAll(owner kyro.ID) { c.era(owner).Add(1) }

// clear forgets everything.
func (c *Cache[T]) clear() {
	for i := range c.eras {
		c.eras[i].Add(1)
	}
}

func (c *Cache[T]) era(owner kyro.ID) *atomic.Uint64 {
	return &c.eras[uint64(owner.Key)%uint64(len(c.eras))]
}

// Requests is how many rows the cache was asked for and had, or had not. One that somebody else was reading already counts as
// had.
func (c *Cache[T]) Requests() (hits, misses uint64) { return c.hits.Load(), c.misses.Load() }

// Close ends what the cache does in the background.
func (c *Cache[T]) Close() {
	if c.rows != nil {
		c.rows.StopAllGoroutines()
	}
}
