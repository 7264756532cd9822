package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// AnswerGap implements ingest.Store. As AddDocument, it is not repeated.
func (s *Store) AnswerGap(
	ctx context.Context, gap kyro.ID, d kyro.NewDocument, original io.Reader, deeds ...kyro.AuditEntry,
) (document kyro.Document, added bool, err error) {
	err = s.writeOnce(ctx, "answer a gap", patience(original, d.SizeBytes), func(ctx context.Context, tx *writeTx) error {
		if err := tx.holdOwner(ctx, "id = ?", d.OwnerID.Key); err != nil {
			return err
		}
		if err := s.liveBot(ctx, tx, d.OwnerID, d.BotID); err != nil {
			return err
		}
		r, err := tx.lockGap(ctx, d.OwnerID, gap)
		if err != nil {
			return err
		}
		former, err := tx.sameAnswer(ctx, r, d)
		if err != nil {
			return err
		}
		checking := r.Status == string(kyro.GapChecking)
		if former != nil {
			document = former.noun()
			if checking || r.Status == string(kyro.GapFixed) {
				return nil // the answer came before
			}
			return tx.beginCheck(ctx, r, document.ID, d.Now)
		}
		if checking {
			return kyro.Errorf(kyro.CodeConflict, "The gap was answered in other words, and its questions are being asked again. Wait for the end of that.")
		}
		if document, err = tx.addDocument(ctx, d, original, nil); err != nil {
			return err
		}
		added = true
		if err := tx.beginCheck(ctx, r, document.ID, d.Now); err != nil {
			return err
		}
		return tx.audit(ctx, about(document.ID, deeds)...)
	})
	if err != nil {
		return kyro.Document{}, false, err
	}
	return document, added, nil
}

// sameAnswer is the live document of the last answer to a gap, where it has the same content; else nil.
func (tx *writeTx) sameAnswer(ctx context.Context, r *gapRow, d kyro.NewDocument) (*documentRow, error) {
	if r.DocumentID == nil {
		return nil, nil
	}
	var row documentRow
	err := tx.NewSelect().Model(&row).Where("d.id = ? AND d.deleted_at IS NULL AND d.content_hash = ?", *r.DocumentID, d.ContentHash).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &row, err
}

// beginCheck has questions of a gap asked again: the newest, those before the others that are not answered yet, each wording
// once.
func (tx *writeTx) beginCheck(ctx context.Context, r *gapRow, document kyro.ID, now time.Time) error {
	var found []struct {
		MessageID int64
		Text      string
	}
	err := tx.NewSelect().TableExpr("gap_questions AS q").Join("JOIN messages AS m ON m.id = q.message_id").ColumnExpr("q.message_id, m.text").
		Where("q.gap_id = ?", r.ID).OrderExpr("CASE WHEN q.verdict = 'ANSWERED' THEN 1 ELSE 0 END, q.message_id DESC").
		Limit(5 * kyro.MaxGapAsked).Scan(ctx, &found)
	if err != nil {
		return err
	}
	var asked []int64
	words := map[string]bool{}
	for _, f := range found {
		if key := fold(f.Text); !words[key] && len(asked) < kyro.MaxGapAsked {
			words[key], asked = true, append(asked, f.MessageID)
		}
	}
	r.Run++
	_, err = tx.NewUpdate().Table("gap_questions").Set("check_run = ?", r.Run).Set("verdict = ''").Where("message_id IN (?)", bun.List(asked)).Exec(ctx)
	if err != nil {
		return err
	}
	began := kyro.Moment(now)
	r.Status, r.DocumentID, r.CheckTokens, r.Problem, r.CheckBeganAt, r.CheckEndedAt = string(kyro.GapChecking), &document.Key, 0, "", &began, nil
	_, err = tx.NewUpdate().Model(r).Column("status", "run", "document_id", "check_tokens", "problem", "check_began_at", "check_ended_at").WherePK().Exec(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.refreshGap(ctx, r.ID, ""); err != nil {
		return err
	}
	return tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobCheckGap, Key: r.ID, Run: r.Run})
}

// checking holds for a gap whose questions are asked again in a run.
const checking = "id = ? AND run = ? AND status = 'CHECKING'"

