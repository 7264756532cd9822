package answer_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/answer"
	"kyrochat/kyro"
)

// Bots gives everybody a bot of their own for every id that is not 404.
func (f *fakeStore) Bots(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Bot, error) {
	if err := f.enter(ctx, "Bots"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	var bots []kyro.Bot
	for _, id := range ids {
		if id.Key != 404 {
			bots = append(bots, kyro.Bot{ID: id, OwnerID: owner, TopK: 3})
		}
	}
	return bots, nil
}

// Search gives one hit that says how it was asked.
func (r retriever) Search(_ context.Context, bot kyro.Bot, question string, limit int) ([]kyro.SearchHit, error) {
	return []kyro.SearchHit{{Passage: kyro.Passage{DocumentTitle: question, Score: float64(limit), Chunk: kyro.Chunk{BotID: bot.ID}}}}, nil
}

func TestSearchIsForTheOwner(t *testing.T) {
	t.Parallel()
	inWorld(t, saying(0), func(t *testing.T, w *world) {
		number := func(n int) *int { return &n }
		for _, c := range []struct {
			name   string
			viewer kyro.Viewer
			bot    kyro.ID
			query  string
			first  *int
			code   kyro.Code
			limit  float64
		}{
			{"the owner", person, kyro.BotID(1), "q", nil, "", 20},
			{"as many as there may be", person, kyro.BotID(1), strings.Repeat("é", 8_000), number(50), "", 50},
			{"nobody", kyro.Viewer{}, kyro.BotID(1), "q", nil, kyro.CodeUnauthenticated, 0},
			{"not there", person, kyro.BotID(404), "q", nil, kyro.CodeNotFound, 0},
			{"another kind", person, kyro.ChunkID(1), "q", nil, kyro.CodeBadUserInput, 0},
			{"no query", person, kyro.BotID(1), " \u200B\n", nil, kyro.CodeBadUserInput, 0},
			{"a long query", person, kyro.BotID(1), strings.Repeat("é", 8_001), nil, kyro.CodeBadUserInput, 0},
			{"no text", person, kyro.BotID(1), "\xff", nil, kyro.CodeBadUserInput, 0},
			{"none", person, kyro.BotID(1), "q", number(0), kyro.CodeBadUserInput, 0},
			{"too many", person, kyro.BotID(1), "q", number(51), kyro.CodeBadUserInput, 0},
		} {
			hits, err := w.Search(t.Context(), c.viewer, c.bot, c.query, c.first)
			if kyro.ErrorCode(err) != c.code {
				t.Errorf("%s: %v", c.name, err)
			} else if err == nil && (len(hits) != 1 || hits[0].Score != c.limit || hits[0].Chunk.BotID != c.bot) {
				t.Errorf("%s: %+v", c.name, hits)
			}
		}
		hits, err := w.Search(t.Context(), person, kyro.BotID(1), "a\u202Eb\u00ADc\r\n", nil)
		if err != nil || hits[0].DocumentTitle != "abc\n" {
			t.Errorf("the query was searched as %+v, %v", hits, err)
		}
	})
}

// shown is what a search says, as "chunk" or "chunk REASON".
func shown(hits []kyro.SearchHit) []string {
	var all []string
	for _, h := range hits {
		s := strings.TrimPrefix(h.Chunk.ID.String(), "chunk_")
		if h.Dropped != nil {
			s += " " + string(*h.Dropped)
		}
		all = append(all, s)
	}
	return all
}

// TestSearchSaysWhatAnAnswerGets: the hits without a reason are the passages that Retrieve gives, in the same order.
func TestSearchSaysWhatAnAnswerGets(t *testing.T) {
	t.Parallel()
	s := newShelf(12)
	s.words["pump"] = []int64{1, 2, 3, 4, 5, 6, 7, 8}
	s.gone[2], s.gone[9], s.erased[9] = true, true, true
	s.chunks[3] = kyro.Chunk{Text: s.chunks[1].Text, ContentHash: "copy"}
	least := 0.5
	c := &compass{hits: []kyro.VectorHit{
		{ChunkID: kyro.ChunkID(1), Similarity: 0.9}, {ChunkID: kyro.ChunkID(9), Similarity: 0.9}, {ChunkID: kyro.ChunkID(2), Similarity: 0.8},
		{ChunkID: kyro.ChunkID(3), Similarity: 0.8}, {ChunkID: kyro.ChunkID(4), Similarity: 0.4}, {ChunkID: kyro.ChunkID(10), Similarity: 0.3},
		{ChunkID: kyro.ChunkID(99), Similarity: 0.3},
	}}
	bot := kyro.Bot{ID: kyro.BotID(1), TopK: 3, MinScore: &least}
	r := answer.NewRetriever(s, c, c, slog.New(slog.DiscardHandler))
	hits, err := r.Search(t.Context(), bot, "pump", 50)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"1", "2 NOT_LIVE", "3 DUPLICATE", "4 BELOW_MIN_SCORE", "10 BELOW_MIN_SCORE", "5", "6", "7 OVER_BUDGET", "8 OVER_BUDGET"}
	if got := shown(hits); !slices.Equal(got, want) {
		t.Errorf("shown %q\n want %q", got, want)
	}
	if h := hits[3]; *h.LexicalRank != 4 || *h.VectorRank != 3 || *h.Similarity != 0.4 || h.Score <= 0 || h.Score > 1 {
		t.Errorf("%+v", h)
	}
	found, err := r.Retrieve(t.Context(), bot, "pump", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := keysOf(found); !slices.Equal(got, []int64{1, 5, 6}) {
		t.Errorf("an answer gets %v", got)
	}
	for i := range found.Passages {
		if kept := slices.DeleteFunc(slices.Clone(hits), func(h kyro.SearchHit) bool { return h.Dropped != nil }); kept[i].Score != found.Passages[i].Score {
			t.Errorf("the scores differ: %f and %f", kept[i].Score, found.Passages[i].Score)
		}
	}
	if few, err := r.Search(t.Context(), bot, "pump", 2); err != nil || !slices.Equal(shown(few), want[:2]) {
		t.Errorf("two: %q, %v", shown(few), err)
	}
}

// TestScores: what is first in every list has 1, and an index that says something twice gives the others no worse a rank.
func TestScores(t *testing.T) {
	t.Parallel()
	s := newShelf(4)
	s.words["pump"] = []int64{1, 2, 3}
	c := &compass{hits: []kyro.VectorHit{{ChunkID: kyro.ChunkID(1), Similarity: 0.9}, {ChunkID: kyro.ChunkID(1), Similarity: 0.9}, {ChunkID: kyro.ChunkID(2), Similarity: 0.8}}}
	hits, err := answer.NewRetriever(s, c, c, slog.New(slog.DiscardHandler)).Search(t.Context(), kyro.Bot{ID: kyro.BotID(1), TopK: 3}, "pump", 20)
	if err != nil || !slices.Equal(shown(hits), []string{"1", "2", "3"}) || hits[2].VectorRank != nil || *hits[1].VectorRank != 2 {
		t.Fatalf("%+v, %v", hits, err)
	}
	for i, want := range []float64{1, 61.0 / 62, 61.0 / 126} {
		if got := hits[i].Score; math.Abs(got-want) > 1e-9 {
			t.Errorf("the score of %d is %g, want %g", i+1, got, want)
		}
	}
}

func TestSearchGoesOnWithoutVectors(t *testing.T) {
	t.Parallel()
	s, c := newShelf(3), &compass{err: errors.New("no route")}
	s.words["pump"] = []int64{2}
	hits, err := answer.NewRetriever(s, c, c, slog.New(slog.DiscardHandler)).Search(t.Context(), kyro.Bot{TopK: 3}, "pump", 20)
	if err != nil || !slices.Equal(shown(hits), []string{"2"}) || hits[0].VectorRank != nil || hits[0].Similarity != nil {
		t.Errorf("%+v, %v", hits, err)
	}
	s.err = errors.New("no disk")
	if _, err := answer.NewRetriever(s, c, c, slog.New(slog.DiscardHandler)).Search(t.Context(), kyro.Bot{TopK: 3}, "pump", 20); !errors.Is(err, s.err) {
		t.Errorf("got %v", err)
	}
}

// TestStaleVectorsDoNotCrowdOut: an index that is full of what was deleted is asked once more, and what is live has the
// ranks it would have without.
func TestStaleVectorsDoNotCrowdOut(t *testing.T) {
	t.Parallel()
	s := newShelf(0)
	var hits []kyro.VectorHit
	for i := int64(1); i <= 300; i++ {
		s.chunks[i] = newShelf(i).chunks[i]
		s.gone[i] = i <= 290
		hits = append(hits, kyro.VectorHit{ChunkID: kyro.ChunkID(i), Similarity: 1 - float64(i)/1000})
	}
	hits = slices.Insert(hits, 0, kyro.VectorHit{ChunkID: kyro.ChunkID(7_000), Similarity: 1}) // of another bot
	c := &compass{hits: hits}
	found := retrieve(t, s, c, kyro.Bot{TopK: 4}, "nothing of the kind")
	if got := keysOf(found); !slices.Equal(got, []int64{291, 292, 293, 294}) {
		t.Errorf("found %v", got)
	}
	if got := *found.Passages[0].VectorRank; got != 1 {
		t.Errorf("the best that is live has rank %d", got)
	}
	if !slices.Equal(c.limits, []int{50, 1_000}) || s.reads != 2 || s.checks != 2 {
		t.Errorf("asked for %v vectors, read %d times", c.limits, s.reads)
	}
	// All of the best is live: nobody looks at the rest.
	s.checks, c.limits = 0, nil
	s.gone = map[int64]bool{}
	c.hits = hits[1:]
	retrieve(t, s, c, kyro.Bot{TopK: 4}, "nothing of the kind")
	if !slices.Equal(c.limits, []int{50}) || s.checks != 0 {
		t.Errorf("asked for %v vectors, looked %d times", c.limits, s.checks)
	}
	// Half of it live, or an index that gave all it has: once is enough.
	for i := int64(1); i <= 300; i++ {
		s.gone[i] = i%2 == 0
	}
	c.limits = nil
	retrieve(t, s, c, kyro.Bot{}, "nothing of the kind")
	s.gone = map[int64]bool{1: true, 2: true}
	few := &compass{hits: near(0.9, 0.8)}
	retrieve(t, s, few, kyro.Bot{}, "nothing of the kind")
	if !slices.Equal(c.limits, []int{50}) || !slices.Equal(few.limits, []int{50}) {
		t.Errorf("asked for %v and %v vectors", c.limits, few.limits)
	}
}

// slow is a provider of vectors that takes its time, and another that does not even end when it is told to.
type slow struct {
	*compass
	embed, search time.Duration
	deaf          bool
}

func (s slow) EmbedQuestion(ctx context.Context, text string) ([]float32, error) {
	if err := s.wait(ctx, s.embed); err != nil {
		return nil, err
	}
	return s.compass.EmbedQuestion(ctx, text)
}

func (s slow) SearchVectors(ctx context.Context, bot kyro.ID, query []float32, limit int) ([]kyro.VectorHit, error) {
	if err := s.wait(ctx, s.search); err != nil {
		return nil, err
	}
	return s.compass.SearchVectors(ctx, bot, query, limit)
}

func (s slow) wait(ctx context.Context, d time.Duration) error {
	if s.deaf {
		time.Sleep(d)
		return nil
	}
	return wait(ctx, d)
}

func TestVectorsHaveADeadlineOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		embed, search time.Duration
		deaf, late    bool
	}{
		{"in time", 700 * time.Millisecond, 700 * time.Millisecond, false, false},
		{"together too slow", 800 * time.Millisecond, 800 * time.Millisecond, false, true},
		{"the embedding hangs", time.Hour, 0, false, true},
		{"the index hangs and does not listen", 0, time.Minute, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newShelf(3)
				s.words["pump"] = []int64{2}
				v := slow{&compass{hits: near(0.9)}, c.embed, c.search, c.deaf}
				begin := time.Now()
				r := answer.NewRetriever(s, v, v, slog.New(slog.DiscardHandler))
				found, err := r.Retrieve(t.Context(), kyro.Bot{TopK: 3}, "pump", nil)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took > answer.DefaultVectorTimeout {
					t.Errorf("it took %s", took)
				}
				if late := slices.Contains(found.Notices, kyro.NoticeLexicalOnly); late != c.late {
					t.Errorf("notices %v", found.Notices)
				}
				if want := map[bool][]int64{true: {2}, false: {1, 2}}[c.late]; !slices.Equal(keysOf(found), want) {
					t.Errorf("found %v, want %v", keysOf(found), want)
				}
				soon, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if left := r.Wait(soon) != nil; left != c.deaf {
					t.Errorf("a search was left behind: %t", left)
				}
				if err := r.Wait(t.Context()); err != nil || c.deaf && time.Since(begin) != c.search {
					t.Errorf("waited %s for it to end, %v", time.Since(begin), err)
				}
			})
		})
	}
}

