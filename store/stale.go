package store

import (
	"context"

	"kyrochat/kyro"
)

// LiveChunks implements answer.Index and answer.Store.
func (s *Store) LiveChunks(ctx context.Context, bot kyro.ID, chunks []kyro.ID) ([]kyro.ID, error) {
	if len(chunks) == 0 {
		return nil, nil
	}
	q := s.query().add("SELECT c.id FROM chunks AS c JOIN documents AS d ON d.id = c.document_id"+
		" WHERE "+liveChunk+" AND c.enabled AND d.bot_id = ? AND ", bot.Key)
	in(q, "c.id", rowKeys(chunks))
	var live []kyro.ID
	var key int64
	err := s.each(ctx, q, []any{&key}, func() { live = append(live, kyro.ChunkID(key)) })
	if err != nil {
		return nil, failed("see which chunks are live", err)
	}
	return live, nil
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
