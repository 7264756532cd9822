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
		Limit(5*kyro.MaxGapAsked).Scan(ctx, &found)
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
	_, err = tx.NewUpdate().Table("gap_questions").Set("check_run = ?", r.Run).Where("message_id IN (?)", bun.List(asked)).Exec(ctx)
	if err != nil {
		return err
	}
	began := kyro.Moment(now)
	r.Status, r.DocumentID, r.CheckTokens, r.Problem, r.CheckBeganAt, r.CheckEndedAt = string(kyro.GapChecking), &document.Key, 0, "", &began, nil
	r.CheckTries = 0
	_, err = tx.NewUpdate().Model(r).Column("status", "run", "document_id", "check_tokens", "check_tries", "problem", "check_began_at", "check_ended_at").WherePK().Exec(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.refreshGap(ctx, r.ID, ""); err != nil {
		return err
	}
	return tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobCheckGap, Key: r.ID, Run: r.Run})
}

// CheckedGap implements insight.GapStore.
func (s *Store) CheckedGap(ctx context.Context, gap kyro.ID, run int64) (c kyro.CheckedGap, found bool, err error) {
	gaps, err := all(ctx, s, rowsOf(gapTable).where("g.id = ? AND g.run = ? AND g.status = 'CHECKING'", gap.Key, run), "")
	if err != nil || len(gaps) == 0 {
		return c, false, failed("read the gap", err)
	}
	c.Gap = gaps[0]
	c.Unused, err = s.read().NewSelect().TableExpr("bots AS b").Join("JOIN users AS u ON u.id = b.owner_id").
		Where("b.id = ? AND u.deactivated_at IS NOT NULL", c.Gap.BotID.Key).Exists(ctx)
	if err != nil {
		return c, false, failed("read the owner of a gap", err)
	}
	var rows []documentRow
	err = s.read().NewSelect().Model(&rows).Where("d.id = ? AND d.deleted_at IS NULL", c.Gap.DocumentID.Key).Scan(ctx)
	if err == nil && len(rows) > 0 {
		d := rows[0].noun()
		c.Document = &d
	}
	return c, true, failed("read the document of a gap", err)
}

