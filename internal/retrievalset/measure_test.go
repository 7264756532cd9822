package retrievalset_test

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"testing"

	"kyrochat/ai"
	"kyrochat/answer"
	"kyrochat/internal/retrievalset"
	"kyrochat/kyro"
	"kyrochat/text"
)

// library is an index and a source of vectors in memory, with BM25 as the store has it.
type library struct {
	languages []string
	passages  []kyro.Passage
	counts    []map[string]int // terms of each passage
	lengths   []int
	holds     map[string]int
	average   float64
	embedder  ai.HashEmbedder
}

const k1, b = 1.2, 0.75

func newLibrary(languages []string, paragraphs []retrievalset.Paragraph) *library {
	l := &library{languages: languages, holds: map[string]int{}}
	total := 0
	for i, p := range paragraphs {
		terms := text.Terms(p.Text, p.Language)
		counts := map[string]int{}
		for _, t := range terms {
			counts[t]++
		}
		for t := range counts {
			l.holds[t]++
		}
		total += len(terms)
		l.counts = append(l.counts, counts)
		l.lengths = append(l.lengths, len(terms))
		l.passages = append(l.passages, kyro.Passage{
			DocumentTitle: p.Title, Language: p.Language,
			Chunk: kyro.Chunk{
				ID: kyro.ChunkID(int64(i + 1)), DocumentID: kyro.DocumentID(int64(i + 1)), Text: p.Text, ContentHash: p.ID,
				CharEnd: kyro.CharCount(p.Text), ByteEnd: len(p.Text), Enabled: true,
			},
		})
	}
	l.average = float64(total) / float64(len(paragraphs))
	return l
}

func (l *library) Languages(context.Context, kyro.ID) ([]string, error) { return l.languages, nil }

func (l *library) SearchWords(_ context.Context, _ kyro.ID, terms []string, limit int) (kyro.LexicalResult, error) {
	found := kyro.LexicalResult{Total: len(l.passages), Frequent: map[string]int{}}
	for _, t := range terms {
		if n := l.holds[t]; n > 0 {
			found.Frequent[t] = n
		}
	}
	for i, counts := range l.counts {
		score := 0.0
		for _, t := range terms {
			tf, df := float64(counts[t]), float64(l.holds[t])
			idf := math.Log(1 + (float64(len(l.passages))-df+0.5)/(df+0.5))
			score += idf * tf * (k1 + 1) / (tf + k1*(1-b+b*float64(l.lengths[i])/l.average))
		}
		if score > 0 {
			found.Hits = append(found.Hits, kyro.LexicalHit{ChunkID: l.passages[i].Chunk.ID, Score: score})
		}
	}
	slices.SortStableFunc(found.Hits, func(x, y kyro.LexicalHit) int { return cmp.Compare(y.Score, x.Score) })
	found.Hits = found.Hits[:min(limit, len(found.Hits))]
	return found, nil
}

func (l *library) Passages(_ context.Context, _ kyro.ID, chunks []kyro.ID) ([]kyro.Passage, error) {
	var found []kyro.Passage
	for _, id := range chunks {
		found = append(found, l.passages[id.Key-1])
	}
	return found, nil
}

func (l *library) LiveChunks(_ context.Context, _ kyro.ID, chunks []kyro.ID) ([]kyro.ID, error) {
	return chunks, nil
}

func (l *library) StaleChunks(context.Context, kyro.ID, []kyro.ID) ([]kyro.Chunk, error) {
	return nil, nil
}

func (l *library) BotKnowledge(context.Context, kyro.ID) (int64, error) { return 1, nil }

func (l *library) BotVectors(ctx context.Context, _ kyro.ID, _ string, _ int, visit func(kyro.ChunkVector) error) error {
	for _, p := range l.passages {
		v, err := l.embedder.EmbedPassages(ctx, []string{p.DocumentTitle + "\n" + p.Chunk.Text})
		if err != nil {
			return err
		}
		if err := visit(kyro.ChunkVector{ChunkID: p.Chunk.ID, Vector: v[0]}); err != nil {
			return err
		}
	}
	return nil
}

// TestOfflineQuality measures the offline parts over an index in memory, with a bot for each language.
func TestOfflineQuality(t *testing.T) {
	t.Parallel()
	set, err := retrievalset.Load()
	if err != nil {
		t.Fatal(err)
	}
	retrievers := map[string]answer.Retriever{}
	for _, language := range retrievalset.Languages {
		var own []retrievalset.Paragraph
		for _, p := range set.Paragraphs {
			if p.Language == language {
				own = append(own, p)
			}
		}
		l := newLibrary([]string{language}, own)
		name, dims := l.embedder.Model()
		retrievers[language] = answer.NewRetriever(l, ai.NewVectors(l, name, dims, 0), l.embedder, slog.New(slog.DiscardHandler))
	}
	retrievalset.Measure(t, set, func(language string) (answer.Retriever, kyro.ID) { return retrievers[language], kyro.BotID(1) })
}
