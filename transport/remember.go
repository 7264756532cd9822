package transport

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// What is remembered of documents, at most. A parsed document takes up to a hundred times its text, so it is the text
// that is counted: a thousand documents of usual length fit, and a few of those that somebody makes to fill memory.
const (
	rememberedDocuments = 1000
	rememberedBytes     = 1 << 20
)

// remembered keeps what was used last, by number and by size.
type remembered[T any] struct {
	size func(key string, value T) int

	mu   sync.Mutex
	kept *simplelru.LRU[string, T]
	held int // bytes
}

var _ graphql.Cache[string] = (*remembered[string])(nil)

func remember[T any](size func(key string, value T) int) *remembered[T] {
	r := &remembered[T]{size: size}
	// The error is of a number that is not positive.
	r.kept, _ = simplelru.NewLRU(rememberedDocuments, func(key string, value T) { r.held -= size(key, value) })
	return r
}

// Get gives what is kept under the key.
func (r *remembered[T]) Get(_ context.Context, key string) (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept.Get(key)
}

// Add keeps a value, and drops those that were not used for longest where there is no room.
func (r *remembered[T]) Add(_ context.Context, key string, value T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept.Remove(key)
	r.kept.Add(key, value)
	for r.held += r.size(key, value); r.held > rememberedBytes; {
		r.kept.RemoveOldest()
	}
}
