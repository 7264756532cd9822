package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// How much one turn of a purge removes: little enough that writers of a SQLite file hardly notice it.
const (
	chunksATurn   = 2_000
	postingsATurn = 5_000
)

// Purge implements ingest.Store. Of a deleted document everything goes but its row, to which citations refer; of
// a live one the versions before those in use and being made, and the originals that neither is made from. Embeddings go with the last chunk that has
// their content, whichever document it belongs to.
func (s *Store) Purge(ctx context.Context, id kyro.ID) (done bool, err error) {
	err = s.write(ctx, "purge document", func(ctx context.Context, tx *writeTx) error {
		done = false
		var row documentRow
		err := tx.NewSelect().Model(&row).Where("d.id = ?", id.Key).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			done = true
			return nil
		}
		if err != nil {
			return err
		}
		chunks, err := s.purgeChunks(ctx, tx, row)
		if err != nil {
			return err
		}
		postings, err := s.purgePostings(ctx, tx, row)
		if err != nil {
			return err
		}
		if err := purgeTexts(ctx, tx, row); err != nil {
			return err
		}
		done = chunks < chunksATurn && postings < postingsATurn
		return nil
	})
	return done, err
}

// dead is what the rows of a document that may go have in common, as a condition on document and version. Rows of
// newer versions than those it knows are spared, and so the document's row needs no lock.
func dead(row documentRow) (condition string, args []any) {
	if row.DeletedAt != nil {
		return "document_id = ?", []any{row.ID}
	}
	next := row.Version
	if row.abandoned() {
		next++
	}
	return "document_id = ? AND version < ? AND version <> ?", []any{row.ID, next, row.ActiveVersion}
}

func (s *Store) purgeChunks(ctx context.Context, tx *writeTx, row documentRow) (removed int, err error) {
	condition, args := dead(row)
	var chunks []chunkRow
	err = tx.NewSelect().Model(&chunks).Column("id", "content_hash").
		Where(condition, args...).Limit(chunksATurn).Scan(ctx)
	if err != nil || len(chunks) == 0 {
		return 0, err
	}
	ids, hashes := make([]int64, len(chunks)), make([]string, len(chunks))
	for i, c := range chunks {
		ids[i], hashes[i] = c.ID, c.ContentHash
	}
	if err := tx.mayRemoveEmbeddings(ctx); err != nil {
		return 0, err
	}
	if _, err := tx.NewDelete().Table("chunks").Where("id IN (?)", list(ids)).Exec(ctx); err != nil {
		return 0, err
	}
	return len(chunks), dropEmbeddings(ctx, tx, hashes)
}

// purgePostings removes some postings. PostgreSQL finds them again by their place in the table: given their key, it
// may well look through all of the document's for each.
func (s *Store) purgePostings(ctx context.Context, tx *writeTx, row documentRow) (removed int64, err error) {
	condition, args := dead(row)
	key := "bot_id, term, document_id, version"
	if s.postgres() {
		key = "ctid"
	}
	some := tx.NewSelect().Table("postings").ColumnExpr(key).Where(condition, args...).Limit(postingsATurn)
	result, err := tx.NewDelete().Table("postings").Where("("+key+") IN (?)", some).Exec(ctx)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func purgeTexts(ctx context.Context, tx *writeTx, row documentRow) error {
	condition, args := dead(row)
	if _, err := tx.NewDelete().Table("document_texts").Where(condition, args...).Exec(ctx); err != nil {
		return err
	}
	if _, err := tx.NewDelete().Table("indexings").Where(condition, args...).Exec(ctx); err != nil {
		return err
	}
	if row.DeletedAt == nil {
		return purgeOriginals(ctx, tx, row)
	}
	for _, table := range []string{"document_files", "document_objects"} {
		if _, err := tx.NewDelete().Table(table).Where("document_id = ?", row.ID).Exec(ctx); err != nil {
			return err
		}
	}
	// A slot refers to what came of it.
	_, err := tx.NewDelete().Table("upload_slots").Where("document_id = ?", row.ID).Exec(ctx)
	return err
}

// purgeOriginals removes the originals of a live document that nothing will be made from any more.
func purgeOriginals(ctx context.Context, tx *writeTx, row documentRow) error {
	for _, table := range []string{"document_files", "document_objects"} {
		condition, args := deadOriginals(tx, table, row)
		if _, err := tx.NewDelete().Table(table).Where(condition, args...).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// deadOriginals holds for the originals of a live document that nothing will be made from any more: those before the version
// that is being made, but for the last one up to the version in use.
func deadOriginals(db bun.IDB, table string, row documentRow) (condition string, args []any) {
	next, inUse := row.Version, row.ActiveVersion
	if row.abandoned() {
		next++
	}
	if inUse == 0 {
		inUse = next
	}
	last := db.NewSelect().Table(table).ColumnExpr("coalesce(max(version), 0)").Where("document_id = ? AND version <= ?", row.ID, inUse)
	return "document_id = ? AND version < ? AND version <> (?)", []any{row.ID, next, last}
}

// list is a list of values for IN. It must not be empty, since SQL has no empty IN.
func list[T any](values []T) any { return bun.List(values) }
