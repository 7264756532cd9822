package store

import (
	"context"
	"slices"

	"kyrochat/kyro"
)

// probeTerms is how many terms of a passage it is looked for by.
const probeTerms = 24

// VersionChunks implements ingest.Store.
func (s *Store) VersionChunks(ctx context.Context, v kyro.IndexedVersion, indexes []int) ([]kyro.Chunk, error) {
	var rows []chunkRow
	err := s.read().NewSelect().Model(&rows).Where("c.document_id = ? AND c.version = ?", v.DocumentID.Key, v.Version).
		Where("c.seq IN (?)", list(indexes)).Order("c.seq").Scan(ctx)
	if err != nil {
		return nil, failed("read chunks of a version", err)
	}
	return convert(rows, (*chunkRow).noun), nil
}

// Finds implements ingest.Store. It ranks as a search does, among the chunks of the version alone.
func (s *Store) Finds(ctx context.Context, v kyro.IndexedVersion, terms []string, index int) (bool, error) {
	asked := queryTerms(terms, probeTerms)
	if len(asked) == 0 {
		return true, nil // nothing that anybody could search for
	}
	q := in(s.query().add("SELECT p.term, p.document_id, p.version, p.chunk_count, p.body FROM postings AS p"+
		" WHERE p.bot_id = ? AND p.document_id = ? AND p.version = ? AND ", v.BotID.Key, v.DocumentID.Key, v.Version), "p.term", asked)
	var lists []found
	var l found
	err := s.each(ctx, q, []any{&l.term, &l.document, &l.version, &l.chunks, &l.body}, func() {
		lists = append(lists, l)
		l = found{}
	})
	if err != nil {
		return false, failed("look for a passage", err)
	}
	all := corpus{chunks: v.Chunks, terms: int64(v.Chunks), disabled: map[int64][]int32{}}
	best, _, err := all.rank(lists, v.Chunks)
	if err != nil {
		return false, failed("look for a passage", err)
	}
	return len(lists) == len(asked) && slices.ContainsFunc(best, func(h scored) bool { return h.seq == index }), nil
}
