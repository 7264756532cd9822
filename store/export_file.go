package store

import (
	"context"
	"fmt"
	"io"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// SaveExport implements export.Store. Each part is a transaction of its own, in which the row says that this attempt still
// counts: nobody waits for the file as a whole, and nobody sees any of it before FinishExport.
func (s *Store) SaveExport(ctx context.Context, e kyro.Export, file io.Reader) error {
	body := make([]byte, filePartBytes)
	for part := 0; ; part++ {
		n, err := io.ReadFull(file, body)
		if err == io.EOF {
			return nil
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("read the file of an export: %w", err)
		}
		kept := body[:n]
		err = s.write(ctx, "store a part of an export", func(ctx context.Context, tx *writeTx) error {
			err := tx.inAttempt(ctx, &e, func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Set("attempt = attempt") })
			if err != nil {
				return err
			}
			columns := []string{"export_id", "attempt", "part", "body"}
			return insertMany(ctx, tx, "export_parts", columns, 1, func(int) []any { return []any{e.ID.Key, e.Attempt, part, kept} })
		})
		if err != nil || n < len(body) {
			return err
		}
	}
}

// ExportFile implements export.Store.
func (s *Store) ExportFile(ctx context.Context, e kyro.Export) io.ReadSeeker {
	return &exportFile{ctx: ctx, store: s, of: e}
}

// exportFile reads the file of an export part by part. Between two parts nothing of the database is held.
type exportFile struct {
	ctx    context.Context // of who asked for it
	store  *Store
	of     kyro.Export
	at     int64
	loaded int // the part that body is of, counted from 1; 0: none is
	body   []byte
}

// Read implements io.Reader.
func (f *exportFile) Read(p []byte) (int, error) {
	if f.of.SizeBytes == nil || f.at >= *f.of.SizeBytes {
		return 0, io.EOF
	}
	if part := int(f.at / filePartBytes); f.loaded != part+1 {
		f.loaded, f.body = 0, nil
		q := f.store.query().add("SELECT body FROM export_parts WHERE export_id = ? AND attempt = ? AND part = ?", f.of.ID.Key, f.of.Attempt, part)
		err := f.store.each(f.ctx, q, []any{&f.body}, func() { f.loaded = part + 1 })
		if err == nil && f.loaded == 0 {
			err = kyro.NotFound(kyro.KindExport) // deleted meanwhile
		}
		if err != nil {
			return 0, failed("read an export", err)
		}
	}
	n := copy(p, f.body[f.at%filePartBytes:])
	f.at += int64(n)
	return n, nil
}

// Seek implements io.Seeker.
func (f *exportFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		if f.of.SizeBytes != nil {
			offset += *f.of.SizeBytes
		}
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d of an export", offset)
	}
	f.at = offset
	return offset, nil
}
