package resolvers

import (
	"context"
	"errors"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vikstrous/dataloadgen"

	"kyrochat/kyro"
)

// loaders read nouns by id in batches and remember them. They live as long as one response, or one event of a
// subscription, and never as long as a socket: what they remember is at most as old as the answer it is part of.
//
// A batch does not wait for others to ask. What was read is noted in level, row by row; the first row whose field is
// resolved asks for all that were noted (see follow), so that each field of a query takes one statement for all of its
// rows, however they are scheduled.
type loaders struct {
	root   *Root
	viewer kyro.Viewer
	level  levels

	mu            sync.Mutex // of what is made when it is first asked for
	users         loader[*kyro.User]
	sessions      loader[*kyro.Session]
	keys          loader[*kyro.APIKey]
	bots          loader[*kyro.Bot]
	documents     loader[*kyro.Document]
	chunks        loader[*kyro.Chunk]
	crawls        loader[*kyro.Crawl]
	slots         loader[*kyro.UploadSlot]
	exports       loader[*kyro.Export]
	gaps          loader[*kyro.Gap]
	conversations loader[*kyro.Conversation]
	messages      loader[*kyro.Message]
	siblings      loader[[]kyro.Message]
	lastMessages  loader[*kyro.Message]
	below         map[any]any // of each parent, by the field of a plan, or by name and arguments

	followed struct {
		gapBot, gapDocument, gapQuestionMessage, exportBot, crawlBot, crawlPageDocument, documentCrawl, botOwner, documentBot, chunkDocument, conversationBot, conversationUser, conversationLast, messageTalk, messageParent,
		messageSiblings, citedDocuments, citedChunks followed
	}
}

// rows reads one kind of rows.
type rows[T any] struct {
	*dataloadgen.Loader[kyro.ID, T]
	read func(context.Context, []kyro.ID) (map[kyro.ID]T, error)

	mu     sync.Mutex
	primed map[kyro.ID]reached[T]
	known  func(kyro.ID) (T, bool)
	note   func(context.Context, []T) // notes rows that were read before, for the field of ctx; nil where none follows
}

// reached is a row, the zero T where there is none, and the field that led to it last.
type reached[T any] struct {
	row T
	by  *ast.Field
}

type loader[T any] = *rows[T]

// prime reads those of the ids that were not primed before, in one statement; whoever primes meanwhile waits. What a
// list of the response brought already is not read again.
func (r *rows[T]) prime(ctx context.Context, ids []kyro.ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	by := fieldOf(ctx)
	var missing []kyro.ID
	var before []T
	for _, id := range ids {
		if id.IsZero() {
			continue
		}
		at, done := r.primed[id]
		if done && at.by == by {
			continue
		}
		if !done && r.known != nil {
			at.row, done = r.known(id)
		}
		if done {
			before = append(before, at.row)
		} else {
			missing = append(missing, id)
		}
		r.primed[id] = reached[T]{at.row, by}
	}
	if len(before) > 0 && r.note != nil {
		r.note(ctx, before)
	}
	for len(missing) > 0 {
		part := missing[:min(len(missing), batchSize)]
		found, err := r.read(ctx, part)
		if err != nil {
			for _, id := range missing { // which may be there: another field that leads to one of them asks again
				delete(r.primed, id)
			}
			return err
		}
		for id, row := range found {
			r.primed[id] = reached[T]{row, by}
		}
		missing = missing[len(part):]
	}
	return nil
}

// batchSize is how many rows are read at once at most.
const batchSize = 1000

func (l *loaders) botLevel() *level[kyro.Bot]                   { return &l.level.bots }
func (l *loaders) documentLevel() *level[kyro.Document]         { return &l.level.documents }
func (l *loaders) chunkLevel() *level[kyro.Chunk]               { return &l.level.chunks }
func (l *loaders) crawlLevel() *level[kyro.Crawl]               { return &l.level.crawls }
func (l *loaders) crawlPageLevel() *level[kyro.CrawlPage]       { return &l.level.crawlPages }
func (l *loaders) exportLevel() *level[kyro.Export]             { return &l.level.exports }
func (l *loaders) gapLevel() *level[kyro.Gap]                   { return &l.level.gaps }
func (l *loaders) gapQuestionLevel() *level[kyro.GapQuestion]   { return &l.level.gapQuestions }
func (l *loaders) conversationLevel() *level[kyro.Conversation] { return &l.level.conversations }
func (l *loaders) messageLevel() *level[kyro.Message]           { return &l.level.messages }

