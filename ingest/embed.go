package ingest

import (
	"context"
	"fmt"

	"kyrochat/ingest/chunk"
	"kyrochat/kyro"
)

// embed stores an embedding of every chunk that has none yet, batch by batch. It answers kyro.ErrJobAgain when the
// turn is over.
func (w *work) embed(ctx context.Context) error {
	model, dims := w.embedder.Model()
	total := w.doc.ChunkCount
	missing, err := w.store.CountUnembedded(ctx, w.id, w.run, model, dims)
	if err != nil {
		return err
	}
	for after := -1; missing > 0; {
		if err := w.advanceEmbedding(ctx, total-missing, total); err != nil {
			return err
		}
		if after >= 0 && w.timeUp() {
			return kyro.ErrJobAgain
		}
		chunks, err := w.store.Unembedded(ctx, w.id, w.run, model, dims, after, w.batch)
		if err != nil || len(chunks) == 0 {
			return err
		}
		vectors, err := w.vectors(ctx, chunks, dims)
		if err != nil {
			return err
		}
		if err := w.store.SaveEmbeddings(ctx, model, dims, vectors); err != nil {
			return err
		}
		after, missing = chunks[len(chunks)-1].Index, missing-len(chunks)
	}
	return nil
}

// advanceEmbedding shows how many chunks are embedded, not more often than a watcher can read.
func (w *work) advanceEmbedding(ctx context.Context, done, total int) error {
	if w.doc.Status == kyro.DocumentEmbedding && w.now().Sub(w.told) < progressEvery {
		return nil
	}
	return w.advance(ctx, kyro.DocumentEmbedding, done, &total)
}

// vectors embeds chunks; those that say the same are embedded once.
func (w *work) vectors(ctx context.Context, chunks []kyro.Chunk, dims int) (map[string][]float32, error) {
	var texts, hashes []string
	vectors := make(map[string][]float32, len(chunks))
	for i := range chunks {
		hash := chunks[i].ContentHash
		if _, asked := vectors[hash]; !asked {
			vectors[hash] = nil
			hashes = append(hashes, hash)
			texts = append(texts, chunk.EmbeddedText(w.doc.Title, chunks[i]))
		}
	}
	made, err := w.embedder.EmbedPassages(ctx, texts)
	if err != nil {
		return nil, err
	}
	if len(made) != len(texts) {
		return nil, fmt.Errorf("embed %d passages: got %d vectors", len(texts), len(made))
	}
	for i, vector := range made {
		if len(vector) != dims {
			return nil, fmt.Errorf("embed passages: got a vector of %d dimensions, not %d", len(vector), dims)
		}
		vectors[hashes[i]] = vector
	}
	return vectors, nil
}
