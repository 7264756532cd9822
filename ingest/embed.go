package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"kyrochat/ingest/chunk"
	"kyrochat/kyro"
	"kyrochat/text"
)

// elsewherePause is how long a document waits for what is done to its passages elsewhere, such as another document's
// worker that has the same ones embedded at the moment.
const elsewherePause = time.Second

// embedding is the work on the vectors of one version: they are made, kept in the store and put into the index.
type embedding struct {
	*Service
	*turn
	version kyro.IndexedVersion
	title   string
	wanted  func(ctx context.Context) error           // an error once nobody wants the version any more
	tell    func(ctx context.Context, done int) error // how far it is, counted in chunks
	looks   time.Duration                             // how long a turn looks for the version in the index
	put     bool                                      // something went into the index in this turn
}

// do brings the vectors of the version to where answers look for them. It answers kyro.ErrJobAgain when the turn is
// over.
func (e *embedding) do(ctx context.Context) error {
	err := e.stage(ctx, StageEmbed, e.embed)
	if err == nil && e.index != nil {
		err = e.stage(ctx, StageIndex, e.project)
	}
	return err
}

// embed stores an embedding of every chunk that has none yet, batch by batch. Each batch begins with a look at what is
// stored, so that nothing is paid for twice.
func (e *embedding) embed(ctx context.Context) error {
	model, dims := e.embedder.Model()
	missing, err := e.store.CountUnembedded(ctx, e.version, model, dims)
	if err != nil {
		return err
	}
	elsewhere := 0
	for after := -1; missing > 0; {
		if err := e.next(ctx, e.progress(e.version.Chunks-missing-elsewhere, 0), after >= 0); err != nil {
			return err
		}
		chunks, err := e.store.Unembedded(ctx, e.version, model, dims, after, e.batch)
		if err != nil {
			return err
		}
		if len(chunks) == 0 {
			break
		}
		own, release := e.inFlight.claim(chunks)
		if len(own) > 0 {
			err = e.make(ctx, own)
		}
		release()
		if err != nil {
			return err
		}
		after, missing, elsewhere = chunks[len(chunks)-1].Index, missing-len(chunks), elsewhere+len(chunks)-len(own)
	}
	if elsewhere == 0 {
		return nil
	}
	if missing, err = e.store.CountUnembedded(ctx, e.version, model, dims); err != nil || missing == 0 {
		return err
	}
	return kyro.JobAgainAfter(elsewherePause)
}

// next is what comes before every call of an upstream: who watches is told, and whoever must not go on does not.
func (e *embedding) next(ctx context.Context, done int, again bool) error {
	if err := e.tell(ctx, done); err != nil {
		return err
	}
	if again && e.up() || e.busy && e.late(ctx) {
		return kyro.ErrJobAgain
	}
	return e.wanted(ctx)
}

// progress counts both halves of the work in chunks. To embed is the larger part of it.
func (e *embedding) progress(embedded, indexed int) int {
	if e.index == nil {
		return embedded
	}
	return (3*embedded + indexed) / 4
}

// make embeds chunks and stores what it got; those that say the same are embedded once.
func (e *embedding) make(ctx context.Context, chunks []kyro.Chunk) error {
	model, dims := e.embedder.Model()
	var texts, hashes []string
	asked := make(map[string]bool, len(chunks))
	for i := range chunks {
		if hash := chunks[i].ContentHash; !asked[hash] {
			asked[hash] = true
			hashes = append(hashes, hash)
			texts = append(texts, chunk.EmbeddedText(e.title, chunks[i]))
		}
	}
	var made [][]float32
	failed := ask(ctx, theEmbedder, func(ctx context.Context) (err error) {
		made, err = e.embedder.EmbedPassages(ctx, texts)
		return err
	})
	if failed == nil && len(made) != len(texts) {
		return fmt.Errorf("embed %d passages: got %d vectors", len(texts), len(made))
	}
	vectors, tokens := make(map[string][]float32, len(made)), 0
	for i, vector := range made[:min(len(made), len(texts))] {
		if failed != nil && vector == nil {
			continue
		}
		if len(vector) != dims {
			return fmt.Errorf("embed passages: got a vector of %d dimensions, not %d", len(vector), dims)
		}
		vectors[hashes[i]] = vector
		tokens += text.Tokens(texts[i])
	}
	if len(vectors) == 0 {
		return failed
	}
	var used []kyro.EmbeddingUsage
	if e.metered {
		used = []kyro.EmbeddingUsage{{BotID: e.version.BotID, Tokens: tokens, Cost: e.prices.Cost(model, tokens, 0), At: e.time()}}
	}
	if err := e.store.SaveEmbeddings(ctx, model, dims, vectors, used...); err != nil {
		return err
	}
	e.busy = true
	kyro.JobProgress(ctx)
	return failed
}

// inFlight are the passages that this process has embedded at the moment, by what they say. Documents with the same text
// that are worked on at once so share the work: none of it is paid for twice.
type inFlight struct {
	mu     sync.Mutex
	hashes map[string]struct{}
}

// claim gives those of the chunks that nobody else has embedded now, for the caller alone until it calls release.
func (f *inFlight) claim(chunks []kyro.Chunk) (own []kyro.Chunk, release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mine := make(map[string]bool, len(chunks))
	for _, c := range chunks {
		if _, taken := f.hashes[c.ContentHash]; !taken || mine[c.ContentHash] {
			f.hashes[c.ContentHash], mine[c.ContentHash] = struct{}{}, true
			own = append(own, c)
		}
	}
	return own, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for hash := range mine {
			delete(f.hashes, hash)
		}
	}
}
