package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const unfinishedDocuments = `status NOT IN ('READY', 'READY_WITH_WARNINGS', 'NEEDS_OCR', 'FAILED', 'CANCELED')`

// storedDocument is a document as the database has it, with what it became.
type storedDocument struct {
	id, bot         int64
	title, fileName string
	status, reason  string
	active          int
	deleted         bool
	chunks          []string // of the active version, each with all that is known of it
	dead            int      // chunks of other versions
}

// documents reads all documents with their chunks.
func (d *data) documents(ctx context.Context) (map[int64]*storedDocument, error) {
	all := map[int64]*storedDocument{}
	rows, err := d.db.QueryContext(ctx, `SELECT id, bot_id, title, file_name, status, status_reason, active_version, deleted_at IS NOT NULL FROM documents`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s storedDocument
		if err := rows.Scan(&s.id, &s.bot, &s.title, &s.fileName, &s.status, &s.reason, &s.active, &s.deleted); err != nil {
			return nil, err
		}
		all[s.id] = &s
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return all, d.readChunks(ctx, all)
}

func (d *data) readChunks(ctx context.Context, all map[int64]*storedDocument) error {
	rows, err := d.db.QueryContext(ctx, `SELECT document_id, bot_id, version, seq, text, CAST(heading_path AS TEXT), coalesce(page_start, 0), coalesce(page_end, 0),
		char_start, char_end, byte_start, byte_end, token_count, term_count, enabled FROM chunks ORDER BY document_id, version, seq`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var document, bot int64
		var version, seq, from, to, tokens, terms int
		var text, headings string
		var spans [4]int
		var enabled bool
		if err := rows.Scan(&document, &bot, &version, &seq, &text, &headings, &from, &to, &spans[0], &spans[1], &spans[2], &spans[3], &tokens, &terms, &enabled); err != nil {
			return err
		}
		s := all[document]
		switch {
		case s == nil || s.bot != bot:
			return fmt.Errorf("a chunk of document %d has no document or another bot's", document)
		case version != s.active || s.deleted:
			s.dead++
		default:
			s.chunks = append(s.chunks, fmt.Sprintf("%d|%s|%d-%d|%v|%d|%d|%t|%s", seq, strings.Join(strings.Fields(headings), ""), from, to, spans, tokens, terms, enabled, text))
		}
	}
	return rows.Err()
}

// fate is all that became of a document, with its mark taken out.
func (s *storedDocument) fate(mark string) string {
	lines := slices.Concat([]string{s.status + "|" + s.reason + "|" + s.title + "|" + s.fileName}, s.chunks)
	return strings.ReplaceAll(strings.Join(lines, "\n"), mark, noMark)
}

// checkDocuments compares what became of the acknowledged documents with what became of those of the same pattern that
// nothing disturbed.
func (r *round) checkDocuments(ctx context.Context, d *data, calm map[string]added, list []added) error {
	stored, err := d.documents(ctx)
	if err != nil {
		return err
	}
	want := map[string]string{}
	for pattern, a := range calm {
		s := stored[key(a.id)]
		if s == nil {
			return fmt.Errorf("%s of the calm is not there", a.id)
		}
		want[pattern] = s.fate(a.paper.mark)
	}
	seen := map[string]bool{}
	for _, a := range list {
		s := stored[key(a.id)]
		switch {
		case seen[a.id]:
			r.violated("%s was acknowledged for two documents", a.id)
		case s == nil:
			r.violated("the acknowledged document %s (%s) is not there", a.id, a.paper.name)
		case s.deleted:
			r.violated("the document %s was deleted by nobody", a.id)
		default:
			r.count("documents "+s.status, 1)
			if got := s.fate(a.paper.mark); got != want[a.paper.pattern] {
				r.violated("the document %s (%s) is not what an undisturbed one is: %s", a.id, a.paper.name, difference(got, want[a.paper.pattern]))
			}
		}
		seen[a.id] = true
	}
	for _, s := range stored {
		if s.dead > 0 {
			r.violated("%d chunks of former versions of document %d are left", s.dead, s.id)
		}
	}
	return r.checkIndexes(ctx, d)
}

// checkIndexes looks for rows that belong to nothing.
func (r *round) checkIndexes(ctx context.Context, d *data) error {
	live := `EXISTS (SELECT 1 FROM documents d WHERE d.id = %[1]s.document_id AND d.active_version = %[1]s.version AND d.deleted_at IS NULL)`
	for what, statement := range map[string]string{
		"chunks twice in a version": `SELECT count(*) FROM (SELECT 1 FROM chunks GROUP BY document_id, version, seq HAVING count(*) > 1) t`,
		"texts of dead versions":    `SELECT count(*) FROM document_texts t WHERE NOT ` + fmt.Sprintf(live, "t") + ` AND EXISTS (SELECT 1 FROM documents d WHERE d.id = t.document_id AND (d.active_version > 0 OR d.deleted_at IS NOT NULL))`,
		"postings of dead versions": `SELECT count(*) FROM postings p WHERE NOT ` + fmt.Sprintf(live, "p"),
		"vectors without a chunk":   `SELECT count(*) FROM embeddings e WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.content_hash = e.content_hash)`,
		"chunks without a vector":   `SELECT count(*) FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE c.content_hash = e.content_hash)`,
		"versions without postings": `SELECT count(*) FROM documents d WHERE d.active_version > 0 AND d.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM postings p WHERE p.bot_id = d.bot_id AND p.document_id = d.id AND p.version = d.active_version)`,
	} {
		n, err := d.number(ctx, statement)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if n > 0 {
			r.violated("%d %s", n, what)
		}
	}
	return nil
}
