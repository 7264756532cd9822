package store

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// VectorStates implements ingest.Store.
func (s *Store) VectorStates(ctx context.Context, documents []kyro.ID) ([]kyro.VectorState, error) {
	var states []kyro.VectorState
	for batch := range slices.Chunk(documents, 1_000) {
		some, err := s.vectorStates(ctx, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("id IN (?)", keys(batch)) })
		if err != nil {
			return nil, err
		}
		states = append(states, some...)
	}
	return states, nil
}

// Embedded implements ingest.Store.
func (s *Store) Embedded(ctx context.Context, with string, after kyro.ID, limit int) ([]kyro.VectorState, error) {
	return s.vectorStates(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("active_version > 0 AND embedded_with = ? AND id > ?", with, after.Key).Order("id").Limit(int64(limit))
	})
}

// vectorStates reads those of live documents that some narrows them to.
func (s *Store) vectorStates(ctx context.Context, some func(*bun.SelectQuery) *bun.SelectQuery) ([]kyro.VectorState, error) {
	var rows []documentRow
	query := s.read().NewSelect().Model(&rows).
		Column("id", "bot_id", "title", "lead", "version", "active_version", "active_chunks", "embedded_with", "status").Where("deleted_at IS NULL")
	if err := some(query).Scan(ctx); err != nil {
		return nil, failed("read the state of vectors", err)
	}
	return convert(rows, func(r *documentRow) kyro.VectorState {
		if r.abandoned() {
			r.Version++ // which is the first that may be made
		}
		return kyro.VectorState{
			BotID: kyro.BotID(r.BotID), DocumentID: kyro.DocumentID(r.ID), Title: cmp.Or(r.Lead, r.Title), Version: r.Version,
			ActiveVersion: r.ActiveVersion, Chunks: r.ActiveChunks, EmbeddedWith: r.EmbeddedWith,
		}
	}), nil
}

// BeginRefresh implements ingest.Store. Where there is nothing to do, nothing is written.
func (s *Store) BeginRefresh(ctx context.Context, with string, limit, most int) (begun int, more bool, err error) {
	var found []int64
	err = s.stale(with).Column("id").Where("refreshing_with <> ?", with).Limit(int64(limit)).Scan(ctx, &found)
	if err != nil || len(found) == 0 {
		return 0, false, failed("look for vectors to refresh", err)
	}
	under, err := s.stale(with).Where("refreshing_with = ?", with).Count(ctx)
	if err != nil || int(under) >= most {
		return 0, err == nil, failed("count vectors to refresh", err)
	}
	free := most - int(under)
	more = len(found) == limit || len(found) > free
	found = found[:min(len(found), free)]
	err = s.write(ctx, "begin to refresh vectors", func(ctx context.Context, tx *writeTx) error {
		var ids []int64
		err := tx.NewUpdate().Table("documents").Set("refreshing_with = ?", with).
			Where("id IN (?) AND deleted_at IS NULL AND embedded_with <> ? AND refreshing_with <> ?", list(found), with, with).
			Returning("id").Scan(ctx, &ids)
		if err != nil {
			return err
		}
		begun = len(ids)
		return tx.Enqueue(ctx, convert(ids, func(key *int64) kyro.Job { return kyro.Job{Kind: kyro.JobEmbed, Key: *key} })...)
	})
	return begun, more, err
}

// stale asks for live documents whose active version's vectors are not what with says. Two ranges, one below it and one
// above, read no more of the index on them than that.
func (s *Store) stale(with string) *bun.SelectQuery {
	part := func(condition string) *bun.SelectQuery {
		return s.read().NewSelect().Table("documents").Column("id", "refreshing_with").
			Where("deleted_at IS NULL AND active_version > 0").Where(condition, with)
	}
	return s.read().NewSelect().TableExpr("(?) AS d", part("embedded_with < ?").UnionAll(part("embedded_with > ?")))
}

// FinishRefresh implements ingest.Store.
func (s *Store) FinishRefresh(ctx context.Context, v kyro.IndexedVersion, with string) error {
	return s.write(ctx, "finish refreshing vectors", func(ctx context.Context, tx *writeTx) error {
		if err := s.holdBotOf(ctx, tx, v.DocumentID); err != nil {
			return err
		}
		result, err := tx.NewUpdate().Table("documents").Set("embedded_with = ?", with).Set("refreshing_with = ''").
			Where("id = ? AND active_version = ? AND deleted_at IS NULL", v.DocumentID.Key, v.Version).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return errRunOver()
		}
		if err := arrived(ctx, tx, v.DocumentID.Key, v.Version); err != nil {
			return err
		}
		return knowledgeChanged(ctx, tx, v.BotID.Key)
	})
}

// EndRefresh implements ingest.Store.
func (s *Store) EndRefresh(ctx context.Context, document kyro.ID) error {
	return s.write(ctx, "end refreshing vectors", func(ctx context.Context, tx *writeTx) error {
		_, err := tx.NewUpdate().Table("documents").Set("refreshing_with = ''").
			Where("id = ? AND refreshing_with <> ''", document.Key).Exec(ctx)
		return err
	})
}

// Doubt implements ingest.Store.
func (s *Store) Doubt(ctx context.Context, with string, versions []kyro.IndexedVersion) error {
	for batch := range slices.Chunk(versions, 500) {
		places := make([]any, 0, 2*len(batch))
		for _, v := range batch {
			places = append(places, v.DocumentID.Key, v.Version)
		}
		values := strings.TrimSuffix(strings.Repeat("(?, ?), ", len(batch)), ", ")
		err := s.write(ctx, "doubt vectors", func(ctx context.Context, tx *writeTx) error {
			_, err := tx.NewUpdate().Table("documents").Set("embedded_with = ''").Set("refreshing_with = ''").
				Where("embedded_with = ? AND deleted_at IS NULL", with).
				Where("(id, active_version) IN (VALUES "+values+")", places...).Exec(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
