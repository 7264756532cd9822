package ai

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/graph-gophers/dataloader/v7"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"kyrochat/kyro"
)

// How questions are joined.
const (
	joinWait       = time.Millisecond // for others, where there are any
	mostRemembered = 2_048            // questions whose vectors are kept; 6 MB at 768 dimensions
)

// questions embeds what people ask. Somebody who is alone is not kept waiting. A question that comes while others are
// under way goes into one call with all that come within a millisecond. What was asked of late, or is being asked, is
// not sent again; a failure is everybody's who waits for it, and is not kept.
type questions struct {
	alone    *dataloader.Loader[string, []float32] // sends at once
	together *dataloader.Loader[string, []float32]

	// Calls belong to all who wait for them: they end with the last of this, not with a caller.
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	recent   *simplelru.LRU[sum, *question]
	underWay int
	closed   bool
	wait     sync.WaitGroup
}

// sum stands for a question, which may be long: what is kept of one is bounded.
type sum = [sha256.Size]byte

// question is one that was asked. Its vector is there once done is closed.
type question struct {
	done   chan struct{}
	vector []float32
	err    error
}

// newQuestions takes what embeds a few questions, each of which is there once.
func newQuestions(embed func(ctx context.Context, texts []string) ([][]float32, error)) *questions {
	q := &questions{}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	var err error
	if q.recent, err = simplelru.NewLRU[sum, *question](mostRemembered, nil); err != nil {
		panic(err) // its size is a positive constant
	}
	var batch dataloader.BatchFunc[string, []float32]
	batch = func(ctx context.Context, texts []string) []*dataloader.Result[[]float32] {
		vectors, err := embed(ctx, texts)
		if n := len(texts); n > 1 && kyro.ErrorCode(err) == kyro.CodeValidation {
			// One of them is refused for what it is, which is nothing to the others.
			return append(batch(ctx, texts[:n/2]), batch(ctx, texts[n/2:])...)
		}
		results := make([]*dataloader.Result[[]float32], len(texts))
		for i := range texts {
			results[i] = &dataloader.Result[[]float32]{Error: err}
			if err == nil {
				results[i].Data = vectors[i]
			}
		}
		return results
	}
	// The loader's own cache would keep everything for ever, failures too.
	none := dataloader.WithCache[string, []float32](&dataloader.NoCache[string, []float32]{})
	q.alone = dataloader.NewBatchedLoader(batch, none, dataloader.WithBatchCapacity[string, []float32](1))
	q.together = dataloader.NewBatchedLoader(batch, none, dataloader.WithBatchCapacity[string, []float32](mostBatch),
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

// ask gives the vector of a question, which is the caller's to keep. It ends with ctx. The call is not the caller's alone, so
// that its trace has how long it waited for it.
func (q *questions) ask(ctx context.Context, s string) (vector []float32, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	began := time.Now()
	asked := q.find(s)
	select {
	case <-asked.done:
		return slices.Clone(asked.vector), asked.err
	default:
	}
	defer func() {
		kyro.TraceFrom(ctx).Called(kyro.Called{System: gemini, Name: callQuestions, Began: began, Code: kyro.CallCode(err)})
	}()
	select {
	case <-asked.done:
		return slices.Clone(asked.vector), asked.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// find gives the question as it was asked before, or asks it.
func (q *questions) find(s string) *question {
	key := sha256.Sum256([]byte(s))
	q.mu.Lock()
	defer q.mu.Unlock()
	if known, ok := q.recent.Get(key); ok {
		return known
	}
	asked := &question{done: make(chan struct{})}
	if q.closed {
		asked.err = context.Canceled
		close(asked.done)
		return asked
	}
	q.recent.Add(key, asked)
	loader := q.together
	if q.underWay == 0 {
		loader = q.alone
	}
	q.underWay++
	thunk := loader.Load(q.ctx, s)
	q.wait.Go(func() { q.answer(key, asked, thunk) })
	return asked
}

// answer waits for the vector.
func (q *questions) answer(key sum, asked *question, thunk dataloader.Thunk[[]float32]) {
	asked.vector, asked.err = thunk()
	q.mu.Lock()
	q.underWay--
	if known, ok := q.recent.Peek(key); ok && known == asked && asked.err != nil {
		q.recent.Remove(key)
	}
	q.mu.Unlock()
	close(asked.done)
}
