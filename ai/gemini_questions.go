package ai

import (
	"context"
	"sync"
	"time"

	"github.com/graph-gophers/dataloader/v7"
	lru "github.com/hashicorp/golang-lru/v2"
)

// How questions are joined.
const (
	joinWait       = time.Millisecond // for others, where there are any
	mostRemembered = 2_048            // questions whose vectors are kept; 6 MB at 768 dimensions
)

// questions embeds what people ask. Somebody who is alone is not kept waiting. Who asks while others wait for their
// vectors goes into one call with all that come within a millisecond. What was asked of late, or is being asked, is not
// sent again; a failure is not kept.
type questions struct {
	embed    func(ctx context.Context, texts []string) ([][]float32, error)
	recent   *recentQuestions
	alone    *dataloader.Loader[string, []float32] // sends at once
	together *dataloader.Loader[string, []float32]

	// Calls belong to all who wait for them, so that they end with the last of this, not with a caller.
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	asking int // callers who wait
	closed bool
	wait   sync.WaitGroup
}

func newQuestions(embed func(ctx context.Context, texts []string) ([][]float32, error)) *questions {
	q := &questions{embed: embed, recent: newRecentQuestions()}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	cache := dataloader.WithCache[string, []float32](q.recent)
	q.alone = dataloader.NewBatchedLoader(q.batch, cache, dataloader.WithBatchCapacity[string, []float32](1))
	q.together = dataloader.NewBatchedLoader(q.batch, cache, dataloader.WithBatchCapacity[string, []float32](mostBatch),
		dataloader.WithWait[string, []float32](joinWait))
	return q
}

// close gives up what is under way, and waits for it.
func (q *questions) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.cancel()
	q.wait.Wait()
}

// ask gives the vector of a question, which is the caller's to keep. It ends with ctx.
func (q *questions) ask(ctx context.Context, question string) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type result struct {
		vector []float32
		err    error
	}
	got := make(chan result, 1)
	thunk := q.load(question)
	if thunk == nil {
		return nil, context.Canceled
	}
	go func() {
		defer q.wait.Done()
		vector, err := thunk()
		q.mu.Lock()
		q.asking--
		q.mu.Unlock()
		got <- result{vector, err}
	}()
	select {
	case r := <-got:
		if r.err != nil {
			return nil, r.err
		}
		return append([]float32(nil), r.vector...), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// load puts the question in a call, or finds it in one. nil: this is closed.
func (q *questions) load(question string) dataloader.Thunk[[]float32] {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	q.wait.Add(1)
	q.asking++
	loader := q.together
	if q.asking == 1 {
		loader = q.alone
	}
	return loader.Load(q.ctx, question)
}

// batch makes the call. A failure is everybody's, and is forgotten.
func (q *questions) batch(ctx context.Context, texts []string) []*dataloader.Result[[]float32] {
	vectors, err := q.embed(ctx, texts)
	results := make([]*dataloader.Result[[]float32], len(texts))
	for i, s := range texts {
		if err != nil {
			q.recent.Delete(ctx, s)
			results[i] = &dataloader.Result[[]float32]{Error: err}
			continue
		}
		results[i] = &dataloader.Result[[]float32]{Data: vectors[i]}
	}
	return results
}

// recentQuestions keeps the questions used last, for the loaders.
type recentQuestions struct {
	kept *lru.Cache[string, dataloader.Thunk[[]float32]]
}

func newRecentQuestions() *recentQuestions {
	kept, err := lru.New[string, dataloader.Thunk[[]float32]](mostRemembered)
	if err != nil {
		panic(err) // its size is a positive constant
	}
	return &recentQuestions{kept}
}

func (r *recentQuestions) Get(_ context.Context, question string) (dataloader.Thunk[[]float32], bool) {
	return r.kept.Get(question)
}

func (r *recentQuestions) Set(_ context.Context, question string, thunk dataloader.Thunk[[]float32]) {
	r.kept.Add(question, thunk)
}

func (r *recentQuestions) Delete(_ context.Context, question string) bool {
	return r.kept.Remove(question)
}

func (r *recentQuestions) Clear() { r.kept.Purge() }
