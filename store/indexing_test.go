package store_test

import (
	"fmt"
	"testing"

	"kyrochat/kyro"
)

func TestVectorsOfAVersion(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.prepare(t, k.add(t, "one"), "a", "b", "c", "a")
		check(t, k.store.SaveEmbeddings(ctx, "m", 2, map[string][]float32{sha("a"): {1, 0}, sha("b"): {0, 1}}))
		check(t, k.store.SaveEmbeddings(ctx, "n", 2, map[string][]float32{sha("c"): {1, 0}}))
		read := func(v kyro.IndexedVersion, from, limit int) (got []string) {
			vectors, err := k.store.VersionVectors(ctx, v, "m", 2, from, limit)
			check(t, err)
			for _, v := range vectors {
				if v.ChunkID.IsZero() || v.BotID != k.bot || v.DocumentID != d.ID {
					t.Errorf("vector %+v", v)
				}
				got = append(got, fmt.Sprintf("%d/%d%v", v.Version, v.Index, v.Vector))
			}
			return got
		}
		expect(t, "all, before the activation", read(versionOf(d), 0, 9), []string{"1/0[1 0]", "1/1[0 1]", "1/3[1 0]"})
		expect(t, "some", read(versionOf(d), 1, 1), []string{"1/1[0 1]"})
		k.activate(t, d)
		renewed := k.renew(t, d)
		renewed = k.prepare(t, renewed, "b")
		expect(t, "the next version", read(versionOf(renewed), 0, 9), []string{"2/0[0 1]"})
		expect(t, "the active one", read(versionOf(d), 3, 9), []string{"1/3[1 0]"})
		_, err := k.store.DeleteDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		expect(t, "of a deleted document", read(versionOf(d), 0, 9), nil)
	})
}

func TestIndexingIsRemembered(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		at := func(v kyro.IndexedVersion, with string) kyro.Indexing {
			got, err := k.store.Indexing(ctx, v, with)
			check(t, err)
			return got
		}
		d := k.prepare(t, k.add(t, "one"), "a", "b")
		v := versionOf(d)
		check(t, k.store.SaveIndexing(ctx, v, "m@1|x", kyro.Indexing{Done: 2}))
		d = k.prepare(t, d, "a", "b") // its chunks are others now, which the index knows nothing of
		expect(t, "at first", at(v, "m@1|x"), kyro.Indexing{})
		check(t, k.store.SaveIndexing(ctx, v, "m@1|x", kyro.Indexing{Done: 1}))
		check(t, k.store.SaveIndexing(ctx, v, "m@1|x", kyro.Indexing{Done: 2, Looked: 3}))
		expect(t, "saved", at(v, "m@1|x"), kyro.Indexing{Done: 2, Looked: 3})
		expect(t, "of another index", at(v, "m@1|y"), kyro.Indexing{})
		k.activate(t, d)
		expect(t, "once it answers", at(v, "m@1|x"), kyro.Indexing{})

		check(t, k.store.SaveIndexing(ctx, v, "m@1|y", kyro.Indexing{Done: 1}))
		check(t, k.store.FinishRefresh(ctx, v, "m@1|y"))
		expect(t, "once it is refreshed", at(v, "m@1|y"), kyro.Indexing{})

		check(t, k.store.SaveIndexing(ctx, v, "m@1|z", kyro.Indexing{Done: 1}))
		_, err := k.store.DeleteDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		k.purge(t, d.ID)
		expect(t, "rows after the purge", k.count(t, "indexings", "1 = 1"), 0)
	})
}

func TestDeadVersions(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		dead := func(id kyro.ID) []kyro.IndexedVersion {
			got, err := k.store.Dead(t.Context(), id)
			check(t, err)
			return got
		}
		version := func(d kyro.Document, version, chunks int) kyro.IndexedVersion {
			return kyro.IndexedVersion{BotID: k.bot, DocumentID: d.ID, Version: version, Chunks: chunks}
		}
		d := k.ready(t, "one", "a", "b", "c")
		expect(t, "of a ready document", len(dead(d.ID)), 0)
		d = k.renew(t, d)
		k.prepare(t, d, "d", "e")
		expect(t, "while the next version is made", len(dead(d.ID)), 0)
		k.activate(t, d)
		expect(t, "former", dead(d.ID), []kyro.IndexedVersion{version(d, 1, 3)})
		_, err := k.store.DeleteDocument(t.Context(), k.owner, d.ID, k.tick())
		check(t, err)
		expect(t, "deleted", dead(d.ID), []kyro.IndexedVersion{version(d, 1, 3), version(d, 2, 2)})
		k.purge(t, d.ID)
		expect(t, "purged", len(dead(d.ID)), 0)
		expect(t, "never there", len(dead(kyro.DocumentID(1<<40))), 0)
	})
}

// What is deleted while its vectors are made anew stays out of every search.
func TestARefreshNeverBringsBackWhatIsDeleted(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.ready(t, "one", "secret")
		expect(t, "begun", k.begun(t, "n@1", 10, 10), []kyro.ID{d.ID})
		_, err := k.store.DeleteDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		check(t, k.store.SaveEmbeddings(ctx, "n", 1, map[string][]float32{sha("secret"): {1}}))
		expectCode(t, k.store.FinishRefresh(ctx, versionOf(d), "n@1"), kyro.CodeConflict)
		check(t, k.store.EndRefresh(ctx, d.ID))
		expect(t, "vectors", k.vectorsOf(t, "n", 1), []string{})
		texts, _ := k.search(t, "secret")
		expect(t, "hits", texts, []string{})
		expect(t, "begun again", k.begun(t, "n@1", 10, 10), nil)
		expect(t, "left to purge", len(k.purgeable(t, d.ID)), 1)
	})
}

func (k *knowledge) purgeable(t testing.TB, id kyro.ID) []kyro.IndexedVersion {
	t.Helper()
	dead, err := k.store.Dead(t.Context(), id)
	check(t, err)
	return dead
}

// TestFormerDocumentsAreRefreshed goes back to the schema before and forth again: nobody vouches for the vectors of the
// documents that were there, so that they are looked at once.
func TestFormerDocumentsAreRefreshed(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d := k.ready(t, "one", "a")
		k.migrate(t, "20261126000015_embedded_with.tx.down.sql")
		k.migrate(t, "20261126000015_embedded_with.tx.up.sql")
		expect(t, "with", k.vectorState(t, d.ID).EmbeddedWith, "")
		expect(t, "begun", k.begun(t, "m@1", 10, 10), []kyro.ID{d.ID})
	})
}
