package store_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/store"
)

func TestSearchRanksByBM25(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		chunks := []string{"server server server server", "kubernetes server"}
		for i := range 30 {
			chunks = append(chunks, fmt.Sprintf("server number w%d", i))
		}
		k.ready(t, "one", chunks...)
		k.ready(t, "two", "nothing of it")
		texts, result := k.search(t, "server", "kubernetes", "absent", "server")
		expect(t, "hits", len(result.Hits), 10)
		expect(t, "the best two", texts[:2], []string{"kubernetes server", "server server server server"})
		expect(t, "total", result.Total, 33)
		expect(t, "frequent", result.Frequent, map[string]int{"server": 32, "kubernetes": 1})
		for i := 1; i < len(result.Hits); i++ {
			if result.Hits[i].Score > result.Hits[i-1].Score {
				t.Errorf("place %d scores more than place %d", i+1, i)
			}
		}
	})
}

// TestSearchFindsWhatIsReplacedMeanwhile: a new version is activated after the index was read and before the chunks are.
func TestSearchFindsWhatIsReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB, ...testdb.Option) *store.Pools{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var meanwhile atomic.Pointer[func()]
			pools := open(t, testdb.OnQuery(func(_ context.Context, statement string) {
				if !strings.HasPrefix(statement, "SELECT c.id, c.document_id, c.version, c.seq FROM chunks") {
					return
				}
				if do := meanwhile.Swap(nil); do != nil {
					(*do)()
				}
			}))
			k := newKnowledge(t, pools)
			d := k.ready(t, "one", "the ferry goes at noon")
			d = k.prepare(t, k.renew(t, d), "the ferry goes at noon or later")
			do := func() { k.activate(t, d) }
			meanwhile.Store(&do)
			texts, _ := k.search(t, "ferry")
			expect(t, "found", texts, []string{"the ferry goes at noon or later"})
			expect(t, "it was replaced meanwhile", meanwhile.Load() == nil, true)
		})
	}
}

func TestSearchWithoutHits(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		_, result := k.search(t, "anything")
		expect(t, "of an empty bot", result.Total+len(result.Hits)+len(result.Frequent), 0)
		k.ready(t, "one", "some words")
		_, result = k.search(t)
		expect(t, "of no terms", len(result.Hits), 0)
		_, result = k.search(t, "absent", "", "\x00")
		expect(t, "of an absent term", len(result.Hits), 0)
		expect(t, "total", result.Total, 1)
	})
}

// A term is data, whatever it looks like to a query language.
func TestSearchTakesHostileTermsAsTheyAre(t *testing.T) {
	t.Parallel()
	terms := []string{
		"and", "or", "not", "near", `"`, `'`, `it's`, `"quoted"`, `a\`, `\'`, `$$`, "?", "%", "_", "*", "terms:", "scope:b42", "^x", "!&|()", "<->",
		"naïve", "日本", "😀", "’; DROP TABLE chunks; --",
	}
	var words []string
	for _, term := range terms {
		if !slices.Contains([]string{"’; DROP TABLE chunks; --"}, term) {
			words = append(words, term)
		}
	}
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		k.ready(t, "hostile", words...)
		for _, word := range words {
			texts, _ := k.search(t, word)
			expect(t, "hits of "+word, texts, []string{word})
		}
		_, result := k.search(t, terms...)
		expect(t, "terms found", len(result.Frequent), len(words))
		texts, _ := k.search(t, "’; DROP TABLE chunks; --")
		expect(t, "hits of a term that is not there", len(texts), 0)
	})
}

func TestSearchKnowsNoOtherBot(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		k.ready(t, "mine", "red green", "red blue", "yellow")
		texts, before := k.search(t, "red", "blue")
		other := k.other(t)
		for i := range 5 {
			other.ready(t, fmt.Sprint("theirs ", i), "red red blue", "blue blue blue", "long long long long long red")
		}
		again, after := k.search(t, "red", "blue")
		expect(t, "texts", again, texts)
		expect(t, "result", after, before)

		_, theirs := other.search(t, "yellow")
		expect(t, "hits of my words in the other bot", len(theirs.Hits), 0)
		passages, err := other.store.Passages(t.Context(), other.bot, []kyro.ID{before.Hits[0].ChunkID})
		check(t, err)
		expect(t, "my chunks as their passages", len(passages), 0)
	})
}

