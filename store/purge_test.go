package store_test

import (
	"fmt"
	"sync"
	"testing"

	"kyrochat/kyro"
)

// purge runs a purge to its end and gives the number of its turns.
func (k *knowledge) purge(t *testing.T, id kyro.ID) int {
	t.Helper()
	for turns := 1; turns < 100; turns++ {
		done, err := k.store.Purge(t.Context(), id)
		check(t, err)
		if done {
			return turns
		}
	}
	t.Fatalf("the purge of %s has no end", id)
	return 0
}

func (k *knowledge) rows(t *testing.T, id kyro.ID) [4]int {
	t.Helper()
	of := fmt.Sprintf("document_id = %d", id.Key)
	return [4]int{k.count(t, "chunks", of), k.count(t, "postings", of), k.count(t, "document_texts", of), k.count(t, "document_files", of)}
}

func TestPurgeOfADeletedDocument(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.ready(t, "gone", "shared", "own", "shared again")
		kept := k.ready(t, "kept", "shared")
		for _, text := range []string{"shared", "own", "shared again"} {
			check(t, k.store.SaveEmbeddings(ctx, "m", 1, map[string][]float32{sha(text): {1}}))
		}
		k.purge(t, d.ID)
		expect(t, "rows of a live document", k.rows(t, d.ID), [4]int{3, 3, 1, 1})

		_, err := k.store.DeleteDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		k.purge(t, d.ID)
		expect(t, "rows of the deleted one", k.rows(t, d.ID), [4]int{})
		expect(t, "its tombstone", k.count(t, "documents", fmt.Sprintf("id = %d", d.ID.Key)), 1)
		expect(t, "rows of the other", k.rows(t, kept.ID), [4]int{1, 1, 1, 1})
		expect(t, "embeddings", k.count(t, "embeddings", "1 = 1"), 1)
		expect(t, "the shared one", k.count(t, "embeddings", "content_hash = '"+sha("shared")+"'"), 1)

		expect(t, "turns of a purge of nothing", k.purge(t, d.ID)+k.purge(t, kyro.DocumentID(1<<40)), 2)
	})
}

// A worker that was at it while its document was deleted and purged leaves nothing that no purge would come to.
func TestVectorsOfWhatIsGoneAreNotKept(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d, kept := k.ready(t, "gone", "shared", "own"), k.ready(t, "kept", "shared")
		_, err := k.store.DeleteDocument(t.Context(), k.owner, d.ID, k.tick())
		check(t, err)
		k.purge(t, d.ID)
		check(t, k.store.SaveEmbeddings(t.Context(), "m", 1, map[string][]float32{sha("own"): {1}}))
		check(t, k.store.SaveEmbeddings(t.Context(), "m", 1, map[string][]float32{sha("shared"): {1}, sha("own"): {1}}))
		expect(t, "embeddings", k.count(t, "embeddings", "1 = 1"), 1)
		_, err = k.store.DeleteDocument(t.Context(), k.owner, kept.ID, k.tick())
		check(t, err)
		k.purge(t, kept.ID)
		expect(t, "embeddings then", k.count(t, "embeddings", "1 = 1"), 0)
	})
}

// However a purge and the storing of vectors fall together, no vector outlives the last chunk with its content.
func TestVectorsAndPurgesAtOnce(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		var all sync.WaitGroup
		for i := range 12 {
			texts := []string{fmt.Sprint("own ", i), "shared"}
			d := k.ready(t, fmt.Sprint(i), texts...)
			_, err := k.store.DeleteDocument(t.Context(), k.owner, d.ID, k.tick())
			check(t, err)
			for range 3 {
				all.Go(func() {
					vectors := map[string][]float32{sha(texts[0]): {1}, sha(texts[1]): {1}}
					if err := k.store.SaveEmbeddings(t.Context(), "m", 1, vectors); err != nil {
						t.Error(err)
					}
				})
			}
			all.Go(func() {
				if _, err := k.store.Purge(t.Context(), d.ID); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		expect(t, "chunks", k.count(t, "chunks", "1 = 1"), 0)
		expect(t, "embeddings", k.count(t, "embeddings", "1 = 1"), 0)
	})
}

func TestPurgeOfFormerVersions(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d := k.ready(t, "one", "first")
		k.jobs.take()
		d = k.renew(t, d)
		k.prepare(t, d, "second", "of two")
		k.purge(t, d.ID)
		expect(t, "rows while the new version is made", k.rows(t, d.ID), [4]int{3, 4, 2, 1})
		d = k.activate(t, d)
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobPurge, Key: d.ID.Key, Run: d.Run}})
		k.purge(t, d.ID)
		expect(t, "rows of the active version", k.rows(t, d.ID), [4]int{2, 3, 1, 1})
		texts, _ := k.search(t, "second")
		expect(t, "hits", texts, []string{"second"})
	})
}

func TestPurgeInBatches(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		chunks := make([]string, 4_500)
		for i := range chunks {
			chunks[i] = fmt.Sprintf("x%d y%d", i, i)
		}
		d := k.ready(t, "large", chunks...)
		_, err := k.store.DeleteDocument(t.Context(), k.owner, d.ID, k.tick())
		check(t, err)
		if turns := k.purge(t, d.ID); turns < 3 {
			t.Errorf("4,500 chunks went in %d turns", turns)
		}
		expect(t, "rows", k.rows(t, d.ID), [4]int{})
	})
}
