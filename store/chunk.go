package store

import (
	"context"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type chunkRow struct {
	bun.BaseModel `bun:"table:chunks,alias:c"`

	ID          int64 `bun:",pk,autoincrement"`
	DocumentID  int64
	BotID       int64
	Version     int
	Seq         int
	Text        string
	HeadingPath []string `bun:",type:jsonb"`
	PageStart   *int
	PageEnd     *int
	PageTurns   []int `bun:",type:jsonb"`
	CharStart   int
	CharEnd     int
	ByteStart   int
	ByteEnd     int
	TokenCount  int
	TermCount   int
	ContentHash string
	Enabled     bool
}

var chunkTable = newTable("chunks", "c",
	`id document_id bot_id version seq text heading_path page_start page_end page_turns char_start char_end byte_start
	byte_end token_count content_hash enabled`,
	func(r *chunkRow, asJSON func(any) any) []any {
		return []any{
			&r.ID, &r.DocumentID, &r.BotID, &r.Version, &r.Seq, &r.Text, asJSON(&r.HeadingPath), &r.PageStart, &r.PageEnd,
			asJSON(&r.PageTurns), &r.CharStart, &r.CharEnd, &r.ByteStart, &r.ByteEnd, &r.TokenCount, &r.ContentHash, &r.Enabled,
		}
	}, func(r *chunkRow, n *kyro.Chunk) { *n = r.noun() }).withTexts(func(r *chunkRow) int { return len(r.Text) })

func (r *chunkRow) noun() kyro.Chunk {
	return kyro.Chunk{
		ID: kyro.ChunkID(r.ID), DocumentID: kyro.DocumentID(r.DocumentID), BotID: kyro.BotID(r.BotID),
		Version: r.Version, Index: r.Seq, Text: r.Text, HeadingPath: r.HeadingPath,
		PageStart: r.PageStart, PageEnd: r.PageEnd, PageTurns: r.PageTurns, CharStart: r.CharStart, CharEnd: r.CharEnd,
		ByteStart: r.ByteStart, ByteEnd: r.ByteEnd, TokenCount: r.TokenCount, ContentHash: r.ContentHash, Enabled: r.Enabled,
	}
}

// active narrows a read of chunks, with their document as d, to active versions of live documents.
func active(q *bun.SelectQuery) *bun.SelectQuery {
	return q.Join("JOIN documents AS d ON d.id = c.document_id").
		Where("d.deleted_at IS NULL AND c.version = d.active_version")
}

// activeChunksOf selects the chunks of active versions of the owner's live documents.
func activeChunksOf(owner kyro.ID) selection[chunkRow, kyro.Chunk] {
	some := rowsOf(chunkTable).where("d.deleted_at IS NULL AND c.version = d.active_version AND d.owner_id = ?", owner.Key)
	some.joins = "JOIN documents AS d ON d.id = c.document_id"
	return some
}

// Chunks implements ingest.Store.
func (s *Store) Chunks(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Chunk, error) {
	chunks, err := all(ctx, s, activeChunksOf(owner).byID(ids), "")
	return chunks, failed("read chunks", err)
}

// ChunkPages lists the chunks of the active version of each document of the owner, in reading order.
func (s *Store) ChunkPages(
	ctx context.Context, owner kyro.ID, documents []kyro.ID, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Chunk], error) {
	ofDocument := parentage[chunkRow, kyro.Chunk]{column: "c.document_id", of: func(c *kyro.Chunk) kyro.ID { return c.DocumentID }}
	order := byNumber("c.seq", "c.id", kyro.Asc,
		func(c *kyro.Chunk) int64 { return int64(c.Index) }, (*kyro.Chunk).NodeID)
	result, err := pages(ctx, s, activeChunksOf(owner), documents, ofDocument, req, order)
	return result, failed("list chunks", err)
}

// SetChunkEnabled implements ingest.Store. From its return on no search finds a chunk that is switched off.
func (s *Store) SetChunkEnabled(ctx context.Context, owner, id kyro.ID, enabled bool) (kyro.Chunk, error) {
	var row chunkRow
	err := s.write(ctx, "switch a chunk", func(ctx context.Context, tx *writeTx) error {
		row = chunkRow{}
		_, err := s.hold(tx.NewSelect().Table("bots").Column("id").
			Where("id = (SELECT bot_id FROM chunks WHERE id = ?)", id.Key)).Exec(ctx)
		if err != nil {
			return err
		}
		err = active(tx.NewSelect().Model(&row)).Where("c.id = ? AND d.owner_id = ?", id.Key, owner.Key).Scan(ctx)
		if err != nil {
			return notFound(err, kyro.KindChunk)
		}
		if row.Enabled == enabled {
			return nil
		}
		row.Enabled = enabled
		if _, err := tx.NewUpdate().Table("chunks").Set("enabled = ?", enabled).Where("id = ?", row.ID).Exec(ctx); err != nil {
			return err
		}
		return knowledgeChanged(ctx, tx, row.BotID)
	})
	return row.noun(), err
}

// Unembedded implements ingest.Store.
func (s *Store) Unembedded(ctx context.Context, v kyro.IndexedVersion, model string, dims, after, limit int) ([]kyro.Chunk, error) {
	var rows []chunkRow
	err := s.unembedded(v, model, dims).Model(&rows).Where("c.seq > ?", after).Order("c.seq").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, failed("read chunks to embed", err)
	}
	return convert(rows, (*chunkRow).noun), nil
}

// CountUnembedded implements ingest.Store.
func (s *Store) CountUnembedded(ctx context.Context, v kyro.IndexedVersion, model string, dims int) (int, error) {
	n, err := s.unembedded(v, model, dims).Model((*chunkRow)(nil)).Count(ctx)
	return int(n), failed("count chunks to embed", err)
}

// unembedded asks for the chunks of a version that have no embedding by the model.
func (s *Store) unembedded(v kyro.IndexedVersion, model string, dims int) *bun.SelectQuery {
	return s.read().NewSelect().Where("c.document_id = ? AND c.version = ?", v.DocumentID.Key, v.Version).
		Where("NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.content_hash = c.content_hash AND e.model = ? AND e.dims = ?)", model, dims)
}
