package store

import (
	"context"
	"strings"

	"kyrochat/kyro"
)

// maxQueryTerms bounds the work of one search; a question rarely has more than twenty terms.
const maxQueryTerms = 128

// SearchWords implements answer.Index.
//
// The index is our own rather than that of each database, for the sake of the ranking. FTS5 weighs terms by how
// common they are in the whole table, other bots and former versions included; PostgreSQL ranks without such
// weights at all, and making up for it in SQL means to look at some hundreds of arbitrary candidates. Here the
// postings of a bot are read as a whole, a few rows for each term and document, and scored exactly, by the same
// code on both databases. Beyond maxQueryTerms different terms the rest is left out.
func (s *Store) SearchWords(ctx context.Context, bot kyro.ID, terms []string, limit int) (kyro.LexicalResult, error) {
	asked := queryTerms(terms, maxQueryTerms)
	if len(asked) == 0 || limit <= 0 {
		return kyro.LexicalResult{}, nil
	}
	live, err := s.corpus(ctx, bot)
	if err != nil {
		return kyro.LexicalResult{}, failed("search: count chunks", err)
	}
	lists, err := s.postings(ctx, bot, asked)
	if err != nil {
		return kyro.LexicalResult{}, failed("search: read postings", err)
	}
	best, frequent, err := live.rank(lists, limit)
	if err != nil {
		return kyro.LexicalResult{}, failed("search: rank", err)
	}
	hits, err := s.hits(ctx, best)
	if err != nil {
		return kyro.LexicalResult{}, failed("search: read hits", err)
	}
	return kyro.LexicalResult{Hits: hits, Total: live.chunks, Frequent: frequent}, nil
}

// corpus counts what a search of the bot ranks against.
func (s *Store) corpus(ctx context.Context, bot kyro.ID) (corpus, error) {
	c := corpus{disabled: make(map[int64][]int32)}
	err := s.read().NewSelect().Table("documents").
		ColumnExpr("CAST(coalesce(sum(active_chunks), 0) AS BIGINT), CAST(coalesce(sum(active_terms), 0) AS BIGINT)").
		Where("bot_id = ? AND deleted_at IS NULL AND active_version > 0", bot.Key).Scan(ctx, &c.chunks, &c.terms)
	if err != nil {
		return c, err
	}
	var off []chunkRow
	err = active(s.read().NewSelect().Model(&off)).Column("document_id", "seq", "term_count").
		Where("c.bot_id = ? AND NOT c.enabled", bot.Key).Order("c.document_id", "c.seq").Scan(ctx)
	for _, r := range off {
		c.disabled[r.DocumentID] = append(c.disabled[r.DocumentID], int32(r.Seq))
		c.chunks--
		c.terms -= int64(r.TermCount)
	}
	return c, err
}

// postings reads where the terms occur in active versions of the bot's live documents.
func (s *Store) postings(ctx context.Context, bot kyro.ID, terms []string) (lists []found, err error) {
	rows, err := s.read().NewSelect().TableExpr("postings AS p").
		ColumnExpr("p.term, p.document_id, p.version, p.chunk_count, p.body").
		Join("JOIN documents AS d ON d.id = p.document_id AND d.active_version = p.version AND d.deleted_at IS NULL").
		Where("p.bot_id = ? AND p.term IN (?)", bot.Key, list(terms)).Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var l found
		if err := rows.Scan(&l.term, &l.document, &l.version, &l.chunks, &l.body); err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	return lists, rows.Err()
}

// hits gives the chunks of what was ranked, in the same order. What went away meanwhile is left out.
func (s *Store) hits(ctx context.Context, best []scored) ([]kyro.LexicalHit, error) {
	if len(best) == 0 {
		return nil, nil
	}
	type place struct {
		document     int64
		version, seq int
	}
	args := make([]any, 0, 3*len(best))
	for _, b := range best {
		args = append(args, b.document, b.version, b.seq)
	}
	values := strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(best)), ", ")
	var rows []chunkRow
	err := active(s.read().NewSelect().Model(&rows)).Column("id", "document_id", "version", "seq").
		Where("(c.document_id, c.version, c.seq) IN (VALUES "+values+")", args...).
		Where("c.enabled").Scan(ctx)
	if err != nil {
		return nil, err
	}
	ids := make(map[place]int64, len(rows))
	for _, r := range rows {
		ids[place{r.DocumentID, r.Version, r.Seq}] = r.ID
	}
	hits := make([]kyro.LexicalHit, 0, len(rows))
	for _, b := range best {
		if id, live := ids[place{b.document, b.version, b.seq}]; live {
			hits = append(hits, kyro.LexicalHit{ChunkID: kyro.ChunkID(id), Score: b.score})
		}
	}
	return hits, nil
}

type passageRow struct {
	chunkRow `bun:",extend"`

	Title    string
	Language string
}

func (r *passageRow) noun() kyro.Passage {
	return kyro.Passage{Chunk: r.chunkRow.noun(), DocumentTitle: r.Title, Language: r.Language}
}

// Passages implements answer.Index.
func (s *Store) Passages(ctx context.Context, bot kyro.ID, chunks []kyro.ID) ([]kyro.Passage, error) {
	if len(chunks) == 0 {
		return nil, nil
	}
	var rows []passageRow
	err := active(s.read().NewSelect().Model(&rows)).ColumnExpr("c.*, d.title, d.language").
		Where("c.id IN (?) AND d.bot_id = ? AND c.enabled", keys(chunks), bot.Key).Scan(ctx)
	if err != nil {
		return nil, failed("read passages", err)
	}
	return convert(rows, (*passageRow).noun), nil
}

// Languages implements answer.Index.
func (s *Store) Languages(ctx context.Context, bot kyro.ID) ([]string, error) {
	var languages []string
	err := s.read().NewSelect().Table("documents").Column("language").
		Where("bot_id = ? AND deleted_at IS NULL AND active_version > 0 AND language <> ''", bot.Key).
		Group("language").OrderExpr("sum(active_chunks) DESC, language").Scan(ctx, &languages)
	if err != nil {
		return nil, failed("read languages", err)
	}
	return languages, nil
}
