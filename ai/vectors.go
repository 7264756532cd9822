package ai

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"kyrochat/kyro"
)

// VectorSource is where the embeddings of live chunks are kept.
type VectorSource interface {
	// BotKnowledge counts the changes of a bot's live chunks: the same count, the same chunks.
	BotKnowledge(ctx context.Context, bot kyro.ID) (int64, error)
	// BotVectors visits the stored embeddings of a bot's live chunks by the model and dimensions.
	BotVectors(ctx context.Context, bot kyro.ID, model string, dims int, visit func(kyro.ChunkVector) error) error
}

// DefaultVectorMemory is how many bytes of vectors are kept where nothing else is asked for: 65,536 vectors of
// 1,024 dimensions.
const DefaultVectorMemory = 256 << 20

// Vectors searches the embeddings of a bot exactly, in memory. The vectors of a bot are read when it is first
// asked, kept while its knowledge does not change, and dropped for others when memory runs out. It is safe for
// concurrent use.
type Vectors struct {
	source VectorSource
	model  string
	dims   int
	budget int64 // bytes

	mu      sync.Mutex
	held    int64      // bytes
	recent  *list.List // of *matrix, the one used last in front
	byBot   map[kyro.ID]*list.Element
	loading map[state]*loading
}

// state is a bot at one count of its knowledge.
type state struct {
	bot        kyro.ID
	generation int64
}

// loading is a reading of vectors that others wait for. Its fields may be read once done is closed.
type loading struct {
	done   chan struct{}
	matrix *matrix
	err    error
	left   bool // the reader's own ctx ended: the error says nothing about the vectors
}

// NewVectors searches vectors of the model and dimensions. It keeps up to memory bytes of them; zero means
// DefaultVectorMemory. A bot with more than that is searched all the same, and read again each time.
func NewVectors(source VectorSource, model string, dims int, memory int64) *Vectors {
	if memory <= 0 {
		memory = DefaultVectorMemory
	}
	return &Vectors{
		source: source, model: model, dims: dims, budget: memory,
		recent: list.New(), byBot: make(map[kyro.ID]*list.Element), loading: make(map[state]*loading),
	}
}

// SearchVectors gives the chunks of the bot that are nearest to the query, best first, at most limit of them.
// Equal similarities are in order of chunks.
func (v *Vectors) SearchVectors(ctx context.Context, bot kyro.ID, query []float32, limit int) ([]kyro.VectorHit, error) {
	if len(query) != v.dims {
		return nil, fmt.Errorf("search vectors: the query has %d dimensions, the index %d", len(query), v.dims)
	}
	if limit <= 0 {
		return nil, ctx.Err()
	}
	m, err := v.matrix(ctx, bot)
	if err != nil {
		return nil, fmt.Errorf("search vectors: %w", err)
	}
	return m.nearest(ctx, query, limit)
}

// matrix gives the vectors of the bot as its knowledge is now. The first caller reads them under its own ctx; who
// comes meanwhile waits for it, and takes the reading over where the first one leaves.
func (v *Vectors) matrix(ctx context.Context, bot kyro.ID) (*matrix, error) {
	generation, err := v.source.BotKnowledge(ctx, bot)
	if err != nil {
		return nil, fmt.Errorf("read the bot's knowledge: %w", err)
	}
	at := state{bot, generation}
	for {
		m, flight, first := v.join(at)
		switch {
		case m != nil:
			return m, nil
		case first:
			return v.load(ctx, at, flight)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-flight.done:
		}
		if !flight.left {
			return flight.matrix, flight.err
		}
	}
}

// join finds the cached matrix or the reading under way, or starts one.
func (v *Vectors) join(at state) (m *matrix, flight *loading, first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if held, ok := v.byBot[at.bot]; ok {
		if m := held.Value.(*matrix); m.state == at {
			v.recent.MoveToFront(held)
			return m, nil, false
		}
	}
	if flight, ok := v.loading[at]; ok {
		return nil, flight, false
	}
	flight = &loading{done: make(chan struct{}), left: true}
	v.loading[at] = flight
	return nil, flight, true
}

// load reads the vectors for everybody who waits on the flight.
func (v *Vectors) load(ctx context.Context, at state, flight *loading) (*matrix, error) {
	defer func() {
		v.mu.Lock()
		delete(v.loading, at)
		v.mu.Unlock()
		close(flight.done)
	}()
	m, err := v.read(ctx, at)
	flight.matrix, flight.err, flight.left = m, err, ctx.Err() != nil
	if err != nil {
		return nil, err
	}
	v.keep(m)
	return m, nil
}

func (v *Vectors) read(ctx context.Context, at state) (*matrix, error) {
	m := &matrix{state: at, dims: v.dims}
	err := v.source.BotVectors(ctx, at.bot, v.model, v.dims, func(c kyro.ChunkVector) error {
		if len(c.Vector) != v.dims {
			return fmt.Errorf("the vector of %s has %d dimensions, not %d", c.ChunkID, len(c.Vector), v.dims)
		}
		m.chunks = append(m.chunks, c.ChunkID)
		m.values = append(m.values, c.Vector...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the bot's vectors: %w", err)
	}
	return m, nil
}

// keep puts a matrix in the place of an older one of its bot, and drops those that were not used for longest.
func (v *Vectors) keep(m *matrix) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if held, ok := v.byBot[m.bot]; ok {
		if held.Value.(*matrix).generation > m.generation {
			return
		}
		v.drop(held)
	}
	if m.bytes() > v.budget {
		return
	}
	v.byBot[m.bot] = v.recent.PushFront(m)
	v.held += m.bytes()
	for v.held > v.budget {
		v.drop(v.recent.Back())
	}
}

func (v *Vectors) drop(held *list.Element) {
	m := v.recent.Remove(held).(*matrix)
	delete(v.byBot, m.bot)
	v.held -= m.bytes()
}
