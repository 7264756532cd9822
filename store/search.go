package store

import (
	"context"
	"encoding/json"

	"kyrochat/kyro"
)

// maxQueryTerms bounds the work of one search; a question rarely has more than twenty terms.
const maxQueryTerms = 128

// maxWordSearches is how often one search looks while what it finds goes away before it is read.
const maxWordSearches = 3

// SearchWords implements answer.Index.
//
// The index is our own rather than that of each database, for the sake of the ranking. FTS5 weighs terms by how
// common they are in the whole table, other bots and former versions included; PostgreSQL ranks without such
// weights at all, and making up for it in SQL means to look at some hundreds of arbitrary candidates. Here the
// postings of a bot are read as a whole, a few rows for each term and document, and scored exactly, by the same
// code on both databases. Beyond maxQueryTerms different terms the rest is left out.
//
// It is two reads. Where something of what the first one ranked is gone by the second, as where a document has a new version
// since, it is searched once more: else neither the former nor the new version would be found.
func (s *Store) SearchWords(ctx context.Context, bot kyro.ID, terms []string, limit int) (kyro.LexicalResult, error) {
	asked := queryTerms(terms, maxQueryTerms)
	if len(asked) == 0 || limit <= 0 {
		return kyro.LexicalResult{}, nil
	}
	for searches := 1; ; searches++ {
		live, lists, err := s.searched(ctx, bot, asked)
		if err != nil {
			return kyro.LexicalResult{}, failed("search: read the index", err)
		}
		best, frequent, err := live.rank(lists, limit)
		if err != nil {
			return kyro.LexicalResult{}, failed("search: rank", err)
		}
		hits, err := s.hits(ctx, best)
		if err != nil {
			return kyro.LexicalResult{}, failed("search: read hits", err)
		}
		if len(hits) == len(best) || searches == maxWordSearches {
			return kyro.LexicalResult{Hits: hits, Total: live.chunks, Frequent: frequent}, nil
		}
	}
}

// searched reads what a search of the bot ranks against, and where the terms occur in active versions of its live
// documents.
func (s *Store) searched(ctx context.Context, bot kyro.ID, terms []string) (corpus, []found, error) {
	live := corpus{disabled: make(map[int64][]int32)}
	sums := &step{places: []any{&live.chunks, &live.terms}, query: s.query().add(
		"SELECT CAST(coalesce(sum(active_chunks), 0) AS BIGINT), CAST(coalesce(sum(active_terms), 0) AS BIGINT)"+
			" FROM documents WHERE bot_id = ? AND deleted_at IS NULL AND active_version > 0", bot.Key)}
	var document int64
	var seq, count, chunks int
	var terms64 int64
	off := &step{places: []any{&document, &seq, &count}, query: s.query().add(
		"SELECT c.document_id, c.seq, c.term_count FROM chunks AS c JOIN documents AS d ON d.id = c.document_id"+
			" WHERE "+liveChunk+" AND c.bot_id = ? AND NOT c.enabled ORDER BY c.document_id, c.seq", bot.Key)}
	off.do = func() {
		live.disabled[document] = append(live.disabled[document], int32(seq))
		chunks++
		terms64 += int64(count)
	}
	var lists []found
	var l found
	postings := &step{places: []any{&l.term, &l.document, &l.version, &l.chunks, &l.body}, query: in(s.query().add(
		"SELECT p.term, p.document_id, p.version, p.chunk_count, p.body FROM postings AS p"+
			" JOIN documents AS d ON d.id = p.document_id AND d.active_version = p.version AND d.deleted_at IS NULL"+
			" WHERE p.bot_id = ? AND ", bot.Key), "p.term", terms)}
	postings.do = func() {
		lists = append(lists, l)
		l = found{}
	}
	err := s.together(ctx, sums, off, postings)
	live.chunks -= chunks
	live.terms -= terms64
	return live, lists, err
}

// liveChunk holds for a chunk c of the active version of a live document d.
const liveChunk = "d.deleted_at IS NULL AND c.version = d.active_version"

// hits gives the chunks of what was ranked, in the same order. What went away meanwhile is left out.
func (s *Store) hits(ctx context.Context, best []scored) ([]kyro.LexicalHit, error) {
	if len(best) == 0 {
		return nil, nil
	}
	type place struct {
		document     int64
		version, seq int
	}
	documents, versions, seqs := make([]int64, len(best)), make([]int, len(best)), make([]int, len(best))
	for i, b := range best {
		documents[i], versions[i], seqs[i] = b.document, b.version, b.seq
	}
	q := s.query().add("SELECT c.id, c.document_id, c.version, c.seq FROM chunks AS c JOIN documents AS d ON d.id = c.document_id" +
		" WHERE " + liveChunk + " AND c.enabled AND (c.document_id, c.version, c.seq) IN ")
	if s.postgres() {
		q.add("(SELECT * FROM unnest(?::bigint[], ?::int[], ?::int[]))", documents, versions, seqs)
	} else {
		places := make([][3]int64, len(best))
		for i, b := range best {
			places[i] = [3]int64{b.document, int64(b.version), int64(b.seq)}
		}
		list, _ := json.Marshal(places) // which cannot fail
		q.add("(SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?))", string(list))
	}
	ids := make(map[place]int64, len(best))
	var id int64
	var at place
	err := s.each(ctx, q, []any{&id, &at.document, &at.version, &at.seq}, func() { ids[at] = id })
	if err != nil {
		return nil, err
	}
	hits := make([]kyro.LexicalHit, 0, len(ids))
	for _, b := range best {
		if id, live := ids[place{b.document, b.version, b.seq}]; live {
			hits = append(hits, kyro.LexicalHit{ChunkID: kyro.ChunkID(id), Score: b.score})
		}
	}
	return hits, nil
}

// passageRow is a chunk with what its document says of it.
type passageRow struct {
	chunkRow
	Title, Language string
}

// Passages implements answer.Index.
func (s *Store) Passages(ctx context.Context, bot kyro.ID, chunks []kyro.ID) ([]kyro.Passage, error) {
	if len(chunks) == 0 {
		return nil, nil
	}
	q := s.query().add("SELECT "+chunkTable.columns+", d.title, d.language FROM chunks AS c JOIN documents AS d ON d.id = c.document_id"+
		" WHERE "+liveChunk+" AND c.enabled AND d.bot_id = ? AND ", bot.Key)
	in(q, "c.id", rowKeys(chunks))
	var r passageRow
	var passages []kyro.Passage
	err := s.each(ctx, q, append(chunkTable.into(&r.chunkRow, s.asJSON), &r.Title, &r.Language), func() {
		passages = append(passages, kyro.Passage{Chunk: r.noun(), DocumentTitle: r.Title, Language: r.Language})
		r = passageRow{}
	})
	if err != nil {
		return nil, failed("read passages", err)
	}
	return passages, nil
}

// Languages implements answer.Index.
func (s *Store) Languages(ctx context.Context, bot kyro.ID) ([]string, error) {
	q := s.query().add("SELECT language FROM documents WHERE bot_id = ? AND deleted_at IS NULL AND active_version > 0 AND language <> ''"+
		" GROUP BY language ORDER BY sum(active_chunks) DESC, language", bot.Key)
	var languages []string
	var language string
	err := s.each(ctx, q, []any{&language}, func() { languages = append(languages, language) })
	if err != nil {
		return nil, failed("read languages", err)
	}
	return languages, nil
}
