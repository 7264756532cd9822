package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"kyrochat/kyro"
)

// embeddingsLock is the PostgreSQL advisory lock between storing chunks or embeddings, which hold it shared, and removing
// embeddings that no chunk uses. Without it a removal would not see chunks that are about to be committed, and
// take away an embedding on which they count; and an embedding could be stored beside the removal of its last chunk.
const embeddingsLock = 0x6b79_726f_656d

// countOnEmbeddings keeps embeddings from being removed until the transaction has ended.
func (s *Store) countOnEmbeddings(ctx context.Context, tx *writeTx) error {
	if !s.postgres() {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock_shared(?)", int64(embeddingsLock))
	return err
}

// SavePrepared implements ingest.Store. Chunks are numbered by their place. The index is made before the
// transaction begins, and the fence is checked at both of its ends, so that it holds the document's row only for
// a moment.
func (s *Store) SavePrepared(ctx context.Context, id kyro.ID, run int64, p kyro.Prepared, step kyro.DocumentStep) (kyro.Document, error) {
	if len(p.Terms) != len(p.Chunks) {
		return kyro.Document{}, fmt.Errorf("save prepared %s: %d chunks with terms of %d", id, len(p.Chunks), len(p.Terms))
	}
	if step.Status.Ready() {
		return kyro.Document{}, fmt.Errorf("save prepared %s: only an activation makes a document ready", id)
	}
	postings, lengths := indexTerms(p.Terms)
	var row documentRow
	err := s.write(ctx, "save prepared document", func(ctx context.Context, tx *writeTx) error {
		before, err := inRun(ctx, tx, id, run)
		if err != nil {
			return err
		}
		if before.Version == before.ActiveVersion {
			return fmt.Errorf("version %d of %s is in use and cannot be made again", before.Version, id)
		}
		former, err := formerContents(ctx, tx, before, p.Chunks)
		if err != nil {
			return err
		}
		if len(former) > 0 {
			err = tx.mayRemoveEmbeddings(ctx)
		} else {
			err = s.countOnEmbeddings(ctx, tx)
		}
		if err != nil {
			return err
		}
		if err := dropVersion(ctx, tx, before); err != nil {
			return err
		}
		if err := insertTexts(ctx, tx, splitText(before.ID, before.Version, p.Text), hashText(p.Text)); err != nil {
			return err
		}
		if err := insertChunks(ctx, tx, before, p.Chunks, lengths); err != nil {
			return err
		}
		if err := insertPostings(ctx, tx, before, postings); err != nil {
			return err
		}
		if err := dropEmbeddings(ctx, tx, former); err != nil {
			return err
		}
		row = before
		row.move(step)
		facts := row.known()
		facts.PageCount, facts.PageChars = nil, p.PageChars
		if p.Pages > 0 {
			facts.PageCount = &p.Pages
		}
		facts.MimeType = cmp.Or(step.MimeType, p.MimeType, facts.MimeType)
		facts.ChunkCount, facts.CharCount, facts.Language = len(p.Chunks), &p.CharCount, p.Language
		facts.Warnings, facts.Title, facts.URL = orEmpty(p.Warnings), cmp.Or(p.NewTitle, facts.Title), cmp.Or(p.URL, facts.URL)
		row.learn(facts)
		row.PreparedVersion = before.Version
		if p.Lead != "" {
			row.Lead = clean(p.Lead)
		}
		last := row.lastRun()
		if last.ChunksReused, err = tx.reused(ctx, &row, p.Model, p.Dims); err != nil {
			return err
		}
		last.Counted = true
		row.LastRun = &last
		columns := slices.Concat(factColumns, []string{
			"status", "status_reason", "stage_done", "stage_total", "retry_at", "updated_at", "prepared_version", "last_run", "lead",
		})
		return updateInRun(ctx, tx, &row, id, run, columns...)
	})
	if err != nil {
		return kyro.Document{}, err
	}
	return row.worked(), nil
}

// mayRemoveEmbeddings has others wait who count on embeddings until the transaction has ended.
func (tx *writeTx) mayRemoveEmbeddings(ctx context.Context) error {
	if tx.pg == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", int64(embeddingsLock))
	return err
}

// dropEmbeddings removes the embeddings of contents that no chunk has any more.
func dropEmbeddings(ctx context.Context, tx *writeTx, hashes []string) error {
	for some := range slices.Chunk(hashes, chunksATurn) {
		_, err := tx.NewDelete().Table("embeddings").Where("content_hash IN (?)", list(some)).
			Where("NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.content_hash = embeddings.content_hash)").Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

// formerContents are those of chunks that an earlier try left of the version being made, and that are not made again.
func formerContents(ctx context.Context, tx *writeTx, d documentRow, chunks []kyro.Chunk) (hashes []string, err error) {
	err = tx.NewSelect().Table("chunks").ColumnExpr("DISTINCT content_hash").Where("document_id = ? AND version = ?", d.ID, d.Version).Scan(ctx, &hashes)
	if err != nil || len(hashes) == 0 {
		return nil, err
	}
	made := map[string]bool{}
	for _, c := range chunks {
		made[c.ContentHash] = true
	}
	return slices.DeleteFunc(hashes, func(hash string) bool { return made[hash] }), nil
}

// dropVersion removes what an earlier try left of the version being made. Vectors that are in an index by then are of
// chunks that are no more, so that they are put in again.
func dropVersion(ctx context.Context, tx *writeTx, d documentRow) error {
	for _, table := range []string{"document_texts", "chunks", "postings", "indexings"} {
		_, err := tx.NewDelete().Table(table).Where("document_id = ? AND version = ?", d.ID, d.Version).Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

func insertTexts(ctx context.Context, tx *writeTx, parts []textRow, hash string) error {
	columns := []string{"document_id", "version", "char_start", "char_end", "body", "hash"}
	return insertMany(ctx, tx, "document_texts", columns, len(parts), func(i int) []any {
		p := parts[i]
		if i == 0 {
			return []any{p.DocumentID, p.Version, p.CharStart, p.CharEnd, p.Body, hash}
		}
		return []any{p.DocumentID, p.Version, p.CharStart, p.CharEnd, p.Body, nil}
	})
}

func insertChunks(ctx context.Context, tx *writeTx, d documentRow, chunks []kyro.Chunk, lengths []int) error {
	columns := []string{
		"document_id", "bot_id", "version", "seq", "text", "heading_path", "page_start", "page_end", "page_turns",
		"char_start", "char_end", "byte_start", "byte_end", "token_count", "term_count", "content_hash", "enabled",
	}
	return insertMany(ctx, tx, "chunks", columns, len(chunks), func(i int) []any {
		c := &chunks[i]
		return []any{
			d.ID, d.BotID, d.Version, i, c.Text, jsonList(orEmpty(c.HeadingPath)), c.PageStart, c.PageEnd, jsonList(c.PageTurns),
			c.CharStart, c.CharEnd, c.ByteStart, c.ByteEnd, c.TokenCount, lengths[i], c.ContentHash, true,
		}
	})
}

func insertPostings(ctx context.Context, tx *writeTx, d documentRow, postings []termPostings) error {
	columns := []string{"bot_id", "term", "document_id", "version", "chunk_count", "body"}
	return insertMany(ctx, tx, "postings", columns, len(postings), func(i int) []any {
		p := postings[i]
		return []any{d.BotID, p.term, d.ID, d.Version, p.chunks, p.body}
	})
}

// jsonList is a list as JSON, which a list of these cannot fail to be; no list is null.
func jsonList[T string | int](list []T) any {
	if list == nil {
		return nil
	}
	encoded, _ := json.Marshal(list)
	return string(encoded)
}
