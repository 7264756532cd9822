package store

import (
	"context"
	"fmt"
	"io"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

const (
	// filePartBytes is how much of an original stands in one row: what is held in memory of it is a few times as much.
	filePartBytes = 512 << 10
	// slowestDisk is how many bytes of an original the database has to store in a second, at least.
	slowestDisk = 1 << 20
)

type filePartRow struct {
	bun.BaseModel `bun:"table:document_files,alias:f"`

	DocumentID int64 `bun:",pk"`
	Version    int   `bun:",pk"`
	Part       int   `bun:",pk"`
	Body       []byte
}

// saveOriginal keeps what the version of a document is made from, reading one part at a time.
func saveOriginal(ctx context.Context, tx *writeTx, document int64, version int, original io.Reader) error {
	body := make([]byte, filePartBytes)
	for part := 0; ; part++ {
		n, err := io.ReadFull(original, body)
		if err == io.EOF {
			return nil
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("read the original: %w", err)
		}
		insert := insertMany(ctx, tx, "document_files", []string{"document_id", "version", "part", "body"}, 1,
			func(int) []any { return []any{document, version, part, body[:n]} })
		if insert != nil || err != nil { // or that was the last part
			return insert
		}
	}
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
		row := filePartRow{DocumentID: o.document.Key, Version: o.version, Part: o.part}
		err := o.store.read().NewSelect().Model(&row).WherePK().Scan(o.ctx)
		if err != nil {
			return 0, failed("read original", notFound(err, kyro.KindDocument))
		}
		o.rest = row.Body
		o.part++
	}
	n := copy(p, o.rest)
	o.rest = o.rest[n:]
	return n, nil
}
