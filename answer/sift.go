package answer

import (
	"context"
	"slices"

	"kyrochat/kyro"
)

// sieve decides about what was found, best first: what an answer gets, and why not the rest.
type sieve struct {
	room *budget
	seen duplicates
}

// judge says why an answer does not get a live passage; nil where it does.
func (s *sieve) judge(c *candidate, p kyro.Passage) *kyro.HitDrop {
	switch {
	case c.far:
		return drop(kyro.HitBelowMinScore)
	case s.seen.has(p.Chunk):
		return drop(kyro.HitDuplicate)
	case !s.room.take(p.Chunk):
		return drop(kyro.HitOverBudget)
	}
	return nil
}

func drop(why kyro.HitDrop) *kyro.HitDrop { return &why }

// passage gives a passage its ranks.
func (c *candidate) passage(p kyro.Passage) kyro.Passage {
	p.Score, p.LexicalRank, p.VectorRank, p.Similarity = c.score, c.lexicalRank, c.vectorRank, c.similarity
	return p
}

// best reads candidates in batches until there are as many live passages, different from each other, as there is room
// for.
func (r *IndexRetriever) best(ctx context.Context, bot kyro.Bot, candidates []*candidate) ([]kyro.Passage, error) {
	candidates = slices.DeleteFunc(candidates, func(c *candidate) bool { return c.far || c.stale })
	s := sieve{room: newBudget(bot, r.PassageTokens)}
	var passages []kyro.Passage
	for batch := range slices.Chunk(candidates, 2*bot.TopK+8) {
		live, err := r.read(ctx, bot, batch)
		if err != nil {
			return nil, err
		}
		for _, c := range batch {
			p, ok := live[c.chunk]
			if ok && s.judge(c, p) == nil {
				passages = append(passages, c.passage(p))
			}
			if s.room.full() {
				return passages, nil
			}
		}
	}
	return passages, nil
}

// Search gives up to limit of the chunks that are found for a question without history, best first: those that Retrieve
// gives, and among them those that it leaves out, with the reason. Chunks that are not live are shown where the index
// still has their rows; others are not. When the vectors cannot be searched it gives what the words found.
func (r *IndexRetriever) Search(ctx context.Context, bot kyro.Bot, question string, limit int) ([]kyro.SearchHit, error) {
	_, candidates, err := r.rank(ctx, bot, question, nil)
	if err != nil {
		return nil, err
	}
	s := sieve{room: newBudget(bot, r.PassageTokens)}
	hits := make([]kyro.SearchHit, 0, limit)
	for batch := range slices.Chunk(candidates, limit+8) {
		live, err := r.read(ctx, bot, batch)
		if err != nil {
			return nil, err
		}
		stale, err := r.readStale(ctx, bot, batch, live)
		if err != nil {
			return nil, err
		}
		for _, c := range batch {
			hit := kyro.SearchHit{Dropped: drop(kyro.HitNotLive)}
			if p, ok := live[c.chunk]; ok && !c.stale {
				hit.Passage, hit.Dropped = p, s.judge(c, p)
			} else if hit.Chunk, ok = stale[c.chunk]; !ok {
				continue
			}
			hit.Passage = c.passage(hit.Passage)
			if hits = append(hits, hit); len(hits) == limit {
				return hits, nil
			}
		}
	}
	return hits, nil
}

// read gives those of the candidates that are live.
func (r *IndexRetriever) read(ctx context.Context, bot kyro.Bot, batch []*candidate) (map[kyro.ID]kyro.Passage, error) {
	rows, err := r.index.Passages(ctx, bot.ID, chunksOf(batch))
	byID := make(map[kyro.ID]kyro.Passage, len(rows))
	for _, p := range rows {
		byID[p.Chunk.ID] = p
	}
	return byID, err
}

// readStale gives those of the others that still have rows.
func (r *IndexRetriever) readStale(
	ctx context.Context, bot kyro.Bot, batch []*candidate, live map[kyro.ID]kyro.Passage,
) (map[kyro.ID]kyro.Chunk, error) {
	missing := slices.DeleteFunc(chunksOf(batch), func(id kyro.ID) bool { _, ok := live[id]; return ok })
	if len(missing) == 0 {
		return nil, nil
	}
	rows, err := r.index.StaleChunks(ctx, bot.ID, missing)
	byID := make(map[kyro.ID]kyro.Chunk, len(rows))
	for _, c := range rows {
		byID[c.ID] = c
	}
	return byID, err
}

func chunksOf(batch []*candidate) []kyro.ID {
	ids := make([]kyro.ID, len(batch))
	for i, c := range batch {
		ids[i] = c.chunk
	}
	return ids
}
