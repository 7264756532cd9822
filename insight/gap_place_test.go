package insight_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/insight"
	"kyrochat/kyro"
)

// placing is a store of one bot's questions that are not in gaps, and what it was told.
type placing struct {
	insight.GapStore
	questions []kyro.GapQuestion
	bots      []kyro.ID // with work, in the order of a sweep
	broken    error     // whatever is asked of it

	vectors map[kyro.ID][]float32
	used    []kyro.EmbeddingUsage
	models  []string
	placed  int
}

func (s *placing) GapQuestionsToEmbed(_ context.Context, _ kyro.ID, _ string, limit int) ([]kyro.GapQuestion, error) {
	return s.questions[:min(limit, len(s.questions))], s.broken
}

func (s *placing) SaveGapVectors(_ context.Context, _ kyro.ID, model string, vectors map[kyro.ID][]float32, used ...kyro.EmbeddingUsage) error {
	s.vectors, s.used, s.models = vectors, used, append(s.models, model)
	s.questions = s.questions[len(vectors):]
	return nil
}

func (s *placing) PlaceGapQuestions(_ context.Context, p kyro.GapPlacing) (int, error) {
	n := min(s.placed, p.Limit)
	s.placed -= n
	return n, nil
}

func (s *placing) BotsWithGapWork(_ context.Context, _ string, limit int) ([]kyro.ID, error) {
	return s.bots[:min(limit, len(s.bots))], s.broken
}

// model gives each text a vector of its length, but for what it refuses or while it is away.
type model struct {
	refuses string
	away    error
	short   bool // gives too few
}

func (model) Model() (string, int) { return "measure", 1 }
func (model) Lexical() bool        { return false }

func (m model) EmbedPassages(_ context.Context, texts []string) ([][]float32, error) {
	if m.away != nil {
		return nil, m.away
	}
	if m.short {
		return nil, nil
	}
	var vectors [][]float32
	for _, one := range texts {
		if m.refuses != "" && strings.Contains(one, m.refuses) {
			return nil, kyro.Errorf(kyro.CodeValidation, "refused")
		}
		vectors = append(vectors, []float32{float32(len(one))})
	}
	return vectors, nil
}

func asked(texts ...string) (questions []kyro.GapQuestion) {
	for i, one := range texts {
		questions = append(questions, kyro.GapQuestion{MessageID: kyro.MessageID(int64(i + 1)), Text: one})
	}
	return questions
}

func TestPlacingQuestions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	slow := kyro.Errorf(kyro.CodeUpstreamQuota, "slow down")
	slow.RetryAfter = 5 * time.Minute
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprint("question ", i)
	}
	for name, c := range map[string]struct {
		store   placing
		model   model
		vectors map[int64]float32 // by message; 0: it was refused
		again   bool              // the job goes on
		after   time.Duration
		wrong   string
	}{
		"they get vectors":                   {store: placing{questions: asked("one", "four")}, vectors: map[int64]float32{1: 3, 2: 4}},
		"one that is refused has none":       {store: placing{questions: asked("one", "a bomb", "four")}, model: model{refuses: "bomb"}, vectors: map[int64]float32{1: 3, 2: 0, 3: 4}},
		"the beginning of a long one counts": {store: placing{questions: asked(strings.Repeat("é", 3000))}, vectors: map[int64]float32{1: 4000}},
		"nothing is to be done":              {store: placing{}},
		"more wait for vectors":              {store: placing{questions: asked(many...)}, again: true},
		"more wait for a place":              {store: placing{placed: 70}, again: true},
		"the model is away":                  {store: placing{questions: asked("one")}, model: model{away: kyro.Errorf(kyro.CodeUnavailable, "away")}, again: true, after: 30 * time.Second},
		"the model says for how long":        {store: placing{questions: asked("one")}, model: model{away: slow}, again: true, after: 5 * time.Minute},
		"the model is wrong":                 {store: placing{questions: asked("one", "two")}, model: model{short: true}, wrong: "embed 2 questions: got 0 vectors"},
		"the model fails for another reason": {store: placing{questions: asked("one")}, model: model{away: errors.New("no such model")}, wrong: "no such model"},
		"the database fails":                 {store: placing{broken: errors.New("disk")}, wrong: "disk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.store
			gaps := insight.NewGaps(insight.GapConfig{Store: &s, Embedder: c.model, Metered: true, Now: func() time.Time { return now }})
			err := gaps.Place(t.Context(), kyro.Job{Key: 1})
			if c.again != errors.Is(err, kyro.ErrJobAgain) || !c.again && (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Fatalf("error %v, want again %v, %q", err, c.again, c.wrong)
			}
			if known, _ := errors.AsType[*kyro.Error](err); c.after > 0 && (known == nil || known.RetryAfter != c.after) {
				t.Errorf("goes on as of %v, want after %s", err, c.after)
			}
			for key, length := range c.vectors {
				if v := s.vectors[kyro.MessageID(key)]; length == 0 && v != nil || length > 0 && !slices.Equal(v, []float32{length}) {
					t.Errorf("message %d has the vector %v, want one of %g", key, v, length)
				}
			}
			if c.vectors != nil && (!slices.Equal(s.models, []string{"measure@1"}) || len(s.used) != 1 || s.used[0].Tokens == 0 || s.used[0].BotID != kyro.BotID(1) || !s.used[0].At.Equal(now)) {
				t.Errorf("vectors of %v took %v", s.models, s.used)
			}
		})
	}
}