// The old version answers until the new one is active, and from then on only the new one does.
func TestSearchFindsTheActiveVersion(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d := k.add(t, "one")
		k.prepare(t, d, "old words")
		texts, _ := k.search(t, "words")
		expect(t, "before the activation", texts, []string{})
		k.activate(t, d)
		g := k.generation(t)

		d = k.renew(t, d)
		k.prepare(t, d, "new words", "more of them")
		texts, result := k.search(t, "words")
		expect(t, "while the new one is made", texts, []string{"old words"})
		expect(t, "total", result.Total, 1)
		old := result.Hits[0].ChunkID
		expect(t, "generation", k.generation(t), g)

		d = k.activate(t, d)
		texts, result = k.search(t, "words", "old")
		expect(t, "after the activation", texts, []string{"new words"})
		expect(t, "total", result.Total, 2)
		passages, err := k.store.Passages(t.Context(), k.bot, []kyro.ID{old})
		check(t, err)
		expect(t, "the old chunk as a passage", len(passages), 0)
		if k.generation(t) <= g {
			t.Error("the activation did not change the bot's knowledge")
		}

		g = k.generation(t)
		_, err = k.store.DeleteDocument(t.Context(), k.owner, d.ID, k.tick())
		check(t, err)
		texts, result = k.search(t, "words", "old")
		expect(t, "after the deletion", texts, []string{})
		expect(t, "total", result.Total, 0)
		if k.generation(t) <= g {
			t.Error("the deletion did not change the bot's knowledge")
		}
	})
}

func TestSearchLeavesOutDisabledChunks(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		k.ready(t, "one", "red one", "red red red", "blue")
		reference := k.other(t)
		reference.ready(t, "two", "red one", "blue")
		k.exec(t, "UPDATE chunks SET enabled = FALSE WHERE text = 'red red red'")
		texts, result := k.search(t, "red")
		expect(t, "hits", texts, []string{"red one"})
		expect(t, "total", result.Total, 2)
		expect(t, "frequent", result.Frequent, map[string]int{"red": 1})
		_, want := reference.search(t, "red")
		if math.Abs(result.Hits[0].Score-want.Hits[0].Score) > 1e-12 {
			t.Errorf("score %v, want that of a bot without the chunk, %v", result.Hits[0].Score, want.Hits[0].Score)
		}
	})
}

func TestPassagesAndLanguages(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d := k.ready(t, "The title", "first", "second")
		p := prepared("uno", "dos", "tres")
		p.Language = "es"
		spanish := k.add(t, "Spanish")
		_, err := k.store.SavePrepared(t.Context(), spanish.ID, spanish.Run, p, kyro.DocumentStep{Status: kyro.DocumentEmbedding, Now: k.now})
		check(t, err)
		languages, err := k.store.Languages(t.Context(), k.bot)
		check(t, err)
		expect(t, "languages before the activation", languages, []string{"en"})
		k.activate(t, spanish)
		languages, err = k.store.Languages(t.Context(), k.bot)
		check(t, err)
		expect(t, "languages", languages, []string{"es", "en"})

		_, result := k.search(t, "second")
		passages, err := k.store.Passages(t.Context(), k.bot, []kyro.ID{result.Hits[0].ChunkID, kyro.ChunkID(1 << 40)})
		check(t, err)
		expect(t, "passages", len(passages), 1)
		got := passages[0]
		expect(t, "title and language", got.DocumentTitle+" "+got.Language, "The title en")
		want := prepared("first", "second").Chunks[1]
		want.ID, want.DocumentID, want.BotID, want.Version = result.Hits[0].ChunkID, d.ID, k.bot, 1
		expect(t, "chunk", got.Chunk, want)
		passages, err = k.store.Passages(t.Context(), k.bot, nil)
		check(t, err)
		expect(t, "passages of nothing", len(passages), 0)
	})
}
