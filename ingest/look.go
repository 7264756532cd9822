package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kyrochat/ingest/chunk"
	"kyrochat/kyro"
	"kyrochat/text"
)

// errNotFoundAgain says that a passage of a version that is about to be activated is not found by its own words.
var errNotFoundAgain = errors.New("a passage that was stored is not found by its own words")

const notFoundAgainReason = "The document was read, but its passages cannot be found again. This is a fault on our side. Try it again later."

// chancePassages is how many passages are looked for besides the first, the middle and the last.
const chancePassages = 2

// lookTerms is how many words of a passage it is looked for by.
const lookTerms = 24

// look searches a prepared version for some of its passages by their own words, as people's questions will. What is not
// found is prepared once more.
func (w *work) look(ctx context.Context, v kyro.IndexedVersion) error {
	if v.Chunks == 0 {
		return nil
	}
	indexes := []int{0, v.Chunks / 2, v.Chunks - 1}
	for range chancePassages {
		indexes = append(indexes, min(int(w.random()*float64(v.Chunks)), v.Chunks-1))
	}
	slices.Sort(indexes)
	indexes = slices.Compact(indexes)
	chunks, err := w.store.VersionChunks(ctx, v, indexes)
	if err != nil {
		return err
	}
	seen := len(chunks) == len(indexes)
	for i := 0; seen && i < len(chunks); i++ {
		terms := text.Terms(chunk.EmbeddedText(w.doc.EmbedTitle(), chunks[i]), w.doc.Language)
		terms = terms[max(0, len(terms)-lookTerms):] // of the passage rather than of the title
		if seen, err = w.store.Finds(ctx, v, terms, chunks[i].Index); err != nil {
			return err
		}
	}
	if seen {
		return nil
	}
	if err := w.store.Unprepare(ctx, w.id, w.run); err != nil {
		return err
	}
	return fmt.Errorf("version %d of %s: %w", v.Version, w.id, errNotFoundAgain)
}

// Feed enqueues the work on documents that wait though their owners have a place, which nobody should have missed.
func (s *Service) Feed(ctx context.Context) error {
	owners, err := s.store.Feed(ctx)
	if owners > 0 {
		s.log.InfoContext(ctx, "documents that waited were found", "owners", owners)
	}
	return err
}
