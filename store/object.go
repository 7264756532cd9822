package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"kyrochat/kyro"
)

// saveObject notes in which object the original of a version lies; "" is none.
func saveObject(ctx context.Context, tx *writeTx, document int64, version int, object string) error {
	if object == "" {
		return nil
	}
	columns := []string{"document_id", "version", "object"}
	return insertMany(ctx, tx, "document_objects", columns, 1, func(int) []any { return []any{document, version, object} })
}

// Object implements ingest.ObjectStore.
func (s *Store) Object(ctx context.Context, id kyro.ID, version int) (string, error) {
	var found []string
	err := s.read().NewSelect().Table("document_objects").Column("object").Where("document_id = ? AND version <= ?", id.Key, version).
		Where("NOT EXISTS (SELECT 1 FROM document_files f WHERE f.document_id = document_objects.document_id AND "+
			"f.version > document_objects.version AND f.version <= ?)", version).
		Where("EXISTS (SELECT 1 FROM documents d WHERE d.id = document_id AND d.deleted_at IS NULL)").
		Order("version DESC").Limit(1).Scan(ctx, &found)
	if err != nil || len(found) == 0 {
		return "", failed("find an original", err)
	}
	return found[0], nil
}

// DeadObjects implements ingest.ObjectStore. What it gives is dead for good: versions are only made behind those there are.
func (s *Store) DeadObjects(ctx context.Context, document kyro.ID) (objects []string, err error) {
	var row documentRow
	err = s.read().NewSelect().Model(&row).Where("d.id = ?", document.Key).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		dead := s.read().NewSelect().Table("document_objects").Column("object").Where("document_id = ?", document.Key)
		if row.DeletedAt == nil {
			condition, args := deadOriginals(s.read(), "document_objects", row)
			dead = dead.Where(condition, args...)
		}
		err = dead.Scan(ctx, &objects)
	}
	return objects, failed("find the originals of a document", err)
}

// UnknownObjects implements ingest.ObjectStore.
func (s *Store) UnknownObjects(ctx context.Context, objects []string) ([]string, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	var there []string
	exports := s.read().NewSelect().Table("exports").Column("object").Where("object IN (?)", list(objects))
	err := s.read().NewSelect().Table("document_objects").Column("object").Where("object IN (?)", list(objects)).UnionAll(exports).Scan(ctx, &there)
	if err != nil {
		return nil, failed("look for originals", err)
	}
	return slices.DeleteFunc(slices.Clone(objects), func(o string) bool { return slices.Contains(there, o) }), nil
}