// CheckedGap implements insight.GapStore.
func (s *Store) CheckedGap(ctx context.Context, gap kyro.ID, run int64) (c kyro.CheckedGap, found bool, err error) {
	gaps, err := all(ctx, s, rowsOf(gapTable).where("g.id = ? AND g.run = ? AND g.status = 'CHECKING'", gap.Key, run), "")
	if err != nil || len(gaps) == 0 {
		return c, false, failed("read the gap", err)
	}
	c.Gap = gaps[0]
	var rows []documentRow
	err = s.read().NewSelect().Model(&rows).Where("d.id = ? AND d.deleted_at IS NULL", c.Gap.DocumentID.Key).Scan(ctx)
	if err == nil && len(rows) > 0 {
		d := rows[0].noun()
		c.Document = &d
	}
	return c, true, failed("read the document of a gap", err)
}

// NextGapTrial implements insight.GapStore.
func (s *Store) NextGapTrial(ctx context.Context, gap kyro.ID, run int64, history int) (t kyro.GapTrial, found bool, err error) {
	var next []gapQuestionRow
	err = s.read().NewSelect().Model(&next).ExcludeColumn("vector").Where("q.gap_id = ? AND q.check_run = ? AND q.verdict = ''", gap.Key, run).
		Order("q.message_id").Limit(1).Scan(ctx)
	if err != nil || len(next) == 0 {
		return t, false, failed("look for a question to ask again", err)
	}
	t, err = s.trial(ctx, &next[0], history)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		return t, false, nil // it was deleted a moment ago
	}
	return t, err == nil, failed("read a question to ask again", err)
}

func (s *Store) trial(ctx context.Context, q *gapQuestionRow, history int) (t kyro.GapTrial, err error) {
	var bot botRow
	var question messageRow
	if err := s.read().NewSelect().Model(&bot).Where("b.id = ? AND b.deleted_at IS NULL", q.BotID).Scan(ctx); err != nil {
		return t, notFound(err, kyro.KindBot)
	}
	if err := s.read().NewSelect().Model(&question).Where("m.id = ?", q.MessageID).Scan(ctx); err != nil {
		return t, notFound(err, kyro.KindMessage)
	}
	t.Bot, t.Question, t.NotFound = bot.noun(), question.noun(), q.NotFound
	t.History, err = s.history(ctx, t.Bot.ID, &question, history)
	return t, err
}

// SaveGapVerdict implements insight.GapStore.
func (s *Store) SaveGapVerdict(ctx context.Context, gap kyro.ID, run int64, question kyro.ID, verdict kyro.GapVerdict, tokens int) error {
	return s.write(ctx, "note what came of a question", func(ctx context.Context, tx *writeTx) error {
		bot, found, err := tx.checkedBot(ctx, gap, run)
		if err != nil || !found {
			return err
		}
		if err := tx.lockGaps(ctx, bot); err != nil {
			return err
		}
		_, err = tx.NewUpdate().Table("gaps").Set("check_tokens = check_tokens + ?", tokens).Where(checking, gap.Key, run).Exec(ctx)
		if err != nil {
			return err
		}
		result, err := tx.NewUpdate().Table("gap_questions").Set("verdict = ?", string(verdict)).
			Where("message_id = ? AND gap_id = ? AND check_run = ? AND verdict = ''", question.Key, gap.Key, run).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err // it was taken out, or somebody else asked it, too
		}
		_, err = tx.refreshGap(ctx, gap.Key, "")
		return err
	})
}

func (tx *writeTx) checkedBot(ctx context.Context, gap kyro.ID, run int64) (bot int64, found bool, err error) {
	err = tx.NewSelect().Table("gaps").Column("bot_id").Where(checking, gap.Key, run).Scan(ctx, &bot)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return bot, err == nil, err
}

// EndGapCheck implements insight.GapStore.
func (s *Store) EndGapCheck(ctx context.Context, gap kyro.ID, run int64, problem kyro.GapProblem, now time.Time) error {
	return s.write(ctx, "end the check of a gap", func(ctx context.Context, tx *writeTx) error {
		bot, found, err := tx.checkedBot(ctx, gap, run)
		if err != nil || !found {
			return err
		}
		if err := tx.lockGaps(ctx, bot); err != nil {
			return err
		}
		var r gapRow
		err = tx.NewSelect().Model(&r).ExcludeColumn("centre").Where(checking, gap.Key, run).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		status, c := kyro.GapFixed, r.noun().Check
		switch {
		case problem != "":
			status = kyro.GapStillOpen
		case c.Done < c.Total:
			return tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobCheckGap, Key: gap.Key, Run: run}) // another one came
		case !c.Fixes():
			status, problem = kyro.GapStillOpen, kyro.GapNotAnswered
		}
		_, err = tx.NewUpdate().Table("gaps").Set("status = ?", string(status)).Set("problem = ?", string(problem)).
			Set("check_ended_at = ?", kyro.Moment(now)).Where(checking, gap.Key, run).Exec(ctx)
		return err
	})
}