func (l *loaders) userRows() loader[*kyro.User] {
	return made(l, &l.users, func() loader[*kyro.User] {
		return byID(l.viewer, l.root.Account.Users, (*kyro.User).NodeID, &l.level.users)
	})
}

func (l *loaders) sessionRows() loader[*kyro.Session] {
	return made(l, &l.sessions, func() loader[*kyro.Session] {
		return leaves(l.viewer, l.root.Account.SessionsByID, (*kyro.Session).NodeID)
	})
}

func (l *loaders) keyRows() loader[*kyro.APIKey] {
	return made(l, &l.keys, func() loader[*kyro.APIKey] {
		return byID(l.viewer, l.root.Account.APIKeysByID, (*kyro.APIKey).NodeID, &l.level.keys)
	})
}

func (l *loaders) botRows() loader[*kyro.Bot] {
	return made(l, &l.bots, func() loader[*kyro.Bot] {
		return byID(l.viewer, l.root.Catalog.Bots, (*kyro.Bot).NodeID, &l.level.bots).anew()
	})
}

func (l *loaders) documentRows() loader[*kyro.Document] {
	return made(l, &l.documents, func() loader[*kyro.Document] {
		return byID(l.viewer, l.root.Ingest.Documents, (*kyro.Document).NodeID, &l.level.documents)
	})
}

func (l *loaders) chunkRows() loader[*kyro.Chunk] {
	return made(l, &l.chunks, func() loader[*kyro.Chunk] {
		return byID(l.viewer, l.root.Ingest.Chunks, (*kyro.Chunk).NodeID, &l.level.chunks)
	})
}

func (l *loaders) crawlRows() loader[*kyro.Crawl] {
	return made(l, &l.crawls, func() loader[*kyro.Crawl] {
		return byID(l.viewer, l.root.Ingest.Crawls, (*kyro.Crawl).NodeID, &l.level.crawls)
	})
}

func (l *loaders) gapRows() loader[*kyro.Gap] {
	return made(l, &l.gaps, func() loader[*kyro.Gap] {
		return byID(l.viewer, l.root.Gaps.ByID, (*kyro.Gap).NodeID, &l.level.gaps)
	})
}

func (l *loaders) slotRows() loader[*kyro.UploadSlot] {
	return made(l, &l.slots, func() loader[*kyro.UploadSlot] {
		return leaves(l.viewer, l.root.Ingest.Slots, (*kyro.UploadSlot).NodeID)
	})
}

func (l *loaders) exportRows() loader[*kyro.Export] {
	return made(l, &l.exports, func() loader[*kyro.Export] {
		return byID(l.viewer, l.root.Exports.Exports, (*kyro.Export).NodeID, &l.level.exports)
	})
}

func (l *loaders) conversationRows() loader[*kyro.Conversation] {
	return made(l, &l.conversations, func() loader[*kyro.Conversation] {
		return byID(l.viewer, l.root.Catalog.Conversations, (*kyro.Conversation).NodeID, &l.level.conversations)
	})
}

func (l *loaders) messageRows() loader[*kyro.Message] {
	return made(l, &l.messages, func() loader[*kyro.Message] {
		return byID(l.viewer, l.root.Catalog.Messages, (*kyro.Message).NodeID, &l.level.messages).anew()
	})
}

func (l *loaders) siblingRows() loader[[]kyro.Message] {
	return made(l, &l.siblings, func() loader[[]kyro.Message] {
		return batch(func(ctx context.Context, ids []kyro.ID) (map[kyro.ID][]kyro.Message, error) {
			siblings, err := l.root.Catalog.Siblings(ctx, l.viewer, ids)
			for _, list := range siblings {
				l.level.messages.add(ctx, list)
			}
			return siblings, err
		})
	})
}

