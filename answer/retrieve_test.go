package answer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"kyrochat/answer"
	"kyrochat/kyro"
)

// shelf is an index whose chunks hold the terms a test says; a term's hits come in order of chunks.
type shelf struct {
	chunks map[int64]kyro.Chunk
	gone   map[int64]bool     // found by searches, live no more
	erased map[int64]bool     // of those, without a row
	words  map[string][]int64 // chunks of each term
	asked  [][]string
	reads  int
	checks int
	err    error
}

func (s *shelf) Languages(context.Context, kyro.ID) ([]string, error) { return []string{"en"}, nil }

func (s *shelf) SearchWords(_ context.Context, _ kyro.ID, terms []string, limit int) (kyro.LexicalResult, error) {
	s.asked = append(s.asked, terms)
	found := kyro.LexicalResult{Total: len(s.chunks), Frequent: map[string]int{}}
	score := map[int64]float64{}
	for _, t := range terms {
		if n := len(s.words[t]); n > 0 {
			found.Frequent[t] = n
		}
		for i, c := range s.words[t] {
			score[c] += 1 / float64(i+1)
		}
	}
	for c, sc := range score {
		found.Hits = append(found.Hits, kyro.LexicalHit{ChunkID: kyro.ChunkID(c), Score: sc})
	}
	slices.SortFunc(found.Hits, func(a, b kyro.LexicalHit) int {
		if a.Score != b.Score {
			return int(1 - 2*min(1, max(0, (a.Score-b.Score)*1e9)))
		}
		return int(a.ChunkID.Key - b.ChunkID.Key)
	})
	found.Hits = found.Hits[:min(limit, len(found.Hits))]
	return found, s.err
}

func (s *shelf) Passages(_ context.Context, _ kyro.ID, ids []kyro.ID) ([]kyro.Passage, error) {
	s.reads++
	var live []kyro.Passage
	for _, id := range slices.Backward(ids) {
		if c, ok := s.chunks[id.Key]; ok && !s.gone[id.Key] {
			c.ID = id
			live = append(live, kyro.Passage{Chunk: c, Language: "en"})
		}
	}
	return live, nil
}

func (s *shelf) LiveChunks(ctx context.Context, bot kyro.ID, ids []kyro.ID) ([]kyro.ID, error) {
	s.checks++
	var live []kyro.ID
	for _, id := range ids {
		if _, ok := s.chunks[id.Key]; ok && !s.gone[id.Key] {
			live = append(live, id)
		}
	}
	return live, nil
}

func (s *shelf) StaleChunks(_ context.Context, _ kyro.ID, ids []kyro.ID) ([]kyro.Chunk, error) {
	var stale []kyro.Chunk
	for _, id := range ids {
		if c, ok := s.chunks[id.Key]; ok && s.gone[id.Key] && !s.erased[id.Key] {
			c.ID = id
			stale = append(stale, c)
		}
	}
	return stale, nil
}

// compass is an embedder and a vector search in one: it gives the hits a test says.
type compass struct {
	hits    []kyro.VectorHit
	lexical bool
	err     error
	asked   []string
	limits  []int // of each search
}

func (c *compass) EmbedQuestion(_ context.Context, s string) ([]float32, error) {
	c.asked = append(c.asked, s)
	return []float32{1}, nil
}
func (c *compass) Lexical() bool { return c.lexical }
func (c *compass) SearchVectors(_ context.Context, _ kyro.ID, _ []float32, limit int) ([]kyro.VectorHit, error) {
	c.limits = append(c.limits, limit)
	return c.hits[:min(limit, len(c.hits))], c.err
}

func near(similarities ...float64) []kyro.VectorHit {
	hits := make([]kyro.VectorHit, len(similarities))
	for i, s := range similarities {
		hits[i] = kyro.VectorHit{ChunkID: kyro.ChunkID(int64(i + 1)), Similarity: s}
	}
	return hits
}

func newShelf(n int64) *shelf {
	s := &shelf{chunks: map[int64]kyro.Chunk{}, gone: map[int64]bool{}, erased: map[int64]bool{}, words: map[string][]int64{}}
	for i := int64(1); i <= n; i++ {
		s.chunks[i] = kyro.Chunk{Text: fmt.Sprintf("Only chunk %d says %s.", i, strings.Repeat(string(rune('a'+i%26)), 60)), ContentHash: fmt.Sprint(i)}
	}
	return s
}

