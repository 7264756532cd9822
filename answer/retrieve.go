package answer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"kyrochat/kyro"
	"kyrochat/text"
)

const (
	// searchDepth is how many chunks each search gives at least: enough that what one search ranks low and the other
	// high is still seen by both, and that stale hits leave enough.
	searchDepth = 50

	// DefaultVectorTimeout is how long the vectors may take where nothing else is set.
	DefaultVectorTimeout = 1500 * time.Millisecond
)

// IndexRetriever finds passages by their words and by their vectors, and fuses the two by rank. What it gives is
// checked against live rows: a chunk that was deleted, replaced or switched off meanwhile is left out.
type IndexRetriever struct {
	// VectorTimeout is how long the vectors may take, from the beginning, with the embedding of the question. Where they
	// take longer the words alone count. To be set before use, as the next.
	VectorTimeout time.Duration
	// PassageTokens is how many tokens the passages of an answer may have together.
	PassageTokens int

	index    Index
	vectors  Vectors
	embedder Embedder
	log      *slog.Logger
	searches sync.WaitGroup // of vectors, on their way
}

// NewRetriever finds passages in the index and the vectors. Without vectors or embedder it uses words alone.
func NewRetriever(index Index, vectors Vectors, embedder Embedder, log *slog.Logger) *IndexRetriever {
	return &IndexRetriever{
		VectorTimeout: DefaultVectorTimeout, PassageTokens: DefaultPassageTokens,
		index: index, vectors: vectors, embedder: embedder, log: log.With("part", "retrieve"),
	}
}

// Wait waits for searches of vectors that nobody waits for any more, since they took too long; not longer than ctx. It is
// called once nothing is searched any more, and before what is searched is closed.
func (r *IndexRetriever) Wait(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.searches.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for searches of vectors: %w", ctx.Err())
	}
}

// Retrieve gives up to bot.TopK passages, best first, as many as the budget of tokens holds, without near duplicates
// and without those that bot.MinScore rules out. When the vectors cannot be searched it gives what the words found,
// with the notice LEXICAL_ONLY.
func (r *IndexRetriever) Retrieve(ctx context.Context, bot kyro.Bot, question string, history []kyro.Message) (Retrieved, error) {
	found, s, err := r.find(ctx, bot, question, history, firstLook(bot))
	if err != nil {
		return Retrieved{}, err
	}
	if found.Passages, err = s.best(ctx); err != nil {
		return Retrieved{}, fmt.Errorf("retrieve: read passages: %w", err)
	}
	return found, nil
}

// Search gives up to limit of the chunks that are found for a question without history, best first: those that Retrieve
// gives, and among them those that it leaves out, with the reason. Chunks that are not live are shown where there still
// are rows of them; others are not. When the vectors cannot be searched it gives what the words found.
func (r *IndexRetriever) Search(ctx context.Context, bot kyro.Bot, question string, limit int) ([]kyro.SearchHit, error) {
	_, s, err := r.find(ctx, bot, question, nil, max(firstLook(bot), limit+8))
	if err != nil {
		return nil, err
	}
	hits, err := s.hits(ctx, limit)
	if err != nil {
		return nil, fmt.Errorf("search: read passages: %w", err)
	}
	return hits, nil
}

// maxSearches is how often a question is searched for while what was found is replaced before it is read.
const maxSearches = 3

// firstLook is how many of the best candidates are read to begin with: more than an answer takes, since some will be
// left out.
func firstLook(bot kyro.Bot) int { return 2*bot.TopK + 8 }

