package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
)

// eachBenchmark runs a benchmark on both databases.
func eachBenchmark(b *testing.B, bench func(b *testing.B, k *knowledge)) {
	b.Run("sqlite", func(b *testing.B) { bench(b, newKnowledge(b, testdb.SQLite(b))) })
	b.Run("postgres", func(b *testing.B) { bench(b, newKnowledge(b, testdb.Postgres(b))) })
}

// words makes chunks of 120 words, as common and as rare as words are.
type words struct {
	random *rand.Rand
	zipf   *rand.Zipf
}

func newWords() words {
	random := rand.New(rand.NewPCG(1, 2))
	return words{random, rand.NewZipf(random, 1.1, 8, 50_000)}
}

func (w words) chunk() string {
	var b strings.Builder
	for range 120 {
		fmt.Fprintf(&b, "word%d ", w.zipf.Uint64())
	}
	return b.String()
}

func (w words) chunks(n int) []string {
	chunks := make([]string, n)
	for i := range chunks {
		chunks[i] = w.chunk()
	}
	return chunks
}

// BenchmarkSearchWords searches for two common, a rarer and a rare word among 10,000 chunks of one bot, spread
// over few or many documents.
func BenchmarkSearchWords(b *testing.B) {
	for _, documents := range []int{20, 1_000} {
		b.Run(fmt.Sprintf("documents=%d", documents), func(b *testing.B) {
			eachBenchmark(b, func(b *testing.B, k *knowledge) {
				w := newWords()
				for i := range documents {
					k.ready(b, fmt.Sprint("document ", i), w.chunks(10_000/documents)...)
				}
				if k.pools.Postgres() {
					k.exec(b, "ANALYZE")
				}
				terms := []string{"word1", "word9", "word200", "word4000"}
				for b.Loop() {
					result, err := k.store.SearchWords(b.Context(), k.bot, terms, 50)
					if err != nil || len(result.Hits) != 50 {
						b.Fatalf("%d hits: %v", len(result.Hits), err)
					}
				}
			})
		})
	}
}

// BenchmarkSavePrepared stores the largest document there may be: 20,000 chunks of 120 words.
func BenchmarkSavePrepared(b *testing.B) {
	eachBenchmark(b, func(b *testing.B, k *knowledge) {
		p := prepared(newWords().chunks(20_000)...)
		d := k.add(b, "large")
		for b.Loop() {
			_, err := k.store.SavePrepared(b.Context(), d.ID, d.Run, p, kyro.DocumentStep{Status: kyro.DocumentEmbedding, Now: k.now})
			check(b, err)
		}
	})
}

// BenchmarkBotVectors reads the 10,000 vectors of 768 dimensions of a bot.
func BenchmarkBotVectors(b *testing.B) {
	eachBenchmark(b, func(b *testing.B, k *knowledge) {
		var chunks []string
		for i := range 10_000 {
			chunks = append(chunks, fmt.Sprint("chunk ", i))
		}
		k.ready(b, "large", chunks...)
		for i := 0; i < len(chunks); i += 500 {
			vectors := make(map[string][]float32)
			for _, c := range chunks[i : i+500] {
				vectors[sha(c)] = make([]float32, 768)
			}
			check(b, k.store.SaveEmbeddings(b.Context(), "m", 768, vectors))
		}
		for b.Loop() {
			n := 0
			err := k.store.BotVectors(b.Context(), k.bot, "m", 768, func(kyro.ChunkVector) error { n++; return nil })
			if err != nil || n != len(chunks) {
				b.Fatalf("%d vectors: %v", n, err)
			}
		}
	})
}
