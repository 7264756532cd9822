package resolvers

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vikstrous/dataloadgen"

	"kyrochat/kyro"
)

// loaders read nouns by id in batches and remember them. They live as long as one response, or one event of a
// subscription, and never as long as a socket: what they remember is at most as old as the answer it is part of.
//
// A batch does not wait for others to ask. What was read is noted in level, row by row; the first row whose field is
// resolved asks for all that were noted (see field), so that each field of a query takes one statement for all of its
// rows, however they are scheduled.
type loaders struct {
	users         loader[*kyro.User]
	bots          loader[*kyro.Bot]
	documents     loader[*kyro.Document]
	chunks        loader[*kyro.Chunk]
	conversations loader[*kyro.Conversation]
	messages      loader[*kyro.Message]
	siblings      loader[[]kyro.Message]
	lastMessages  loader[*kyro.Message]

	level  levels
	fields fields
	mu     sync.Mutex
	pages  map[any]any // fields that are pages of children, by the field of a plan, or by list and arguments
}

// rows reads one kind of rows.
type rows[T any] struct {
	*dataloadgen.Loader[kyro.ID, T]
	read func(context.Context, []kyro.ID) (map[kyro.ID]T, error)

	mu    sync.Mutex
	asked map[kyro.ID]bool
}

type loader[T any] = *rows[T]

// prime reads those of the ids that were not primed before, in one statement; whoever primes meanwhile waits.
func (r *rows[T]) prime(ctx context.Context, ids []kyro.ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var missing []kyro.ID
	for _, id := range ids {
		if !id.IsZero() && !r.asked[id] {
			r.asked[id] = true
			missing = append(missing, id)
		}
	}
	for part := range slices.Chunk(missing, batchSize) {
		found, err := r.read(ctx, part)
		if err != nil {
			return err
		}
		for _, id := range part {
			r.Prime(id, found[id]) // also where there is none
		}
	}
	return nil
}

// batchSize is how many rows are read at once at most.
const batchSize = 1000

func (r *Root) newLoaders(v kyro.Viewer) *loaders {
	l := &loaders{pages: map[any]any{}}
	l.users = byID(v, r.Account.Users, (*kyro.User).NodeID, &l.level.users)
	l.bots = byID(v, r.Catalog.Bots, (*kyro.Bot).NodeID, &l.level.bots)
	l.documents = byID(v, r.Ingest.Documents, (*kyro.Document).NodeID, &l.level.documents)
	l.chunks = byID(v, r.Ingest.Chunks, (*kyro.Chunk).NodeID, &l.level.chunks)
	l.conversations = byID(v, r.Catalog.Conversations, (*kyro.Conversation).NodeID, &l.level.conversations)
	l.messages = byID(v, r.Catalog.Messages, (*kyro.Message).NodeID, &l.level.messages)
	l.siblings = batch(func(ctx context.Context, ids []kyro.ID) (map[kyro.ID][]kyro.Message, error) {
		siblings, err := r.Catalog.Siblings(ctx, v, ids)
		for _, list := range siblings {
			l.level.messages.add(list)
		}
		return siblings, err
	})
	l.lastMessages = batch(func(ctx context.Context, ids []kyro.ID) (map[kyro.ID]*kyro.Message, error) {
		rows, err := r.Catalog.LastMessages(ctx, v, ids)
		found := make(map[kyro.ID]*kyro.Message, len(rows))
		for id, m := range rows {
			found[id] = &m
			l.level.messages.add([]kyro.Message{m})
		}
		return found, err
	})
	l.fields.follow(l)
	return l
}

// byID makes a loader of a use case that reads rows in any order and leaves out what is not there.
func byID[T any](v kyro.Viewer, read func(context.Context, kyro.Viewer, []kyro.ID) ([]T, error), id func(*T) kyro.ID, level *level[T]) loader[*T] {
	return batch(func(ctx context.Context, ids []kyro.ID) (map[kyro.ID]*T, error) {
		rows, err := read(ctx, v, ids)
		found := make(map[kyro.ID]*T, len(rows))
		for i := range rows {
			found[id(&rows[i])] = &rows[i]
		}
		level.add(rows)
		return found, err
	})
}

func batch[T any](read func(context.Context, []kyro.ID) (map[kyro.ID]T, error)) loader[T] {
	return &rows[T]{
		Loader: dataloadgen.NewMappedLoader(read, dataloadgen.WithWait(0), dataloadgen.WithBatchCapacity(batchSize)),
		read:   read, asked: map[kyro.ID]bool{},
	}
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

// promised gives a row that the contract promises; it is NOT_FOUND where it went away a moment ago.
func promised[T any](row *T, err error) func(kyro.ID) (*T, error) {
	return func(id kyro.ID) (*T, error) {
		if err == nil && row == nil {
			return nil, kyro.NotFound(id.Kind)
		}
		return row, err
	}
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
