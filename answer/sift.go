package answer

import (
	"context"
	"slices"

	"kyrochat/kyro"
)

// sieve decides about what was found for a question, best first: what an answer gets, and why not the rest.
type sieve struct {
	index      Index
	bot        kyro.Bot
	candidates []*candidate
	batch      int // how many are read at once

	rows map[kyro.ID]kyro.Passage // those that were read and are live
	read map[kyro.ID]bool         // those that were read
	room *budget
	seen duplicates
}

func (r *IndexRetriever) newSieve(bot kyro.Bot, batch int) *sieve {
	return &sieve{
		index: r.index, bot: bot, batch: batch, room: newBudget(bot, r.PassageTokens),
		rows: make(map[kyro.ID]kyro.Passage, batch), read: make(map[kyro.ID]bool, batch),
	}
}

// look reads the first batch of what an answer may get. missing reports that the vectors gave one of the best that is not
// live; moved that the words did, which find what is live alone: its document was changed since.
func (s *sieve) look(ctx context.Context) (missing, moved bool, err error) {
	first := make([]*candidate, 0, s.batch)
	for _, c := range s.candidates {
		if !c.far && len(first) < s.batch {
			first = append(first, c)
		}
	}
	if err := s.fetch(ctx, first); err != nil {
		return false, false, err
	}
	for _, c := range first[:min(firstLook(s.bot), len(first))] {
		if _, live := s.rows[c.chunk]; !live {
			missing, moved = missing || c.vectorRank != nil, moved || c.lexicalRank != nil
		}
	}
	return missing, moved, nil
}

// fetch reads those of the candidates that were not read yet.
func (s *sieve) fetch(ctx context.Context, candidates []*candidate) error {
	var ids []kyro.ID
	for _, c := range candidates {
		if !s.read[c.chunk] {
			ids = append(ids, c.chunk)
			s.read[c.chunk] = true
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := s.index.Passages(ctx, s.bot.ID, ids)
	for _, p := range rows {
		s.rows[p.Chunk.ID] = p
	}
	return err
}

// judge says why an answer does not get a live passage; nil where it does.
func (s *sieve) judge(c *candidate, p kyro.Passage) *kyro.HitDrop {
	switch {
	case c.far:
		return drop(kyro.HitBelowMinScore)
	case s.seen.has(p.Chunk):
		return drop(kyro.HitDuplicate)
	case !s.room.take(p):
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

// best gives as many live passages, different from each other, as there is room for.
func (s *sieve) best(ctx context.Context) ([]kyro.Passage, error) {
	candidates := slices.DeleteFunc(s.candidates, func(c *candidate) bool { return c.far || c.stale })
	var passages []kyro.Passage
	for batch := range slices.Chunk(candidates, s.batch) {
		if err := s.fetch(ctx, batch); err != nil {
			return nil, err
		}
		for _, c := range batch {
			if p, live := s.rows[c.chunk]; live && s.judge(c, p) == nil {
				passages = append(passages, c.passage(p))
			}
			if s.room.full() {
				return passages, nil
			}
		}
	}
	return passages, nil
}

// hits gives up to limit of what was found, each with the reason why an answer does not get it. Chunks that are not live
// are among them where they have rows.
func (s *sieve) hits(ctx context.Context, limit int) ([]kyro.SearchHit, error) {
	hits := make([]kyro.SearchHit, 0, limit)
	for batch := range slices.Chunk(s.candidates, s.batch) {
		if err := s.fetch(ctx, batch); err != nil {
			return nil, err
		}
		stale, err := s.stale(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, c := range batch {
			hit := kyro.SearchHit{Dropped: drop(kyro.HitNotLive)}
			if p, live := s.rows[c.chunk]; live {
				hit.Passage, hit.Dropped = p, s.judge(c, p)
			} else if hit.Chunk, live = stale[c.chunk]; !live {
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

// stale reads those of the candidates that are not live and still have rows.
func (s *sieve) stale(ctx context.Context, batch []*candidate) (map[kyro.ID]kyro.Chunk, error) {
	var ids []kyro.ID
	for _, c := range batch {
		if _, live := s.rows[c.chunk]; !live {
			ids = append(ids, c.chunk)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := s.index.StaleChunks(ctx, s.bot.ID, ids)
	byID := make(map[kyro.ID]kyro.Chunk, len(rows))
	for _, c := range rows {
		byID[c.ID] = c
	}
	return byID, err
}
