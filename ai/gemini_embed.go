package ai

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
	"google.golang.org/genai"

	"kyrochat/text"
)

// How texts are embedded.
const (
	mostBatch       = 100    // texts in a call: more are refused
	mostBatchTokens = 20_000 // estimated tokens in a call
	mostBatches     = 3      // calls with passages at once, over all documents: questions are never behind them
	passagesTimeout = 30 * time.Second
	questionTimeout = 3 * time.Second // then words alone must find the passages
)

// task is what an embedding is for: a question is near its answers, not near other questions.
type task int

const (
	forPassages task = iota
	forQuestions
)

// EmbedPassages gives a vector for each text, L2-normalised. Equal texts are sent once, and share theirs. A text that is
// longer than the model reads is cut. Any number may be given: they go in batches, a few at a time. Where a batch fails
// the error, typed and soon, comes with the vectors of the others and nil in the places of those that have none: what was
// paid for is not lost, and whoever has a queue asks for the rest later.
func (g *Gemini) EmbedPassages(ctx context.Context, texts []string) ([][]float32, error) {
	distinct, at := distinctTexts(texts)
	found := make([][]float32, len(distinct))
	var group errgroup.Group // without a context: a batch that is under way is paid for, whatever becomes of another
	for _, b := range g.batchesOf(distinct) {
		group.Go(func() error {
			select {
			case g.batches <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			defer func() { <-g.batches }()
			vectors, err := g.embedTexts(ctx, distinct[b.from:b.to], forPassages, passagesTimeout, g.newTries(passagesBudget, mostRetries))
			copy(found[b.from:b.to], vectors)
			return err
		})
	}
	err := group.Wait()
	vectors := make([][]float32, len(texts))
	for i := range texts {
		vectors[i] = found[at[i]]
	}
	return vectors, err
}

// EmbedQuestion gives the vector of a question, L2-normalised. Questions that come at the same time go in one call, and
// one that was asked of late is not sent again. The caller may leave without harm to the others.
func (g *Gemini) EmbedQuestion(ctx context.Context, question string) ([]float32, error) {
	return g.questions.ask(ctx, question)
}

// embedQuestions embeds a few questions.
func (g *Gemini) embedQuestions(ctx context.Context, texts []string) ([][]float32, error) {
	return g.embedTexts(ctx, texts, forQuestions, questionTimeout, g.newTries(questionBudget, 1))
}

func distinctTexts(texts []string) (distinct []string, at []int) {
	seen := make(map[string]int, len(texts))
	at = make([]int, len(texts))
	for i, s := range texts {
		n, known := seen[s]
		if !known {
			n = len(distinct)
			seen[s] = n
			distinct = append(distinct, s)
		}
		at[i] = n
	}
	return distinct, at
}

type span struct{ from, to int }

// batchesOf divides texts by their number and their estimated tokens.
func (g *Gemini) batchesOf(texts []string) []span {
	var spans []span
	most := min(g.batch.now(), g.share.whole())
	from, tokens := 0, 0
	for i, s := range texts {
		n := min(text.Tokens(s), g.readable())
		if i > from && (i-from == most || tokens+n > mostBatchTokens) {
			spans = append(spans, span{from, i})
			from, tokens = i, 0
		}
		tokens += n
	}
	if from < len(texts) {
		spans = append(spans, span{from, len(texts)})
	}
	return spans
}

// second reports the second generation of embedding models, which read more, and are told in words what a text is for.
func (g *Gemini) second() bool {
	return strings.HasPrefix(strings.TrimPrefix(g.cfg.EmbeddingModel, "models/"), "gemini-embedding-2")
}

// readable is how many estimated tokens of a text are sent: three quarters of what the model reads, since the estimate
// may be off.
func (g *Gemini) readable() int {
	if g.second() {
		return 8_192 * 3 / 4
	}
	return 2_048 * 3 / 4
}

// embedTexts makes one call, with its tries, that takes no longer than the timeout.
func (g *Gemini) embedTexts(caller context.Context, texts []string, use task, timeout time.Duration, tries *tries) ([][]float32, error) {
	ctx, cancel := context.WithTimeoutCause(caller, timeout, errSlow)
	defer cancel()
	w := g.passages
	if use == forQuestions {
		w = g.asked
	}
	for {
		vectors, f := g.tryEmbed(caller, ctx, texts, use, tries)
		if f == nil {
			return vectors, nil
		}
		if !tries.again(ctx, w, f) {
			return nil, f.outcome(caller, ctx)
		}
	}
}

func (g *Gemini) tryEmbed(caller, ctx context.Context, texts []string, use task, t *tries) (vectors [][]float32, f *failure) {
	model := g.cfg.EmbeddingModel
	c, f := g.beginEmbed(ctx, use, len(texts), t.patience())
	if f != nil {
		return nil, f
	}
	defer func() {
		if p := recover(); p != nil { // batches have goroutines of their own, where it would end the process
			vectors, f = nil, g.panicked(p)
		}
		g.endEmbed(c, use, len(texts), f)
	}()
	contents := make([]*genai.Content, len(texts)) // one for each: several parts of one would become one vector
	for i, s := range texts {
		contents[i] = genai.NewContentFromText(g.wording(cutTo(s, g.readable()), use), genai.RoleUser)
	}
	config := &genai.EmbedContentConfig{OutputDimensionality: genai.Ptr(int32(g.cfg.EmbeddingDims))}
	if !g.second() {
		config.TaskType = [...]string{"RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY"}[use]
	}
	resp, err := g.client.Models.EmbedContent(ctx, model, contents, config)
	if err != nil {
		return nil, g.judge(caller, ctx, model, err)
	}
	return g.checked(resp, len(texts))
}

// wording is a text as the model wants it.
func (g *Gemini) wording(s string, use task) string {
	switch {
	case strings.TrimSpace(s) == "":
		return "-" // an empty text is refused, and all others of the batch with it
	case !g.second():
		return s
	case use == forQuestions:
		return "task: search result | query: " + s
	}
	return "title: none | text: " + s
}

// checked takes the vectors if there are as many as texts, and each as long as it was asked for.
func (g *Gemini) checked(resp *genai.EmbedContentResponse, count int) ([][]float32, *failure) {
	wrong := func(format string, args ...any) *failure {
		return &failure{err: failed().Because(fmt.Errorf(format, args...)), again: false}
	}
	if len(resp.Embeddings) != count {
		return nil, wrong("%d embeddings for %d texts", len(resp.Embeddings), count)
	}
	vectors := make([][]float32, count)
	for i, e := range resp.Embeddings {
		if e == nil || len(e.Values) != g.cfg.EmbeddingDims {
			return nil, wrong("an embedding has not the %d dimensions that were asked for", g.cfg.EmbeddingDims)
		}
		if vectors[i] = unitVector(e.Values); vectors[i] == nil {
			return nil, wrong("an embedding has no direction")
		}
	}
	return vectors, nil
}

// unitVector gives the vector the length one; nil where it has no direction.
func unitVector(v []float32) []float32 {
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	if square == 0 || math.IsNaN(square) || math.IsInf(square, 0) {
		return nil
	}
	unit := make([]float32, len(v))
	for i, x := range v {
		unit[i] = float32(float64(x) / math.Sqrt(square))
	}
	return unit
}

// cutTo cuts a text to about so many estimated tokens, never more.
func cutTo(s string, tokens int) string {
	for n := text.Tokens(s); n > tokens; n = text.Tokens(s) {
		end := min(len(s)-1, len(s)*tokens/n)
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	return s
}
