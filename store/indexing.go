package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type indexingRow struct {
	bun.BaseModel `bun:"table:indexings,alias:i"`

	DocumentID   int64  `bun:",pk"`
	Version      int    `bun:",pk"`
	EmbeddedWith string `bun:",pk"`
	Done         int
	Looked       int
}

// VersionVectors implements ingest.Store.
func (s *Store) VersionVectors(
	ctx context.Context, v kyro.IndexedVersion, model string, dims, from, limit int,
) ([]kyro.IndexedVector, error) {
	var rows []struct {
		chunkRow
		Vector []byte
	}
	err := s.read().NewSelect().TableExpr("chunks AS c").ColumnExpr("c.id, c.bot_id, c.document_id, c.version, c.seq, e.vector").
		Join("JOIN documents AS d ON d.id = c.document_id AND d.deleted_at IS NULL").
		Join("JOIN embeddings AS e ON e.content_hash = c.content_hash AND e.model = ? AND e.dims = ?", model, dims).
		Where("c.document_id = ? AND c.version = ? AND c.seq >= ?", v.DocumentID.Key, v.Version, from).
		Order("c.seq").Limit(int64(limit)).Scan(ctx, &rows)
	if err != nil {
		return nil, failed("read the vectors of a version", err)
	}
	vectors := make([]kyro.IndexedVector, len(rows))
	for i, r := range rows {
		vector, err := decodeVector(r.Vector, dims)
		if err != nil {
			return nil, fmt.Errorf("read the vector of %s: %w", kyro.ChunkID(r.ID), err)
		}
		vectors[i] = kyro.IndexedVector{
			VectorPlace: kyro.VectorPlace{
				BotID: kyro.BotID(r.BotID), DocumentID: kyro.DocumentID(r.DocumentID), Version: r.Version, Index: r.Seq,
			},
			ChunkID: kyro.ChunkID(r.ID), Vector: vector,
		}
	}
	return vectors, nil
}

// Indexing implements ingest.Store.
func (s *Store) Indexing(ctx context.Context, v kyro.IndexedVersion, with string) (kyro.Indexing, error) {
	var row indexingRow
	err := s.read().NewSelect().Model(&row).
		Where("i.document_id = ? AND i.version = ? AND i.embedded_with = ?", v.DocumentID.Key, v.Version, with).Scan(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return kyro.Indexing{}, failed("read how far a version is indexed", err)
	}
	return kyro.Indexing{Done: row.Done, Looked: row.Looked}, nil
}

// SaveIndexing implements ingest.Store.
func (s *Store) SaveIndexing(ctx context.Context, v kyro.IndexedVersion, with string, at kyro.Indexing) error {
	row := indexingRow{DocumentID: v.DocumentID.Key, Version: v.Version, EmbeddedWith: with, Done: at.Done, Looked: at.Looked}
	return s.write(ctx, "save how far a version is indexed", func(ctx context.Context, tx *writeTx) error {
		_, err := tx.NewInsert().Model(&row).On("CONFLICT (document_id, version, embedded_with) DO UPDATE").
			Set("done = EXCLUDED.done").Set("looked = EXCLUDED.looked").Exec(ctx)
		return err
	})
}

// arrived forgets how far a version was on its way into an index: it is there, and where it is to be put in again that
// begins with its first chunk.
func arrived(ctx context.Context, tx *writeTx, document int64, version int) error {
	_, err := tx.NewDelete().Table("indexings").Where("document_id = ? AND version = ?", document, version).Exec(ctx)
	return err
}

// Dead implements ingest.Store.
func (s *Store) Dead(ctx context.Context, document kyro.ID) ([]kyro.IndexedVersion, error) {
	var row documentRow
	err := s.read().NewSelect().Model(&row).Where("d.id = ?", document.Key).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, failed("read document", err)
	}
	condition, args := dead(row)
	var rows []struct{ Version, Chunks int }
	err = s.read().NewSelect().Table("chunks").ColumnExpr("version, max(seq) + 1 AS chunks").Where(condition, args...).
		Group("version").Order("version").Scan(ctx, &rows)
	if err != nil {
		return nil, failed("read dead versions", err)
	}
	versions := make([]kyro.IndexedVersion, len(rows))
	for i, r := range rows {
		versions[i] = kyro.IndexedVersion{BotID: kyro.BotID(row.BotID), DocumentID: document, Version: r.Version, Chunks: r.Chunks}
	}
	return versions, nil
}
