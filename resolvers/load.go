package resolvers

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vikstrous/dataloadgen"

	"kyrochat/kyro"
)

// loaders read nouns by id in batches and remember them. They live as long as one response, or one event of a
// subscription, and never as long as a socket: what they remember is at most as old as the answer it is part of.
type loaders struct {
	users         loader[*kyro.User]
	bots          loader[*kyro.Bot]
	documents     loader[*kyro.Document]
	chunks        loader[*kyro.Chunk]
	conversations loader[*kyro.Conversation]
	messages      loader[*kyro.Message]
	siblings      loader[[]kyro.Message]
	lastMessages  loader[*kyro.Message]

	mu    sync.Mutex
	pages map[string]any // loaders of pages of children, by list and arguments
}

type loader[T any] = *dataloadgen.Loader[kyro.ID, T]

// A loader waits this long for more ids of the same level of a query, and reads at most so many at once.
const (
	batchWait = time.Millisecond
	batchSize = 1000
)

func (r *Root) newLoaders(v kyro.Viewer) *loaders {
	return &loaders{
		pages:         map[string]any{},
		users:         byID(v, r.Account.Users, func(u *kyro.User) kyro.ID { return u.ID }),
		bots:          byID(v, r.Catalog.Bots, func(b *kyro.Bot) kyro.ID { return b.ID }),
		documents:     byID(v, r.Ingest.Documents, func(d *kyro.Document) kyro.ID { return d.ID }),
		chunks:        byID(v, r.Ingest.Chunks, func(c *kyro.Chunk) kyro.ID { return c.ID }),
		conversations: byID(v, r.Catalog.Conversations, func(c *kyro.Conversation) kyro.ID { return c.ID }),
		messages:      byID(v, r.Catalog.Messages, func(m *kyro.Message) kyro.ID { return m.ID }),
		siblings: batch(func(ctx context.Context, ids []kyro.ID) (map[kyro.ID][]kyro.Message, error) {
			return r.Catalog.Siblings(ctx, v, ids)
		}),
		lastMessages: batch(func(ctx context.Context, ids []kyro.ID) (map[kyro.ID]*kyro.Message, error) {
			rows, err := r.Catalog.LastMessages(ctx, v, ids)
			found := make(map[kyro.ID]*kyro.Message, len(rows))
			for id, m := range rows {
				found[id] = &m
			}
			return found, err
		}),
	}
}

// byID makes a loader of a use case that reads rows in any order and leaves out what is not there.
func byID[T any](v kyro.Viewer, read func(context.Context, kyro.Viewer, []kyro.ID) ([]T, error), id func(*T) kyro.ID) loader[*T] {
	return batch(func(ctx context.Context, ids []kyro.ID) (map[kyro.ID]*T, error) {
		rows, err := read(ctx, v, ids)
		found := make(map[kyro.ID]*T, len(rows))
		for i := range rows {
			found[id(&rows[i])] = &rows[i]
		}
		return found, err
	})
}

func batch[T any](read func(context.Context, []kyro.ID) (map[kyro.ID]T, error)) loader[T] {
	return dataloadgen.NewMappedLoader(read, dataloadgen.WithWait(batchWait), dataloadgen.WithBatchCapacity(batchSize))
}

// load reads one row; none is the zero T without an error.
func load[T any](ctx context.Context, l loader[T], id kyro.ID) (T, error) {
	var none T
	if id.IsZero() {
		return none, nil
	}
	row, err := l.Load(ctx, id)
	if errors.Is(err, dataloadgen.ErrNotFound) {
		return none, nil
	}
	return row, err
}

// loadPage reads a page of one parent's children, together with the pages that other parents of the response are
// asked for with the same arguments.
func loadPage[N any](ctx context.Context, l *loaders, list string, parent kyro.ID, arguments []any, read func(context.Context, []kyro.ID) (map[kyro.ID]kyro.Page[N], error)) (kyro.Page[N], error) {
	asked, err := json.Marshal(arguments)
	if err != nil {
		return kyro.Page[N]{}, err
	}
	key := list + string(asked)
	l.mu.Lock()
	pages, found := l.pages[key].(loader[kyro.Page[N]])
	if !found {
		pages = batch(read)
		l.pages[key] = pages
	}
	l.mu.Unlock()
	return load(ctx, pages, parent)
}

// loadAll reads rows at once, each in the place of its id; the zero T where there is none.
func loadAll[T any](ctx context.Context, l loader[T], ids []kyro.ID) ([]T, error) {
	rows, err := l.LoadAll(ctx, ids)
	if errs, ok := err.(dataloadgen.ErrorSlice); ok {
		for _, err := range errs {
			if err != nil && !errors.Is(err, dataloadgen.ErrNotFound) {
				return nil, err
			}
		}
		return rows, nil
	}
	return rows, err
}

// must reads one row that the contract promises; it is NOT_FOUND where it went away a moment ago.
func must[T any](ctx context.Context, l loader[*T], id kyro.ID) (*T, error) {
	row, err := load(ctx, l, id)
	if err == nil && row == nil {
		return nil, kyro.NotFound(id.Kind)
	}
	return row, err
}

type loadersKey struct{}

func from(ctx context.Context) *loaders { return ctx.Value(loadersKey{}).(*loaders) }

func (r *Root) withLoaders(ctx context.Context) context.Context {
	return context.WithValue(ctx, loadersKey{}, r.newLoaders(kyro.ViewerFrom(ctx)))
}

// AroundResponse gives each response, and each event of a subscription, loaders of its own.
func (r *Root) AroundResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	return next(r.withLoaders(ctx))
}

// AroundRootField gives each field of a mutation loaders of its own, so that it sees what the field before changed.
func (r *Root) AroundRootField(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	if graphql.GetOperationContext(ctx).Operation.Operation == "mutation" {
		ctx = r.withLoaders(ctx)
	}
	return next(ctx)
}