func TestPassagesKeepToTheirBudget(t *testing.T) {
	t.Parallel()
	s := newShelf(9)
	for i := int64(1); i <= 9; i++ {
		c := s.chunks[i]
		c.TokenCount = 1_500
		s.chunks[i] = c
		s.words["pump"] = append(s.words["pump"], i)
	}
	if got := keysOf(retrieve(t, s, nil, kyro.Bot{TopK: 9}, "pump")); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("found %v", got)
	}
	small := answer.NewRetriever(s, nil, nil, slog.New(slog.DiscardHandler))
	small.PassageTokens = 100
	hits, err := small.Search(t.Context(), kyro.Bot{TopK: 9}, "pump", 3)
	if err != nil || !slices.Equal(shown(hits), []string{"1", "2 OVER_BUDGET", "3 OVER_BUDGET"}) {
		t.Errorf("%q, %v", shown(hits), err)
	}
	// Without a count of its own a passage takes what its text does.
	for i, c := range s.chunks {
		c.TokenCount, c.Text = 0, c.Text+strings.Repeat(" 1234567890", 3+int(i))
		s.chunks[i] = c
	}
	if hits, err = small.Search(t.Context(), kyro.Bot{TopK: 9}, "pump", 3); err != nil || !slices.Equal(shown(hits), []string{"1", "2 OVER_BUDGET", "3 OVER_BUDGET"}) {
		t.Errorf("%q, %v", shown(hits), err)
	}
}

