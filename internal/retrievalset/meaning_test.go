package retrievalset_test

import (
	"context"
	"hash/fnv"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"

	"kyrochat/ai"
	"kyrochat/answer"
	"kyrochat/internal/retrievalset"
	"kyrochat/kyro"
)

// meaning stands in for an embedding model: it puts a question near the paragraph that answers it, whatever its words,
// but not so near that it is always the first. Without vectors for anything else it is as good or bad on all questions.
type meaning struct {
	about map[string]string // of a question: the text of the paragraph
	noise float64
}

const meaningDims = 64

func direction(text string) []float32 {
	h := fnv.New64a()
	h.Write([]byte(text))
	r := rand.New(rand.NewPCG(h.Sum64(), 9))
	v := make([]float32, meaningDims)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return unit(v)
}

func unit(v []float32) []float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

func (m meaning) Lexical() bool { return false }

func (m meaning) EmbedQuestion(_ context.Context, text string) ([]float32, error) {
	v := direction(text)
	if about := m.about[text]; about != "" {
		for i, x := range direction(about) {
			v[i] = x + float32(m.noise)*v[i]
		}
	}
	return unit(v), nil
}

// meanings are the vectors of the paragraphs.
type meanings struct{ *library }

func (m meanings) BotVectors(_ context.Context, _ kyro.ID, _ string, _ int, visit func(kyro.ChunkVector) error) error {
	for _, p := range m.passages {
		if err := visit(kyro.ChunkVector{ChunkID: p.Chunk.ID, Vector: direction(p.Chunk.Text)}); err != nil {
			return err
		}
	}
	return nil
}

// TestMeaningHelpsAndDoesNotHarm: with a real embedding, whose ranks count as much as those of words, what words find is
// found as before, and what they do not find is found besides.
func TestMeaningHelpsAndDoesNotHarm(t *testing.T) {
	t.Parallel()
	set, err := retrievalset.Load()
	if err != nil {
		t.Fatal(err)
	}
	embedder := meaning{about: map[string]string{}, noise: 2.5}
	text := map[string]string{}
	for _, p := range set.Paragraphs {
		text[p.ID] = p.Text
	}
	for _, q := range set.Questions {
		embedder.about[q.Text] = text[q.Paragraph]
	}
	l := newLibrary(retrievalset.Languages[:], set.Paragraphs)
	silent := slog.New(slog.DiscardHandler)
	byWords := answer.NewRetriever(l, nil, nil, silent)
	both := answer.NewRetriever(l, ai.NewVectors(meanings{l}, "meaning", meaningDims, 0), embedder, silent)
	found := func(r *answer.IndexRetriever) (five map[retrievalset.Group]float64) {
		five, asked := map[retrievalset.Group]float64{}, map[retrievalset.Group]float64{}
		for _, q := range set.Questions {
			if q.Paragraph == "" {
				continue
			}
			asked[q.Group]++
			got, err := r.Retrieve(t.Context(), kyro.Bot{ID: kyro.BotID(1), TopK: 5}, q.Text, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range got.Passages {
				if p.Chunk.Text == text[q.Paragraph] {
					five[q.Group]++
				}
			}
		}
		for group := range asked {
			five[group] /= asked[group]
		}
		return five
	}
	words, fused := found(byWords), found(both)
	t.Logf("recall@5 by words %v, with meaning %v", words, fused)
	for group, least := range words {
		if fused[group] < least-0.01 {
			t.Errorf("%s: %.3f with meaning, %.3f by words alone", group, fused[group], least)
		}
	}
	if fused[retrievalset.Distant] < words[retrievalset.Distant]+0.3 {
		t.Errorf("what shares no words is found as seldom as without meaning")
	}
}
