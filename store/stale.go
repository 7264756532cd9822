package store

import (
	"context"

	"kyrochat/kyro"
)

// LiveChunks implements answer.Index.
func (s *Store) LiveChunks(ctx context.Context, bot kyro.ID, chunks []kyro.ID) ([]kyro.ID, error) {
	if len(chunks) == 0 {
		return nil, nil
	}
	var found []int64
	err := active(s.read().NewSelect().Model((*chunkRow)(nil))).Column("c.id").
		Where("c.id IN (?) AND d.bot_id = ? AND c.enabled", keys(chunks), bot.Key).Scan(ctx, &found)
	if err != nil {
		return nil, failed("see which chunks are live", err)
	}
	return convert(found, func(key *int64) kyro.ID { return kyro.ChunkID(*key) }), nil
}

// StaleChunks implements answer.Index.
func (s *Store) StaleChunks(ctx context.Context, bot kyro.ID, chunks []kyro.ID) ([]kyro.Chunk, error) {
	if len(chunks) == 0 {
		return nil, nil
	}
	var rows []chunkRow
	err := s.read().NewSelect().Model(&rows).Join("JOIN documents AS d ON d.id = c.document_id").
		Where("c.id IN (?) AND d.bot_id = ? AND d.deleted_at IS NULL", keys(chunks), bot.Key).
		Where("NOT (c.enabled AND c.version = d.active_version)").Scan(ctx)
	if err != nil {
		return nil, failed("read stale chunks", err)
	}
	return convert(rows, (*chunkRow).noun), nil
}
