package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

type gapRow struct {
	bun.BaseModel `bun:"table:gaps,alias:g"`

	ID             int64 `bun:"id,pk,autoincrement"`
	BotID          int64
	Status         string
	Model          string
	Centre         []byte
	Representative int64
	Questions      int
	Unanswered     int
	NotFound       int
	RatedDown      int
	People         int
	FirstAskedAt   time.Time
	LastAskedAt    time.Time
	Run            int64
	DocumentID     *int64
	CheckTotal     int
	CheckDone      int
	CheckAnswered  int
	CheckTokens    int64
	CheckTries     int
	Held           *heldRow `bun:",type:jsonb"`
	HeldAt         *time.Time
	Problem        string
	CheckBeganAt   *time.Time
	CheckEndedAt   *time.Time
	CreatedAt      time.Time

	Question string `bun:"-"`
}

// What the question of a gap says is read from its message, and never kept beside it.
var gapTable = newTable("gaps", "g",
	`id bot_id status representative questions unanswered not_found rated_down people first_asked_at last_asked_at run document_id
	check_total check_done check_answered check_tokens problem check_began_at check_ended_at created_at`,
	func(r *gapRow, _ func(any) any) []any {
		return []any{
			&r.ID, &r.BotID, &r.Status, &r.Representative, &r.Questions, &r.Unanswered, &r.NotFound, &r.RatedDown, &r.People,
			&r.FirstAskedAt, &r.LastAskedAt, &r.Run, &r.DocumentID, &r.CheckTotal, &r.CheckDone, &r.CheckAnswered, &r.CheckTokens,
			&r.Problem, &r.CheckBeganAt, &r.CheckEndedAt, &r.CreatedAt, &r.Question,
		}
	}, func(r *gapRow, n *kyro.Gap) { *n = r.noun() }).withTexts(func(r *gapRow) int { return len(r.Question) }).
	and("(SELECT m.text FROM messages AS m WHERE m.id = g.representative)")

func (r *gapRow) noun() kyro.Gap {
	g := kyro.Gap{
		ID: kyro.GapID(r.ID), BotID: kyro.BotID(r.BotID), Status: kyro.GapStatus(r.Status), Question: r.Question,
		Representative: kyro.MessageID(r.Representative), Asked: r.Questions, Unanswered: r.Unanswered, NotFound: r.NotFound,
		RatedDown: r.RatedDown, People: r.People, FirstAskedAt: r.FirstAskedAt.UTC(), LastAskedAt: r.LastAskedAt.UTC(), Run: r.Run,
		Check: kyro.GapCheck{
			Total: r.CheckTotal, Done: r.CheckDone, Answered: r.CheckAnswered, Tokens: r.CheckTokens, Problem: kyro.GapProblem(r.Problem),
			BeganAt: utcPtr(r.CheckBeganAt), EndedAt: utcPtr(r.CheckEndedAt),
		},
		CreatedAt: r.CreatedAt.UTC(),
	}
	if r.DocumentID != nil {
		g.DocumentID = kyro.DocumentID(*r.DocumentID)
	}
	return g
}

type gapQuestionRow struct {
	bun.BaseModel `bun:"table:gap_questions,alias:q"`

	MessageID  int64 `bun:",pk"`
	BotID      int64
	GapID      *int64
	SenderID   int64
	NotFound   bool
	RatedDown  bool
	AskedAt    time.Time
	Kept       bool
	Model      string
	Vector     []byte
	CheckRun   int64
	Verdict    string
	VerdictRun int64

	Text string `bun:"-"`
}

var gapQuestionTable = newTable("gap_questions", "q", `message_id gap_id asked_at not_found rated_down verdict`,
	func(r *gapQuestionRow, _ func(any) any) []any {
		return []any{&r.MessageID, &r.GapID, &r.AskedAt, &r.NotFound, &r.RatedDown, &r.Verdict, &r.Text}
	}, func(r *gapQuestionRow, n *kyro.GapQuestion) { *n = r.noun() }).withTexts(func(r *gapQuestionRow) int { return len(r.Text) }).
	and("(SELECT m.text FROM messages AS m WHERE m.id = q.message_id)")

func (r *gapQuestionRow) noun() kyro.GapQuestion {
	q := kyro.GapQuestion{
		MessageID: kyro.MessageID(r.MessageID), Text: r.Text, AskedAt: r.AskedAt.UTC(), NotFound: r.NotFound, RatedDown: r.RatedDown,
		Verdict: kyro.GapVerdict(r.Verdict),
	}
	if r.GapID != nil {
		q.GapID = kyro.GapID(*r.GapID)
	}
	return q
}

// ofOwnBot holds for rows of the owner's live bots.
func ofOwnBot(alias string) string {
	return "EXISTS (SELECT 1 FROM bots AS b WHERE b.id = " + alias + ".bot_id AND b.owner_id = ? AND b.deleted_at IS NULL)"
}

func gapsOf(owner kyro.ID) selection[gapRow, kyro.Gap] {
	return rowsOf(gapTable).where(ofOwnBot("g")+" AND g.questions > 0", owner.Key)
}

// Gaps implements insight.GapStore.
func (s *Store) Gaps(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Gap, error) {
	gaps, err := all(ctx, s, gapsOf(owner).byID(ids), "")
	return gaps, failed("read gaps", err)
}

