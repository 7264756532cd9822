package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// weigh takes the question of a final answer among the unanswered ones of its bot, or out of them, as the answer and what is
// said of it demand. Answers that another one has replaced count for nothing, nor does what was not found while the vectors could
// not be searched; and of what is deleted nothing is noted any more.
func (tx *writeTx) weigh(ctx context.Context, answer *messageRow) error {
	if answer.ParentID == nil || answer.Superseded {
		return nil
	}
	found := answer.Grounding == nil || *answer.Grounding != kyro.GroundingNotFound
	down := answer.Feedback != nil && answer.Feedback.Rating == kyro.RatingDown
	if !found && !down && slices.Contains(answer.Notices, kyro.NoticeLexicalOnly) {
		return nil
	}
	if found && !down {
		return tx.takeOut(ctx, "message_id = ?", *answer.ParentID)
	}
	var question struct {
		BotID     int64
		SenderID  int64
		CreatedAt time.Time
	}
	err := tx.NewSelect().TableExpr("messages AS m").Join("JOIN conversations AS c ON c.id = m.conversation_id").
		ColumnExpr("c.bot_id, m.sender_id, m.created_at").Where("m.id = ? AND c.deleted_at IS NULL", *answer.ParentID).Scan(ctx, &question)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := tx.lockGaps(ctx, question.BotID); err != nil {
		return err
	}
	if live, err := tx.botLives(ctx, question.BotID); err != nil || !live {
		return err
	}
	row := gapQuestionRow{
		MessageID: *answer.ParentID, BotID: question.BotID, SenderID: question.SenderID, NotFound: !found, RatedDown: down,
		AskedAt: question.CreatedAt, Kept: true,
	}
	_, err = tx.NewInsert().Model(&row).
		On("CONFLICT (message_id) DO UPDATE").Set("not_found = EXCLUDED.not_found").Set("rated_down = EXCLUDED.rated_down").
		Returning("gap_id").Exec(ctx)
	if err != nil {
		return err
	}
	if row.GapID != nil {
		_, err := tx.refreshGap(ctx, *row.GapID, "")
		return err
	}
	return tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobPlaceGaps, Key: row.BotID})
}

// botLives reports whether a bot is not deleted: with its gaps locked, that stays so.
func (tx *writeTx) botLives(ctx context.Context, bot int64) (bool, error) {
	return tx.NewSelect().Table("bots").Where("id = ? AND deleted_at IS NULL", bot).Exists(ctx)
}

// takeOut removes questions of one bot from those that are unanswered. It asks for nothing more where there are none.
func (tx *writeTx) takeOut(ctx context.Context, which string, args ...any) error {
	var bots []int64
	err := tx.NewSelect().Table("gap_questions").ColumnExpr("DISTINCT bot_id").Where(which, args...).Scan(ctx, &bots)
	if err != nil || len(bots) == 0 {
		return err
	}
	slices.Sort(bots)
	for _, bot := range bots {
		if err := tx.lockGaps(ctx, bot); err != nil {
			return err
		}
	}
	var gone []struct{ GapID *int64 }
	err = tx.NewDelete().Table("gap_questions").Where(which, args...).Returning("gap_id").Scan(ctx, &gone)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	var changed []int64
	for _, q := range gone {
		if q.GapID != nil {
			changed = append(changed, *q.GapID)
		}
	}
	slices.Sort(changed)
	for _, gap := range slices.Compact(changed) {
		if _, err := tx.refreshGap(ctx, gap, ""); err != nil {
			return err
		}
	}
	return nil
}

