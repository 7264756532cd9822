package insight_test

import (
	"context"
	"slices"
	"testing"

	"kyrochat/ai"
	"kyrochat/insight"
	"kyrochat/kyro"
)

// drawer is a store that notes vectors and puts them together as the databases do.
type drawer struct {
	insight.GapStore
	questions []kyro.GapQuestion
	vectors   map[kyro.ID][]float32
	together  [][]int64
}

func (s *drawer) GapQuestionsToEmbed(_ context.Context, _ kyro.ID, _ string, limit int) ([]kyro.GapQuestion, error) {
	next := s.questions[:min(limit, len(s.questions))]
	s.questions = s.questions[len(next):]
	return next, nil
}

func (s *drawer) SaveGapVectors(_ context.Context, _ kyro.ID, _ string, vectors map[kyro.ID][]float32, _ ...kyro.EmbeddingUsage) error {
	for id, v := range vectors {
		s.vectors[id] = v
	}
	return nil
}

func (s *drawer) PlaceGapQuestions(_ context.Context, p kyro.GapPlacing) (int, error) {
	var centres [][]float32
	for key := range int64(len(s.vectors)) {
		vector := s.vectors[kyro.MessageID(key)]
		at := kyro.Nearest(centres, vector, p.Threshold)
		if at < 0 {
			centres, s.together, at = append(centres, nil), append(s.together, nil), len(centres)
		}
		s.together[at] = append(s.together[at], key)
		var members [][]float32
		for _, m := range s.together[at] {
			members = append(members, s.vectors[kyro.MessageID(m)])
		}
		centres[at] = kyro.Centre(members)
	}
	return len(s.vectors), nil
}

// TestGapsOfWordings holds what the offline embedding makes of wordings: those of one question mostly come together, and
// those of different ones do not.
func TestGapsOfWordings(t *testing.T) {
	t.Parallel()
	asked := []string{
		"How much does a day ticket for the ferry cost?", "Can I bring my dog to the campsite?", "Do you ship to Norway?",
		"What does the ferry's day ticket cost?", "Are dogs allowed at the campsite?", "Is shipping to Norway possible?",
		"ferry day ticket price", "How long is the warranty of the pump?", "What warranty does the pump have?",
		"Do you ship to Sweden?", "Can I bring my cat to the hotel?", "What does the moon smell of?", "Who wrote the harbour rules?",
		"博物馆星期天几点开门？", "博物馆星期天的开放时间", "Wie lange hat das Museum am Sonntag geöffnet?",
	}
	s := &drawer{vectors: map[kyro.ID][]float32{}}
	for i, q := range asked {
		s.questions = append(s.questions, kyro.GapQuestion{MessageID: kyro.MessageID(int64(i)), Text: q})
	}
	gaps := insight.NewGaps(insight.GapConfig{Store: s, Embedder: ai.HashEmbedder{}})
	if err := gaps.Place(t.Context(), kyro.Job{Key: 1}); err != nil {
		t.Fatal(err)
	}
	want := [][]int64{{0, 3}, {1, 4}, {2, 5}, {6}, {7, 8}, {9}, {10}, {11}, {12}, {13, 14}, {15}}
	if !slices.EqualFunc(s.together, want, slices.Equal) {
		t.Errorf("together are %v, want %v", s.together, want)
	}
}