func retrieve(t *testing.T, s *shelf, c *compass, bot kyro.Bot, question string, history ...kyro.Message) answer.Retrieved {
	t.Helper()
	var vectors answer.Vectors
	var embedder answer.Embedder
	if c != nil {
		vectors, embedder = c, c
	}
	bot.ID = kyro.BotID(1)
	if bot.TopK == 0 {
		bot.TopK = 3
	}
	found, err := answer.NewRetriever(s, vectors, embedder, slog.New(slog.DiscardHandler)).Retrieve(t.Context(), bot, question, history)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func keysOf(found answer.Retrieved) []int64 {
	var keys []int64
	for _, p := range found.Passages {
		keys = append(keys, p.Chunk.ID.Key)
	}
	return keys
}

func TestRetrieveFusesWordsAndMeaning(t *testing.T) {
	t.Parallel()
	s := newShelf(9)
	s.words["pump"] = []int64{5, 2, 7}
	found := retrieve(t, s, &compass{hits: near(0.9, 0.8, 0.7)}, kyro.Bot{TopK: 4}, "pump")
	if got := keysOf(found); !slices.Equal(got, []int64{2, 1, 5, 3}) {
		t.Errorf("order %v", got)
	}
	both, vectorOnly, wordOnly := found.Passages[0], found.Passages[1], found.Passages[2]
	if *both.LexicalRank != 2 || *both.VectorRank != 2 || *both.Similarity != 0.8 {
		t.Errorf("found by both: %+v", both)
	}
	if vectorOnly.LexicalRank != nil || *vectorOnly.Similarity != 0.9 || wordOnly.VectorRank != nil || wordOnly.Similarity != nil {
		t.Errorf("found by one: %+v %+v", vectorOnly, wordOnly)
	}
	for i, p := range found.Passages {
		if p.Score <= 0 || p.Score > 1 || i > 0 && p.Score > found.Passages[i-1].Score {
			t.Errorf("score %d is %f", i, p.Score)
		}
	}
	if found.Lexical.Total != 9 || found.Lexical.Frequent["pump"] != 3 || !slices.Equal(found.Languages, []string{"en"}) || len(found.Notices) != 0 {
		t.Errorf("found %+v", found)
	}
}

// TestRetrieveKeepsTheBestByItsWords: what holds the number that is asked for is not buried under what both lists find a
// little.
func TestRetrieveKeepsTheBestByItsWords(t *testing.T) {
	t.Parallel()
	s := newShelf(40)
	hits := near(make([]float64, 30)...)
	s.words["4711"] = []int64{40}
	for i := range int64(30) {
		hits[i].Similarity = 0.9 - float64(i)/100
		s.words["4711"] = append(s.words["4711"], 30-i)
	}
	found := retrieve(t, s, &compass{hits: hits}, kyro.Bot{TopK: 5}, "4711")
	if got := keysOf(found); len(got) != 5 || got[2] != 40 {
		t.Errorf("order %v", got)
	}
	for i, p := range found.Passages[1:] {
		if p.Score > found.Passages[i].Score {
			t.Errorf("score %d is %f after %f", i+1, p.Score, found.Passages[i].Score)
		}
	}
}

// replaced is a shelf on which a new chunk takes the place of the one that is found, as by a new version, between the
// search and the read: so many times.
type replaced struct {
	*shelf
	times int
}

func (r *replaced) Passages(ctx context.Context, bot kyro.ID, ids []kyro.ID) ([]kyro.Passage, error) {
	if r.times--; r.times >= 0 {
		old := int64(len(r.words["pump"]))
		r.gone[old] = true
		r.words["pump"] = make([]int64, old+1)
		for i := range r.words["pump"] {
			r.words["pump"][i] = old + 1
		}
	}
	return r.shelf.Passages(ctx, bot, ids)
}

// TestRetrieveFindsWhatTookThePlace: whoever searches while a version takes another's place finds one of the two.
func TestRetrieveFindsWhatTookThePlace(t *testing.T) {
	t.Parallel()
	for _, times := range []int{0, 1, 2} {
		s := &replaced{newShelf(9), times}
		s.words["pump"] = []int64{1}
		r := answer.NewRetriever(s, nil, nil, slog.New(slog.DiscardHandler))
		found, err := r.Retrieve(t.Context(), kyro.Bot{ID: kyro.BotID(1), TopK: 3}, "pump", nil)
		if got := keysOf(found); err != nil || !slices.Equal(got, []int64{int64(times) + 1}) || found.Lexical.Hits[0].ChunkID.Key != int64(times)+1 {
			t.Errorf("replaced %d times: %v, %v", times, got, err)
		}
	}
}

func TestRetrieveTrustsLettersLess(t *testing.T) {
	t.Parallel()
	s := newShelf(9)
	s.words["pump"] = []int64{5, 6, 7}
	least := 0.99
	found := retrieve(t, s, &compass{hits: near(0.5, 0.4), lexical: true}, kyro.Bot{TopK: 9, MinScore: &least}, "pump")
	if got := keysOf(found); !slices.Equal(got, []int64{5, 6, 7, 1, 2}) {
		t.Errorf("order %v", got)
	}
	if p := found.Passages[3]; p.Similarity != nil || *p.VectorRank != 1 {
		t.Errorf("a lexical embedder's hit: %+v", p)
	}
}

func TestRetrieveGivesOnlyWhatIsLiveAndSaidOnce(t *testing.T) {
	t.Parallel()
	s := newShelf(40)
	for i := int64(1); i <= 40; i++ {
		s.words["pump"] = append(s.words["pump"], i)
		s.gone[i] = i < 30
	}
	s.chunks[31] = kyro.Chunk{Text: s.chunks[30].Text + " And so on.", ContentHash: "other"}
	s.chunks[32] = kyro.Chunk{Text: "Something quite different, embedded alike.", ContentHash: s.chunks[30].ContentHash}
	found := retrieve(t, s, nil, kyro.Bot{}, "pump")
	if got := keysOf(found); !slices.Equal(got, []int64{30, 33, 34}) || s.reads < 2 {
		t.Errorf("got %v in %d readings", got, s.reads)
	}
}

func TestRetrieveKeepsToTheLeastSimilarity(t *testing.T) {
	t.Parallel()
	least := 0.6
	s := newShelf(9)
	s.words["pump"] = []int64{9, 2}
	found := retrieve(t, s, &compass{hits: near(0.9, 0.5, 0.4)}, kyro.Bot{TopK: 9, MinScore: &least}, "pump")
	if got := keysOf(found); !slices.Equal(got, []int64{1, 9}) { // 9 has no vector yet
		t.Errorf("got %v", got)
	}
	many := make([]float64, 60)
	many[0] = 0.9
	s = newShelf(60)
	s.chunks[70] = kyro.Chunk{Text: "Far from the question.", ContentHash: "70"}
	s.words["pump"] = []int64{70}
	found = retrieve(t, s, &compass{hits: near(many...)}, kyro.Bot{TopK: 9, MinScore: &least}, "pump")
	if got := keysOf(found); !slices.Equal(got, []int64{1}) { // 70 is farther than the last of 50
		t.Errorf("got %v", got)
	}
}

func TestRetrieveGoesOnWithoutVectors(t *testing.T) {
	t.Parallel()
	s := newShelf(3)
	s.words["pump"] = []int64{2}
	found := retrieve(t, s, &compass{err: errors.New("no route")}, kyro.Bot{}, "pump")
	if !slices.Equal(keysOf(found), []int64{2}) || !slices.Equal(found.Notices, []kyro.MessageNotice{kyro.NoticeLexicalOnly}) {
		t.Errorf("found %+v", found)
	}
	if found := retrieve(t, s, nil, kyro.Bot{}, "nothing of the kind"); len(found.Passages) != 0 || len(found.Notices) != 0 {
		t.Errorf("found %+v", found)
	}
}

func TestRetrieveReportsErrors(t *testing.T) {
	t.Parallel()
	s := newShelf(3)
	s.err = errors.New("no disk")
	r := answer.NewRetriever(s, nil, nil, slog.New(slog.DiscardHandler))
	if _, err := r.Retrieve(t.Context(), kyro.Bot{TopK: 1}, "pump", nil); !errors.Is(err, s.err) {
		t.Errorf("got %v", err)
	}
	s.err = nil
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Retrieve(gone, kyro.Bot{TopK: 1}, "pump", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRetrieveUnderstandsFollowUps(t *testing.T) {
	t.Parallel()
	said := func(s string) []kyro.Message {
		return []kyro.Message{{Role: kyro.RoleUser, Text: s}, {Role: kyro.RoleBot, Text: "The pool costs 4."}}
	}
	for _, c := range []struct {
		name, before, question string
		leans                  bool
	}{
		{"an opening", "When is the swimming pool open?", "And in winter?", true},
		{"a pronoun", "What does the swimming pool cost?", "How deep is it?", true},
		{"next to nothing", "What does the swimming pool cost?", "Why?", true},
		{"a name", "What does the swimming pool cost?", "And who is Greta Hallworth?", false},
		{"a question of its own", "What does the swimming pool cost?", "Which documents does a library card need?", false},
		{"Spanish", "¿Cuándo abre la piscina?", "¿Y en invierno?", true},
		{"Chinese", "游泳池几点开门？", "冬天呢？", true},
		{"a Chinese question of its own", "游泳池几点开门？", "图书馆的借书证需要哪些证明文件？", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, vectors := newShelf(3), &compass{}
			retrieve(t, s, vectors, kyro.Bot{}, c.question, said(c.before)...)
			if leans := len(s.asked) == 2; leans != c.leans {
				t.Errorf("searched %q", s.asked)
			}
			if leans := strings.Contains(vectors.asked[0], c.before); leans != c.leans {
				t.Errorf("embedded %q", vectors.asked[0])
			}
			s = newShelf(3)
			if retrieve(t, s, nil, kyro.Bot{}, c.question); len(s.asked) != 1 {
				t.Errorf("without history searched %q", s.asked)
			}
		})
	}
}

func TestRetrieveWeighsTheQuestionBeforeLess(t *testing.T) {
	t.Parallel()
	s := newShelf(9)
	s.words["winter"] = []int64{4}
	s.words["pool"] = []int64{6, 4}
	s.words["swim"] = []int64{6}
	found := retrieve(t, s, nil, kyro.Bot{}, "And in winter?", kyro.Message{Role: kyro.RoleUser, Text: "When is the pool open for a swim?"})
	if got := keysOf(found); !slices.Equal(got, []int64{4, 6}) {
		t.Errorf("got %v", got)
	}
	if found.Lexical.Frequent["pool"] != 2 || found.Lexical.Frequent["winter"] != 1 {
		t.Errorf("frequencies %v", found.Lexical.Frequent)
	}
}