// dropGaps removes all gaps of a bot, with their questions, and gives back what is held for them.
func (s *Store) dropGaps(ctx context.Context, tx *writeTx, bot int64, owner kyro.ID, now time.Time) error {
	if err := tx.lockGaps(ctx, bot); err != nil {
		return err
	}
	var held []gapRow
	err := tx.NewSelect().Model(&held).ExcludeColumn("centre").Where("g.bot_id = ? AND g.held IS NOT NULL", bot).Order("g.id").Scan(ctx)
	if err != nil {
		return err
	}
	for i := range held {
		if err := s.giveBack(ctx, tx, &held[i], owner, now); err != nil {
			return err
		}
	}
	for _, table := range []string{"gap_questions", "gaps"} {
		if _, err := tx.NewDelete().Table(table).Where("bot_id = ?", bot).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// gapSums is what is counted of the questions of a gap.
type gapSums struct {
	Questions, Unanswered, NotFound, RatedDown, People, Total, Done, Answered, Kept int
	FirstAskedAt, LastAskedAt                                                       *time.Time
	Oldest                                                                          int64
}

// refreshGap counts a gap anew from its questions, the centre by the vectors of a model, or of that which it was made by
// where the model is "". A gap that has none left is removed. All gaps of the bot are locked.
func (tx *writeTx) refreshGap(ctx context.Context, id int64, model string) (centre []float32, err error) {
	var row gapRow
	if err := tx.NewSelect().Model(&row).Column("id", "model", "run", "held").Where("g.id = ?", id).Scan(ctx); err != nil {
		return nil, err
	}
	n, err := tx.sumGap(ctx, row)
	if err != nil {
		return nil, err
	}
	if n.Questions == 0 && row.Held != nil { // a question of it is being asked: whoever is at that removes the gap
		_, err := tx.NewUpdate().Table("gaps").Set("questions = 0").Set("centre = NULL").Set("check_total = 0").Set("check_done = 0").
			Set("check_answered = 0").Where("id = ?", id).Exec(ctx)
		return nil, err
	}
	if n.Questions == 0 {
		_, err := tx.NewDelete().Table("gaps").Where("id = ?", id).Exec(ctx)
		return nil, err
	}
	if n.Kept == 0 { // those that made the centre are gone: others come in their place
		next := tx.NewSelect().Table("gap_questions").Column("message_id").Where("gap_id = ?", id).Order("message_id").Limit(kyro.MaxGapVectors)
		if _, err := tx.NewUpdate().Table("gap_questions").Set("kept = ?", true).Where("message_id IN (?)", next).Exec(ctx); err != nil {
			return nil, err
		}
	}
	if model != "" {
		row.Model = model
	}
	var kept []gapQuestionRow
	err = tx.NewSelect().Model(&kept).Column("message_id", "vector").
		Where("q.gap_id = ? AND q.kept AND q.model = ? AND q.vector IS NOT NULL", id, row.Model).Order("q.message_id").Scan(ctx)
	if err != nil {
		return nil, err
	}
	row.Representative = n.Oldest
	vectors := make([][]float32, len(kept))
	for i := range kept {
		if vectors[i], err = decodeVector(kept[i].Vector, len(kept[i].Vector)/4); err != nil {
			return nil, err
		}
	}
	if centre = kyro.Centre(vectors); centre != nil {
		row.Representative, row.Centre = kept[kyro.MostCentral(vectors, centre)].MessageID, encodeVector(centre)
	}
	row.Questions, row.Unanswered, row.NotFound, row.RatedDown, row.People = n.Questions, n.Unanswered, n.NotFound, n.RatedDown, n.People
	row.CheckTotal, row.CheckDone, row.CheckAnswered = n.Total, n.Done, n.Answered
	row.FirstAskedAt, row.LastAskedAt = *n.FirstAskedAt, *n.LastAskedAt
	_, err = tx.NewUpdate().Model(&row).Column("model", "centre", "representative", "questions", "unanswered", "not_found", "rated_down",
		"people", "check_total", "check_done", "check_answered", "first_asked_at", "last_asked_at").WherePK().Exec(ctx)
	return centre, err
}

func (tx *writeTx) sumGap(ctx context.Context, row gapRow) (n gapSums, err error) {
	const answered, asked, told = "verdict = 'ANSWERED'", "check_run > 0 AND check_run = ?", " AND verdict_run = check_run"
	err = tx.NewSelect().TableExpr("gap_questions").ColumnExpr("count(*) AS questions").
		ColumnExpr("count(CASE WHEN NOT ("+answered+") THEN 1 END) AS unanswered").
		ColumnExpr("count(CASE WHEN not_found THEN 1 END) AS not_found").ColumnExpr("count(CASE WHEN rated_down THEN 1 END) AS rated_down").
		ColumnExpr("count(DISTINCT sender_id) AS people").ColumnExpr("count(CASE WHEN kept THEN 1 END) AS kept").
		ColumnExpr("count(CASE WHEN "+asked+" THEN 1 END) AS total", row.Run).
		ColumnExpr("count(CASE WHEN "+asked+told+" THEN 1 END) AS done", row.Run).
		ColumnExpr("count(CASE WHEN "+asked+told+" AND "+answered+" THEN 1 END) AS answered", row.Run).
		ColumnExpr("coalesce(min(message_id), 0) AS oldest").
		Where("gap_id = ?", row.ID).Scan(ctx, &n)
	if err != nil || n.Questions == 0 {
		return n, err
	}
	// SQLite gives times as such for columns alone, not for what is made of them.
	for _, end := range []struct {
		at    **time.Time
		order string
	}{{&n.FirstAskedAt, "asked_at"}, {&n.LastAskedAt, "asked_at DESC"}} {
		var at time.Time
		err := tx.NewSelect().Table("gap_questions").Column("asked_at").Where("gap_id = ?", row.ID).OrderExpr(end.order).Limit(1).Scan(ctx, &at)
		if err != nil {
			return n, err
		}
		at = at.UTC()
		*end.at = &at
	}
	return n, nil
}

// GapQuestionsToEmbed implements insight.GapStore.
func (s *Store) GapQuestionsToEmbed(ctx context.Context, bot kyro.ID, model string, limit int) ([]kyro.GapQuestion, error) {
	var found []struct {
		MessageID int64
		Text      string
	}
	err := s.read().NewSelect().TableExpr("gap_questions AS q").Join("JOIN messages AS m ON m.id = q.message_id").
		ColumnExpr("q.message_id, m.text").Where("q.bot_id = ? AND q.kept AND (q.model < ? OR q.model > ?)", bot.Key, model, model).
		OrderExpr("CASE WHEN q.gap_id IS NULL THEN 1 ELSE 0 END, q.message_id").Limit(int64(limit)).Scan(ctx, &found)
	if err != nil {
		return nil, failed("look for questions to embed", err)
	}
	questions := make([]kyro.GapQuestion, len(found))
	for i, f := range found {
		questions[i] = kyro.GapQuestion{MessageID: kyro.MessageID(f.MessageID), Text: f.Text}
	}
	return questions, nil
}

// SaveGapVectors implements insight.GapStore. What was taken out meanwhile is left out.
func (s *Store) SaveGapVectors(ctx context.Context, bot kyro.ID, model string, vectors map[kyro.ID][]float32, used ...kyro.EmbeddingUsage) error {
	return s.write(ctx, "save the vectors of questions", func(ctx context.Context, tx *writeTx) error {
		if err := tx.lockGaps(ctx, bot.Key); err != nil {
			return err
		}
		var rows []gapQuestionRow
		ids := make([]int64, 0, len(vectors))
		for id := range vectors {
			ids = append(ids, id.Key)
		}
		err := tx.NewSelect().Model(&rows).Column("message_id", "gap_id").Where("q.message_id IN (?) AND q.bot_id = ?", bun.List(ids), bot.Key).
			Order("q.message_id").Scan(ctx)
		if err != nil {
			return err
		}
		var gaps []int64
		for _, r := range rows {
			r.Model = model
			if v := vectors[kyro.MessageID(r.MessageID)]; v != nil {
				r.Vector = encodeVector(v)
			}
			if _, err := tx.NewUpdate().Model(&r).Column("model", "vector").WherePK().Exec(ctx); err != nil {
				return err
			}
			if r.GapID != nil {
				gaps = append(gaps, *r.GapID)
			}
		}
		slices.Sort(gaps)
		for _, gap := range slices.Compact(gaps) {
			if _, err := tx.refreshGap(ctx, gap, model); err != nil {
				return err
			}
		}
		return s.countEmbeddings(ctx, tx, embedder(model), used)
	})
}

// embedder is the name of an embedding model, as usage counts it, without the dimensions of its vectors.
func embedder(model string) string {
	name, _, _ := strings.Cut(model, "@")
	return name
}

// PlaceGapQuestions implements insight.GapStore. Two processes that are at it come one after the other.
func (s *Store) PlaceGapQuestions(ctx context.Context, p kyro.GapPlacing) (placed int, err error) {
	err = s.write(ctx, "put questions together", func(ctx context.Context, tx *writeTx) error {
		placed = 0
		if err := tx.lockGaps(ctx, p.Bot.Key); err != nil {
			return err
		}
		if live, err := tx.botLives(ctx, p.Bot.Key); err != nil || !live {
			return err
		}
		var questions []gapQuestionRow
		err := tx.NewSelect().Model(&questions).Where("q.bot_id = ? AND q.gap_id IS NULL AND q.model = ?", p.Bot.Key, p.Model).
			Order("q.message_id").Limit(int64(p.Limit)).Scan(ctx)
		if err != nil || len(questions) == 0 {
			return err
		}
		gaps, centres, err := tx.centres(ctx, p)
		if err != nil {
			return err
		}
		for i := range questions {
			q := &questions[i]
			vector, err := decodeVector(q.Vector, len(q.Vector)/4)
			if err != nil {
				return err
			}
			at := kyro.Nearest(centres, vector, p.Threshold)
			if at < 0 || len(vector) == 0 {
				gap, err := tx.beginGap(ctx, q, p)
				if err != nil {
					return err
				}
				gaps, centres, at = append(gaps, gap), append(centres, nil), len(gaps)
			}
			if centres[at], err = tx.join(ctx, q, &gaps[at], p); err != nil {
				return err
			}
		}
		placed = len(questions)
		return nil
	})
	return placed, err
}

// centres reads the gaps that questions are compared with.
func (tx *writeTx) centres(ctx context.Context, p kyro.GapPlacing) (gaps []gapRow, centres [][]float32, err error) {
	err = tx.NewSelect().Model(&gaps).Column("id", "centre").Where("g.bot_id = ? AND g.model = ? AND g.centre IS NOT NULL", p.Bot.Key, p.Model).
		Order("g.last_asked_at DESC", "g.id DESC").Limit(kyro.MaxGapsCompared).Scan(ctx)
	slices.SortFunc(gaps, func(a, b gapRow) int { return cmp.Compare(a.ID, b.ID) })
	for _, g := range gaps {
		centre, err := decodeVector(g.Centre, len(g.Centre)/4)
		if err != nil {
			return nil, nil, err
		}
		centres = append(centres, centre)
	}
	return gaps, centres, err
}

// beginGap makes a gap for a question, which is to join it.
func (tx *writeTx) beginGap(ctx context.Context, q *gapQuestionRow, p kyro.GapPlacing) (gapRow, error) {
	gap := gapRow{
		BotID: p.Bot.Key, Status: string(kyro.GapOpen), Model: p.Model, Representative: q.MessageID, FirstAskedAt: q.AskedAt, LastAskedAt: q.AskedAt,
		CreatedAt: kyro.Moment(p.Now),
	}
	_, err := tx.NewInsert().Model(&gap).Returning("id").Exec(ctx)
	return gap, err
}

// join puts a question into a gap. One that was fixed is open again, since nobody asked this one; where its questions are being
// asked again, this one is asked, too.
func (tx *writeTx) join(ctx context.Context, q *gapQuestionRow, gap *gapRow, p kyro.GapPlacing) (centre []float32, err error) {
	var now gapRow
	err = tx.NewSelect().Model(&now).Column("id", "status", "run", "check_total").Where("g.id = ?", gap.ID).Scan(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := tx.NewSelect().Table("gap_questions").Where("gap_id = ? AND kept", gap.ID).Count(ctx)
	if err != nil {
		return nil, err
	}
	q.GapID, q.Kept = &gap.ID, kept < kyro.MaxGapVectors
	if !q.Kept {
		q.Model, q.Vector = "", nil
	}
	if now.Status == string(kyro.GapChecking) && now.CheckTotal < kyro.MaxGapAsked {
		q.CheckRun = now.Run
	}
	_, err = tx.NewUpdate().Model(q).Column("gap_id", "kept", "model", "vector", "check_run").WherePK().Exec(ctx)
	if err != nil {
		return nil, err
	}
	if now.Status == string(kyro.GapFixed) {
		_, err := tx.NewUpdate().Table("gaps").Set("status = ?", string(kyro.GapOpen)).Where("id = ?", gap.ID).Exec(ctx)
		if err != nil {
			return nil, err
		}
	}
	return tx.refreshGap(ctx, gap.ID, p.Model)
}

// BotsWithGapWork implements insight.GapStore.
func (s *Store) BotsWithGapWork(ctx context.Context, model string, limit int) (bots []kyro.ID, err error) {
	var keys []int64
	err = s.read().NewSelect().Table("gap_questions").ColumnExpr("DISTINCT bot_id").
		Where("kept AND (model < ? OR model > ?) OR gap_id IS NULL", model, model).Limit(int64(limit)).Scan(ctx, &keys)
	return convert(keys, func(key *int64) kyro.ID { return kyro.BotID(*key) }), failed("look for unanswered questions", err)
}
