package store

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
	"kyrochat/text"
)

// textPartBytes is how much of a document's text stands in one row: little enough that a slice reads little
// besides itself, enough that a text of 16 MiB is a few hundred rows.
const textPartBytes = 64 << 10

type textRow struct {
	bun.BaseModel `bun:"table:document_texts,alias:t"`

	DocumentID int64 `bun:",pk"`
	Version    int   `bun:",pk"`
	CharStart  int   `bun:",pk"`
	CharEnd    int
	Body       string
	Hash       *string // of the whole text, on its first part
}

// DocumentText implements ingest.Store. It reads only the parts that the slice touches.
func (s *Store) DocumentText(ctx context.Context, owner, id kyro.ID, start, length int) (slice string, found bool, err error) {
	db := s.read()
	var version int
	err = db.NewSelect().Table("documents").Column("active_version").
		Where("id = ? AND owner_id = ? AND deleted_at IS NULL", id.Key, owner.Key).Scan(ctx, &version)
	if err != nil {
		return "", false, failed("read document", notFound(err, kyro.KindDocument))
	}
	if version == 0 {
		return "", false, nil
	}
	start, end := sliceBounds(start, length)
	var parts []textRow
	err = db.NewSelect().Model(&parts).
		Where("t.document_id = ? AND t.version = ? AND t.char_start < ? AND t.char_end > ?", id.Key, version, end, start).
		Order("t.char_start").Scan(ctx)
	if err != nil {
		return "", false, failed("read document text", err)
	}
	var b strings.Builder
	for _, p := range parts {
		from := max(start-p.CharStart, 0)
		b.WriteString(text.SliceChars(p.Body, from, end-p.CharStart-from))
	}
	return b.String(), true, nil
}

// sliceBounds are the ends of a slice as the database can compare them: texts are far shorter than its integers.
func sliceBounds(start, length int) (from, to int) {
	const limit = 1<<31 - 1
	start = min(max(start, 0), limit)
	length = min(max(length, 0), limit-start)
	return start, start + length
}

// splitText cuts a text into parts of about textPartBytes, never through a code point.
func splitText(document int64, version int, whole string) []textRow {
	var parts []textRow
	for at := 0; len(whole) > 0; {
		cut := min(textPartBytes, len(whole))
		for cut < len(whole) && !utf8.RuneStart(whole[cut]) {
			cut--
		}
		end := at + kyro.CharCount(whole[:cut])
		parts = append(parts, textRow{DocumentID: document, Version: version, CharStart: at, CharEnd: end, Body: whole[:cut]})
		whole, at = whole[cut:], end
	}
	return parts
}