func (l *loaders) lastMessageRows() loader[*kyro.Message] {
	return made(l, &l.lastMessages, func() loader[*kyro.Message] {
		return batch(func(ctx context.Context, ids []kyro.ID) (map[kyro.ID]*kyro.Message, error) {
			rows, err := l.root.Catalog.LastMessages(ctx, l.viewer, ids)
			found := make(map[kyro.ID]*kyro.Message, len(rows))
			for id, m := range rows {
				found[id] = &m
				l.level.messages.add(ctx, []kyro.Message{m})
			}
			return found, err
		})
	})
}

// anew makes a loader read all that it is asked for: lists may bring bots and messages in part.
func (r *rows[T]) anew() loader[T] {
	r.known = nil
	return r
}

// made makes a loader when it is first asked for: most responses need one or two.
func made[T any](l *loaders, at *loader[T], make func() loader[T]) loader[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *at == nil {
		*at = make()
	}
	return *at
}

// leaves makes a loader of a use case that reads rows in any order and leaves out what is not there. Nothing follows
// them.
func leaves[T any](v kyro.Viewer, read func(context.Context, kyro.Viewer, []kyro.ID) ([]T, error), id func(*T) kyro.ID) loader[*T] {
	return batch(func(ctx context.Context, ids []kyro.ID) (map[kyro.ID]*T, error) {
		rows, err := read(ctx, v, ids)
		found := make(map[kyro.ID]*T, len(rows))
		for i := range rows {
			found[id(&rows[i])] = &rows[i]
		}
		return found, err
	})
}

// byID is leaves for rows that others follow.
func byID[T any](v kyro.Viewer, read func(context.Context, kyro.Viewer, []kyro.ID) ([]T, error), id func(*T) kyro.ID, level *level[T]) loader[*T] {
	l := leaves(v, func(ctx context.Context, v kyro.Viewer, ids []kyro.ID) ([]T, error) {
		rows, err := read(ctx, v, ids)
		level.add(ctx, rows)
		return rows, err
	}, id)
	l.known = func(wanted kyro.ID) (*T, bool) { return level.find(wanted, id) }
	l.note = func(ctx context.Context, before []*T) {
		rows := make([]T, 0, len(before))
		for _, row := range before {
			if row != nil {
				rows = append(rows, *row)
			}
		}
		level.add(ctx, rows)
	}
	return l
}

func batch[T any](read func(context.Context, []kyro.ID) (map[kyro.ID]T, error)) loader[T] {
	return &rows[T]{
		Loader: dataloadgen.NewMappedLoader(read, dataloadgen.WithWait(0), dataloadgen.WithBatchCapacity(batchSize)),
		read:   read, primed: map[kyro.ID]reached[T]{},
	}
}

// load reads one row; none is the zero T without an error.
func load[T any](ctx context.Context, l loader[T], id kyro.ID) (T, error) {
	var none T
	if id.IsZero() {
		return none, nil
	}
	l.mu.Lock()
	at, primed := l.primed[id]
	l.mu.Unlock()
	if primed {
		return at.row, nil
	}
	row, err := l.Load(ctx, id)
	if errors.Is(err, dataloadgen.ErrNotFound) {
		return none, nil
	}
	return row, err
}

// loadAll reads rows at once, each in the place of its id; the zero T where there is none.
func loadAll[T any](ctx context.Context, l loader[T], ids []kyro.ID) ([]T, error) {
	if err := l.prime(ctx, ids); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := make([]T, len(ids))
	for i, id := range ids {
		rows[i] = l.primed[id].row
	}
	return rows, nil
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

// lazy makes the loaders of a response when they are first asked for: most events of a stream need none.
type lazy struct {
	root *Root
	once sync.Once
	made *loaders
}

func from(ctx context.Context) *loaders {
	l := ctx.Value(loadersKey{}).(*lazy)
	l.once.Do(func() { l.made = &loaders{root: l.root, viewer: kyro.ViewerFrom(ctx)} })
	return l.made
}

func (r *Root) withLoaders(ctx context.Context) context.Context {
	ctx = kyro.WithBudget(ctx, r.MaxRead)
	return context.WithValue(ctx, loadersKey{}, &lazy{root: r})
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
