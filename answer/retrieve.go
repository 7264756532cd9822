package answer

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"kyrochat/kyro"
	"kyrochat/text"
)

// searchDepth is how many chunks each search gives at least: enough that what one search ranks low and the other
// high is still seen by both, and that stale hits leave enough.
const searchDepth = 50

// IndexRetriever finds passages by their words and by their vectors, and fuses the two by rank. What it gives is
// checked against live rows: a chunk that was deleted, replaced or switched off meanwhile is left out.
type IndexRetriever struct {
	index    Index
	vectors  Vectors
	embedder Embedder
	log      *slog.Logger
}

// NewRetriever finds passages in the index and the vectors. Without vectors or embedder it uses words alone.
func NewRetriever(index Index, vectors Vectors, embedder Embedder, log *slog.Logger) *IndexRetriever {
	return &IndexRetriever{index: index, vectors: vectors, embedder: embedder, log: log.With("part", "retrieve")}
}

// Retrieve gives up to bot.TopK passages, best first, without near duplicates and without those that bot.MinScore
// rules out. When the vectors cannot be searched it gives what the words found, with the notice LEXICAL_ONLY.
func (r *IndexRetriever) Retrieve(ctx context.Context, bot kyro.Bot, question string, history []kyro.Message) (Retrieved, error) {
	languages, err := r.index.Languages(ctx, bot.ID)
	if err != nil {
		return Retrieved{}, fmt.Errorf("retrieve: read languages: %w", err)
	}
	depth := max(searchDepth, 4*bot.TopK)
	terms := text.Query(question, languages)
	leaning := contextOf(question, terms, history, languages)

	nearest := r.startVectors(ctx, bot, question, leaning, history, depth)
	fused, lexical, err := r.searchWords(ctx, bot, terms, leaning, depth)
	near := <-nearest
	if err != nil {
		return Retrieved{}, err
	}
	found := Retrieved{Lexical: lexical, Languages: languages}
	switch {
	case ctx.Err() != nil:
		return Retrieved{}, fmt.Errorf("retrieve: %w", ctx.Err())
	case near.err != nil:
		r.log.WarnContext(ctx, "vectors not searched, answering by words alone", "bot", bot.ID, "error", near.err)
		found.Notices = append(found.Notices, kyro.NoticeLexicalOnly)
	case near.searched:
		fused.addVectors(near.hits, r.embedder.Lexical())
	}
	candidates := slices.DeleteFunc(fused.ranked(), func(c *candidate) bool { return tooFar(c, near.hits, depth, r.minScore(bot)) })
	found.Passages, err = r.live(ctx, bot, candidates)
	if err != nil {
		return Retrieved{}, fmt.Errorf("retrieve: read passages: %w", err)
	}
	return found, nil
}

// searchWords searches the question's words, and once more together with those it leans on.
func (r *IndexRetriever) searchWords(
	ctx context.Context, bot kyro.Bot, terms, leaning []text.QueryTerm, depth int,
) (*fusion, kyro.LexicalResult, error) {
	fused := newFusion()
	lexical, err := r.index.SearchWords(ctx, bot.ID, variants(terms), depth)
	if err != nil {
		return nil, lexical, fmt.Errorf("retrieve: search words: %w", err)
	}
	fused.addWords(lexical.Hits, weightWords)
	if len(leaning) == 0 {
		return fused, lexical, nil
	}
	wider, err := r.index.SearchWords(ctx, bot.ID, variants(append(slices.Clone(terms), leaning...)), depth)
	if err != nil {
		return nil, lexical, fmt.Errorf("retrieve: search words with context: %w", err)
	}
	fused.addWords(wider.Hits, weightContext)
	lexical.Frequent = wider.Frequent
	if len(lexical.Hits) == 0 {
		lexical.Hits = wider.Hits
	}
	return fused, lexical, nil
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

// nearby is what the vectors gave.
type nearby struct {
	hits     []kyro.VectorHit
	searched bool
	err      error
}

// startVectors embeds the question and searches by it while the words are searched. The channel always gets one
// value, at the latest when ctx is done.
func (r *IndexRetriever) startVectors(
	ctx context.Context, bot kyro.Bot, question string, leaning []text.QueryTerm, history []kyro.Message, depth int,
) <-chan nearby {
	found := make(chan nearby, 1)
	if r.vectors == nil || r.embedder == nil {
		found <- nearby{}
		return found
	}
	if len(leaning) > 0 {
		question = lastQuestion(history) + "\n" + question
	}
	go func() {
		defer func() { // a fault of a provider's client must not end the server
			if fault := recover(); fault != nil {
				found <- nearby{err: fmt.Errorf("search vectors: panic: %v\n%s", fault, debug.Stack())}
			}
		}()
		vector, err := r.embedder.EmbedQuestion(ctx, question)
		if err != nil {
			found <- nearby{err: fmt.Errorf("embed the question: %w", err)}
			return
		}
		hits, err := r.vectors.SearchVectors(ctx, bot.ID, vector, depth)
		found <- nearby{hits: hits, searched: err == nil, err: err}
	}()
	return found
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
func tooFar(c *candidate, hits []kyro.VectorHit, depth int, least *float64) bool {
	switch {
	case least == nil:
		return false
	case c.similarity != nil:
		return *c.similarity < *least
	}
	return len(hits) >= depth && hits[len(hits)-1].Similarity < *least
}

// live reads candidates in batches until there are enough live passages that differ from each other.
func (r *IndexRetriever) live(ctx context.Context, bot kyro.Bot, candidates []*candidate) ([]kyro.Passage, error) {
	var passages []kyro.Passage
	var seen duplicates
	for batch := range slices.Chunk(candidates, 2*bot.TopK+8) {
		ids := make([]kyro.ID, len(batch))
		for i, c := range batch {
			ids[i] = c.chunk
		}
		rows, err := r.index.Passages(ctx, bot.ID, ids)
		if err != nil {
			return nil, err
		}
		byID := make(map[kyro.ID]kyro.Passage, len(rows))
		for _, p := range rows {
			byID[p.Chunk.ID] = p
		}
		for _, c := range batch {
			p, ok := byID[c.chunk]
			if !ok || seen.has(p.Chunk) {
				continue
			}
			p.Score, p.LexicalRank, p.VectorRank, p.Similarity = c.score, c.lexicalRank, c.vectorRank, c.similarity
			passages = append(passages, p)
			if len(passages) == bot.TopK {
				return passages, nil
			}
		}
	}
	return passages, nil
}