// TestSweepOfGaps: bots whose questions no job is about get their turn, and the sweep goes on where there are more than fit in one.
func TestSweepOfGaps(t *testing.T) {
	t.Parallel()
	hundred := make([]kyro.ID, 100)
	for i := range hundred {
		hundred[i] = kyro.BotID(int64(i + 1))
	}
	for name, c := range map[string]struct {
		store placing
		model model
		again bool
		wrong string
	}{
		"none":                 {},
		"one":                  {store: placing{bots: hundred[:1], placed: 3}},
		"one with much to do":  {store: placing{bots: hundred[:1], placed: 70}, again: true},
		"more than a sweep":    {store: placing{bots: hundred}, again: true},
		"the model is away":    {store: placing{bots: hundred[:2], questions: asked("one")}, model: model{away: kyro.Errorf(kyro.CodeTimeout, "away")}, again: true},
		"the database is away": {store: placing{broken: errors.New("disk")}, wrong: "disk"},
		"a turn fails":         {store: placing{bots: hundred[:1], questions: asked("one")}, model: model{short: true}, wrong: "got 0 vectors"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.store
			err := insight.NewGaps(insight.GapConfig{Store: &s, Embedder: c.model}).Sweep(t.Context())
			if c.again != errors.Is(err, kyro.ErrJobAgain) || !c.again && (err != nil) != (c.wrong != "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Fatalf("error %v, want again %v, %q", err, c.again, c.wrong)
			}
		})
	}
}

// TestKeysMayNotChangeGaps: whoever changes a gap is shown what people asked, so that only persons may; and what is asked for
// must be a gap.
func TestKeysMayNotChangeGaps(t *testing.T) {
	t.Parallel()
	gaps := insight.NewGaps(insight.GapConfig{Store: &placing{}, Embedder: model{}})
	key := kyro.Viewer{UserID: kyro.UserID(1), KeyID: kyro.APIKeyID(1), Scopes: []kyro.Scope{kyro.ScopeRead}}
	if _, err := gaps.Dismiss(t.Context(), key, kyro.GapID(1), true); kyro.ErrorCode(err) != kyro.CodeForbidden {
		t.Errorf("a key dismisses: %v", err)
	}
	if _, _, err := gaps.Resolve(t.Context(), key, kyro.GapID(1), nil, "So."); kyro.ErrorCode(err) != kyro.CodeForbidden {
		t.Errorf("a key resolves: %v", err)
	}
	person := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1)}
	if _, err := gaps.Dismiss(t.Context(), person, kyro.BotID(1), true); kyro.ErrorCode(err) != kyro.CodeBadUserInput {
		t.Errorf("a bot is dismissed: %v", err)
	}
	for _, limit := range []int{0, kyro.MaxUnanswered + 1} {
		if _, err := gaps.Unanswered(t.Context(), person, kyro.BotID(1), kyro.Span{}, limit); kyro.ErrorCode(err) != kyro.CodeBadUserInput {
			t.Errorf("a list of %d: %v", limit, err)
		}
	}
	var nobody kyro.Viewer
	if _, err := gaps.List(t.Context(), nobody, nil, kyro.GapFilter{}, kyro.PageRequest{}); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
		t.Errorf("nobody lists gaps: %v", err)
	}
	if _, err := gaps.Questions(t.Context(), nobody, nil, kyro.PageRequest{}); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
		t.Errorf("nobody lists questions: %v", err)
	}
	if _, err := gaps.ByID(t.Context(), nobody, nil); kyro.ErrorCode(err) != kyro.CodeUnauthenticated {
		t.Errorf("nobody reads gaps: %v", err)
	}
}