// GapPages implements insight.GapStore. Cursors hold the count that a gap had, which may have changed when they are used.
func (s *Store) GapPages(
	ctx context.Context, owner kyro.ID, bots []kyro.ID, filter kyro.GapFilter, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.Gap], error) {
	some := gapsOf(owner).and(func(q *query) { in(q, "g.status", filter.Status) })
	ofBot := parentage[gapRow, kyro.Gap]{column: "g.bot_id", of: func(g *kyro.Gap) kyro.ID { return g.BotID }}
	by := byNumber("g.unanswered", "g.id", kyro.Desc, func(g *kyro.Gap) int64 { return int64(g.Unanswered) }, (*kyro.Gap).NodeID)
	result, err := pages(ctx, s, some, bots, ofBot, req, by)
	return result, failed("list gaps", err)
}

// GapQuestionPages implements insight.GapStore.
func (s *Store) GapQuestionPages(
	ctx context.Context, owner kyro.ID, gaps []kyro.ID, req kyro.PageRequest,
) (map[kyro.ID]kyro.Page[kyro.GapQuestion], error) {
	ofGap := parentage[gapQuestionRow, kyro.GapQuestion]{column: "q.gap_id", of: func(q *kyro.GapQuestion) kyro.ID { return q.GapID }}
	key := func(q *kyro.GapQuestion) kyro.ID { return q.MessageID }
	by := byNumber("q.message_id", "q.message_id", kyro.Desc, func(q *kyro.GapQuestion) int64 { return q.MessageID.Key }, key)
	result, err := pages(ctx, s, rowsOf(gapQuestionTable).where(ofOwnBot("q"), owner.Key), gaps, ofGap, req, by)
	return result, failed("list the questions of a gap", err)
}

// GapCounts implements insight.GapStore.
func (s *Store) GapCounts(ctx context.Context, owner, bot kyro.ID, span kyro.Span, limit int) ([]kyro.GapCount, error) {
	var found []struct {
		GapID int64
		Asked int
	}
	err := s.read().NewSelect().TableExpr("gap_questions AS q").ColumnExpr("q.gap_id, count(*) AS asked").
		Where("q.bot_id = ? AND q.asked_at >= ? AND q.asked_at < ? AND q.gap_id IS NOT NULL", bot.Key, span.From.UTC(), span.To.UTC()).
		GroupExpr("q.gap_id").OrderExpr("asked DESC, q.gap_id DESC").Limit(int64(limit)).Scan(ctx, &found)
	if err != nil || len(found) == 0 {
		return nil, failed("count unanswered questions", err)
	}
	ids := make([]kyro.ID, len(found))
	for i, f := range found {
		ids[i] = kyro.GapID(f.GapID)
	}
	gaps, err := s.Gaps(ctx, owner, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]kyro.Gap, len(gaps))
	for _, g := range gaps {
		byID[g.ID.Key] = g
	}
	counts := make([]kyro.GapCount, 0, len(found))
	for _, f := range found {
		if g, there := byID[f.GapID]; there {
			counts = append(counts, kyro.GapCount{Gap: g, Count: f.Asked})
		}
	}
	return counts, nil
}

// DismissGap implements insight.GapStore.
func (s *Store) DismissGap(ctx context.Context, owner, id kyro.ID, dismissed bool) (kyro.Gap, error) {
	err := s.write(ctx, "dismiss a gap", func(ctx context.Context, tx *writeTx) error {
		r, err := tx.lockGap(ctx, owner, id)
		if err != nil {
			return err
		}
		switch {
		case r.Status == string(kyro.GapChecking):
			return kyro.Errorf(kyro.CodeConflict, "The questions of the gap are being asked again. Wait for the end of that.")
		case dismissed == (r.Status == string(kyro.GapDismissed)):
			return nil
		}
		status := kyro.GapOpen
		if dismissed {
			status = kyro.GapDismissed
		}
		_, err = tx.NewUpdate().Table("gaps").Set("status = ?", string(status)).Where("id = ?", r.ID).Exec(ctx)
		return err
	})
	if err != nil {
		return kyro.Gap{}, err
	}
	gaps, err := s.Gaps(ctx, owner, []kyro.ID{id})
	return kyro.One(gaps, err, kyro.KindGap)
}

// lockGap reads a gap of the owner's live bots and keeps all gaps of its bot as they are until the transaction ends.
func (tx *writeTx) lockGap(ctx context.Context, owner, id kyro.ID) (*gapRow, error) {
	r := new(gapRow)
	err := tx.NewSelect().Model(r).ExcludeColumn("centre").Where("g.id = ? AND g.questions > 0", id.Key).Where(ofOwnBot("g"), owner.Key).Scan(ctx)
	if err != nil {
		return nil, notFound(err, kyro.KindGap)
	}
	if err := tx.lockGaps(ctx, r.BotID); err != nil {
		return nil, err
	}
	err = tx.NewSelect().Model(r).ExcludeColumn("centre").Where("g.id = ? AND g.questions > 0", id.Key).Where(ofOwnBot("g"), owner.Key).Scan(ctx)
	return r, notFound(err, kyro.KindGap)
}

// lockGaps makes others who want to change the gaps of a bot wait until the transaction ends. It comes after all other locks
// but those of gaps and their questions.
func (tx *writeTx) lockGaps(ctx context.Context, bot int64) error {
	if tx.pg == nil {
		return nil // there is one writer
	}
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('gaps', ?))", bot)
	return err
}