// BeginGapTrial implements insight.GapStore. What is held for a question that was asked before a crash is held for the next.
func (s *Store) BeginGapTrial(
	ctx context.Context, gap kyro.ID, run int64, history int, estimate func(bot kyro.Bot, question string, opens bool) kyro.Spending, now time.Time,
) (t kyro.GapTrial, found bool, err error) {
	var next []gapQuestionRow
	err = s.read().NewSelect().Model(&next).ExcludeColumn("vector").Where("q.gap_id = ? AND q.check_run = ? AND q.verdict_run <> q.check_run", gap.Key, run).
		Order("q.message_id").Limit(1).Scan(ctx)
	if err != nil || len(next) == 0 {
		return t, false, failed("look for a question to ask again", err)
	}
	if t, err = s.trial(ctx, &next[0], history); err != nil {
		return t, false, failed("read a question to ask again", err)
	}
	asked := estimate(t.Bot, t.Question.Text, len(t.History) == 0)
	err = s.write(ctx, "ask a question again", func(ctx context.Context, tx *writeTx) error {
		r, err := tx.lockCheck(ctx, gap, run)
		if err != nil || r == nil || r.HeldAt != nil {
			found = err == nil && r != nil
			return err
		}
		found = true
		at := kyro.Moment(now)
		p := &pipeline{s: s, pg: tx.pg, lite: tx.Tx.Tx, begun: true}
		if r.Held, err = s.reserve(ctx, p, t.Bot.OwnerID, t.Bot.ID, 0, asked, at); err != nil {
			return err
		}
		if r.Held == nil {
			r.Held = &heldRow{Of: []int64{}}
		}
		r.HeldAt = &at
		_, err = tx.NewUpdate().Model(r).Column("held", "held_at").WherePK().Exec(ctx)
		return err
	})
	return t, found && err == nil, err
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
func (s *Store) SaveGapVerdict(
	ctx context.Context, gap kyro.ID, run int64, t kyro.GapTrial, verdict kyro.GapVerdict, usage kyro.MessageUsage, now time.Time,
) error {
	return s.write(ctx, "note what came of a question", func(ctx context.Context, tx *writeTx) error {
		r, err := tx.lockCheck(ctx, gap, run)
		if err != nil || r == nil || r.HeldAt == nil { // or somebody else asked it, too
			return err
		}
		_, err = tx.NewUpdate().Table("gap_questions").Set("verdict = ?", string(verdict)).Set("verdict_run = ?", run).
			Where("message_id = ? AND gap_id = ? AND check_run = ? AND verdict_run <> check_run", t.Question.ID.Key, gap.Key, run).Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewUpdate().Table("gaps").Set("check_tokens = check_tokens + ?", usage.TotalTokens()).Set("check_tries = 0").Set("held = NULL").Set("held_at = NULL").
			Where("id = ?", r.ID).Exec(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.refreshGap(ctx, r.ID, ""); err != nil {
			return err
		}
		return s.settleTrial(ctx, tx, r, t, usage, true, now)
	})
}

// FailGapTrial implements insight.GapStore.
func (s *Store) FailGapTrial(ctx context.Context, gap kyro.ID, run int64, t kyro.GapTrial, usage kyro.MessageUsage, now time.Time) (tries int, err error) {
	err = s.write(ctx, "note that a question could not be asked", func(ctx context.Context, tx *writeTx) error {
		r, err := tx.lockCheck(ctx, gap, run)
		if err != nil || r == nil {
			return err
		}
		if tries = r.CheckTries; r.HeldAt == nil { // somebody else asked it, too
			return nil
		}
		tries++
		_, err = tx.NewUpdate().Table("gaps").Set("check_tokens = check_tokens + ?", usage.TotalTokens()).Set("check_tries = ?", tries).
			Set("held = NULL").Set("held_at = NULL").Where("id = ?", r.ID).Exec(ctx)
		if err != nil {
			return err
		}
		return s.settleTrial(ctx, tx, r, t, usage, usage.TotalTokens() > 0, now)
	})
	return tries, err
}

// settleTrial counts what it took to ask a question, and gives back what was held for it.
func (s *Store) settleTrial(ctx context.Context, tx *writeTx, r *gapRow, t kyro.GapTrial, usage kyro.MessageUsage, begun bool, now time.Time) error {
	spent := messageRow{
		SenderID: t.Bot.OwnerID.Key, ConversationID: t.Question.ConversationID.Key, CreatedAt: r.HeldAt.UTC(), Held: r.Held, Usage: &usage,
	}
	return s.settle(ctx, tx, now, settlement{message: &spent, begun: begun})
}

// EndGapCheck implements insight.GapStore.
func (s *Store) EndGapCheck(ctx context.Context, gap kyro.ID, run int64, problem kyro.GapProblem, now time.Time) error {
	return s.write(ctx, "end the check of a gap", func(ctx context.Context, tx *writeTx) error {
		r, err := tx.lockCheck(ctx, gap, run)
		if err != nil || r == nil {
			return err
		}
		status, c, problem := kyro.GapFixed, r.noun().Check, problem
		switch {
		case problem != "":
			status = kyro.GapStillOpen
		case c.Done < c.Total: // another one came
			return tx.Enqueue(ctx, kyro.Job{Kind: kyro.JobCheckGap, Key: r.ID, Run: run})
		case !c.Fixes():
			status, problem = kyro.GapStillOpen, kyro.GapNotAnswered
		}
		_, err = tx.NewUpdate().Table("gaps").Set("status = ?", string(status)).Set("problem = ?", string(problem)).
			Set("check_ended_at = ?", kyro.Moment(now)).Set("held = NULL").Set("held_at = NULL").Where("id = ?", r.ID).Exec(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.refreshGap(ctx, r.ID, ""); err != nil || r.Held == nil {
			return err
		}
		var owner int64
		if err := tx.NewSelect().Table("bots").Column("owner_id").Where("id = ?", r.BotID).Scan(ctx, &owner); err != nil {
			return err
		}
		return s.giveBack(ctx, tx, r, kyro.UserID(owner), now)
	})
}

// lockCheck reads a gap whose questions are asked again in a run, and keeps all gaps of its bot as they are; nil where there
// is no such gap any more.
func (tx *writeTx) lockCheck(ctx context.Context, gap kyro.ID, run int64) (*gapRow, error) {
	read := func() (*gapRow, error) {
		r := new(gapRow)
		err := tx.NewSelect().Model(r).ExcludeColumn("centre").Where("g.id = ? AND g.run = ? AND g.status = 'CHECKING'", gap.Key, run).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		return r, err
	}
	r, err := read()
	if err != nil || r == nil {
		return nil, err
	}
	if err := tx.lockGaps(ctx, r.BotID); err != nil {
		return nil, err
	}
	return read()
}

// giveBack gives back what is held of budgets for a gap. It comes after whatever else is locked.
func (s *Store) giveBack(ctx context.Context, tx *writeTx, r *gapRow, owner kyro.ID, now time.Time) error {
	if r.Held == nil || r.HeldAt == nil || len(r.Held.Of) == 0 {
		return nil
	}
	p := &pipeline{s: s, pg: tx.pg, lite: tx.Tx.Tx, begun: true}
	held := messageRow{SenderID: owner.Key, CreatedAt: r.HeldAt.UTC(), Held: r.Held}
	return s.spend(ctx, tx, p, settlement{message: &held}, kyro.BotID(r.BotID), now)
}