// What is above a passage takes room in the prompt as the passage does.
func TestHeadsCountInTheBudget(t *testing.T) {
	t.Parallel()
	s := newShelf(2)
	for i := int64(1); i <= 2; i++ {
		c := s.chunks[i]
		c.TokenCount, c.HeadingPath = 10, nil
		s.chunks[i], s.words["pump"] = c, append(s.words["pump"], i)
	}
	small := answer.NewRetriever(s, nil, nil, slog.New(slog.DiscardHandler))
	small.PassageTokens = 150
	found := func() []string {
		hits, err := small.Search(t.Context(), kyro.Bot{TopK: 9}, "pump", 3)
		if err != nil {
			t.Fatal(err)
		}
		return shown(hits)
	}
	if got := found(); !slices.Equal(got, []string{"1", "2"}) {
		t.Fatalf("without headings: %q", got)
	}
	c := s.chunks[2]
	c.HeadingPath = []string{strings.Repeat("Pumps and all that belongs to them ", 4), strings.Repeat("and their seals ", 8)}
	s.chunks[2] = c
	if got := found(); !slices.Equal(got, []string{"1", "2 OVER_BUDGET"}) {
		t.Errorf("with headings: %q", got)
	}
}

func TestNeighboursThatOverlapTakeOnePlace(t *testing.T) {
	t.Parallel()
	s := newShelf(4)
	at := func(key, document int64, start, end int) {
		c := s.chunks[key]
		c.DocumentID, c.Version, c.ByteStart, c.ByteEnd = kyro.DocumentID(document), 1, start, end
		s.chunks[key] = c
		s.words["pump"] = append(s.words["pump"], key)
	}
	at(1, 1, 1000, 2000)
	at(2, 1, 1900, 2050) // most of it is in the first
	at(3, 1, 1900, 3000) // a tenth is
	at(4, 2, 1000, 2000) // of another document
	if got := keysOf(retrieve(t, s, nil, kyro.Bot{TopK: 9}, "pump")); !slices.Equal(got, []int64{1, 3, 4}) {
		t.Errorf("found %v", got)
	}
}
