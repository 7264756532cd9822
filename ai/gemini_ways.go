package ai

import (
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	mostModels     = 64 // of bots, of which is remembered how they fare
	leastAnswers   = 16 // answers at once that are let through whatever was refused
	mostAnswers    = 4_096
	leastQuestions = 2 // calls with questions, the same
	mostQuestions  = 8
)

// way is how calls of one kind get to a model: as far as its quota goes, and not while it fails.
type way struct {
	limiter *limiter
	breaker *breaker
}

// ways are all of them. Each model has its own, so that one that a bot names and that fails takes nothing from others. The
// embedding model has one for questions and another for passages: a document takes whatever the quota gives, and must
// not keep questions waiting behind its calls, nor close the way for them with its refusals or failures.
type ways struct {
	answers, asked, passages *way

	mu     sync.Mutex
	others *lru.Cache[string, *way] // to models that bots name
}

// passagesOf ends the name of the quota that passages were refused for.
const passagesOf = "/passages"

func (g *Gemini) openWays() (err error) {
	embedding := bare(g.cfg.EmbeddingModel)
	g.answers = g.newWay(bare(g.cfg.Model), leastAnswers, mostAnswers, g.cfg.OnPause)
	g.asked = g.newWay(embedding, leastQuestions, mostQuestions, g.questionRefused)
	g.passages = g.newWay(embedding+passagesOf, 1, mostBatches, g.cfg.OnPause)
	g.others, err = lru.New[string, *way](mostModels)
	return err
}

func (g *Gemini) newWay(name string, least, most int, told func(quota string, d time.Duration)) *way {
	return &way{newLimiter(g.owner+name, least, most, g.cfg.random, told), newBreaker("Gemini "+name, "language model", g.log)}
}

// bare is a model by its name alone.
func bare(model string) string { return strings.TrimPrefix(model, "models/") }

// way gives that to a model, other than for passages.
func (g *Gemini) way(model string) *way {
	model = bare(model)
	switch model {
	case bare(g.cfg.Model):
		return g.answers
	case bare(g.cfg.EmbeddingModel):
		return g.asked
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if w, ok := g.others.Get(model); ok {
		return w
	}
	w := g.newWay(model, leastAnswers, mostAnswers, g.cfg.OnPause)
	g.others.Add(model, w)
	return w
}

// questionRefused hears that not even a question is let through: then passages wait as well, here and elsewhere.
func (g *Gemini) questionRefused(quota string, d time.Duration) {
	g.passages.limiter.pause(d)
	if g.cfg.OnPause != nil {
		g.cfg.OnPause(quota, d)
	}
}

// Pause keeps calls off a quota for d, as another node was told. Quotas of other keys are left alone.
func (g *Gemini) Pause(quota string, d time.Duration) {
	model, ours := strings.CutPrefix(quota, g.owner)
	switch {
	case !ours || d <= 0:
	case model == bare(g.cfg.EmbeddingModel)+passagesOf:
		g.passages.limiter.pause(d)
	case modelName.MatchString(model):
		g.way(model).limiter.pause(d)
		if model == bare(g.cfg.EmbeddingModel) {
			g.passages.limiter.pause(d)
			g.share.yield()
		}
	}
}

// Away says why Gemini is not asked at the moment, and for how long; nil where it is.
func (g *Gemini) Away() error {
	for _, w := range []*way{g.answers, g.asked, g.passages} {
		if w.breaker.open() {
			return w.breaker.away(nil)
		}
		if wait := w.limiter.closed(); wait > 0 {
			return quotaUsedUp(wait)
		}
	}
	return nil
}