// find searches by words and vectors, ranks what was found, and reads the first batch of it.
func (r *IndexRetriever) find(
	ctx context.Context, bot kyro.Bot, question string, history []kyro.Message, batch int,
) (found Retrieved, s *sieve, err error) {
	soon, cancel := context.WithTimeout(ctx, r.VectorTimeout)
	defer cancel()
	languages, err := r.index.Languages(ctx, bot.ID)
	if err != nil {
		return found, nil, fmt.Errorf("retrieve: read languages: %w", err)
	}
	depth := max(searchDepth, 4*bot.TopK)
	terms := text.Query(question, languages)
	leaning := contextOf(question, terms, history, languages)
	asked := question
	if len(leaning) > 0 {
		asked = lastQuestion(history) + "\n" + question
	}

	nearest := r.startVectors(soon, bot, asked, depth)
	words, lexical, err := r.searchWords(ctx, bot, terms, leaning, depth)
	if err != nil {
		return found, nil, err
	}
	var near nearby
	select {
	case near = <-nearest:
	case <-soon.Done(): // also where a provider does not end in time; what it gives then nobody takes
		near.err = context.Cause(soon)
	}
	found = Retrieved{Lexical: lexical, Languages: languages}
	switch {
	case ctx.Err() != nil:
		return found, nil, fmt.Errorf("retrieve: %w", ctx.Err())
	case near.err != nil:
		r.log.WarnContext(ctx, "vectors not searched, answering by words alone", "bot", bot.ID, "error", near.err)
		found.Notices = append(found.Notices, kyro.NoticeLexicalOnly)
		near = nearby{}
	}
	for searches := 1; ; searches++ {
		s = r.newSieve(bot, batch)
		s.candidates = r.fuse(bot, words, near)
		missing, moved, err := s.look(ctx)
		if err != nil {
			return found, nil, fmt.Errorf("retrieve: read passages: %w", err)
		}
		if moved && searches < maxSearches {
			if words, found.Lexical, err = r.searchWords(ctx, bot, terms, leaning, depth); err != nil {
				return found, nil, err
			}
			if near.searched {
				near = r.again(soon, bot, near)
			}
			continue
		}
		if missing {
			s.candidates = r.fuse(bot, words, r.refine(soon, bot, near))
		}
		break
	}
	return found, s, nil
}

// fuse ranks what was found.
func (r *IndexRetriever) fuse(bot kyro.Bot, words []wordHits, near nearby) []*candidate {
	fused := newFusion()
	for _, w := range words {
		fused.addWords(w.hits, w.weight)
	}
	if near.searched {
		fused.addVectors(near, r.embedder.Lexical())
	}
	candidates := fused.ranked()
	for _, c := range candidates {
		c.far = tooFar(c, near, r.minScore(bot))
	}
	return candidates
}

// wordHits is what a search by words found, and what its ranks weigh.
type wordHits struct {
	hits   []kyro.LexicalHit
	weight float64
}

// searchWords searches the question's words, and once more together with those it leans on.
func (r *IndexRetriever) searchWords(
	ctx context.Context, bot kyro.Bot, terms, leaning []text.QueryTerm, depth int,
) ([]wordHits, kyro.LexicalResult, error) {
	lexical, err := r.index.SearchWords(ctx, bot.ID, variants(terms), depth)
	if err != nil {
		return nil, lexical, fmt.Errorf("retrieve: search words: %w", err)
	}
	found := []wordHits{{lexical.Hits, weightWords}}
	if len(leaning) == 0 {
		return found, lexical, nil
	}
	wider, err := r.index.SearchWords(ctx, bot.ID, variants(append(slices.Clone(terms), leaning...)), depth)
	if err != nil {
		return nil, lexical, fmt.Errorf("retrieve: search words with context: %w", err)
	}
	lexical.Frequent = wider.Frequent
	if len(lexical.Hits) == 0 {
		lexical.Hits = wider.Hits
	}
	return append(found, wordHits{wider.Hits, weightContext}), lexical, nil
}

// variants gives the index terms of a question's words of substance, or of all where it has none, each once.
func variants(terms []text.QueryTerm) []string {
	allStop := !slices.ContainsFunc(terms, func(t text.QueryTerm) bool { return !t.Stop })
	var all []string
	seen := make(map[string]bool)
	for _, t := range terms {
		if t.Stop && !allStop {
			continue
		}
		for _, v := range t.Variants {
			if !seen[v] {
				seen[v] = true
				all = append(all, v)
			}
		}
	}
	return all
}

// minScore is the bot's least similarity, where similarities mean something.
func (r *IndexRetriever) minScore(bot kyro.Bot) *float64 {
	if r.embedder == nil || r.embedder.Lexical() {
		return nil
	}
	return bot.MinScore
}

// tooFar reports a chunk below the least similarity. One that the vectors did not give is below it when the last
// one they gave is: it would have come before that one. Where they gave all there are it has no vector yet, and
// its words count.
func tooFar(c *candidate, near nearby, least *float64) bool {
	switch {
	case least == nil:
		return false
	case c.similarity != nil:
		return *c.similarity < *least
	}
	return near.cut() && near.hits[len(near.hits)-1].Similarity < *least
}
