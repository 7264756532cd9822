package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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

// Jobs is the queue.
type Jobs interface {
	// Lost gives those of the jobs, all of one kind, of which there is nothing left to do in the queue.
	Lost(ctx context.Context, jobs []kyro.Job) ([]kyro.Job, error)
}

// A document of which nothing was heard for so long is asked about in the queue, so many at once.
const (
	lostAfter = 10 * time.Minute
	lostBatch = 500
)

// Feed enqueues the work on documents that wait though their owners have a place, and on those whose job the queue has lost,
// neither of which should have happened.
func (s *Service) Feed(ctx context.Context) error {
	owners, err := s.store.Feed(ctx)
	if owners > 0 {
		s.log.InfoContext(ctx, "documents that waited were found", "owners", owners)
	}
	if err != nil || s.jobs == nil {
		return err
	}
	for last := (kyro.ID{}); ; {
		jobs, err := s.store.Overdue(ctx, s.now().Add(-lostAfter), last, lostBatch)
		if err != nil || len(jobs) == 0 {
			return err
		}
		last = kyro.DocumentID(jobs[len(jobs)-1].Key)
		// The rows were read first: a job that is gone by now and was not lost has ended its run.
		lost, err := s.jobs.Lost(ctx, jobs)
		if err != nil {
			return err
		}
		for _, job := range lost {
			enqueued, err := s.store.EnqueueAgain(ctx, job)
			if err != nil {
				return err
			}
			if enqueued {
				s.log.WarnContext(ctx, "the job of a document was lost, and is enqueued again", "document", kyro.DocumentID(job.Key).String())
			}
		}
	}
}
