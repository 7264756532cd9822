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
func (s *Store) Original(ctx context.Context, id kyro.ID, version int) (io.ReadSeeker, error) {
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
	parts    int
	at       int64  // of what is read next
	loaded   int    // the part that body is of, counted from 1; 0: none is
	body     []byte // of that part
}

// Read implements io.Reader.
func (o *original) Read(p []byte) (int, error) {
	part := int(o.at / filePartBytes)
	if part >= o.parts {
		return 0, io.EOF
	}
	if err := o.load(part); err != nil {
		return 0, err
	}
	within := int(o.at % filePartBytes)
	if within >= len(o.body) {
		return 0, io.EOF // behind the last one, which alone may be short
	}
	n := copy(p, o.body[within:])
	o.at += int64(n)
	return n, nil
}

// Seek implements io.Seeker.
func (o *original) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		if err := o.load(o.parts - 1); err != nil {
			return 0, err
		}
		offset += int64(o.parts-1)*filePartBytes + int64(len(o.body))
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d of an original", offset)
	}
	o.at = offset
	return offset, nil
}

// load reads a part, unless it is there. One that is gone was purged meanwhile: NOT_FOUND.
func (o *original) load(part int) error {
	if o.loaded == part+1 {
		return nil
	}
	o.loaded, o.body = 0, nil
	q := o.store.query().add("SELECT body FROM document_files WHERE document_id = ? AND version = ? AND part = ?",
		o.document.Key, o.version, part)
	err := o.store.each(o.ctx, q, []any{&o.body}, func() { o.loaded = part + 1 })
	if err == nil && o.loaded == 0 {
		err = kyro.NotFound(kyro.KindDocument)
	}
	return failed("read original", err)
}
