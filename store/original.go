package store

import (
	"context"
	"fmt"
	"io"

	"kyrochat/kyro"
)

const (
	// filePartBytes is how much of an original stands in one row: what is held in memory of it is a few times as much.
	filePartBytes = 512 << 10
	// slowestDisk is how many bytes of an original the database has to store in a second, at least.
	slowestDisk = 1 << 20
)

// saveOriginal keeps what the version of a document is made from, reading one part at a time.
func saveOriginal(ctx context.Context, tx *writeTx, document int64, version int, original io.Reader) error {
	body, part, over := make([]byte, filePartBytes), -1, false
	columns := []string{"document_id", "version", "part", "body"}
	return insertEach(ctx, tx, "document_files", columns, func() ([]any, error) {
		if over {
			return nil, nil
		}
		n, err := io.ReadFull(original, body)
		switch {
		case err == io.EOF:
			return nil, nil
		case err == io.ErrUnexpectedEOF:
			over = true
		case err != nil:
			return nil, fmt.Errorf("read the original: %w", err)
		}
		part++
		return []any{document, version, part, body[:n]}, nil
	})
}

// Original implements ingest.Store.
func (s *Store) Original(ctx context.Context, id kyro.ID, version int) (io.Reader, error) {
	o := &original{ctx: ctx, store: s, document: id}
	err := s.read().NewSelect().Table("document_files").ColumnExpr("version, max(part) + 1").
		Where("document_id = ? AND version <= ?", id.Key, version).
		Where("EXISTS (SELECT 1 FROM documents d WHERE d.id = document_id AND d.deleted_at IS NULL)").
		Group("version").Order("version DESC").Limit(1).Scan(ctx, &o.version, &o.parts)
	if err != nil {
		return nil, failed("read original", notFound(err, kyro.KindDocument))
	}
	return o, nil
}

// original reads an original part by part. Between two parts nothing of the database is held.
type original struct {
	ctx      context.Context // of who asked for it
	store    *Store
	document kyro.ID
	version  int
	part     int // the next one
	parts    int
	rest     []byte // of the part before it
}

// Read implements io.Reader. A part that is gone was purged meanwhile: NOT_FOUND.
func (o *original) Read(p []byte) (int, error) {
	for len(o.rest) == 0 {
		if o.part == o.parts {
			return 0, io.EOF
		}
		q := o.store.query().add("SELECT body FROM document_files WHERE document_id = ? AND version = ? AND part = ?",
			o.document.Key, o.version, o.part)
		err := o.store.each(o.ctx, q, []any{&o.rest}, func() { o.part++ })
		if err == nil && len(o.rest) == 0 {
			err = kyro.NotFound(kyro.KindDocument)
		}
		if err != nil {
			return 0, failed("read original", err)
		}
	}
	n := copy(p, o.rest)
	o.rest = o.rest[n:]
	return n, nil
}
