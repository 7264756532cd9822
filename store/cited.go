package store

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// quoteRow is a passage that a final answer cites, once for each of its answers.
type quoteRow struct {
	MessageID  int64
	BotID      int64
	DocumentID int64
	ChunkID    int64
	CreatedAt  time.Time // of the answer
	NewOne     bool      // no earlier row of the answer is of the document
}

// count adds a passage of an answer to what is cited.
func (r *quoteRow) count(c *kyro.Cited) {
	add := func(uses map[int64]kyro.Uses, key int64) {
		sum := uses[key]
		uses[key] = kyro.Uses{Answers: sum.Answers + 1, Last: max(sum.Last, r.MessageID)}
	}
	add(c.Passages, r.ChunkID)
	if r.NewOne {
		add(c.Documents, r.DocumentID)
	}
}

// quoted reads what final answers cite that are in live conversations and in the spans, of one bot or, where that is 0, of all.
func quoted(ctx context.Context, db bun.IDB, bot int64, spans []kyro.Span) (rows []quoteRow, err error) {
	q := liveMessages(db).Join(inOrder(db) + " citations AS ci ON ci.message_id = m.id").
		ColumnExpr("DISTINCT ci.message_id, c.bot_id, ci.document_id, ci.chunk_id, m.created_at").Where("NOT (m." + unfinished + ")")
	if bot != 0 {
		q = q.Where("c.bot_id = ?", bot)
	}
	within, times := inSpans(spans)
	if err := q.Where(within, times...).OrderExpr("ci.message_id, ci.document_id, ci.chunk_id").Scan(ctx, &rows); err != nil {
		return nil, err
	}
	for i := range rows {
		rows[i].NewOne = i == 0 || rows[i-1].MessageID != rows[i].MessageID || rows[i-1].DocumentID != rows[i].DocumentID
	}
	return rows, nil
}

// Cited counts what answers of a bot cite in a span. Like Figures it is exact at every moment.
func (s *Store) Cited(ctx context.Context, bot kyro.ID, span kyro.Span) (*kyro.Cited, error) {
	cited := kyro.NewCited()
	c, err := s.cutFigures(ctx, bot, []kyro.Span{span})
	if err != nil {
		return nil, failed("see what is counted of a bot", err)
	}
	err = s.counted(ctx, bot, c, "cited", func(_ int64, coded []byte) error { return addCited(cited, coded) })
	if err != nil {
		return nil, failed("read what is cited of a bot", err)
	}
	for part := range slices.Chunk(c.plain, plainAtOnce) {
		rows, err := quoted(ctx, s.read(), bot.Key, part)
		if err != nil {
			return nil, failed("count the citations of a bot", err)
		}
		for i := range rows {
			rows[i].count(cited)
		}
	}
	return cited, nil
}

// CitedDocuments shows documents as the newest answers that cite them do, in their order. One whose answer went away
// meanwhile is left out.
func (s *Store) CitedDocuments(ctx context.Context, used []kyro.Used) (documents []kyro.CitedDocument, err error) {
	rows, err := s.newestQuotes(ctx, used, func(r *citationRow) int64 { return r.DocumentID })
	for i, r := range rows {
		if r != nil {
			documents = append(documents, kyro.CitedDocument{DocumentID: kyro.DocumentID(r.DocumentID), Title: r.DocumentTitle, Answers: used[i].Answers})
		}
	}
	return documents, err
}

// CitedPassages shows passages as the newest answers that cite them do, in their order. One whose answer went away
// meanwhile is left out.
func (s *Store) CitedPassages(ctx context.Context, used []kyro.Used) (passages []kyro.CitedPassage, err error) {
	rows, err := s.newestQuotes(ctx, used, func(r *citationRow) int64 { return r.ChunkID })
	for i, r := range rows {
		if r != nil {
			passages = append(passages, kyro.CitedPassage{
				ChunkID: kyro.ChunkID(r.ChunkID), DocumentID: kyro.DocumentID(r.DocumentID), Title: r.DocumentTitle, Version: r.DocumentVersion,
				Quote: r.Quote, PageStart: r.PageStart, PageEnd: r.PageEnd, Answers: used[i].Answers,
			})
		}
	}
	return passages, err
}

// newestQuotes reads, for each of what is used, the first citation of it in the newest answer; nil where there is none.
func (s *Store) newestQuotes(ctx context.Context, used []kyro.Used, key func(*citationRow) int64) ([]*citationRow, error) {
	found := make([]*citationRow, len(used))
	if len(used) == 0 {
		return found, nil
	}
	answers := make([]int64, len(used))
	for i, u := range used {
		answers[i] = u.Last
	}
	var rows []citationRow
	err := s.read().NewSelect().Model(&rows).Where("message_id IN (?)", bun.List(answers)).OrderExpr("message_id, seq").Scan(ctx)
	if err != nil {
		return nil, failed("read citations", err)
	}
	type place struct{ answer, key int64 }
	first := map[place]*citationRow{}
	for i := range rows {
		r := &rows[i]
		if at := (place{r.MessageID, key(r)}); first[at] == nil {
			first[at] = r
		}
	}
	for i, u := range used {
		found[i] = first[place{u.Last, u.Key}]
	}
	return found, nil
}

// UnusedDocuments lists the owner's live documents of a bot that are ready and not among the cited ones, oldest first.
func (s *Store) UnusedDocuments(ctx context.Context, owner, bot kyro.ID, cited []int64, req kyro.PageRequest) (kyro.Page[kyro.Document], error) {
	some := documentsOf(owner, kyro.DocumentFilter{Status: []kyro.DocumentStatus{kyro.DocumentReady, kyro.DocumentWarned}}).
		where("d.bot_id = ?", bot.Key)
	if len(cited) > 0 {
		some = some.and(func(q *query) { in(q.add("NOT "), "d.id", cited) })
	}
	order := byTime("d.created_at", "d.id", kyro.Asc, func(d *kyro.Document) time.Time { return d.CreatedAt }, (*kyro.Document).NodeID)
	result, err := page(ctx, s, some, req, order)
	return result, failed("list documents that no answer cites", err)
}
