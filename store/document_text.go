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

// DocumentTexts implements ingest.Store. It reads only the parts that the slices touch, and of all documents no more than
// the budget of ctx has.
func (s *Store) DocumentTexts(ctx context.Context, owner kyro.ID, ids []kyro.ID, start, length int) (map[kyro.ID]string, error) {
	start, end := sliceBounds(start, length)
	q := s.query().add(`SELECT d.id, COALESCE(t.char_start, 0), COALESCE(t.body, '') FROM documents AS d
		LEFT JOIN document_texts AS t ON t.document_id = d.id AND t.version = d.active_version AND t.char_start < ? AND t.char_end > ?
		WHERE d.owner_id = ? AND d.deleted_at IS NULL AND d.active_version > 0 AND `, end, start, owner.Key)
	in(q, "d.id", rowKeys(ids))
	q.add(" ORDER BY d.id, t.char_start")
	var key int64
	var at int
	var body string
	slices, budget, exceeded := map[kyro.ID]*strings.Builder{}, kyro.BudgetFrom(ctx), false
	err := s.each(ctx, q, []any{&key, &at, &body}, func() {
		if exceeded {
			return // the rest is not kept
		}
		from := max(start-at, 0)
		part := text.SliceChars(body, from, end-at-from)
		if exceeded = !budget.Spend(len(part)); exceeded {
			return
		}
		id := kyro.DocumentID(key)
		if slices[id] == nil {
			slices[id] = &strings.Builder{}
		}
		slices[id].WriteString(part)
	})
	switch {
	case err != nil:
		return nil, failed("read texts of documents", err)
	case exceeded:
		return nil, budget.Exceeded()
	}
	texts := make(map[kyro.ID]string, len(slices))
	for id, slice := range slices {
		texts[id] = slice.String()
	}
	return texts, nil
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
